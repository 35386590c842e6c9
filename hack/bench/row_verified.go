package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// fillLimit is how long filling a world without quota may take.
const fillLimit = 10 * time.Minute

// measureVerified has rooms verified that ask for more than the quota gives, and lets others come and go meanwhile.
func (b *bench) measureVerified(ctx context.Context, _ int) (result outcome, err error) {
	size := b.verified
	err = b.inWorld(ctx, withoutQuota, func(ctx context.Context, w *world) error {
		rooms := newRooms("room", size.rooms, withInterval(size.interval))
		if err := w.fill(ctx, rooms, fillLimit); err != nil {
			return err
		}
		if err := w.beginVerification(ctx); err != nil {
			return err
		}
		if err := result.watchVerification(ctx, w, size.window); err != nil {
			return err
		}
		changes := newChanges(rooms, size)
		if err := changes.make(ctx, w, size.window); err != nil {
			return err
		}
		return result.describeChanges(ctx, w, changes)
	})
	return result, err
}

// beginVerification turns the quota and the latency of ordinary accounts on, and lets things settle.
func (w *world) beginVerification(ctx context.Context) error {
	if err := w.limitCalls(ctx, atQuota.requestsPerSecond); err != nil {
		return err
	}
	err := w.simulator.Inject(ctx, zimsim.Fault{Kind: zimsim.FaultLatency, Duration: atQuota.latency})
	if err != nil {
		return err
	}
	settle := 10 * time.Second
	if w.quick {
		settle = time.Second
	}
	if err := testbed.Sleep(ctx, settle); err != nil {
		return err
	}
	return w.simulator.Forget(ctx)
}

// watchVerification counts for a while in which nobody changes anything.
func (o *outcome) watchVerification(ctx context.Context, w *world, window time.Duration) error {
	before, err := w.spending(ctx)
	if err != nil {
		return err
	}
	if err := testbed.Sleep(ctx, window); err != nil {
		return err
	}
	after, err := w.spending(ctx)
	if err != nil {
		return err
	}
	calls, err := w.simulator.Calls(ctx, testbed.AppID)
	if err != nil {
		return err
	}
	added, seconds := after.writes.since(before.writes), after.at.Sub(before.at).Seconds()
	used := len(calls.After(before.at)) - len(calls.After(after.at))
	o.add("Kubernetes writes to ZimRooms", "", float64(added.total(zimRooms)), none())
	o.add("Kubernetes writes to the ZimApp", "", float64(added.total(zimApps)), nil)
	// Rooms ask for more than there is: verification takes its half of the quota, and no more.
	o.add("calls that verification used", "/s", float64(used)/seconds, aboutHalf())
	o.add("CPU share of the manager, of one core", "%", 100*(after.cpuSeconds-before.cpuSeconds)/seconds, nil)
	return nil
}

// spending is what was spent up to a moment.
type spending struct {
	at         time.Time
	cpuSeconds float64 // The manager's.
	writes     writes
}

func (w *world) spending(ctx context.Context) (spending, error) {
	used, err := w.manager.Usage()
	if err != nil {
		return spending{}, err
	}
	written, err := w.apiServer.writes(ctx)
	return spending{at: time.Now(), cpuSeconds: used.CPUSeconds, writes: written}, err
}

// changes are rooms that come and go, and when the API server acknowledged that.
type changes struct {
	created, deleted []*zimv1alpha1.ZimRoom
	mu               sync.Mutex
	acknowledged     map[string]time.Time
}

// newChanges chooses the rooms that go from those that are there.
func newChanges(rooms []*zimv1alpha1.ZimRoom, size verifiedSize) *changes {
	c := &changes{
		created:      newRooms("late", size.changes, withInterval(size.interval)),
		acknowledged: map[string]time.Time{},
	}
	for _, at := range rand.Perm(len(rooms))[:size.changes] { //nolint:gosec // No secret depends on it.
		c.deleted = append(c.deleted, rooms[at])
	}
	return c
}

// make makes the changes at random moments of a while, and waits until ZIM has heard of all of them.
func (c *changes) make(ctx context.Context, w *world, window time.Duration) error {
	const limit = time.Minute
	group, groupCtx := errgroup.WithContext(ctx)
	at := func(change func(context.Context, *zimv1alpha1.ZimRoom) error, room *zimv1alpha1.ZimRoom) {
		moment := time.Duration(rand.Int64N(int64(window))) //nolint:gosec // No secret depends on it.
		group.Go(func() error {
			if err := testbed.Sleep(groupCtx, moment); err != nil {
				return err
			}
			if err := change(groupCtx, room); err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.acknowledged[room.Name] = time.Now()
			return nil
		})
	}
	for _, room := range c.created {
		at(func(ctx context.Context, room *zimv1alpha1.ZimRoom) error { return w.kube.Create(ctx, room) }, room)
	}
	for _, room := range c.deleted {
		at(w.remove, room)
	}
	if err := group.Wait(); err != nil {
		return err
	}
	err := testbed.Poll(ctx, limit, time.Second, func(ctx context.Context) (bool, error) {
		calls, err := w.simulator.Calls(ctx, testbed.AppID)
		return len(c.delays(calls, c.created, testbed.CreateRoom)) == len(c.created) &&
			len(c.delays(calls, c.deleted, testbed.DestroyRoom)) == len(c.deleted), err
	})
	if err != nil {
		return fmt.Errorf("waiting until every change was sent: %w", err)
	}
	return nil
}

// delays returns the seconds from the API server's acknowledgement to the call, of those rooms for which it was sent.
func (c *changes) delays(calls testbed.Journal, rooms []*zimv1alpha1.ZimRoom, action string) []float64 {
	received := calls.Of(action).FirstByRoom()
	var delays []float64
	for _, room := range rooms {
		if sent, ok := received[room.Spec.ID]; ok {
			// A call may be under way before the API server's answer is.
			delays = append(delays, max(0, sent.Sub(c.acknowledged[room.Name]).Seconds()))
		}
	}
	return delays
}

func (o *outcome) describeChanges(ctx context.Context, w *world, c *changes) error {
	calls, err := w.simulator.Calls(ctx, testbed.AppID)
	if err != nil {
		return err
	}
	o.addDelays("new room to its CreateRoom", c.delays(calls, c.created, testbed.CreateRoom), atMost(1))
	o.addDelays("deletion to its DestroyRoom", c.delays(calls, c.deleted, testbed.DestroyRoom), atMost(1))
	o.add("limit answers", "", float64(calls.Limited()), nil)
	return nil
}

// addDelays adds the usual figures of many delays; the target is for the 99th of a hundred.
func (o *outcome) addDelays(what string, delays []float64, target *target) {
	o.add(what+", median", "s", median(delays), nil)
	o.add(what+", p99", "s", percentile(delays, 99), target)
	o.add(what+", longest", "s", largest(delays), nil)
}
