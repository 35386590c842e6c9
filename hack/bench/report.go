package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report is what results.json holds.
type report struct {
	Date      time.Time       `json:"date"`
	Operator  string          `json:"operator"`
	System    string          `json:"system"`
	Cores     int             `json:"cores"`
	GoVersion string          `json:"goVersion"`
	Quick     bool            `json:"quick"`
	Figures   []figure        `json:"figures"`
	Curves    map[int][]curve `json:"curves,omitempty"` // Of one repetition, by number of rooms.
	Costs     []cost          `json:"costs,omitempty"`
}

func newReport(ctx context.Context, b *bench) *report {
	r := &report{
		Date: time.Now().UTC().Truncate(time.Second), Operator: "unknown", System: runtime.GOOS + "/" + runtime.GOARCH,
		Cores: runtime.NumCPU(), GoVersion: runtime.Version(), Quick: b.quick, Curves: map[int][]curve{},
	}
	version, err := exec.CommandContext(ctx, b.manager, "--version").Output() //nolint:gosec // Ours.
	if err == nil {
		r.Operator = strings.TrimSpace(string(version))
	}
	return r
}

// add adds what the repetitions of a row have found.
func (r *report) add(row string, outcomes []outcome) {
	r.Figures = append(r.Figures, collect(row, outcomes)...)
	for i := range outcomes {
		if curves := outcomes[i].curves; len(curves) > 0 {
			r.Curves[curves[0].Rooms] = curves
		}
		if outcomes[i].cost != nil {
			r.Costs = append(r.Costs, *outcomes[i].cost)
		}
	}
}

// missed counts the figures that are not what they should be.
func (r *report) missed() int {
	missed := 0
	for i := range r.Figures {
		if met := r.Figures[i].Met; met != nil && !*met {
			missed++
		}
	}
	return missed
}

// write writes the table to the standard output, and the rest into a directory.
func (r *report) write(directory string) error {
	if len(r.Figures) == 0 {
		return nil
	}
	if err := os.MkdirAll(directory, 0o755); err != nil { //nolint:gosec // For everybody to read.
		return fmt.Errorf("making the directory of the results: %w", err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(directory, "results.json"), append(text, '\n'), 0o644) //nolint:gosec // As above.
	}
	err = errors.Join(err, r.plot(directory))
	kind := ""
	if r.Quick {
		kind = ", quick: sizes too small for the record"
	}
	_, printed := fmt.Fprintf(os.Stdout, "%s; %d cores, %s%s\n\n", r.Operator, r.Cores, r.System, kind)
	return errors.Join(err, printed, writeTable(os.Stdout, r.Figures))
}
