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
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
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
		os.Exit(exitCode(err))
	}
}

func run(args []string) error {
	command := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	switch command {
	case commandBareController:
		return runBareController(args)
	case commandControlPlane:
		return runControlPlane(args)
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
	watchSignals(cancel, b.running.kill)
	if command == commandSoak {
		return b.soak(ctx)
	}
	return b.measure(ctx)
}

// interruption is a signal that ended the bench.
type interruption struct {
	signal syscall.Signal
}

// Error implements error.
func (i *interruption) Error() string {
	return "ended by signal: " + i.signal.String()
}

// exitCode is what a shell reports for a process that a signal ended, else 1.
func exitCode(err error) int {
	if interrupted, ok := errors.AsType[*interruption](err); ok {
		return 128 + int(interrupted.signal)
	}
	return 1
}

// watchSignals cancels on the first signal and calls again on each further one.
func watchSignals(cancel context.CancelCauseFunc, again func()) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP)
	go func() {
		first, _ := (<-signals).(syscall.Signal)
		cancel(&interruption{signal: first})
		for range signals {
			again()
		}
	}()
}
