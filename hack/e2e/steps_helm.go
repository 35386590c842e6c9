package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// nextVersion is that of the image to which the chart is upgraded.
const nextVersion = "e2e-next"

// buildNext builds the manager a second time, as another version, and loads it.
func (c *cluster) buildNext(ctx context.Context) error {
	const out = "OUT=dist/e2e"
	if err := c.show(ctx, "make", "image-tar", out, "VERSION="+nextVersion, "PLATFORMS=linux/"+runtime.GOARCH,
		"IMAGES=zim-operator=manager=."); err != nil {
		return err
	}
	return c.show(ctx, "make", "image-load", out, "IMAGES_TO_LOAD=zim-operator")
}

// rollingUpgrade follows docs/upgrade.md.
func rollingUpgrade(ctx context.Context, c *cluster) error {
	if err := c.buildNext(ctx); err != nil {
		return err
	}
	leaderBefore, err := c.leader(ctx)
	if err != nil {
		return err
	}
	before, err := c.version(ctx)
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
	if err := c.runHelm(ctx, "upgrade", "zim-operator", chart, "--reset-then-reuse-values", "--set",
		"image.tag="+nextVersion, "--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := errors.Join(c.rollout(ctx), c.works(ctx, "after-upgrade"), c.unharmed(ctx)); err != nil {
		return err
	}
	leaderAfter, err := c.leader(ctx)
	if err != nil {
		return err
	}
	after, err := c.version(ctx)
	if err != nil {
		return err
	}
	c.say("   Before: %s\n   After:  %s", before, after)
	if after == before || !strings.Contains(after, nextVersion) || leaderAfter == leaderBefore {
		return fmt.Errorf("nothing was upgraded: %s led and %s leads", leaderBefore, leaderAfter)
	}
	return nil
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
	begin := time.Now() // Or a little later: the container that crashes it has to start.
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
	if err := c.apply(ctx, roomManifest("default", "after-crash")); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimroom", "after-crash"); err != nil {
		return err
	}
	took := time.Since(begin)
	c.say("   A new room was Ready %.1f s after the crash.", took.Seconds())
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
	if _, err := c.kubectl(ctx, "create", "namespace", teamNamespace); err != nil {
		return err
	}
	if err := c.runHelm(ctx, "install", "zim-operator", chart, "--set", "allowInsecureEndpoints=true",
		"--set", "watchNamespaces={"+teamNamespace+"}", "--set", "defaultApp.create=true", "--set", "defaultApp.appID="+appID,
		"--set", "defaultApp.fromUserID=operator", "--set", "defaultApp.endpoint=http://zimsim.zim-simulator.svc",
		"--set-string", "defaultApp.secret.serverSecret=00000000000000000000000000000000",
		"--set", "defaultApp.allowedNamespaces.from=Selector",
		"--set", "defaultApp.allowedNamespaces.selector.matchLabels.rooms=yes", "--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := c.apply(ctx, teamRoom(0)); err != nil {
		return err
	}
	if err := eventually(ctx, "a refusal", func() error {
		out, err := c.kubectl(ctx, "get", "zimroom", "--namespace", teamNamespace, "team-room-0",
			`--output=jsonpath={.status.conditions[?(@.type=="Ready")].reason}`)
		if err == nil && out != "AppNotAllowed" {
			err = errors.New("the reason is " + out)
		}
		return err
	}); err != nil {
		return err
	}
	c.say("   The ZimApp wants the label rooms=yes: the namespace gets it.")
	if _, err := c.kubectl(ctx, "label", "namespace", teamNamespace, "rooms=yes"); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimroom", "team-room-0", "--namespace", teamNamespace); err != nil {
		return err
	}
	for namespace, want := range map[string]string{
		teamNamespace: yes, systemNamespace: yes, "default": "no", "kube-system": "no",
	} {
		out, _ := c.kubectl(ctx, "auth", "can-i", "get", "secrets", "--namespace", namespace,
			"--as=system:serviceaccount:"+systemNamespace+":zim-operator-manager")
		if strings.TrimSpace(out) != want {
			return fmt.Errorf("the manager may read Secrets of %s: %s, want %s", namespace, strings.TrimSpace(out), want)
		}
	}
	return nil
}

// teamNamespace is the one that is watched besides the operator's own.
const teamNamespace = "team-a"

// teamRoom declares a room there that wants the ZimApp of the operator's namespace, and no other.
func teamRoom(number int) string {
	return strings.Replace(roomManifest(teamNamespace, fmt.Sprintf("team-room-%d", number)), "spec: {",
		"spec: {appRef: {name: default, namespace: "+systemNamespace+"}, ", 1)
}

