// Package version tells which build this is.
package version

import (
	"fmt"
	"runtime"
)

// Set by the linker: see the Makefile.
var (
	// Version is the release, as git describes it.
	Version = "dev"
	// Commit is the git commit.
	Commit = "unknown"
)

// String returns version, commit and Go version in one line.
func String() string {
	return fmt.Sprintf("zim-operator %s (commit %s, %s)", Version, Commit, runtime.Version())
}

// UserAgent is what HTTP calls name as their sender.
func UserAgent() string {
	return "zim-operator/" + Version
}
