package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to end when it is asked to.
const stopGrace = 5 * time.Second

// process is a child that runs until it is stopped.
type process struct {
	name    string
	logFile string
	pid     int
	ended   chan struct{} // closed when the process is gone
	err     error         // of its end; valid then
	ending  atomic.Bool   // it is being ended, and may go
}

// processError is a failure of a process; its log tells more.
type processError struct {
	process *process
	what    string
}

// Error implements error.
func (e *processError) Error() string {
	return e.process.name + " " + e.what
}

// processes are the children of the demo. Only the main goroutine starts and stops them.
type processes struct {
	failed  context.CancelCauseFunc
	mu      sync.Mutex
	list    []*process
	stopped bool
}

// newProcesses returns no processes. When one of those that are to stay ends by itself, failed is called with the
// reason.
func newProcesses(failed context.CancelCauseFunc) *processes {
	return &processes{failed: failed}
}

// start starts a process whose output goes to a log file in dir, which is also its working directory.
func (ps *processes) start(
	ctx context.Context, dir, name string, environment []string, path string, args ...string,
) (*process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	logFile := filepath.Join(dir, name+".log")
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // In our own directory.
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer func() { _ = log.Close() }()
	// It is stopped in its turn, not when the context ends.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...) //nolint:gosec // One of our own binaries.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environment...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = processAttributes()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, logFile: logFile, pid: cmd.Process.Pid, ended: make(chan struct{})}
	ps.mu.Lock()
	ps.list = append(ps.list, p)
	ps.mu.Unlock()
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// keep declares that a process is to stay from now on.
func (ps *processes) keep(p *process) {
	go func() {
		<-p.ended
		ps.mu.Lock()
		defer ps.mu.Unlock()
		if !ps.stopped && !p.ending.Load() {
			ps.failed(&processError{process: p, what: "ended by itself: " + p.outcome()})
		}
	}()
}

// outcome says how a process ended.
func (p *process) outcome() string {
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// await polls until the process is ready, and from then on it is to stay.
func (ps *processes) await(
	ctx context.Context, p *process, limit time.Duration, ready func(context.Context) bool,
) error {
	err := poll(ctx, limit, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return false, &processError{process: p, what: "ended: " + p.outcome()}
		default:
			return ready(ctx), nil
		}
	})
	if errors.Is(err, errTooLate) {
		return &processError{process: p, what: "was not ready after " + limit.String()}
	}
	if err == nil {
		ps.keep(p)
	}
	return err
}

// stop ends all processes, the last started first, and returns when they are gone.
func (ps *processes) stop() {
	ps.mu.Lock()
	ps.stopped = true
	list := slices.Clone(ps.list)
	ps.mu.Unlock()
	for _, p := range slices.Backward(list) {
		p.end()
	}
}

// end ends a process, and returns when it is gone.
func (p *process) end() {
	p.ending.Store(true)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(stopGrace):
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
}

// kill ends all processes at once, for a user who does not want to wait for stop.
func (ps *processes) kill() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.stopped = true
	for _, p := range ps.list {
		p.signal(syscall.SIGKILL)
	}
}

// last returns the process that was started last; nil if none was.
func (ps *processes) last() *process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.list) == 0 {
		return nil
	}
	return ps.list[len(ps.list)-1]
}

// signal reaches the process and what it may have started.
func (p *process) signal(signal syscall.Signal) {
	select {
	case <-p.ended: // Its number may be somebody else's by now.
	default:
		_ = syscall.Kill(-p.pid, signal) // It may just have ended.
	}
}

// errTooLate is what poll returns when the time is over.
var errTooLate = errors.New("time is over")

// poll asks until the answer is true. It ends early with an error of the question's, or with the cause of the
// context's end.
func poll(ctx context.Context, limit time.Duration, question func(context.Context) (bool, error)) error {
	const pause = 50 * time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errTooLate)
	defer cancel()
	for {
		yes, err := question(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || yes:
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
