package testbed

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

// Process is a child that runs until it is stopped.
type Process struct {
	Name    string
	LogFile string
	PID     int
	Started time.Time
	// leash is the child's standard input: its end tells a child that is not killed with the bench to stop.
	leash   io.Closer
	ended   chan struct{} // Closed when the process is gone.
	err     error         // Of its end; valid then.
	stopped atomic.Bool   // It is meant to end.
}

// Child says what to start.
type Child struct {
	Name        string
	Path        string
	Args        []string
	Environment []string
	// Leashed: it ends when its standard input does, after stopping what it has started itself. Otherwise it is killed
	// with the program.
	Leashed bool
}

// ProcessError is a failure of a process; its log tells more.
type ProcessError struct {
	Process *Process
	what    string
}

// Error implements error.
func (e *ProcessError) Error() string {
	return fmt.Sprintf("%s %s; the end of its log:\n%s", e.Process.Name, e.what, Tail(e.Process.LogFile))
}

// Processes are the children of a program.
type Processes struct {
	mu   sync.Mutex
	list []*Process
}

// Start starts a process in dir, where its log goes too. Unless failed is nil, it is to Stay.
func (ps *Processes) Start(ctx context.Context, dir string, c Child, failed context.CancelCauseFunc) (*Process, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	p := &Process{Name: c.Name, LogFile: filepath.Join(dir, c.Name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.Name, err)
	}
	defer func() { _ = log.Close() }()
	// It is stopped in its turn, not when the context ends.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.Path, c.Args...) //nolint:gosec // One of our own binaries.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), c.Environment...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = processAttributes(!c.Leashed)
	if c.Leashed {
		if p.leash, err = cmd.StdinPipe(); err != nil {
			return nil, fmt.Errorf("starting %s: %w", c.Name, err)
		}
	}
	p.Started = time.Now()
	if err := launch(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	p.PID = cmd.Process.Pid
	ps.mu.Lock()
	ps.list = append(ps.list, p)
	ps.mu.Unlock()
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if failed != nil {
		p.Stay(failed)
	}
	return p, nil
}

// Stay has failed called when the process ends without having been stopped.
func (p *Process) Stay(failed context.CancelCauseFunc) {
	go func() {
		<-p.ended
		if !p.stopped.Load() {
			failed(&ProcessError{Process: p, what: "ended by itself: " + p.outcome()})
		}
	}()
}

// outcome says how a process ended.
func (p *Process) outcome() string {
	if p.err == nil {
		return "exit status 0"
	}
	return p.err.Error()
}

// AwaitReady asks until the process is ready. It fails with a ProcessError if it ends before, or takes too long.
func (p *Process) AwaitReady(ctx context.Context, limit time.Duration, ready func(context.Context) bool) error {
	err := Await(ctx, limit, func(ctx context.Context) (bool, error) {
		select {
		case <-p.ended:
			return false, &ProcessError{Process: p, what: "ended: " + p.outcome()}
		default:
			return ready(ctx), nil
		}
	})
	if errors.Is(err, ErrTooLate) {
		return &ProcessError{Process: p, what: "was not ready after " + limit.String()}
	}
	return err
}

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} {
	return p.ended
}

// Stop ends a process and returns when it is gone.
func (p *Process) Stop() {
	p.stopped.Store(true)
	if p.leash != nil {
		_ = p.leash.Close()
	} else {
		p.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.ended:
	case <-time.After(stopGrace):
		p.Signal(syscall.SIGKILL)
		<-p.ended
	}
}

// Kill ends a process outright, and returns when it is gone.
func (p *Process) Kill() {
	p.stopped.Store(true)
	p.Signal(syscall.SIGKILL)
	<-p.ended
}

// Stop ends all processes, the last started first.
func (ps *Processes) Stop() {
	ps.mu.Lock()
	list := slices.Clone(ps.list)
	ps.list = nil
	ps.mu.Unlock()
	for _, p := range slices.Backward(list) {
		p.Stop()
	}
}

// Kill ends all processes at once, for a user who does not want to wait. Those on a leash have children of their own:
// they end when the program does.
func (ps *Processes) Kill() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.list {
		p.stopped.Store(true)
		if p.leash == nil {
			p.Signal(syscall.SIGKILL)
		}
	}
}

// Last returns the process that was started last; nil if none was.
func (ps *Processes) Last() *Process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.list) == 0 {
		return nil
	}
	return ps.list[len(ps.list)-1]
}

// Signal reaches the process and what it may have started.
func (p *Process) Signal(signal syscall.Signal) {
	select {
	case <-p.ended: // Its number may be somebody else's by now.
	default:
		_ = syscall.Kill(-p.PID, signal) // It may just have ended.
	}
}

// Tail returns the last lines of a log, shortened to what one wants to read.
func Tail(file string) string {
	const lines, longest = 8, 400
	data, err := os.ReadFile(file) //nolint:gosec // A log of ours.
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		if len(line) > longest {
			all[i] = strings.ToValidUTF8(line[:longest], "") + "..."
		}
	}
	return strings.Join(all, "\n")
}

// ErrTooLate is what Await returns when the time is over.
var ErrTooLate = errors.New("time is over")

// Await asks until the answer is true. It ends early with an error of the question's, or with the cause of the
// context's end.
func Await(ctx context.Context, limit time.Duration, question func(context.Context) (bool, error)) error {
	return Poll(ctx, limit, 20*time.Millisecond, question)
}

// Poll is Await for questions that cost something: it pauses as long as it is told.
func Poll(ctx context.Context, limit, pause time.Duration, question func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrTooLate)
	defer cancel()
	for {
		yes, err := question(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || yes:
			return err
		}
		if err := Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// Sleep waits, and fails with the cause of the context's end.
func Sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(duration):
		return nil
	}
}
