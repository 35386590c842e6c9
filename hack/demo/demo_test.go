package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
