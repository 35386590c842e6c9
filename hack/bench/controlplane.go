package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/zim-operator/zim-operator/internal/testenv"
)

// controlPlaneLimit is how long etcd and the API server may take to start on a slow machine.
const controlPlaneLimit = 2 * time.Minute

// runControlPlane runs etcd and the API server until its standard input ends, which it does whatever becomes of the
// bench. It is a process of its own because what envtest starts would outlive a bench that is killed. The only argument
// is the kubeconfig to write once the API server is ready.
func runControlPlane(args []string) error {
	if len(args) != 1 {
		return errors.New("one argument is needed: the kubeconfig to write")
	}
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	environment := testenv.New()
	environment.ControlPlaneStartTimeout = controlPlaneLimit
	// Nobody needs the data any more: what does not end at once is killed.
	environment.ControlPlaneStopTimeout = 100 * time.Millisecond
	defer func() { _ = environment.Stop() }() // It calls it an error that something had to be killed.
	if _, err := environment.Start(); err != nil {
		return err
	}
	if err := publish(args[0], environment.KubeConfig); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// publish writes a file that is complete as soon as it is there.
func publish(path string, data []byte) error {
	err := os.WriteFile(path+".new", data, 0o600) //nolint:gosec // The bench names the file.
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path) //nolint:gosec // As above.
}

// startControlPlane returns how to reach a fresh API server with the CRDs.
func (w *world) startControlPlane(ctx context.Context) (*rest.Config, error) {
	w.kubeconfig = filepath.Join(w.dir, "kubeconfig")
	_, err := w.start(ctx, child{
		name: "control-plane", path: w.self, args: []string{commandControlPlane, w.kubeconfig}, leashed: true,
		environment: []string{"TMPDIR=" + w.dir}, // Goes with everything else, even if it can't clean up.
	})
	if err != nil {
		return nil, err
	}
	err = await(ctx, controlPlaneLimit, func(context.Context) (bool, error) {
		_, err := os.Stat(w.kubeconfig)
		return err == nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for the control plane: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", w.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS = -1 // Rooms are applied as fast as the API server takes them.
	return config, nil
}
