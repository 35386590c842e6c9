package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// options are what the user says.
type options struct {
	out       string
	only      []string
	repeats   int
	manager   string
	simulator string
	self      string // The bench's own file.
	quick     bool
	soak      time.Duration
}

func parseOptions(args []string, getenv func(string) string) (options, error) {
	var o options
	self, err := os.Executable()
	if err != nil {
		return o, fmt.Errorf("finding its own file: %w", err)
	}
	o.self = self
	bin := filepath.Dir(self)
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.out, "out", filepath.Join(bin, "bench-results"), "directory for results.json and the plots")
	flags.StringVar(&only, "only", "", "rows to run, separated by commas: "+strings.Join(rowNames(), ", "))
	flags.IntVar(&o.repeats, "repeats", 0, "repetitions of every row; 0: as many as the row needs")
	flags.StringVar(&o.manager, "manager", filepath.Join(bin, "manager"), "the built manager")
	flags.StringVar(&o.simulator, "simulator", filepath.Join(bin, "zimsim"), "the built simulator")
	flags.BoolVar(&o.quick, "quick", getenv("BENCH") == "quick",
		"everything smaller, under three minutes in all; BENCH=quick does the same")
	flags.DurationVar(&o.soak, "duration", 10*time.Minute, "how long the soak takes; SOAK sets the default")
	if text := getenv("SOAK"); text != "" {
		if o.soak, err = time.ParseDuration(text); err != nil {
			return o, fmt.Errorf("SOAK: %w", err)
		}
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o, o.validate(flags.Args(), getenv)
}

func (o *options) validate(rest []string, getenv func(string) string) error {
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	for _, name := range o.only {
		if !isRow(name) {
			return fmt.Errorf("--only: no row %q; there are %s", name, strings.Join(rowNames(), ", "))
		}
	}
	if getenv("KUBEBUILDER_ASSETS") == "" {
		return errors.New("KUBEBUILDER_ASSETS is not set: run `make bench`, which sets it")
	}
	for _, path := range []*string{&o.manager, &o.simulator} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute // The children run in directories of their own.
		if info, err := os.Stat(absolute); err != nil || info.Mode().Perm()&0o111 == 0 {
			return fmt.Errorf("%s is missing or not executable: run `make build`", absolute)
		}
	}
	return nil
}
