package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// renameEmpty gives another name to a room that nobody is in.
func (d *demo) renameEmpty(ctx context.Context) error {
	const id, object, name = "class-101", "zr/class", "Physics 101"
	d.say("ZIM cannot rename a live room. The operator destroys it and creates it anew, with what is declared and no\n" +
		"more; but unless replacePolicy says otherwise, only when nobody is in it. Nobody is in this one:")
	edited := time.Now()
	if err := d.rename(ctx, object, name); err != nil {
		return err
	}
	if err := d.awaitName(ctx, object, name); err != nil {
		return err
	}
	if err := d.showRooms(ctx); err != nil {
		return err
	}
	d.say("Since the edit the simulator received for %s:", id)
	if err := d.showCalls(ctx, id, edited); err != nil {
		return err
	}
	d.say("Who enters between question and destruction, at most a second, is put out: ZIM cannot do both in one call.")
	return nil
}

// renameOccupied gives another name to a room that somebody is in.
func (d *demo) renameOccupied(ctx context.Context) error {
	const id, object, name = "lobby", "zr/lobby", "Grand lobby"
	member := map[string]string{"roomID": id, "userID": "alice"}
	d.say("Alice enters %s, and then it is renamed:", id)
	entered := time.Now()
	if err := d.simulator.do(ctx, http.MethodPut, "/members", member, "", nil); err != nil {
		return err
	}
	if err := d.rename(ctx, object, name); err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "wait", "--for=condition=ReplacementPending", object, waitFlag); err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "get", object, "-o", "wide"); err != nil {
		return err
	}
	d.say("It keeps its old name and stays Ready. Alice leaves, and again somebody does not want to wait for a minute:")
	if err := d.simulator.do(ctx, http.MethodDelete, "/members", member, "", nil); err != nil {
		return err
	}
	if _, err := d.askForLook(ctx, object); err != nil {
		return err
	}
	if err := d.awaitName(ctx, object, name); err != nil {
		return err
	}
	d.say("Since Alice came the simulator received for %s:", id)
	return d.showCalls(ctx, id, entered)
}

// rename edits the declared name of a room.
func (d *demo) rename(ctx context.Context, object, name string) error {
	return d.kubectl.run(ctx, "patch", object, "--type=merge", fmt.Sprintf(`--patch={"spec":{"name":%q}}`, name))
}

// awaitName waits until the live room has the name, and shows what its ZimRoom says.
func (d *demo) awaitName(ctx context.Context, object, name string) error {
	err := d.kubectl.run(ctx, "wait", "--for=jsonpath={.status.room.name}="+name, object, waitFlag)
	if err != nil {
		return err
	}
	return d.kubectl.run(ctx, "get", object, "-o", "wide")
}

// askForLook has the operator look at a room now. The status has the stamp afterwards.
func (d *demo) askForLook(ctx context.Context, object string) (stamp string, err error) {
	stamp = time.Now().UTC().Format(time.RFC3339)
	return stamp, d.kubectl.run(ctx, "annotate", "--overwrite", object, "zim.zego.im/reconcile-requested-at="+stamp)
}

// handOver moves a room from one ZimRoom to another.
func (d *demo) handOver(ctx context.Context) error {
	const id, giver, heir = "stream-1", "zr/stream", "zr/evening"
	before, _, err := d.simulator.room(ctx, id)
	if err != nil {
		return err
	}
	manifest := strings.Replace(streamManifest, "  name: stream\n", "  name: evening\n", 1)
	if err := d.write("evening.yaml", manifest); err != nil {
		return err
	}
	d.say("Kubernetes cannot rename an object, or move it to another namespace. But a room can go to another ZimRoom,\n" +
		"one with the same id:")
	d.show(manifest)
	applied := time.Now()
	if err := d.kubectl.run(ctx, "apply", "-f", filepath.Join(d.dir, "evening.yaml")); err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "wait", "--for=condition=Stalled", heir, waitFlag); err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "get", heir, "-o", "wide"); err != nil {
		return err
	}
	if err := d.showClaims(ctx, id); err != nil {
		return err
	}
	d.say("The older one has the room. It is deleted:")
	if err := d.kubectl.run(ctx, "delete", giver, waitFlag); err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "wait", "--for=condition=Ready", heir, waitFlag); err != nil {
		return err
	}
	if err := d.showClaims(ctx, id); err != nil {
		return err
	}
	if after, _, err := d.simulator.room(ctx, id); err != nil || after.Incarnation != before.Incarnation {
		if err == nil {
			err = fmt.Errorf("the room %s is not the one that it was", id)
		}
		return err
	}
	d.say("The room was not destroyed, and what is known of it went over too. Since the second ZimRoom came, the\n"+
		"simulator received for %s:", id)
	return d.showCalls(ctx, id, applied)
}

// showClaims shows the ZimRooms that name a room, and what each knows of it.
func (d *demo) showClaims(ctx context.Context, roomID string) error {
	return d.kubectl.run(ctx, "get", "zr", "--field-selector=spec.id="+roomID, "-o", "custom-columns="+
		`NAME:.metadata.name,STATUS:.status.conditions[?(@.type=="Ready")].reason,`+
		"ORIGIN:.status.room.origin,CREATED:.status.room.createdTime")
}
