package options_test

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zim-operator/zim-operator/internal/options"
)

func parse(arguments ...string) (options.Options, error) {
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return options.Parse(flags, arguments)
}

func TestDefaults(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	o, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	if o.VerifyInterval != 10*time.Minute || o.ConcurrentReconciles != 10 || o.OperatorNamespace != "zim-operator-system" ||
		o.AllowInsecureEndpoints || o.CallbackAddress != "0" || o.LeaderElect || !o.MetricsSecure || o.Namespaces() != nil {
		t.Errorf("got %+v", o)
	}
	t.Setenv("POD_NAMESPACE", "elsewhere")
	if o, _ := parse(); o.OperatorNamespace != "elsewhere" {
		t.Errorf("operator's namespace %s, want that of the pod", o.OperatorNamespace)
	}
}

func TestLists(t *testing.T) {
	o, err := parse("--watch-namespaces=a, b,,c ", "--operator-namespace=b", "--allowed-endpoint-hosts=zim.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, o.Namespaces()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"zim.example.com"}, o.AllowedEndpointHosts()); diff != "" {
		t.Error(diff)
	}
	o, _ = parse("--watch-namespaces=a", "--operator-namespace=b")
	if diff := cmp.Diff([]string{"a", "b"}, o.Namespaces()); diff != "" {
		t.Error("the operator's own namespace is missing: " + diff)
	}
}

func TestBadFlagsSayWhatToChange(t *testing.T) {
	for argument, want := range map[string]string{
		"--watch-namespaces=,":          "--watch-namespaces names no namespace", // Not all of them.
		"--verify-interval=1ms":         "--verify-interval",
		"--verify-interval=25h":         "--verify-interval",
		"--verify-interval=-1s":         "--verify-interval",
		"--max-concurrent-reconciles=0": "--max-concurrent-reconciles",
		"--operator-namespace=":         "--operator-namespace",
		"--unknown":                     "unknown",
		"argument":                      "argument",
	} {
		if _, err := parse(argument); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", argument, err)
		}
	}
	for _, argument := range []string{"--verify-interval=0", "--verify-interval=1s", "--verify-interval=24h"} {
		if _, err := parse(argument); err != nil {
			t.Errorf("%s: %v", argument, err)
		}
	}
}
