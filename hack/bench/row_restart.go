package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// restartInterval is so long that hardly any slot comes while somebody looks.
const restartInterval = 24 * time.Hour

// measureRestart has things happen that concern all of many Ready rooms, the manager's restart among them, to see that
// it leaves the rooms alone; then it restarts the manager once more, to see how soon it serves a new room.
func (b *bench) measureRestart(ctx context.Context, _ int) (result outcome, err error) {
	size := b.restart
	err = b.inWorld(ctx, withoutQuota, func(ctx context.Context, w *world) error {
		rooms := newRooms("room", size.rooms, withInterval(restartInterval))
		if err := w.fill(ctx, rooms, fillLimit); err != nil {
			return err
		}
		if err := w.limitCalls(ctx, atQuota.requestsPerSecond); err != nil {
			return err
		}
		storms := []struct {
			name   string
			happen func(context.Context) error
		}{
			{"restart", w.restart},
			{"ZimApp edited", func(ctx context.Context) error { return w.limitCalls(ctx, atQuota.requestsPerSecond-1) }},
			{"Secret rotated", w.rotateSecret}, // The last: what changes the quota sets the secret of before.
		}
		for _, storm := range storms {
			if err := result.watchStorm(ctx, w, rooms, size.window, storm.name, storm.happen); err != nil {
				return err
			}
		}
		seconds, err := w.restartWithNewRoom(ctx)
		if err != nil {
			return err
		}
		result.add("start to the CreateRoom of a new room", "s", seconds, atMost(5))
		return nil
	})
	return result, err
}

// restart stops the manager and starts it again.
func (w *world) restart(ctx context.Context) error {
	w.manager.Stop()
	return w.startManager(ctx)
}

// watchStorm counts calls and writes for rooms, from something on that concerns all of them.
func (o *outcome) watchStorm(
	ctx context.Context, w *world, rooms []*zimv1alpha1.ZimRoom, window time.Duration,
	name string, happen func(context.Context) error,
) error {
	if err := w.simulator.Forget(ctx); err != nil {
		return err
	}
	before, err := w.apiServer.writes(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	end := start.Add(window)
	if err := happen(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := testbed.Sleep(ctx, time.Until(end)); err != nil {
		return err
	}
	after, err := w.apiServer.writes(ctx)
	if err != nil {
		return err
	}
	calls, err := w.simulator.Calls(ctx, testbed.AppID)
	if err != nil {
		return err
	}
	due := dueIn(rooms, start, end)
	unasked := calls.Where(func(c *zimsim.Call) bool { return c.RoomID != "" && !due[c.RoomID] })
	within := fmt.Sprintf("%s, %s: ", name, window)
	o.add(within+"ZIM calls for rooms, slots excepted", "", float64(len(unasked)), none())
	o.add(within+"slots", "", float64(len(due)), nil)
	added := after.since(before)
	o.add(within+"Kubernetes writes to ZimRooms", "", float64(added.total(zimRooms)), none())
	o.add(within+"Kubernetes writes to the ZimApp", "", float64(added.total(zimApps)), nil)
	return nil
}

// dueIn returns the ids of the rooms whose slot lies between two moments. Slots come from the UID, so that they are the
// same after a restart.
func dueIn(rooms []*zimv1alpha1.ZimRoom, from, to time.Time) map[string]bool {
	due := map[string]bool{}
	for _, room := range rooms {
		if !slotAfter(from, room.UID, restartInterval).After(to) {
			due[room.Spec.ID] = true
		}
	}
	return due
}

func slotAfter(moment time.Time, uid types.UID, interval time.Duration) time.Time {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uid))                           // Never fails: see hash.Hash.
	offset := time.Duration(hash.Sum64() % uint64(interval)) //nolint:gosec // Less than interval.
	slot := moment.Truncate(0).Add(offset - time.Duration(moment.UnixNano()%int64(interval)))
	if !slot.After(moment) {
		slot = slot.Add(interval)
	}
	return slot
}

// restartWithNewRoom restarts the manager, applies a room at that moment, and returns after how many seconds its
// CreateRoom arrived.
func (w *world) restartWithNewRoom(ctx context.Context) (float64, error) {
	if err := w.restart(ctx); err != nil {
		return 0, err
	}
	received, err := w.createNewRoom(ctx, newRoom("newcomer"))
	return received.Sub(w.manager.Started).Seconds(), err
}

// createNewRoom applies a room, and returns when its CreateRoom arrived.
func (w *world) createNewRoom(ctx context.Context, room *zimv1alpha1.ZimRoom) (received time.Time, err error) {
	const limit = 2 * time.Minute
	if err := w.kube.Create(ctx, room); err != nil {
		return received, fmt.Errorf("creating a ZimRoom: %w", err)
	}
	err = testbed.Await(ctx, limit, func(ctx context.Context) (bool, error) {
		calls, err := w.simulator.LatestCalls(ctx, testbed.AppID, 1000)
		var ok bool
		received, ok = calls.Of(testbed.CreateRoom).FirstByRoom()[room.Spec.ID]
		return ok, err
	})
	if err != nil {
		return received, fmt.Errorf("waiting for the CreateRoom of a new room: %w", err)
	}
	return received, nil
}
