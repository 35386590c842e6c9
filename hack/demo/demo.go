package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// demo is one run.
type demo struct {
	*teller
	files     *files
	dir       string // for logs and data of the processes
	running   *testbed.Processes
	failed    context.CancelCauseFunc // ends the demo when a process ends that is to stay
	kubectl   *kubectl
	simulator *simulator
	server    string // URL of the API server
	manager   *testbed.Process
	observed  *observation // nil unless the alerts are told
}

func newDemo(out io.Writer, files *files, running *testbed.Processes, failed context.CancelCauseFunc) (*demo, error) {
	dir, err := os.MkdirTemp("", "zim-operator-demo-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for logs: %w", err)
	}
	t := &teller{out: out}
	return &demo{
		teller: t, files: files, dir: dir, running: running, failed: failed, kubectl: newKubectl(t, files, dir),
	}, nil
}

// story is what is told.
type story struct {
	intro string
	steps []step
}

// step is a part of a story.
type step struct {
	name string
	run  func(*demo, context.Context) error
}

// tell goes through the steps until one fails.
func (d *demo) tell(ctx context.Context, told story) error {
	began := time.Now()
	d.say("%s Logs: %s", told.intro, d.dir)
	for i, step := range told.steps {
		d.heading("Step %d of %d: %s", i+1, len(told.steps), step.name)
		err := step.run(d, ctx)
		if cause := context.Cause(ctx); cause != nil {
			err = cause // Whatever failed, failed because of it.
		}
		if err != nil {
			return d.stepError(i+1, step.name, err)
		}
	}
	d.say("\nThat was the story, in %s.", seconds(time.Since(began)))
	return nil
}

// stepError says where it happened, and ends with the last lines of the log that is likeliest to tell why.
func (d *demo) stepError(number int, name string, err error) error {
	if testbed.IsInterruption(err) {
		return fmt.Errorf("ended in step %d (%s) by %w", number, name, err)
	}
	return d.withLog(fmt.Errorf("step %d (%s) failed: %w", number, name, err))
}

// withLog adds where the logs are, and the last lines of the one of the process that was started last, unless the error
// has those of another one.
func (d *demo) withLog(err error) error {
	last := d.running.Last()
	if _, ok := errors.AsType[*testbed.ProcessError](err); !ok && last != nil {
		err = fmt.Errorf("%w\nThe end of %s:\n%s", err, last.LogFile, indent(testbed.Tail(last.LogFile), "  "))
	}
	return fmt.Errorf("%w\nLogs are in %s", err, d.dir)
}

// start starts a process whose output goes to a log file in the demo's directory.
func (d *demo) start(
	ctx context.Context, name string, environment []string, path string, args ...string,
) (*testbed.Process, error) {
	c := testbed.Child{Name: name, Path: path, Args: args, Environment: environment}
	return d.running.Start(ctx, d.dir, c, nil)
}

// awaitReady returns when a process is ready; from then on it is to stay.
func (d *demo) awaitReady(
	ctx context.Context, p *testbed.Process, limit time.Duration, ready func(context.Context) bool,
) error {
	err := p.AwaitReady(ctx, limit, ready)
	if err == nil {
		p.Stay(d.failed)
	}
	return err
}

// stay keeps everything up until a signal comes, which is no failure then.
func (d *demo) stay(ctx context.Context) error {
	d.say("Everything stays up until Ctrl-C. In another terminal:\n\n"+
		"  export KUBECONFIG=%s\n  export PATH=%s:\"$PATH\"    # for kubectl\n\n"+
		"The simulator's admin side: %s (try GET %s).",
		shellQuote(filepath.Join(d.dir, kubeconfig)), shellQuote(d.files.assets),
		d.simulator.Admin, d.simulator.urlOf("/rooms", nil))
	<-ctx.Done()
	if err := context.Cause(ctx); !testbed.IsInterruption(err) {
		return d.withLog(err)
	}
	return nil
}

// cleanUp stops everything. What was written goes too; but for the logs, if they are wanted.
func (d *demo) cleanUp(removeLogs bool) {
	d.say("\nStopping everything...")
	began := time.Now()
	d.running.Stop()
	if err := d.remove(removeLogs); err != nil {
		d.say("Could not remove what was written: %v", err)
	}
	d.say("Stopped after %s.", seconds(time.Since(began)))
}

func (d *demo) remove(logsToo bool) error {
	if logsToo {
		return os.RemoveAll(d.dir)
	}
	entries, err := os.ReadDir(d.dir)
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".log") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(d.dir, entry.Name())))
		}
	}
	return err
}
