package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// isClean refuses a cluster that somebody uses: the last step removes everything.
func isClean(ctx context.Context, c *cluster) error {
	out, err := c.kubectl(ctx, "get", "crd", "--output=name")
	if err != nil {
		return err
	}
	if strings.Contains(out, ".zim.zego.im") {
		return errors.New("there are CRDs of zim.zego.im: e2e removes all ZimRooms in the end, and wants a cluster without")
	}
	for _, kinds := range []string{"namespaces,clusterroles,clusterrolebindings", "secrets,roles,rolebindings"} {
		out, err := c.kubectl(ctx, "get", kinds, "--all-namespaces", "--output=name")
		if err != nil {
			return err
		}
		for name := range strings.FieldsSeq(out) {
			_, object, _ := strings.Cut(name, "/")
			if strings.HasPrefix(object, "zim") || strings.HasPrefix(object, "e2e-") {
				return fmt.Errorf("there is %s already", name)
			}
		}
	}
	return nil
}

// documented returns the commands of a page that are marked as run here.
func (c *cluster) documented(page string) ([][]string, error) {
	text, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(page)))
	if err != nil {
		return nil, err
	}
	_, block, found := strings.Cut(string(text), "<!-- make e2e runs these commands -->\n\n```sh\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		return nil, fmt.Errorf("%s has no commands for make e2e", page)
	}
	var commands [][]string
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "#")
		commands = append(commands, strings.Fields(command))
	}
	return commands, nil
}

