// Command chaos breaks everything around the operator, one thing after the other, and looks whether all rooms come out
// of it as declared, without help, and what is promised holds meanwhile. etcd, kube-apiserver, the simulator of ZIM and
// two replicas of the built manager run as processes of their own; faults come from the simulator, from TCP proxies,
// and from the two servers that this program puts between the replicas and what they talk to. Run it with `make chaos`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// commandControlPlane runs a process that the program starts itself.
const commandControlPlane = "control-plane"

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(testbed.ExitCode(err))
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == commandControlPlane {
		return testbed.RunControlPlane(args[1:])
	}
	ctrl.SetLogger(logr.Discard())
	o, err := parseOptions(args, os.Getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	running := &testbed.Processes{}
	testbed.WatchSignals(cancel, running.Kill)
	dir, err := os.MkdirTemp("", "zim-operator-chaos-")
	if err != nil {
		return fmt.Errorf("making a directory for logs: %w", err)
	}
	w := &world{options: o, dir: dir, running: running, failed: cancel}
	err = w.runRows(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause // Whatever failed, failed because of it.
	}
	cancel(nil)
	running.Stop()
	if err != nil && o.keep {
		fmt.Fprintln(os.Stderr, "Logs are in", dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(dir))
}
