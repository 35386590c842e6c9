// Package testenv provides the API server of the test suites.
package testenv

import (
	"os"
	"path/filepath"
	"runtime"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// New returns an environment with this repository's CRDs. Its binaries are those of KUBEBUILDER_ASSETS, which `make
// test` sets, or else those that `make controlplane` has provided, so that tests run from an editor too.
func New() *envtest.Environment {
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "..", "..")
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(root, "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if provided, err := filepath.Glob(filepath.Join(root, "bin", "k8s", "*")); err == nil && len(provided) > 0 {
			environment.BinaryAssetsDirectory = provided[len(provided)-1]
		}
	}
	return environment
}
