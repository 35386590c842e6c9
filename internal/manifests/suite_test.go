package manifests_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testenv"
)

// What all tests share: the tools, the manager, and one API server.
var (
	root      string
	kustomize string
	helm      string
	manager   string
	auditLog  string

	restConfig     *rest.Config
	apiServer      client.Client // Without a cache.
	kubectlPath    string
	kubeconfigPath string
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	_, file, _, _ := runtime.Caller(0)
	root = filepath.Join(filepath.Dir(file), "..", "..")
	dir, err := os.MkdirTemp("", "manifests")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := provideTools(dir); err != nil {
		return 0, err
	}
	environment := testenv.New()
	environment.CRDDirectoryPaths = append(environment.CRDDirectoryPaths,
		filepath.Join(root, "internal", "manifests", "testdata", "monitoring.yaml"))
	auditLog = filepath.Join(dir, "audit.log")
	environment.ControlPlane.GetAPIServer().Configure().
		Append("audit-policy-file", filepath.Join(root, "internal", "manifests", "testdata", "audit.yaml")).
		Append("audit-log-path", auditLog).
		Append("audit-log-mode", "blocking")
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if restConfig, err = environment.Start(); err != nil {
		return 0, err
	}
	kubectlPath = environment.ControlPlane.KubectlPath
	kubeconfigPath = filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfigPath, environment.KubeConfig, 0o600); err != nil {
		return 0, err
	}
	if err := zimv1alpha1.AddToScheme(clientgoscheme.Scheme); err != nil {
		return 0, err
	}
	if apiServer, err = client.New(restConfig, client.Options{Scheme: clientgoscheme.Scheme}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// provideTools builds what is not in the build cache: helm takes minutes the first time.
func provideTools(dir string) error {
	for name, path := range map[string]*string{"kustomize": &kustomize, "helm": &helm} {
		module := filepath.Join(root, "hack", "tools", "go.mod")
		if name == "helm" {
			module = filepath.Join(root, "hack", "tools", "helm", "go.mod")
		}
		out, err := command(nil, "go", "tool", "-modfile="+module, "-n", name)
		if err != nil {
			return err
		}
		*path = strings.TrimSpace(out)
	}
	manager = filepath.Join(dir, "manager")
	_, err := command(nil, "go", "build", "-o", manager, root)
	return err
}

// command runs a program in the root of the repository and returns what it wrote to its standard output.
func command(stdin io.Reader, name string, args ...string) (string, error) {
	var out, complaints bytes.Buffer
	run := exec.CommandContext(context.Background(), name, args...)
	run.Dir, run.Stdin, run.Stdout, run.Stderr = root, stdin, &out, &complaints
	if err := run.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, complaints.String())
	}
	return out.String(), nil
}

// must runs a program that may not fail.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := command(nil, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// overlay builds a kustomization that is written next to those of config/, as a user would.
func overlay(t *testing.T, kustomization string, files map[string]string) string {
	t.Helper()
	// Not t.TempDir: kustomize takes relative paths only.
	dir, err := os.MkdirTemp(filepath.Join(root, "config"), "overlay-test-") //nolint:usetesting // See above.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	all := map[string]string{"kustomization.yaml": kustomization}
	maps.Copy(all, files)
	for name, text := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return must(t, kustomize, "build", dir)
}

// build builds one of config/'s kustomizations.
func build(t *testing.T, name string) string {
	t.Helper()
	return must(t, kustomize, "build", filepath.Join("config", name))
}

const (
	chart           = "config/helm/zim-operator"
	systemNamespace = "zim-operator-system"
)

// template renders the chart with its CRDs.
func template(args ...string) (string, error) {
	all := append([]string{"template", "zim-operator", chart, "--namespace", systemNamespace, "--include-crds"}, args...)
	return command(nil, helm, all...)
}

// mustTemplate renders the chart with values that are right.
func mustTemplate(t *testing.T, args ...string) string {
	t.Helper()
	out, err := template(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// objects parses manifests.
func objects(t *testing.T, manifests string) map[string]*unstructured.Unstructured {
	t.Helper()
	found := map[string]*unstructured.Unstructured{}
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(object.Object) == 0 {
			continue
		}
		key := strings.Trim(object.GetKind()+" "+object.GetNamespace()+"/"+object.GetName(), "/")
		if found[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		found[key] = object
	}
}

// kubectl runs kubectl as the cluster's administrator.
func kubectl(stdin string, args ...string) (string, error) {
	all := append([]string{"--kubeconfig", kubeconfigPath}, args...)
	return command(strings.NewReader(stdin), kubectlPath, all...)
}
