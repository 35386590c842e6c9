package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestNothingButTheSourceDecidesOnABuild(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "env") // As "go env -w" writes it.
	if err := os.WriteFile(settings, []byte("GOAMD64=v3\nGOPROXY=https://proxy.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(module), "\ntoolchain ")
	toolchain, _, _ := strings.Cut(after, "\n")
	t.Setenv("GOPROXY", "")
	for name, value := range map[string]string{
		"GOENV": settings, "GOFLAGS": "-tags=mine", "GOARM64": "v9.0", "GOEXPERIMENT": "noregabi,greenteagc",
		"CGO_ENABLED": "1", "GOOS": "plan9", "GOFIPS140": "latest", "GONOPROXY": "example.org",
	} {
		t.Setenv(name, value)
	}
	environment, err := environmentFor(filepath.Join("..", ".."), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"GOFLAGS": "", "GOAMD64": "v1", "GOARM64": "", "GOEXPERIMENT": "", "GOFIPS140": "off", "CGO_ENABLED": "0",
		"GOOS": "linux", "GOARCH": "amd64", "GOPROXY": "https://proxy.example", "GONOPROXY": "example.org",
		"GOVERSION": toolchain,
	} {
		command := exec.CommandContext(t.Context(), "go", "env", name)
		command.Env = environment
		if got, err := command.Output(); err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: got %q, want %q (%v)", name, got, want, err)
		}
	}
}
