package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// await polls the simulator until a room is as the condition wants it; a room that does not exist is nil.
func (d *demo) await(ctx context.Context, what, roomID string, condition func(*zimsim.Room) bool) error {
	err := testbed.Await(ctx, waitLimit, func(ctx context.Context) (bool, error) {
		room, exists, err := d.simulator.room(ctx, roomID)
		if err != nil || !exists {
			return err == nil && condition(nil), err
		}
		return condition(&room), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}

// loseRoom destroys a room in the simulator alone.
func (d *demo) loseRoom(ctx context.Context) error {
	const id = "Room1"
	d.say("ZIM destroys a room that has been empty for its delay, and other servers of the account may do it at any time:")
	if err := d.simulator.do(ctx, http.MethodDelete, "/rooms", map[string]string{"id": id}, "", nil); err != nil {
		return err
	}
	gone := time.Now()
	d.say("Nobody tells the operator. It finds out when it looks, about every %s here.", verifyInterval)
	err := d.await(ctx, "the room is back", id, func(room *zimsim.Room) bool { return room != nil })
	if err != nil {
		return err
	}
	d.say("%s was back after %s, with its attributes: they come with CreateRoom.", id, seconds(time.Since(gone)))
	err = d.kubectl.run(ctx, "wait", "--for=jsonpath={.status.room.recreations}=1", "zr/room1", waitFlag)
	if err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "get", "zr"); err != nil {
		return err
	}
	return d.kubectl.runUntil(ctx, "RoomRecreated", "events", "--for=zimroom/room1")
}

// changeAttribute sets an attribute as a client in the room would.
func (d *demo) changeAttribute(ctx context.Context) error {
	const id, key, declared = "lobby", "topic", "welcome"
	hasDeclared := func(room *zimsim.Room) bool { return room != nil && room.Attributes[key].Value == declared }
	d.say("The manifest of %s says %s=%s. Somebody sets something else:", id, key, declared)
	err := d.simulator.do(ctx, http.MethodPut, "/attributes", map[string]string{"roomID": id, "key": key},
		`{"value":"under new management"}`, nil)
	if err != nil {
		return err
	}
	d.say("This manifest has interval: 1m, so it would be noticed within a minute. Whoever does not want to wait asks:")
	asked := time.Now()
	stamp, err := d.askForLook(ctx, "zr/lobby")
	if err != nil {
		return err
	}
	if err := d.await(ctx, "the attribute is mended", id, hasDeclared); err != nil {
		return err
	}
	d.say("%s=%s again, at most %s after the request.", key, declared, seconds(time.Since(asked)))
	err = d.kubectl.run(ctx, "wait", "--for=jsonpath={.status.lastHandledReconcileAt}="+stamp, "zr/lobby", waitFlag)
	if err != nil {
		return err
	}
	return d.kubectl.runUntil(ctx, "AttributesRestored", "events", "--for=zimroom/lobby")
}

const streamManifest = `apiVersion: zim.zego.im/v1alpha1
kind: ZimRoom
metadata:
  name: stream
spec:
  id: stream-1
  name: Evening stream
`

// meetLimit creates a room while the simulator refuses to.
func (d *demo) meetLimit(ctx context.Context) error {
	const id = "stream-1"
	d.say("ZIM takes 20 calls a second from all servers of an account together. The simulator is told to answer as if\n" +
		"others used them up (660300005):")
	var fault struct{ ID int }
	err := d.simulator.do(ctx, http.MethodPost, "/faults", nil,
		`{"kind":"Code","code":660300005,"action":"CreateRoom","roomID":"`+id+`"}`, &fault)
	if err != nil {
		return err
	}
	file := filepath.Join(d.dir, "stream.yaml")
	if err := d.write("stream.yaml", streamManifest); err != nil {
		return err
	}
	d.say("A room is asked for:")
	d.show(streamManifest)
	if err := d.kubectl.run(ctx, "apply", "-f", file); err != nil {
		return err
	}
	err = d.kubectl.run(ctx, "wait", "--for=condition=Ready=False", "zr/stream", waitFlag)
	if err != nil {
		return err
	}
	if err := d.awaitCalls(ctx, id, 2); err != nil {
		return err
	}
	if err := d.kubectl.run(ctx, "get", "zr", "-o", "wide"); err != nil {
		return err
	}
	d.say("It says why it waits, tries less and less often, and the other rooms stay as they are. The limit is lifted:")
	err = d.simulator.do(ctx, http.MethodDelete, "/faults", map[string]string{"id": strconv.Itoa(fault.ID)}, "", nil)
	if err != nil {
		return err
	}
	lifted := time.Now()
	if err := d.kubectl.run(ctx, "wait", "--for=condition=Ready", "zr/stream", waitFlag); err != nil {
		return err
	}
	d.say("Ready %s later, by itself. What the simulator received for it:", seconds(time.Since(lifted)))
	return d.showCalls(ctx, id, time.Time{})
}

// awaitCalls polls the simulator until so many calls for a room have come.
func (d *demo) awaitCalls(ctx context.Context, roomID string, number int) error {
	err := testbed.Await(ctx, waitLimit, func(ctx context.Context) (bool, error) {
		calls, err := d.simulator.calls(ctx, roomID)
		return len(calls) >= number, err
	})
	if err != nil {
		return fmt.Errorf("waiting for %d calls for %s: %w", number, roomID, err)
	}
	return nil
}

// deleteRoom deletes a ZimRoom and looks what becomes of its room.
func (d *demo) deleteRoom(ctx context.Context) error {
	const id = "class-101"
	began := time.Now()
	if err := d.kubectl.run(ctx, "delete", "zr/class", waitFlag); err != nil {
		return err
	}
	d.say("kubectl returned after %s: the finalizer keeps the object until its room is destroyed. The simulator has now:",
		seconds(time.Since(began)))
	if _, exists, err := d.simulator.room(ctx, id); err != nil || exists {
		if err == nil {
			err = fmt.Errorf("the room %s still exists", id)
		}
		return err
	}
	if err := d.showRooms(ctx); err != nil {
		return err
	}
	d.say("and received for %s:", id)
	return d.showCalls(ctx, id, time.Time{})
}
