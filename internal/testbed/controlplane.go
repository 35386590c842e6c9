package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/zim-operator/zim-operator/internal/testenv"
)

// controlPlaneLimit is how long etcd and the API server may take to start on a slow machine.
const controlPlaneLimit = 2 * time.Minute

// RunControlPlane runs etcd and the API server until its standard input ends, which it does whatever becomes of the
// program. It is a process of its own because what envtest starts would outlive a program that is killed. The only
// argument is the kubeconfig to write once the API server is ready.
func RunControlPlane(args []string) error {
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
	err := os.WriteFile(path+".new", data, 0o600)
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Starter starts a child.
type Starter func(context.Context, Child) (*Process, error)

// StartControlPlane starts etcd and a fresh API server with the CRDs, and returns how to reach it. The command is to
// run RunControlPlane with the kubeconfig as its argument. All files are in a directory of the caller's.
func StartControlPlane(
	ctx context.Context, start Starter, dir, kubeconfig string, command ...string,
) (*rest.Config, error) {
	_, err := start(ctx, Child{
		Name: "control-plane", Path: command[0], Args: append(command[1:], kubeconfig), Leashed: true,
		Environment: []string{"TMPDIR=" + dir}, // Goes with everything else, even if it can't clean up.
	})
	if err != nil {
		return nil, err
	}
	err = Await(ctx, controlPlaneLimit, func(context.Context) (bool, error) {
		_, err := os.Stat(kubeconfig)
		return err == nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for the control plane: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.QPS = -1 // Rooms are applied as fast as the API server takes them.
	return config, nil
}
