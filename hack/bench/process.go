package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to end when it is asked to.
const stopGrace = 15 * time.Second

// process is a child that runs until it is stopped.
type process struct {
	name    string
	logFile string
	pid     int
	started time.Time
	// leash is the child's standard input: its end tells a child that is not killed with the bench to stop.
	leash   io.Closer
	ended   chan struct{} // Closed when the process is gone.
	err     error         // Of its end; valid then.
	stopped atomic.Bool   // It is meant to end.
}

// child says what to start.
type child struct {
	name        string
	path        string
	args        []string
	environment []string
	// leashed: it ends when its standard input does, after stopping what it has started itself. Otherwise it is killed
	// with the bench.
	leashed bool
}

// processError is a failure of a process; its log tells more.
type processError struct {
	process *process
	what    string
}

// Error implements error.
func (e *processError) Error() string {
	return fmt.Sprintf("%s %s; the end of its log:\n%s", e.process.name, e.what, tail(e.process.logFile))
}

// processes are the children of the bench. Only the main goroutine starts them.
type processes struct {
	mu   sync.Mutex
	list []*process
}

// start starts a process in dir, where its log goes too. When it ends without having been stopped, failed is called.
func (ps *processes) start(ctx context.Context, dir string, c child, failed context.CancelCauseFunc) (*process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p := &process{name: c.name, logFile: filepath.Join(dir, c.name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.name, err)
	}
	defer func() { _ = log.Close() }()
	// It is stopped in its turn, not when the context ends.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.path, c.args...) //nolint:gosec // One of our own binaries.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), c.environment...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = processAttributes(!c.leashed)
	if c.leashed {
		if p.leash, err = cmd.StdinPipe(); err != nil {
			return nil, fmt.Errorf("starting %s: %w", c.name, err)
		}
	}
	p.started = time.Now()
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	p.pid = cmd.Process.Pid
	ps.mu.Lock()
	ps.list = append(ps.list, p)
	ps.mu.Unlock()
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
		if !p.stopped.Load() {
			failed(&processError{process: p, what: "ended by itself"})
		}
	}()
	return p, nil
}

// stop ends a process and returns when it is gone.
func (p *process) stop() {
	p.stopped.Store(true)
	if p.leash != nil {
		_ = p.leash.Close()
	} else {
		p.signal(syscall.SIGTERM)
	}
	select {
	case <-p.ended:
	case <-time.After(stopGrace):
		p.signal(syscall.SIGKILL)
		<-p.ended
	}
}

// stop ends all processes, the last started first.
func (ps *processes) stop() {
	ps.mu.Lock()
	list := slices.Clone(ps.list)
	ps.list = nil
	ps.mu.Unlock()
	for _, p := range slices.Backward(list) {
		p.stop()
	}
}

// kill ends all processes at once, for a user who does not want to wait. Those on a leash have children of their own:
// they end when the bench does.
func (ps *processes) kill() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.list {
		p.stopped.Store(true)
		if p.leash == nil {
			p.signal(syscall.SIGKILL)
		}
	}
}

// signal reaches the process and what it may have started.
func (p *process) signal(signal syscall.Signal) {
	select {
	case <-p.ended: // Its number may be somebody else's by now.
	default:
		_ = syscall.Kill(-p.pid, signal) // It may just have ended.
	}
}

// tail returns the last lines of a log.
func tail(file string) string {
	const lines = 8
	data, err := os.ReadFile(file) //nolint:gosec // A log of ours.
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// errTooLate is what await returns when the time is over.
var errTooLate = errors.New("time is over")

// await asks until the answer is true. It ends early with an error of the question's, or with the cause of the
// context's end.
func await(ctx context.Context, limit time.Duration, question func(context.Context) (bool, error)) error {
	return poll(ctx, limit, 20*time.Millisecond, question)
}

// poll is await for questions that cost something: it pauses as long as it is told.
func poll(ctx context.Context, limit, pause time.Duration, question func(context.Context) (bool, error)) error {
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
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// sleep waits, and fails with the cause of the context's end.
func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(duration):
		return nil
	}
}
