package main

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The image is the same to the bit from another place and environment. What is compiled may come from the build cache:
// reproducible.sh does without.
func TestTheImageIsTheSameFromElsewhere(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	builder := filepath.Join(t.TempDir(), "image")
	must(t, filepath.Join(root, "hack", "image"), "go", "build", "-o", builder, ".")
	build := func(name string) [sha256.Size]byte {
		place := filepath.Join(t.TempDir(), name)
		copyModule(t, root, place)
		out := t.TempDir()
		must(t, place, builder, "-root", place, "-out", out, "-version", "v0", "-commit", "c",
			"-platforms", "linux/amd64", "-images", "zim-operator=manager=.")
		image, err := os.ReadFile(filepath.Join(out, "zim-operator-linux-amd64.tar"))
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(image)
	}
	first := build("one")
	t.Setenv("GOFLAGS", "-race")
	t.Setenv("GOAMD64", "v2")
	t.Setenv("TZ", "Asia/Kathmandu")
	t.Setenv("LANG", "C")
	if build("a second/place") != first {
		t.Error("two builds of the same source differ")
	}
}

// copyModule copies what the manager is built from.
func copyModule(t *testing.T, root, place string) {
	t.Helper()
	if err := os.MkdirAll(place, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"api", "controllers", "internal"} {
		if err := os.CopyFS(filepath.Join(place, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no sources", err)
	}
	for _, file := range append(files, filepath.Join(root, "go.mod"), filepath.Join(root, "go.sum")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(place, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// must runs a command that may not fail.
func must(t *testing.T, dir, name string, arguments ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = dir
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
}
