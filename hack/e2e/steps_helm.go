package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const chart = "config/helm/zim-operator"

func (c *cluster) runHelm(ctx context.Context, args ...string) error {
	return c.show(ctx, c.helm, append(args, "--namespace", systemNamespace)...)
}

func installChart(ctx context.Context, c *cluster) error {
	if err := c.runHelm(ctx, "install", "zim-operator", chart, "--set", "allowInsecureEndpoints=true", "--wait",
		"--timeout=2m"); err != nil {
		return err
	}
	return errors.Join(c.works(ctx, "by-helm"), c.unharmed(ctx))
}

// rollingUpgrade follows docs/upgrade.md, with a change that makes new pods.
func rollingUpgrade(ctx context.Context, c *cluster) error {
	before, err := c.leader(ctx)
	if err != nil {
		return err
	}
	crds, err := c.quiet(ctx, c.helm, "show", "crds", chart)
	if err != nil {
		return err
	}
	if err := c.apply(ctx, crds, "--server-side", "--force-conflicts"); err != nil {
		return err
	}
	if err := c.runHelm(ctx, "upgrade", "zim-operator", chart, "--reset-then-reuse-values", "--set", "verifyInterval=1m",
		"--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := errors.Join(c.rollout(ctx), c.works(ctx, "after-upgrade"), c.unharmed(ctx)); err != nil {
		return err
	}
	after, err := c.leader(ctx)
	if err == nil && after == before {
		err = fmt.Errorf("%s still leads: nothing was upgraded", after)
	}
	return err
}

// restartPods ends all pods of the operator at once, as a node that goes does.
func restartPods(ctx context.Context, c *cluster) error {
	if err := c.show(ctx, "kubectl", "delete", "pods", "--namespace", systemNamespace,
		"--selector=app.kubernetes.io/component=manager", "--wait=false"); err != nil {
		return err
	}
	return errors.Join(c.rollout(ctx), c.works(ctx, "after-restart"), c.unharmed(ctx))
}

// takeover is how long it may take until another replica works (docs/operations.md).
const takeover = 20 * time.Second

// crashLeader ends the working replica without giving it time to hand the lease back.
func crashLeader(ctx context.Context, c *cluster) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "debug", "--namespace", systemNamespace, "pod/"+leader, "--target=manager",
		"--image="+probeImage+":latest", "--image-pull-policy=IfNotPresent", "--profile=restricted", "--quiet", "--",
		"/probe", "crash"); err != nil {
		return err
	}
	if err := eventually(ctx, "the crash", func() error {
		out, err := c.kubectl(ctx, "get", "pod", "--namespace", systemNamespace, leader,
			"--output=jsonpath={.status.containerStatuses[0].restartCount}")
		if err == nil && out != "1" {
			err = errors.New("restarts: " + out)
		}
		return err
	}); err != nil {
		return err
	}
	begin := time.Now()
	if err := c.apply(ctx, roomManifest("default", "after-crash")); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimroom", "after-crash"); err != nil {
		return err
	}
	took := time.Since(begin)
	c.say("   A new room was Ready %.1f s after the crash was seen.", took.Seconds())
	if took > takeover {
		return fmt.Errorf("it may take %s", takeover)
	}
	if _, err := c.kubectl(ctx, "delete", "zimroom", "after-crash", "--timeout=1m"); err != nil {
		return err
	}
	return errors.Join(c.rollout(ctx), c.unharmed(ctx))
}

func uninstallChart(ctx context.Context, c *cluster) error {
	if err := c.runHelm(ctx, "uninstall", "zim-operator", "--wait", "--timeout=2m"); err != nil {
		return err
	}
	return c.operatorIsGone(ctx)
}

// namespacedChart installs an operator that may work in one more namespace, and sees that it can't elsewhere. The chart
// brings the default ZimApp and its Secret here.
func namespacedChart(ctx context.Context, c *cluster) error {
	if _, err := c.kubectl(ctx, "create", "namespace", "team-a"); err != nil {
		return err
	}
	if err := c.runHelm(ctx, "install", "zim-operator", chart, "--set", "allowInsecureEndpoints=true",
		"--set", "watchNamespaces={team-a}", "--set", "defaultApp.create=true", "--set", "defaultApp.appID="+appID,
		"--set", "defaultApp.fromUserID=operator", "--set", "defaultApp.endpoint=http://zimsim.zim-simulator.svc",
		"--set-string", "defaultApp.secret.serverSecret=00000000000000000000000000000000",
		"--set", "defaultApp.allowedNamespaces.from=Selector",
		"--set", "defaultApp.allowedNamespaces.selector.matchLabels.rooms=yes", "--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := c.apply(ctx, roomManifest("team-a", "team-room")); err != nil {
		return err
	}
	if err := eventually(ctx, "a refusal", func() error {
		out, err := c.kubectl(ctx, "get", "zimroom", "--namespace", "team-a", "team-room")
		if err == nil && !strings.Contains(out, "AppNot") {
			err = errors.New(out)
		}
		return err
	}); err != nil {
		return err
	}
	c.say("   The ZimApp wants the label rooms=yes: the namespace gets it.")
	if _, err := c.kubectl(ctx, "label", "namespace", "team-a", "rooms=yes"); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimroom", "team-room", "--namespace", "team-a"); err != nil {
		return err
	}
	for namespace, want := range map[string]string{
		"team-a": yes, systemNamespace: yes, "default": "no", "kube-system": "no",
	} {
		out, _ := c.kubectl(ctx, "auth", "can-i", "get", "secrets", "--namespace", namespace,
			"--as=system:serviceaccount:"+systemNamespace+":zim-operator-manager")
		if strings.TrimSpace(out) != want {
			return fmt.Errorf("the manager may read Secrets of %s: %s, want %s", namespace, strings.TrimSpace(out), want)
		}
	}
	if _, err := c.kubectl(ctx, "delete", "zimroom", "--namespace", "team-a", "team-room", "--timeout=1m"); err != nil {
		return err
	}
	if err := c.unharmed(ctx); err != nil {
		return err
	}
	if err := c.runHelm(ctx, "uninstall", "zim-operator", "--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := c.operatorIsGone(ctx); err != nil {
		return err
	}
	_, err := c.kubectl(ctx, "get", "zimapp", "--namespace", systemNamespace, "default")
	_, err2 := c.kubectl(ctx, "get", "secret", "--namespace", systemNamespace, "zim")
	return errors.Join(err, err2)
}

// removeAll follows the documented order, and leaves the cluster as it was.
func removeAll(ctx context.Context, c *cluster) error {
	if err := c.runHelm(ctx, "install", "zim-operator", chart, "--set", "allowInsecureEndpoints=true", "--wait",
		"--timeout=2m", "--take-ownership"); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "delete", "zimrooms", "--all", "--all-namespaces", "--timeout=1m"); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "delete", "zimapps", "--all", "--all-namespaces", "--timeout=1m"); err != nil {
		return err
	}
	rooms, err := c.rooms(ctx)
	if err != nil {
		return err
	}
	if len(rooms) > 0 {
		return fmt.Errorf("rooms are left: %v", rooms)
	}
	if err := c.runHelm(ctx, "uninstall", "zim-operator", "--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "delete", "-k", "config/crd", "--timeout=1m"); err != nil {
		return err
	}
	return c.show(ctx, "kubectl", "delete", "namespace", systemNamespace, "zim-simulator", "team-a", "--timeout=2m")
}
