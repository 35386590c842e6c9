// Command release writes the bill of materials of a Go binary as CycloneDX JSON, with the licence of each module, and
// fails if one is not among those that the project takes.
//
// It reads what the linker wrote into the binary, so it lists what is in there, and not what go.mod mentions; and the
// licences from the modules' files.
package main

import (
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(arguments []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	binary := flags.String("binary", "bin/manager", "the binary")
	version := flags.String("version", "dev", "its version")
	path := flags.String("out", "", "file for the bill of materials; empty: none, the licences are checked only")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(*binary)
	if err != nil {
		return fmt.Errorf("reading what is in %s: %w", *binary, err)
	}
	modules, err := modulesOf(info)
	if err != nil {
		return err
	}
	refused := refusedBy(modules)
	if *path != "" {
		if err := write(*path, billOf(info, *version, modules)); err != nil {
			return err
		}
	}
	if len(refused) > 0 {
		return errors.Join(refused...)
	}
	_, err = fmt.Fprintf(out, "%d modules in %s, all with licences that the project takes.\n", len(modules), *binary)
	return err
}

func write(path string, bill *cdx.BOM) (err error) {
	file, err := os.Create(path) //nolint:gosec // The user names the file.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bill)
}
