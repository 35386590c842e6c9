// Package options are the manager's flags.
package options

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// Options are the manager's settings. Each flag's help says what it means.
type Options struct {
	MetricsAddress         string
	MetricsSecure          bool
	MetricsCertDir         string
	ProbeAddress           string
	PprofAddress           string
	CallbackAddress        string
	LeaderElect            bool
	VerifyInterval         time.Duration
	ConcurrentReconciles   int
	OperatorNamespace      string
	AllowInsecureEndpoints bool
	ShowVersion            bool
	// Zap are those of the log.
	Zap zap.Options

	watchNamespaces      string
	allowedEndpointHosts string
}

// Parse reads the flags. Its errors say what to change.
func Parse(flags *flag.FlagSet, arguments []string) (Options, error) {
	var o Options
	o.bind(flags)
	flags.Init(flags.Name(), flag.ContinueOnError)
	output := flags.Output()
	flags.SetOutput(io.Discard) // The flag package would tell all flags after a mistake in one.
	err := flags.Parse(arguments)
	flags.SetOutput(output)
	if errors.Is(err, flag.ErrHelp) {
		flags.PrintDefaults()
	}
	if err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: all settings are flags", flags.Arg(0))
	}
	return o, o.validate()
}

// bind declares the flags. controller-runtime has declared --kubeconfig.
func (o *Options) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.MetricsAddress, "metrics-bind-address", "0", "Address of the metrics endpoint; 0 turns it off.")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", true,
		"Serve metrics over HTTPS, to those whom the API server authenticates and authorizes.")
	flags.StringVar(&o.MetricsCertDir, "metrics-cert-dir", "",
		"Directory with tls.crt and tls.key for the metrics endpoint. Empty: a certificate is made at each start.")
	flags.StringVar(&o.ProbeAddress, "health-probe-bind-address", ":8081",
		"Address of /healthz and /readyz; 0 turns it off.")
	flags.StringVar(&o.PprofAddress, "pprof-bind-address", "0",
		"Address of Go's profiles; 0 turns it off. It asks nobody who they are: bind it to 127.0.0.1.")
	flags.StringVar(&o.CallbackAddress, "callback-bind-address", "0",
		"Address that receives ZIM's server callbacks, over HTTP, on every replica; 0 turns it off.")
	flags.BoolVar(&o.LeaderElect, "leader-elect", false,
		"Work only while holding a lease in the operator's namespace, so that several replicas can run.")
	flags.DurationVar(&o.VerifyInterval, "verify-interval", 10*time.Minute,
		"How often a room without spec.interval is verified; 0 is never.")
	flags.IntVar(&o.ConcurrentReconciles, "max-concurrent-reconciles", 10, "How many ZimRooms are worked on at a time.")
	flags.StringVar(&o.watchNamespaces, "watch-namespaces", "", "Namespaces to watch, separated by commas. Empty: all.")
	flags.StringVar(&o.OperatorNamespace, "operator-namespace", defaultOperatorNamespace(),
		"Namespace whose ZimApp \"default\" serves ZimRooms that have no other, if it allows theirs.")
	flags.StringVar(&o.allowedEndpointHosts, "allowed-endpoint-hosts", "",
		"Hosts, separated by commas, that ZimApps may name as endpoint besides those of zego.im.")
	flags.BoolVar(&o.AllowInsecureEndpoints, "allow-insecure-endpoints", false,
		"Let ZimApps name http and any host as endpoint: for simulators.")
	flags.BoolVar(&o.ShowVersion, "version", false, "Print the version and exit.")
	o.Zap.BindFlags(flags)
}

func defaultOperatorNamespace() string {
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		return namespace
	}
	return "zim-operator-system"
}

func (o *Options) validate() error {
	switch {
	case o.VerifyInterval != 0 && (o.VerifyInterval < time.Second || o.VerifyInterval > 24*time.Hour):
		return errors.New("--verify-interval must be 0, or from 1s to 24h")
	case o.ConcurrentReconciles < 1:
		return errors.New("--max-concurrent-reconciles must be at least 1")
	case o.watchNamespaces != "" && len(splitList(o.watchNamespaces)) == 0:
		return errors.New("--watch-namespaces names no namespace: name some, or leave it out to watch all")
	case o.OperatorNamespace == "":
		return errors.New("--operator-namespace may not be empty")
	}
	return nil
}

// AllowedEndpointHosts are the hosts that ZimApps may name besides the vendor's.
func (o *Options) AllowedEndpointHosts() []string {
	return splitList(o.allowedEndpointHosts)
}

// Namespaces are those to watch; none: all. The operator's own is always among them: the default ZimApp lives there.
func (o *Options) Namespaces() []string {
	names := splitList(o.watchNamespaces)
	if len(names) > 0 && !slices.Contains(names, o.OperatorNamespace) {
		names = append(names, o.OperatorNamespace)
	}
	return names
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
