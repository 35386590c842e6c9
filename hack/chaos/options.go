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
	only      []string
	manager   string
	simulator string
	self      string // The program's own file.
	quick     bool
	keep      bool
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
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&only, "only", "", "rows to run, separated by commas, or beginnings of their names")
	flags.StringVar(&o.manager, "manager", filepath.Join(bin, "manager"), "the built manager")
	flags.StringVar(&o.simulator, "simulator", filepath.Join(bin, "zimsim"), "the built simulator")
	flags.BoolVar(&o.quick, "quick", getenv("CHAOS") == "quick",
		"fewer rows, rooms and seconds, five minutes in all; CHAOS=quick does the same")
	flags.BoolVar(&o.keep, "keep-logs", false, "keep the logs of all processes if something fails")
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
	if len(o.only) > 0 && len(o.wanted(allRows())) == 0 {
		return fmt.Errorf("--only: no such row; there are\n  %s", strings.Join(rowNames(), "\n  "))
	}
	if getenv("KUBEBUILDER_ASSETS") == "" {
		return errors.New("KUBEBUILDER_ASSETS is not set: run `make chaos`, which sets it")
	}
	for _, path := range []*string{&o.manager, &o.simulator} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute // The children run in a directory of their own.
		if info, err := os.Stat(absolute); err != nil || info.Mode().Perm()&0o111 == 0 {
			return fmt.Errorf("%s is missing or not executable: run `make build`", absolute)
		}
	}
	return nil
}

// wanted are the rows to run: those that were asked for, else all; quickly, those that stand for the rest.
func (o *options) wanted(rows []row) []row {
	var wanted []row
	for _, r := range rows {
		named := false
		for _, name := range o.only {
			named = named || strings.HasPrefix(r.name, name)
		}
		if named || (len(o.only) == 0 && (r.quick || !o.quick)) {
			wanted = append(wanted, r)
		}
	}
	return wanted
}

// sizes of a row.
func (o *options) size() (steady, fresh int) {
	if o.quick {
		return 12, 4
	}
	return 32, 8
}

// lasts is how long a fault lasts that has no time of its own.
func (o *options) lasts() time.Duration {
	if o.quick {
		return 5 * time.Second
	}
	return 12 * time.Second
}
