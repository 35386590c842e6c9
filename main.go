// Command manager runs the operator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/leaderelection"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/leadership"
	"github.com/zim-operator/zim-operator/internal/metrics"
	"github.com/zim-operator/zim-operator/internal/options"
	"github.com/zim-operator/zim-operator/internal/startup"
	"github.com/zim-operator/zim-operator/internal/version"
	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	leaderElectionID = "zim-operator.zim.zego.im"

	// A leader that is killed is followed within leaseDuration and retryPeriod; a clean stop gives the lease back at once.
	leaseDuration = 10 * time.Second
	renewDeadline = 7 * time.Second
	retryPeriod   = 2 * time.Second

	// leaseValidity is how long after the asking a renewed lease is relied on: what is written to a connection then has a
	// second to arrive before another replica can lead.
	leaseValidity = leaseDuration - time.Second
)

// uncached are read one by one, by name: the cache of all Secrets of a cluster can be larger than everything else.
var uncached = []client.Object{&corev1.Secret{}}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "zim-operator:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := options.Parse(flag.CommandLine, os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.ShowVersion {
		_, err := fmt.Fprintln(os.Stdout, version.String())
		return err
	}
	manager, lock, err := newManager(o)
	if err != nil {
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&o.Zap))) // Not sooner: a failure is told once.
	ctx := ctrl.SetupSignalHandler()
	if err := setupControllers(ctx, manager, lock, o); err != nil {
		return err
	}
	ctrl.Log.Info("Started", "version", version.String())
	return manager.Start(ctx)
}

// newManager returns the manager, and the lock that tells whether it leads.
func newManager(o options.Options) (ctrl.Manager, *leadership.Lock, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(zimv1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("finding the API server: %w", err)
	}
	metricsOptions := metricsserver.Options{
		BindAddress: o.MetricsAddress, SecureServing: o.MetricsSecure, CertDir: o.MetricsCertDir,
	}
	if o.MetricsSecure {
		metricsOptions.FilterProvider = filters.WithAuthenticationAndAuthorization
	}
	lease, renew, retry := leaseDuration, renewDeadline, retryPeriod
	lock := leadership.NewLock(leaseValidity)
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                              scheme,
		MapperProvider:                      startup.NewMapper,
		Metrics:                             metricsOptions,
		HealthProbeBindAddress:              o.ProbeAddress,
		PprofBindAddress:                    o.PprofAddress,
		LeaderElection:                      o.LeaderElect,
		LeaderElectionReleaseOnCancel:       true,
		LeaderElectionResourceLockInterface: lock,
		LeaseDuration:                       &lease,
		RenewDeadline:                       &renew,
		RetryPeriod:                         &retry,
		Cache:                               cacheOptions(o.Namespaces()),
		Client:                              client.Options{Cache: &client.CacheOptions{DisableFor: uncached}},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("building the manager: %w", err)
	}
	lock.Interface, err = leaderelection.NewResourceLock(config, manager, leaderelection.Options{
		LeaderElection: o.LeaderElect, LeaderElectionID: leaderElectionID, LeaderElectionNamespace: o.OperatorNamespace,
		RenewDeadline: renew,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("preparing leader election: %w", err)
	}
	return manager, lock, nil
}

// cacheOptions are for chosen namespaces, or for all if there are none.
func cacheOptions(namespaces []string) cache.Options {
	all := cache.Options{DefaultTransform: controllers.StripForCache}
	if len(namespaces) == 0 {
		return all
	}
	chosen := all
	chosen.NewInformer = startup.NewInformer
	chosen.DefaultNamespaces = map[string]cache.Config{}
	for _, name := range namespaces {
		chosen.DefaultNamespaces[name] = cache.Config{}
	}
	return chosen
}

func setupControllers(ctx context.Context, manager ctrl.Manager, lock *leadership.Lock, o options.Options) error {
	api, err := startup.NewClient(manager.GetConfig(), manager.GetScheme())
	if err != nil {
		return fmt.Errorf("building a client: %w", err)
	}
	if err := startup.Check(ctx, api, needs(o)); err != nil {
		return err
	}
	if err := controllers.SetupIndexes(ctx, manager.GetFieldIndexer(), o.OperatorNamespace); err != nil {
		return err
	}
	leader, err := leaderClient(manager, lock)
	if err != nil {
		return err
	}
	observer := metrics.NewObserver(crmetrics.Registry)
	operator := controllers.New(controllers.Options{
		Client:            manager.GetClient(),
		LeaderClient:      leader,
		LiveReader:        manager.GetAPIReader(),
		Recorder:          manager.GetEventRecorder("zim-operator"),
		NewClient:         clientFactory(observer, lock),
		OperatorNamespace: o.OperatorNamespace,
		Endpoints: controllers.EndpointPolicy{
			AllowedHosts:  o.AllowedEndpointHosts(),
			AllowInsecure: o.AllowInsecureEndpoints,
		},
		WatchedNamespaces:       o.Namespaces(),
		VerifyInterval:          o.VerifyInterval,
		MaxConcurrentReconciles: o.ConcurrentReconciles,
		Observer:                observer,
	})
	if err := operator.SetupWithManager(ctx, manager); err != nil {
		return err
	}
	metrics.RegisterState(crmetrics.Registry, manager.Elected(), operator.State)
	if o.CallbackAddress != "0" {
		if err := manager.Add(callbackServer(o.CallbackAddress, operator.Callbacks())); err != nil {
			return err
		}
	}
	return errors.Join(manager.Add(startup.Tidy{Cache: manager.GetCache()}),
		manager.Add(startup.Tidy{Cache: manager.GetCache(), Leader: true}),
		manager.AddHealthzCheck("ping", healthz.Ping),
		manager.AddReadyzCheck("cache", startup.Ready(manager.GetCache())))
}

// leaderClient reads as the manager's client does, but writes only while this replica leads.
func leaderClient(manager ctrl.Manager, lock *leadership.Lock) (client.Client, error) {
	guarded, err := client.New(lock.Guard(manager.GetConfig()), client.Options{
		Scheme: manager.GetScheme(),
		Mapper: manager.GetRESTMapper(),
		Cache:  &client.CacheOptions{Reader: manager.GetCache(), DisableFor: uncached},
	})
	if err != nil {
		return nil, fmt.Errorf("building the leader's client: %w", err)
	}
	return guarded, nil
}

// needs is what the manager can't start without.
func needs(o options.Options) startup.Needs {
	needs := startup.Needs{Namespaces: o.Namespaces(), OperatorNamespace: o.OperatorNamespace}
	if o.LeaderElect {
		needs.Lease = leaderElectionID
	}
	return needs
}

// clientFactory is the one place that builds clients of ZIM. They share connections and observers.
func clientFactory(observer zim.Observer, lock *leadership.Lock) controllers.ClientFactory {
	httpClient, observers := zim.NewGuardedHTTPClient(lock.Check), zim.Observers{observer, controllers.CallLog{}}
	return func(endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter) (*zim.Client, error) {
		return zim.NewClient(zim.Config{
			Endpoint:     endpoint,
			AppID:        appID,
			ServerSecret: serverSecret,
			HTTPClient:   httpClient,
			Limiter:      limiter,
			Observer:     observers,
			MayCall:      lock.Check,
			UserAgent:    version.UserAgent(),
		})
	}
}
