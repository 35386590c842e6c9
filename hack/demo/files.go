package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// files are what the demo needs and does not make.
type files struct {
	root      string // of the repository
	assets    string // the directory of the next three
	etcd      string
	apiServer string
	kubectl   string
	manager   string
	simulator string
}

// findFiles looks for everything before anything is started. The demo lies in the repository's bin directory,
// beside the manager and the simulator; KUBEBUILDER_ASSETS names the directory of the control plane.
func findFiles(executable func() (string, error), getenv func(string) string) (*files, error) {
	self, err := executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return nil, fmt.Errorf("finding its own file: %w", err)
	}
	bin := filepath.Dir(self)
	found := &files{
		root:      filepath.Dir(bin),
		manager:   filepath.Join(bin, "manager"),
		simulator: filepath.Join(bin, "zimsim"),
	}
	for _, path := range []string{crds, role, samples} {
		if _, err := os.Stat(filepath.Join(found.root, path)); err != nil {
			return nil, fmt.Errorf("%s lacks %s: the demo must lie in bin/ of the repository, where `make demo` puts it",
				found.root, path)
		}
	}
	assets := getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: run `make demo`, which sets it")
	}
	if found.assets, err = filepath.Abs(assets); err != nil {
		return nil, fmt.Errorf("KUBEBUILDER_ASSETS: %w", err)
	}
	found.etcd = filepath.Join(found.assets, "etcd")
	found.apiServer = filepath.Join(found.assets, "kube-apiserver")
	found.kubectl = filepath.Join(found.assets, "kubectl")
	for _, path := range []string{found.manager, found.simulator} {
		if !isExecutable(path) {
			return nil, fmt.Errorf("%s is missing or not executable: run `make build`", path)
		}
	}
	for _, path := range []string{found.etcd, found.apiServer, found.kubectl} {
		if !isExecutable(path) {
			return nil, fmt.Errorf("%s is missing or not executable: check KUBEBUILDER_ASSETS", path)
		}
	}
	return found, nil
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
