package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

const (
	// soon is how long anything may take that the cluster or the operator does by itself.
	soon = 2 * time.Minute
	// poll is the pause between two looks.
	poll = 500 * time.Millisecond

	appID           = "1234567890"
	systemNamespace = "zim-operator-system"
	probeImage      = "zim-operator-e2e-probe"
)

// cluster is the one of the current KUBECONFIG, and the simulator in it.
type cluster struct {
	root, helm string
	forward    *exec.Cmd
	adminURL   string
	// incarnations are how often each room was created when the ten rooms were Ready.
	incarnations map[string]int
}

func newCluster(ctx context.Context) (*cluster, error) {
	_, file, _, _ := runtime.Caller(0)
	c := &cluster{root: filepath.Join(filepath.Dir(file), "..", "..")}
	if os.Getenv("LOAD") == "" {
		return nil, errors.New("say how images get into the cluster: LOAD='kind load image-archive'")
	}
	c.say("Building helm, should it not be there (minutes, once)...")
	out, err := c.quiet(ctx, "go", "tool", "-modfile=hack/tools/helm/go.mod", "-n", "helm")
	c.helm = strings.TrimSpace(out)
	return c, err
}

func (c *cluster) close() {
	if c.forward != nil {
		_ = c.forward.Process.Kill()
		_ = c.forward.Wait()
	}
}

func (c *cluster) say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, format+"\n", args...)
}

// quiet runs a program in the root of the repository and returns what it wrote.
func (c *cluster) quiet(ctx context.Context, name string, args ...string) (string, error) {
	var out, complaints bytes.Buffer
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // The commands are in this program.
	command.Dir, command.Stdout, command.Stderr = c.root, &out, &complaints
	if err := command.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s%s", filepath.Base(name), strings.Join(args, " "), err,
			complaints.String(), out.String())
	}
	return out.String(), nil
}

// show runs a program and shows it with its last lines, as the documentation does.
func (c *cluster) show(ctx context.Context, name string, args ...string) error {
	c.say("   $ %s %s", filepath.Base(name), strings.Join(args, " "))
	out, err := c.quiet(ctx, name, args...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, line := range lines[max(0, len(lines)-12):] {
		c.say("     %s", line)
	}
	return err
}

func (c *cluster) kubectl(ctx context.Context, args ...string) (string, error) {
	return c.quiet(ctx, "kubectl", args...)
}

// apply sends manifests.
func (c *cluster) apply(ctx context.Context, manifests string, args ...string) error {
	//nolint:gosec // The arguments are in this program.
	command := exec.CommandContext(ctx, "kubectl", append([]string{"apply", "-f", "-"}, args...)...)
	command.Stdin = strings.NewReader(manifests)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w: %s", err, out)
	}
	return nil
}

// eventually looks again and again until it sees what it wants.
func eventually(ctx context.Context, what string, look func() error) error {
	ctx, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// describe tells what a failure left behind.
func (c *cluster) describe(ctx context.Context) error {
	var report strings.Builder
	for _, args := range []string{
		"get pods,zimapps,zimrooms --all-namespaces --output=wide",
		"logs --selector=app.kubernetes.io/component=manager --tail=40 --prefix --namespace=" + systemNamespace,
	} {
		out, err := c.kubectl(ctx, strings.Fields(args)...)
		fmt.Fprintf(&report, "\nkubectl %s\n%s", args, out)
		if err != nil {
			fmt.Fprintln(&report, err)
		}
	}
	return errors.New(report.String())
}

// room is what the simulator tells of one.
type room struct {
	ID          string
	Name        string
	Incarnation int
	Attributes  map[string]struct{ Value string }
}

// forwardAdmin makes the simulator's admin side, which listens inside its pod only, reachable here.
func (c *cluster) forwardAdmin(ctx context.Context) error {
	c.forward = exec.CommandContext(ctx, "kubectl", "port-forward", "--namespace", "zim-simulator", "deployment/zimsim",
		":8081")
	out, err := c.forward.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.forward.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("kubectl port-forward: %w", err)
	}
	found := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	if found == "" {
		return fmt.Errorf("kubectl port-forward: %q", line)
	}
	c.adminURL = "http://" + found
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return nil
}

// admin asks the simulator.
func (c *cluster) admin(ctx context.Context, method, path string, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, c.adminURL+path, nil)
	if err != nil {
		return err
	}
	httpClient := http.Client{Timeout: 10 * time.Second}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("simulator: %s: %s", response.Status, body)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(body, answer)
}

// rooms are those that exist at the simulator.
func (c *cluster) rooms(ctx context.Context) (map[string]room, error) {
	var list []room
	if err := c.admin(ctx, http.MethodGet, "/rooms?appID="+appID, &list); err != nil {
		return nil, err
	}
	all := map[string]room{}
	for _, r := range list {
		all[r.ID] = r
	}
	return all, nil
}

// waitReady waits until ZimRooms are Ready.
func (c *cluster) waitReady(ctx context.Context, args ...string) error {
	_, err := c.kubectl(ctx, append([]string{"wait", "--for=condition=Ready", "--timeout=2m"}, args...)...)
	return err
}

// rollout waits until the manager's Deployment is as declared.
func (c *cluster) rollout(ctx context.Context) error {
	_, err := c.kubectl(ctx, "rollout", "status", "--namespace", systemNamespace, "deployment/zim-operator-manager",
		"--timeout=2m")
	return err
}

// leader is the pod that holds the lease; empty if none does.
func (c *cluster) leader(ctx context.Context) (string, error) {
	out, err := c.kubectl(ctx, "get", "lease", "--namespace", systemNamespace, "zim-operator.zim.zego.im",
		"--output=jsonpath={.spec.holderIdentity}")
	pod, _, _ := strings.Cut(out, "_")
	return pod, err
}
