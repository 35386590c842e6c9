package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// runRows runs all rows that are wanted, and shows what became of them, also of those before an interruption. It fails
// if a promise was broken.
func (w *world) runRows(ctx context.Context) error {
	began := time.Now()
	if err := w.build(ctx); err != nil {
		return fmt.Errorf("building the world: %w", err)
	}
	broken, failed := 0, error(nil)
	for _, r := range w.wanted(allRows()) {
		w.say("%s", r.name)
		run := r.run
		if run == nil {
			run = (*world).try
		}
		result, err := run(w, ctx, r)
		if err != nil {
			failed = fmt.Errorf("row %q: %w", r.name, err)
			break
		}
		w.results = append(w.results, result)
		w.say("  %s; converged after %s; %s", result.seen, seconds(result.converged), result.verdict())
		for _, line := range result.broken {
			broken++
			w.say("  BROKEN: %s", line)
		}
	}
	if broken > 0 {
		failed = errors.Join(failed, fmt.Errorf("%d promises were broken", broken))
	}
	return errors.Join(failed, w.report(time.Since(began)))
}

// report writes the table, and under what circumstances it came about.
func (w *world) report(took time.Duration) error {
	version, err := exec.Command(w.manager, "--version").Output() //nolint:gosec,noctx // Ours, and quick.
	if err != nil {
		return fmt.Errorf("asking for the version: %w", err)
	}
	kind := ""
	if w.quick {
		kind = ", quick"
	}
	if _, err := fmt.Fprintf(os.Stdout, "%s; %d cores, %s/%s; %s%s\n\n", strings.TrimSpace(string(version)),
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, took.Round(time.Second), kind); err != nil {
		return err
	}
	return writeTable(os.Stdout, w.results)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func (r *result) verdict() string {
	if len(r.broken) == 0 {
		return "held"
	}
	return fmt.Sprintf("%d BROKEN", len(r.broken))
}

// unmeasured stands for what a row does not measure.
const unmeasured = "-"

func counted(count int) string {
	if count < 0 {
		return unmeasured
	}
	return strconv.Itoa(count)
}

func measured(ratio float64) string {
	if ratio == 0 {
		return unmeasured
	}
	return fmt.Sprintf("%.2f", ratio)
}

// writeTable writes what became of the rows.
func writeTable(out io.Writer, results []*result) error {
	rows := [][]string{{
		"fault", "converged", "calls/s", "writes", "tried", "memory", "since row 1", "promises", "observed",
	}}
	for _, r := range results {
		rows = append(rows, []string{
			r.row, seconds(r.converged), strconv.Itoa(r.rate), counted(r.writes), counted(r.attempts), measured(r.growth),
			measured(r.size), r.verdict(), r.seen,
		})
	}
	return testbed.WriteTable(out, rows)
}
