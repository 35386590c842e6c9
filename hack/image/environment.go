package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// sources are the settings of Go that say where things are, not what is built.
var sources = []string{
	"GOCACHE", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB",
}

// environmentFor returns the environment of a build of the module in root, in which nothing but the source decides on
// the result: the toolchain is that of go.mod, and what a user's environment or settings change in builds is left out.
func environmentFor(root, architecture string) ([]string, error) {
	var module struct{ Toolchain string }
	if err := goJSON(&module, root, "mod", "edit", "-json"); err != nil {
		return nil, err
	}
	if module.Toolchain == "" {
		return nil, fmt.Errorf("go.mod in %s names no toolchain", root)
	}
	kept := map[string]string{}
	if err := goJSON(&kept, root, append([]string{"env", "-json"}, sources...)...); err != nil {
		return nil, err
	}
	environment := append(os.Environ(), "GOENV=off") // Of several values of a variable the last one counts.
	for name, value := range kept {
		environment = append(environment, name+"="+value)
	}
	return append(environment,
		"GOTOOLCHAIN="+module.Toolchain, "GOFLAGS=", "GOAMD64=", "GOARM64=", "GOEXPERIMENT=", "GOFIPS140=", "GOWORK=off",
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture,
	), nil
}

// goJSON runs a go command, and reads what it prints.
func goJSON(into any, dir string, arguments ...string) error {
	command := exec.Command("go", arguments...) //nolint:gosec,noctx // Commands are this program's own.
	command.Dir, command.Stderr = dir, os.Stderr
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("go %s: %w", arguments[0], err)
	}
	return json.Unmarshal(out, into)
}
