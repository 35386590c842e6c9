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

// IsInterruption tells whether a signal ended the program.
func IsInterruption(err error) bool {
	_, ok := errors.AsType[*interruption](err)
	return ok
}

// ExitCode is what a shell reports for a process that a signal ended, else 1.
func ExitCode(err error) int {
	if interrupted, ok := errors.AsType[*interruption](err); ok {
		return 128 + int(interrupted.signal)
	}
	return 1
}

// WatchSignals cancels on the first signal and calls again on each further one. SIGPIPE, if it is among the additional
// ones, counts once: everything that is written afterwards would raise it again. It comes from connections too.
func WatchSignals(cancel context.CancelCauseFunc, again func(), additional ...os.Signal) {
	watched := append([]os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT}, additional...)
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
