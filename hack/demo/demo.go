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
)

// demo is one run.
type demo struct {
	*teller
	files     *files
	dir       string // for logs and data of the processes
	running   *processes
	kubectl   *kubectl
	simulator *simulator
	server    string // URL of the API server
	manager   *process
	observed  *observation // nil unless the alerts are told
}

func newDemo(out io.Writer, files *files, running *processes) (*demo, error) {
	dir, err := os.MkdirTemp("", "zim-operator-demo-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for logs: %w", err)
	}
	t := &teller{out: out}
	return &demo{teller: t, files: files, dir: dir, running: running, kubectl: newKubectl(t, files, dir)}, nil
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
	if isInterruption(err) {
		return fmt.Errorf("ended in step %d (%s) by %w", number, name, err)
	}
	return d.withLog(fmt.Errorf("step %d (%s) failed: %w", number, name, err))
}

// withLog adds the last lines of the log of the process that failed, or else of the one that was started last.
func (d *demo) withLog(err error) error {
	err = fmt.Errorf("%w; logs are in %s", err, d.dir)
	p := d.running.last()
	if failed, ok := errors.AsType[*processError](err); ok {
		p = failed.process
	}
	if p == nil {
		return err
	}
	const lines = 8
	return fmt.Errorf("%w\nThe end of %s:\n%s", err, p.logFile, indent(tail(p.logFile, lines), "  "))
}

// stay keeps everything up until a signal comes, which is no failure then.
func (d *demo) stay(ctx context.Context) error {
	d.say("Everything stays up until Ctrl-C. In another terminal:\n\n"+
		"  export KUBECONFIG=%s\n  export PATH=%s:\"$PATH\"    # for kubectl\n\n"+
		"The simulator's admin side: %s (try GET %s).",
		shellQuote(filepath.Join(d.dir, kubeconfig)), shellQuote(d.files.assets),
		d.simulator.admin, d.simulator.urlOf("/rooms", nil))
	<-ctx.Done()
	if err := context.Cause(ctx); !isInterruption(err) {
		return d.withLog(err)
	}
	return nil
}

// cleanUp stops everything. What was written goes too; but for the logs, if they are wanted.
func (d *demo) cleanUp(removeLogs bool) {
	d.say("\nStopping everything...")
	began := time.Now()
	d.running.stop()
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

// tail returns the last lines of a log, shortened to what one wants to read.
func tail(file string, lines int) string {
	const longest = 240
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