// scale sets the number of replicas, and waits for them.
func (c *cluster) scale(ctx context.Context, replicas string) error {
	_, err := c.kubectl(ctx, "scale", "--namespace", systemNamespace, "deployment/zim-operator-manager",
		"--replicas="+replicas)
	return errors.Join(err, c.rollout(ctx))
}

// deleteNamespace deletes a namespace with Ready rooms while no manager runs, so that its Role is gone first in any
// case, and takes the way out of docs/install.md.
func deleteNamespace(ctx context.Context, c *cluster) error {
	var manifests strings.Builder
	for i := range 5 {
		manifests.WriteString(teamRoom(i))
	}
	if err := c.apply(ctx, manifests.String()); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimrooms", "--all", "--namespace", teamNamespace); err != nil {
		return err
	}
	if err := c.scale(ctx, "0"); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "delete", "namespace", teamNamespace, "--wait=false"); err != nil {
		return err
	}
	if err := eventually(ctx, "the end of the Role", func() error {
		out, err := c.kubectl(ctx, "get", "roles", "--namespace", teamNamespace, "--output=name")
		if err == nil && out != "" {
			err = errors.New("still there: " + out)
		}
		return err
	}); err != nil {
		return err
	}
	if err := c.scale(ctx, "2"); err != nil {
		return err
	}
	stuck, err := c.kubectl(ctx, "get", "zimrooms", "--namespace", teamNamespace, "--output=name")
	if err != nil {
		return err
	}
	c.say("   The manager runs again, its Role is gone, and %d of 5 ZimRooms are left.", len(strings.Fields(stuck)))
	if len(strings.Fields(stuck)) != 5 {
		return errors.New("they were to be stuck")
	}
	const wayOut = "config/components/namespace-deletion/cluster-role"
	if err := c.show(ctx, "kubectl", "apply", "-k", wayOut); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "wait", "--for=delete", "namespace/"+teamNamespace, "--timeout=2m"); err != nil {
		return err
	}
	return errors.Join(c.show(ctx, "kubectl", "delete", "-k", wayOut), c.unharmed(ctx))
}

// goOnWithoutNamespace works on in the other namespace, though one of the watched is gone.
func goOnWithoutNamespace(ctx context.Context, c *cluster) error {
	for _, name := range []string{"after-deletion", "after-restart"} {
		// A room that is left behind is to end soon.
		manifest := strings.Replace(roomManifest(systemNamespace, name), "spec: {", "spec: {destroyDelay: 2s, ", 1)
		if err := c.apply(ctx, manifest); err != nil {
			return err
		}
		if err := c.waitReady(ctx, "zimroom", name, "--namespace", systemNamespace); err != nil {
			return err
		}
		if _, err := c.kubectl(ctx, "delete", "zimroom", name, "--namespace", systemNamespace, "--timeout=1m"); err != nil {
			return err
		}
		if _, err := c.kubectl(ctx, "delete", "pods", "--namespace", systemNamespace,
			"--selector=app.kubernetes.io/component=manager"); err != nil {
			return err
		}
		if err := c.rollout(ctx); err != nil {
			return err
		}
	}
	if err := c.unharmed(ctx); err != nil {
		return err
	}
	// After the restart nobody could tell who else names the room: it was left behind, and has died by itself.
	left, err := c.kubectl(ctx, "get", "events.events.k8s.io", "--namespace", systemNamespace, "--output=name",
		"--field-selector=reason=RoomLeftBehind,regarding.name=after-restart")
	if err != nil || left == "" {
		return errors.Join(err, errors.New("no event tells that the room was left behind"))
	}
	if err := c.runHelm(ctx, "uninstall", "zim-operator", "--wait", "--timeout=2m"); err != nil {
		return err
	}
	if err := c.operatorIsGone(ctx); err != nil {
		return err
	}
	_, err = c.kubectl(ctx, "get", "zimapp", "--namespace", systemNamespace, "default")
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
	return c.show(ctx, "kubectl", "delete", "namespace", systemNamespace, "--timeout=2m")
}

// wayBack installs once more, from the images that are loaded, and removes everything.
func wayBack(ctx context.Context, c *cluster) error {
	start, err := c.documented("README.md")
	if err != nil {
		return err
	}
	back, err := c.documented("docs/uninstall.md")
	if err != nil {
		return err
	}
	return c.showAll(ctx, append(start[2:], back...))
}
