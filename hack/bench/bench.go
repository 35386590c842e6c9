package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// bench is one run.
type bench struct {
	options
	sizes
	dir     string // For logs and data of the processes.
	running *testbed.Processes
}

func newBench(o options) (*bench, error) {
	dir, err := os.MkdirTemp("", "zim-operator-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for logs: %w", err)
	}
	b := &bench{options: o, sizes: fullSizes, dir: dir, running: &testbed.Processes{}}
	if o.quick {
		b.sizes = quickSizes
	}
	return b, nil
}

// cleanUp stops what still runs and removes what was written.
func (b *bench) cleanUp() {
	b.running.Stop()
	if err := os.RemoveAll(b.dir); err != nil { //nolint:gosec // Made by newBench.
		b.say("Could not remove %s: %v", b.dir, err)
	}
}

// say tells how far it is.
func (*bench) say(format string, args ...any) {
	fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// row is something to measure, some times over.
type row struct {
	name    string
	repeats int
	run     func(b *bench, ctx context.Context, repetition int) (outcome, error)
}

// rows are all rows with the sizes of this run.
func (b *bench) rows() []row {
	var rows []row
	for _, size := range b.create {
		rows = append(rows, row{
			name: fmt.Sprintf("%s/%d", createRow, size.rooms), repeats: size.repeats,
			run: func(b *bench, ctx context.Context, _ int) (outcome, error) { return b.measureCreate(ctx, size.rooms) },
		})
	}
	for _, fixed := range fixedRows {
		if fixed.repeats == 0 || b.quick {
			fixed.repeats = b.sizes.repeats
		}
		rows = append(rows, fixed)
	}
	return rows
}

// isWanted tells whether a row is among those to run: by its name, or by what stands before the slash.
func (b *bench) isWanted(name string) bool {
	group, _, _ := strings.Cut(name, "/")
	return len(b.only) == 0 || slices.Contains(b.only, name) || slices.Contains(b.only, group)
}

// measure runs the rows, and reports whatever happens in between. It fails if a figure misses its target.
func (b *bench) measure(ctx context.Context) error {
	report := newReport(ctx, b)
	var failed error
	for _, row := range b.rows() {
		if !b.isWanted(row.name) {
			continue
		}
		if err := b.repeat(ctx, row, report); err != nil {
			failed = errors.Join(failed, fmt.Errorf("row %s: %w", row.name, err))
			b.say("Row %s failed: %v", row.name, err)
		}
		if ctx.Err() != nil {
			failed = context.Cause(ctx)
			break
		}
	}
	if err := report.write(b.out); err != nil {
		return errors.Join(failed, err)
	}
	if missed := report.missed(); missed > 0 && failed == nil {
		failed = fmt.Errorf("%d figures missed their targets", missed)
	}
	return failed
}

// repeat runs all repetitions of a row.
func (b *bench) repeat(ctx context.Context, row row, report *report) error {
	var outcomes []outcome
	defer func() { report.add(row.name, outcomes) }()
	repeats := row.repeats
	if b.options.repeats > 0 {
		repeats = b.options.repeats
	}
	for i := range repeats {
		b.say("%s, repetition %d of %d", row.name, i+1, repeats)
		began := time.Now()
		outcome, err := row.run(b, ctx, i)
		if err != nil {
			return err
		}
		outcomes = append(outcomes, outcome)
		b.say("  took %s", time.Since(began).Round(time.Second))
	}
	return nil
}
