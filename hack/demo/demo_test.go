package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseAddresses(t *testing.T) {
	for name, tc := range map[string]struct {
		log        string
		api, admin string
		ok         bool
	}{
		"complete":   {"API   http://127.0.0.1:1\nAdmin http://127.0.0.1:2\n", "http://127.0.0.1:1", "http://127.0.0.1:2", true},
		"with noise": {"hello\nAdmin http://b\nAPI http://a\n", "http://a", "http://b", true},
		"half a line": {
			log: "API   http://127.0.0.1:1\nAdmin http://127.0.0.1:20",
			api: "http://127.0.0.1:1",
		},
		"empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			api, admin, ok := parseAddresses(tc.log)
			if api != tc.api || admin != tc.admin || ok != tc.ok {
				t.Errorf("got %q, %q, %t", api, admin, ok)
			}
		})
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{
		"--for=condition=Ready": "--for=condition=Ready",
		"a b":                   "'a b'",
		"{.status}":             "'{.status}'",
		"it's":                  `'it'\''s'`,
		"":                      "''",
	} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}

func TestIndent(t *testing.T) {
	for text, want := range map[string]string{
		"":         "",
		"a":        "  a\n",
		"a\n\nb\n": "  a\n\n  b\n",
	} {
		if got := indent(text, "  "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestTail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte("a\nb\n"+strings.Repeat("c", 300)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := tail(file, 2), "b\n"+strings.Repeat("c", 240)+"..."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExitCode(t *testing.T) {
	for want, err := range map[int]error{
		1:   errors.New("failed"),
		130: fmt.Errorf("step 1: %w", &interruption{signal: syscall.SIGINT}),
		143: &interruption{signal: syscall.SIGTERM},
	} {
		if got := exitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestPollEndsWithTheCause(t *testing.T) {
	never := func(context.Context) (bool, error) { return false, nil }
	if err := poll(t.Context(), time.Millisecond, never); !errors.Is(err, errTooLate) {
		t.Errorf("got %v when the time is over", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interruption{signal: syscall.SIGINT})
	if err := poll(ctx, time.Minute, never); !isInterruption(err) {
		t.Errorf("got %v after a signal", err)
	}
}

func TestFindFilesSaysWhatIsMissing(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	executable := func() (string, error) { return filepath.Join(root, "bin", "demo"), nil }
	variables := map[string]string{}
	getenv := func(name string) string { return variables[name] }
	create := func(path string, mode os.FileMode) {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, mode)); err != nil {
			t.Fatal(err)
		}
	}
	create("bin/demo", 0o700)
	for _, next := range []struct {
		says  string
		mends func()
	}{
		{"lacks config/crd/bases", func() { create("config/crd/bases/crd.yaml", 0o600) }},
		{"lacks config/rbac/role.yaml", func() { create("config/rbac/role.yaml", 0o600) }},
		{"lacks config/samples", func() { create("config/samples/kustomization.yaml", 0o600) }},
		{"KUBEBUILDER_ASSETS is not set", func() { variables["KUBEBUILDER_ASSETS"] = filepath.Join(root, "k8s") }},
		{"bin/manager is missing", func() { create("bin/manager", 0o700) }},
		{"bin/zimsim is missing", func() { create("bin/zimsim", 0o700) }},
		{"k8s/etcd is missing", func() { create("k8s/etcd", 0o700) }},
		{"k8s/kube-apiserver is missing", func() { create("k8s/kube-apiserver", 0o700) }},
		{"k8s/kubectl is missing", func() { create("k8s/kubectl", 0o700) }},
	} {
		_, err := findFiles(executable, getenv)
		if err == nil || !strings.Contains(err.Error(), next.says) {
			t.Errorf("got %v, want something with %q", err, next.says)
		}
		next.mends()
	}
	if found, err := findFiles(executable, getenv); err != nil || found.root != root {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestHasten(t *testing.T) {
	manifest, err := os.ReadFile(filepath.Join("..", "..", ruleFile))
	if err != nil {
		t.Fatal(err)
	}
	rules := ruleSpec(string(manifest))
	if !strings.HasPrefix(rules, "\ngroups:\n- name: ") {
		t.Errorf("not what Prometheus reads: %.40q", rules)
	}
	hasty := hasten(rules)
	for _, want := range []string{"for: 3000ms\n", "for: 9000ms\n", "[6000ms]", "[9000ms]", "[864000ms]", "seconds) > 6\n"} {
		if !strings.Contains(hasty, want) {
			t.Errorf("no %q in %s", want, hasty)
		}
	}
	for _, duration := range regexp.MustCompile(`(?:\bfor: |\[)\d+[a-z]+`).FindAllString(hasty, -1) {
		if !strings.HasSuffix(duration, "ms") {
			t.Errorf("%q is as it was", duration)
		}
	}
}
