package testbed

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// interruption is a signal that ended the program.
type interruption struct {
	signal syscall.Signal
}

// Error implements error.
func (i *interruption) Error() string {
	return "ended by signal: " + i.signal.String()
}

// ExitCode is what a shell reports for a process that a signal ended, else 1.
func ExitCode(err error) int {
	if interrupted, ok := errors.AsType[*interruption](err); ok {
		return 128 + int(interrupted.signal)
	}
	return 1
}

// WatchSignals cancels on the first signal and calls again on each further one.
func WatchSignals(cancel context.CancelCauseFunc, again func()) {
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
