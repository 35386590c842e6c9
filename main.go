// Command manager runs the operator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/metrics"
	"github.com/zim-operator/zim-operator/internal/version"
	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	leaderElectionID = "zim-operator.zim.zego.im"

	// A leader that is killed is followed within leaseDuration and retryPeriod; a clean stop gives the lease back at once.
	leaseDuration = 10 * time.Second
	renewDeadline = 7 * time.Second
	retryPeriod   = 2 * time.Second
)

// options are the manager's flags.
type options struct {
	metricsAddress, probeAddress string
	metricsSecure                bool
	leaderElect                  bool
	verifyInterval               time.Duration
	concurrentReconciles         int
	watchNamespaces              string
	operatorNamespace            string
	allowedEndpointHosts         string
	allowInsecureEndpoints       bool
	showVersion                  bool
	zap                          zap.Options
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "zim-operator:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	o.bind(flag.CommandLine)
	flag.Parse()
	if o.showVersion {
		_, err := fmt.Fprintln(os.Stdout, version.String())
		return err
	}
	if err := o.validate(); err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.zap)))
	manager, err := newManager(o)
	if err != nil {
		return err
	}
	ctx := ctrl.SetupSignalHandler()
	if err := setupControllers(ctx, manager, o); err != nil {
		return err
	}
	ctrl.Log.Info("Started", "version", version.String())
	return manager.Start(ctx)
}

// bind declares the flags. controller-runtime has declared --kubeconfig.
func (o *options) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "Address of the metrics endpoint; 0 turns it off.")
	flags.BoolVar(&o.metricsSecure, "metrics-secure", true,
		"Serve metrics over HTTPS, to those whom the API server authenticates and authorizes.")
	flags.StringVar(&o.probeAddress, "health-probe-bind-address", ":8081", "Address of /healthz and /readyz; 0 turns it off.")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "Work only while holding the lease, so that several replicas can run.")
	flags.DurationVar(&o.verifyInterval, "verify-interval", 10*time.Minute,
		"How often a room without spec.interval is verified; 0 is never.")
	flags.IntVar(&o.concurrentReconciles, "max-concurrent-reconciles", 10, "How many ZimRooms are worked on at a time.")
	flags.StringVar(&o.watchNamespaces, "watch-namespaces", "", "Namespaces to watch, separated by commas. Empty: all.")
	flags.StringVar(&o.operatorNamespace, "operator-namespace", defaultOperatorNamespace(),
		"Namespace whose ZimApp \"default\" serves ZimRooms that have no other, if it allows theirs.")
	flags.StringVar(&o.allowedEndpointHosts, "allowed-endpoint-hosts", "",
		"Hosts, separated by commas, that ZimApps may name as endpoint besides those of zego.im.")
	flags.BoolVar(&o.allowInsecureEndpoints, "allow-insecure-endpoints", false,
		"Let ZimApps name http and any host as endpoint: for simulators.")
	flags.BoolVar(&o.showVersion, "version", false, "Print the version and exit.")
	o.zap.BindFlags(flags)
}

func defaultOperatorNamespace() string {
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		return namespace
	}
	return "zim-operator-system"
}

func (o *options) validate() error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: all settings are flags", flag.Arg(0))
	case o.verifyInterval != 0 && (o.verifyInterval < time.Second || o.verifyInterval > 24*time.Hour):
		return errors.New("--verify-interval must be 0, or from 1s to 24h")
	case o.concurrentReconciles < 1:
		return errors.New("--max-concurrent-reconciles must be at least 1")
	case o.operatorNamespace == "":
		return errors.New("--operator-namespace may not be empty")
	}
	return nil
}

func newManager(o options) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(zimv1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	metricsOptions := metricsserver.Options{BindAddress: o.metricsAddress, SecureServing: o.metricsSecure}
	if o.metricsSecure {
		metricsOptions.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	lease, renew, retry := leaseDuration, renewDeadline, retryPeriod
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsOptions,
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &lease,
		RenewDeadline:                 &renew,
		RetryPeriod:                   &retry,
		Cache: cache.Options{
			DefaultNamespaces: o.namespaces(),
			DefaultTransform:  cache.TransformStripManagedFields(),
		},
		// Secrets are read one by one, by name: the cache of all Secrets of a cluster can be larger than everything else.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	return manager, nil
}

// namespaces returns nil for all. The operator's own is always among them: the default ZimApp lives there.
func (o *options) namespaces() map[string]cache.Config {
	names := splitList(o.watchNamespaces)
	if len(names) == 0 {
		return nil
	}
	configs := map[string]cache.Config{o.operatorNamespace: {}}
	for _, name := range names {
		configs[name] = cache.Config{}
	}
	return configs
}

func setupControllers(ctx context.Context, manager ctrl.Manager, o options) error {
	if err := controllers.SetupIndexes(ctx, manager.GetFieldIndexer(), o.operatorNamespace); err != nil {
		return err
	}
	err := controllers.New(controllers.Options{
		Client:            manager.GetClient(),
		LiveReader:        manager.GetAPIReader(),
		Recorder:          manager.GetEventRecorder("zim-operator"),
		NewClient:         clientFactory(),
		OperatorNamespace: o.operatorNamespace,
		Endpoints: controllers.EndpointPolicy{
			AllowedHosts:  splitList(o.allowedEndpointHosts),
			AllowInsecure: o.allowInsecureEndpoints,
		},
		VerifyInterval:          o.verifyInterval,
		MaxConcurrentReconciles: o.concurrentReconciles,
	}).SetupWithManager(manager)
	if err != nil {
		return err
	}
	return errors.Join(manager.AddHealthzCheck("ping", healthz.Ping), manager.AddReadyzCheck("ping", healthz.Ping))
}

// clientFactory is the one place that builds clients of ZIM. They share connections and metrics.
func clientFactory() controllers.ClientFactory {
	httpClient, observer := zim.NewHTTPClient(), metrics.NewCallObserver(crmetrics.Registry)
	return func(endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter) (*zim.Client, error) {
		return zim.NewClient(zim.Config{
			Endpoint:     endpoint,
			AppID:        appID,
			ServerSecret: serverSecret,
			HTTPClient:   httpClient,
			Limiter:      limiter,
			Observer:     observer,
			UserAgent:    version.UserAgent(),
		})
	}
}

func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
