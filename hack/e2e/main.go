// Command e2e installs the operator in the cluster of the current KUBECONFIG, from images that it builds, and goes with
// it through installation, the life of rooms, upgrades, failures and removal, all by kubectl, make and helm as people
// do.
//
//	make e2e LOAD='kind load image-archive'
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	begin := time.Now()
	c, err := newCluster(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	for _, s := range steps() {
		c.say("\n== %s", s.name)
		stepBegin := time.Now()
		if err := s.do(ctx, c); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.name, err), c.describe(context.WithoutCancel(ctx)))
		}
		c.say("   done in %.1f s", time.Since(stepBegin).Seconds())
	}
	c.say("\nAll of it passed, in %.0f s.", time.Since(begin).Seconds())
	return nil
}

// step is one part of the story. Each leaves the cluster as the next expects it.
type step struct {
	name string
	do   func(ctx context.Context, c *cluster) error
}

func steps() []step {
	return []step{
		{"The cluster has nothing of ours", isClean},
		{"From a clone to a Ready room: the commands of the README", quickStart},
		{"Pods are as they should be", podsAreRestricted},
		{"The life of a room", lifeOfARoom},
		{"ZIM's callback about a room that is gone", callback},
		{"People's rights: view, edit, admin", userRoles},
		{"Network policy: what is allowed passes, other traffic is refused", networkPolicy},
		{"Ten rooms", tenRooms},
		{"kubectl delete -f dist/install.yaml leaves ten ZimRooms and ten rooms", deleteInstaller},
		{"kubectl apply -f dist/install.yaml takes them up again", applyInstaller},
		{"From kustomize to Helm", installChart},
		{"A rolling upgrade to another version leaves the rooms alone", rollingUpgrade},
		{"All pods of the operator restarted", restartPods},
		{"The leader crashes", crashLeader},
		{"helm uninstall leaves ten ZimRooms and ten rooms", uninstallChart},
		{"Helm, chosen namespaces only", namespacedChart},
		{"A watched namespace is deleted as a whole", deleteNamespace},
		{"The others are served on, and after a restart too; then helm uninstall", goOnWithoutNamespace},
		{"Everything removed, in the order of docs/uninstall.md", removeAll},
		{"The quick start again, and the way back from it, of docs/uninstall.md", wayBack},
		{"The cluster has nothing of ours again", isClean},
	}
}
