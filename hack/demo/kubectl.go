package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// kubectlPause is between two runs of a command that is run until it says what is awaited.
const kubectlPause = 50 * time.Millisecond

// kubectlLimit is longer than any command that is used here takes.
const kubectlLimit = 2 * time.Minute

// kubectl runs kubectl in the root of the repository, with the demo's kubeconfig and without anything of the user's.
type kubectl struct {
	*teller
	path        string
	root        string
	environment []string
}

func newKubectl(t *teller, files *files, dir string) *kubectl {
	return &kubectl{
		teller: t, path: files.kubectl, root: files.root,
		environment: append(os.Environ(),
			"KUBECONFIG="+filepath.Join(dir, kubeconfig),
			"KUBECACHEDIR="+filepath.Join(dir, "kubectl-cache"),
			"KUBERC=off"),
	}
}

// run shows a command, runs it, and shows what it says.
func (k *kubectl) run(ctx context.Context, args ...string) error {
	k.command("kubectl", args...)
	output, err := k.quietly(ctx, args...)
	k.show(output)
	return err
}

// runAll runs commands one after the other, until one fails.
func (k *kubectl) runAll(ctx context.Context, commands [][]string) error {
	for _, args := range commands {
		if err := k.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// runUntil shows a command and, once its output contains a text, the output. It is run until then: events, for
// example, arrive a moment after what they tell of.
func (k *kubectl) runUntil(ctx context.Context, text string, args ...string) error {
	k.command("kubectl", args...)
	var output string
	err := testbed.Poll(ctx, waitLimit, kubectlPause, func(ctx context.Context) (bool, error) {
		var err error
		output, err = k.quietly(ctx, args...)
		return strings.Contains(output, text), err
	})
	k.show(output)
	if err != nil {
		return fmt.Errorf("waiting for %q in the output of kubectl %s: %w", text, strings.Join(args, " "), err)
	}
	return nil
}

// quietly runs a command and returns what it says on stdout and stderr.
func (k *kubectl) quietly(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, kubectlLimit, testbed.ErrTooLate)
	defer cancel()
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, k.path, args...) //nolint:gosec // The control plane's own kubectl.
	cmd.Dir, cmd.Env = k.root, k.environment
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is the demo's.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return output.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, lines[len(lines)-1])
	}
	return output.String(), nil
}
