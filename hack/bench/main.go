// Command bench measures the operator: etcd, kube-apiserver, the simulator of ZIM and the built manager run as
// processes of their own on the loopback interface, calls are counted by the simulator, and Ready is seen by a watch.
// Run it with `make bench`.
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

// The first argument may be one of these. The last two are processes that the bench starts itself.
const (
	commandSoak           = "soak"
	commandBareController = "bare-controller"
	commandControlPlane   = "control-plane"
)

func main() {
	err := run(os.Args[1:])
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(testbed.ExitCode(err))
	}
}

func run(args []string) error {
	command := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	switch command {
	case commandBareController:
		return runBareController()
	case commandControlPlane:
		return testbed.RunControlPlane(args)
	case "", commandSoak:
	default:
		return fmt.Errorf("unknown command %q: there is %s, and nothing for the figures", command, commandSoak)
	}
	ctrl.SetLogger(logr.Discard()) // What the libraries say of the bench's own watch interests nobody.
	o, err := parseOptions(args, os.Getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.cleanUp()
	testbed.WatchSignals(cancel, b.running.Kill)
	if command == commandSoak {
		return b.soak(ctx)
	}
	return b.measure(ctx)
}