// showAll runs commands one after the other.
func (c *cluster) showAll(ctx context.Context, commands [][]string) error {
	for _, command := range commands {
		if err := c.show(ctx, command[0], command[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// quickStart runs the commands of the documentation, as they stand there.
func quickStart(ctx context.Context, c *cluster) error {
	commands, err := c.documented("README.md")
	if err != nil {
		return err
	}
	if len(commands) != 5 {
		return fmt.Errorf("README.md: want five commands, got %q", commands)
	}
	if err := c.showAll(ctx, commands); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "get", "zimapps,zimrooms"); err != nil {
		return err
	}
	return c.forwardAdmin(ctx)
}

// podsAreRestricted looks at what runs, not at what was declared.
func podsAreRestricted(ctx context.Context, c *cluster) error {
	if err := c.rollout(ctx); err != nil {
		return err
	}
	out, err := c.kubectl(ctx, "get", "pods", "--namespace", systemNamespace, "--output=json")
	if err != nil {
		return err
	}
	var pods struct {
		Items []struct {
			Spec struct {
				SecurityContext struct{ RunAsNonRoot bool }
				Containers      []struct {
					SecurityContext struct{ ReadOnlyRootFilesystem bool }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &pods); err != nil {
		return err
	}
	if len(pods.Items) != 2 {
		return fmt.Errorf("%d replicas, want 2", len(pods.Items))
	}
	for _, pod := range pods.Items {
		if !pod.Spec.SecurityContext.RunAsNonRoot || !pod.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem {
			return fmt.Errorf("a pod with more than it needs: %+v", pod)
		}
	}
	for _, program := range []string{
		"--namespace=zim-operator-system deployment/zim-operator-manager -- /manager --version",
		"--namespace=zim-simulator deployment/zimsim -- /zimsim --version",
	} {
		if err := c.show(ctx, "kubectl", append([]string{"exec"}, strings.Fields(program)...)...); err != nil {
			return err
		}
	}
	return nil
}

// version is what the running manager says of itself.
func (c *cluster) version(ctx context.Context) (string, error) {
	out, err := c.kubectl(ctx, "exec", "--namespace", systemNamespace, "deployment/zim-operator-manager", "--", "/manager",
		"--version")
	return strings.TrimSpace(out), err
}

// lifeOfARoom edits, loses, renames and deletes a room.
func lifeOfARoom(ctx context.Context, c *cluster) error {
	patch := func(patch string) error {
		return c.show(ctx, "kubectl", "patch", "zimroom", "lobby", "--type=merge", "--patch="+patch)
	}
	seen := func(what string, is func(room) bool) error { return c.seen(ctx, "lobby", what, is) }
	if err := patch(`{"spec":{"interval":"2s","attributes":[{"key":"topic","value":"edited"}]}}`); err != nil {
		return err
	}
	if err := seen("the edit", func(r room) bool { return r.Attributes["topic"].Value == "edited" }); err != nil {
		return err
	}
	c.say("   The simulator has the edit. Now the room is destroyed behind the operator's back.")
	if err := c.destroy(ctx, "lobby"); err != nil {
		return err
	}
	if err := seen("the room's return", func(r room) bool { return r.Attributes["topic"].Value == "edited" }); err != nil {
		return err
	}
	if err := eventually(ctx, "a recreation in the status", func() error {
		out, err := c.kubectl(ctx, "get", "zimroom", "lobby", "--output=jsonpath={.status.room.recreations}")
		if err == nil && out != "1" {
			err = fmt.Errorf("recreations: %q", out)
		}
		return err
	}); err != nil {
		return err
	}
	if err := patch(`{"spec":{"name":"Renamed"}}`); err != nil {
		return err
	}
	if err := seen("the new name", func(r room) bool { return r.Name == "Renamed" }); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "delete", "zimroom", "lobby", "--timeout=1m"); err != nil {
		return err
	}
	return seen("the room's end", func(r room) bool { return r.ID == "" })
}

// seen waits until the simulator's room is as it should be.
func (c *cluster) seen(ctx context.Context, id, what string, is func(room) bool) error {
	return eventually(ctx, what, func() error {
		rooms, err := c.rooms(ctx)
		if err == nil && !is(rooms[id]) {
			err = fmt.Errorf("the room is %+v", rooms[id])
		}
		return err
	})
}

// destroy ends a room behind the operator's back.
func (c *cluster) destroy(ctx context.Context, id string) error {
	return c.admin(ctx, http.MethodDelete, "/rooms?appID="+appID+"&id="+id, nil)
}

// callback destroys a room that the operator looks at every ten minutes.
func callback(ctx context.Context, c *cluster) error {
	const id = "class-101"
	begin := time.Now()
	if err := c.destroy(ctx, id); err != nil {
		return err
	}
	if err := c.seen(ctx, id, "the room's return", func(r room) bool { return r.Incarnation == 2 }); err != nil {
		return err
	}
	c.say("   Nobody looked at the room, but ZIM called: it was back after %.1f s.", time.Since(begin).Seconds())
	return nil
}

// yes is what kubectl auth can-i answers.
const yes = "yes"

// userRoles asks the cluster what holders of its own roles may do.
func userRoles(ctx context.Context, c *cluster) error {
	for role := range strings.FieldsSeq("view edit admin") {
		_, err := c.kubectl(ctx, "create", "rolebinding", "e2e-"+role, "--clusterrole="+role, "--user=e2e-"+role)
		if err != nil {
			return err
		}
	}
	const viewer, editor, admin = "view", "edit", "admin"
	for _, tc := range []struct {
		user, verb string
		want       bool
	}{
		{viewer, "list", true}, {viewer, "create", false}, {viewer, "delete", false},
		{editor, "create", true}, {editor, "delete", true}, {admin, "deletecollection", true},
	} {
		for _, resource := range []string{"zimrooms", "zimapps"} {
			if err := eventually(ctx, "the role "+tc.user, func() error {
				out, _ := c.kubectl(ctx, "auth", "can-i", tc.verb, resource+".zim.zego.im", "--as=e2e-"+tc.user)
				if answer := strings.TrimSpace(out) == yes; answer != tc.want {
					return fmt.Errorf("%s may %s %s: %t", tc.user, tc.verb, resource, answer)
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	_, err := c.kubectl(ctx, "delete", "rolebinding", "e2e-view", "e2e-edit", "e2e-admin")
	return err
}

// roomManifest declares a room.
func roomManifest(namespace, name string) string {
	return fmt.Sprintf(`
apiVersion: zim.zego.im/v1alpha1
kind: ZimRoom
metadata: {name: %s, namespace: %s, labels: {e2e: rooms}}
spec: {id: %[1]s, name: %[1]s, interval: 5s, attributes: [{key: topic, value: e2e}]}
---
`, name, namespace)
}

// tenRooms leaves ten Ready rooms and nothing else.
func tenRooms(ctx context.Context, c *cluster) error {
	if _, err := c.kubectl(ctx, "delete", "zimrooms", "--all", "--timeout=1m"); err != nil {
		return err
	}
	var manifests strings.Builder
	for i := range 10 {
		manifests.WriteString(roomManifest("default", fmt.Sprintf("room-%d", i)))
	}
	if err := c.apply(ctx, manifests.String()); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimrooms", "--all"); err != nil {
		return err
	}
	rooms, err := c.rooms(ctx)
	if err != nil {
		return err
	}
	c.incarnations = map[string]int{}
	for id, r := range rooms {
		c.incarnations[id] = r.Incarnation
	}
	return c.unharmed(ctx)
}

// unharmed compares with the ten rooms as they were: ten ZimRooms, none going, and the very same ten rooms.
func (c *cluster) unharmed(ctx context.Context) error {
	out, err := c.kubectl(ctx, "get", "zimrooms", "--output=json")
	if err != nil {
		return err
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name              string
				DeletionTimestamp *time.Time
			}
			Status struct {
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return err
	}
	if len(list.Items) != 10 {
		return fmt.Errorf("%d ZimRooms, want 10", len(list.Items))
	}
	for _, item := range list.Items {
		ready := false
		for _, condition := range item.Status.Conditions {
			ready = ready || condition.Type == "Ready" && condition.Status == "True"
		}
		if item.Metadata.DeletionTimestamp != nil || !ready {
			return fmt.Errorf("ZimRoom %s: being deleted or not Ready: %+v", item.Metadata.Name, item)
		}
	}
	rooms, err := c.rooms(ctx)
	if err != nil {
		return err
	}
	if len(rooms) != 10 {
		return fmt.Errorf("%d rooms, want 10", len(rooms))
	}
	for id, r := range rooms {
		if r.Incarnation != c.incarnations[id] {
			return fmt.Errorf("room %s was created %d times, before %d", id, r.Incarnation, c.incarnations[id])
		}
	}
	return nil
}

// nothingTerminating looks for anything of ours that was told to go and can't.
func (c *cluster) nothingTerminating(ctx context.Context) error {
	for _, kinds := range []string{"zimrooms,zimapps,secrets,pods", "namespaces,crds,clusterroles"} {
		out, err := c.kubectl(ctx, "get", kinds, "--all-namespaces",
			`--output=jsonpath={range .items[?(@.metadata.deletionTimestamp)]}{.kind} {.metadata.name}{"\n"}{end}`)
		if err != nil {
			return err
		}
		if out != "" {
			return fmt.Errorf("still going: %s", out)
		}
	}
	return nil
}

// operatorIsGone waits until no pod of the operator is left, and finds all else in place.
func (c *cluster) operatorIsGone(ctx context.Context) error {
	if err := eventually(ctx, "the end of the pods", func() error {
		out, err := c.kubectl(ctx, "get", "pods", "--namespace", systemNamespace, "--output=name")
		if err == nil && out != "" {
			err = errors.New("still there: " + out)
		}
		return err
	}); err != nil {
		return err
	}
	return errors.Join(c.nothingTerminating(ctx), c.unharmed(ctx))
}

func deleteInstaller(ctx context.Context, c *cluster) error {
	if err := c.show(ctx, "make", "build-installer", "IMG=zim-operator:latest"); err != nil {
		return err
	}
	if err := c.show(ctx, "kubectl", "delete", "-f", "dist/install.yaml", "--timeout=1m"); err != nil {
		return err
	}
	return c.operatorIsGone(ctx)
}

func applyInstaller(ctx context.Context, c *cluster) error {
	if err := c.show(ctx, "kubectl", "apply", "-f", "dist/crds.yaml", "-f", "dist/install.yaml"); err != nil {
		return err
	}
	if err := c.allowSimulator(ctx); err != nil {
		return err
	}
	if err := c.works(ctx, "after-apply"); err != nil {
		return err
	}
	if err := c.unharmed(ctx); err != nil {
		return err
	}
	_, err := c.kubectl(ctx, "delete", "-f", "dist/install.yaml", "--timeout=1m")
	return errors.Join(err, c.operatorIsGone(ctx))
}

// allowSimulator lets the manager call http endpoints.
func (c *cluster) allowSimulator(ctx context.Context) error {
	_, err := c.kubectl(ctx, "patch", "deployment", "--namespace", systemNamespace, "zim-operator-manager", "--type=json",
		`--patch=[{"op":"add","path":"/spec/template/spec/containers/0/args/-","value":"--allow-insecure-endpoints"}]`)
	return errors.Join(err, c.rollout(ctx))
}

// works lets one more room come and go.
func (c *cluster) works(ctx context.Context, name string) error {
	if err := c.apply(ctx, roomManifest("default", name)); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "zimroom", name); err != nil {
		return err
	}
	_, err := c.kubectl(ctx, "delete", "zimroom", name, "--timeout=1m")
	return err
}
