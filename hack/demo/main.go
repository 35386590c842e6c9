// Command demo tells what the operator does, with real processes: etcd, kube-apiserver, the simulator of ZIM and
// the built manager, all on the loopback interface. Run it with `make demo`. With the argument "observe" Prometheus
// comes on top, and every alert is seen to fire and to end: `make observe`.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

func main() {
	told := theDemo
	if len(os.Args) > 1 && os.Args[1] == "observe" {
		told = theAlerts()
	}
	if err := run(os.Stdout, told, term.IsTerminal(int(os.Stdin.Fd()))); err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(exitCode(err))
	}
}

// run tells the story. With stay it keeps everything up until a signal, else it ends right after the story.
// Whatever happens, no process is left behind.
func run(out io.Writer, told story, stay bool) (err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	running := newProcesses(cancel)
	watchSignals(cancel, running.kill)

	files, err := findFiles(os.Executable, os.Getenv)
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	d, err := newDemo(out, files, running)
	if err != nil {
		return err
	}
	ended := false
	defer func() { d.cleanUp(ended && err == nil || isInterruption(err)) }()
	err = d.tell(ctx, told)
	if err == nil && stay {
		err = d.stay(ctx)
	}
	ended = true // Not reached in a panic.
	return err
}

// interruption is a signal that ended the demo.
type interruption struct {
	signal syscall.Signal
}

// Error implements error.
func (i *interruption) Error() string {
	return "signal: " + i.signal.String()
}

func isInterruption(err error) bool {
	_, ok := errors.AsType[*interruption](err)
	return ok
}

// exitCode is what a shell reports for a process that a signal ended, else 1.
func exitCode(err error) int {
	if interrupted, ok := errors.AsType[*interruption](err); ok {
		return 128 + int(interrupted.signal)
	}
	return 1
}

// watchSignals cancels on the first signal and calls again on each further one. A reader of the output that goes
// away counts as a signal too, once: everything that is written afterwards would raise it again.
func watchSignals(cancel context.CancelCauseFunc, again func()) {
	watched := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) { // It is with nohup.
		watched = append(watched, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, watched...)
	go func() {
		first, _ := (<-signals).(syscall.Signal)
		cancel(&interruption{signal: first})
		for next := range signals {
			if next != syscall.SIGPIPE {
				again()
			}
		}
	}()
}
