package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// standbyLimit is how long a second replica may take until it is ready to follow.
const standbyLimit = time.Minute

const (
	// stopsTried is how many leaders are stopped cleanly in one repetition.
	stopsTried = 5
	// standbyRhythm is how far apart a standby's looks at the lease are in the mean: client-go waits 2 to 4.4 s, with the
	// manager's retry period of 2 s.
	standbyRhythm = 3200 * time.Millisecond
)

// measureFailover has a second manager take over from one that is killed, and others, one after the other, from ones
// that are stopped. It looks how long a room that is new at that moment has to wait for its CreateRoom.
func (b *bench) measureFailover(ctx context.Context, _ int) (result outcome, err error) {
	plan := atQuota
	plan.managerArgs = []string{"--leader-elect", "--operator-namespace=" + namespace}
	err = b.inWorld(ctx, plan, func(ctx context.Context, w *world) error {
		if b.quick { // The lease of one that was killed would have to run out first.
			const oneStopLimit = 5
			stopped, err := w.timeToFollow(ctx, "stopped", (*testbed.Process).Stop, 0)
			result.add("leader stopped to the next one's CreateRoom", "s", stopped, atMost(oneStopLimit))
			return err
		}
		killed, err := w.timeToFollow(ctx, "killed", (*testbed.Process).Kill, 0)
		if err != nil {
			return err
		}
		result.add("leader killed to the next one's CreateRoom", "s", killed, atMost(20))
		stopped, err := w.timesToFollowStopped(ctx)
		result.add("leader stopped to the next one's CreateRoom, median", "s", median(stopped), atMost(3))
		result.add("leader stopped to the next one's CreateRoom, longest", "s", largest(stopped), nil)
		return err
	})
	return result, err
}

// timesToFollowStopped stops leaders at moments that are spread evenly over the rhythm of the standby: how long after
// its last look it is decides most.
func (w *world) timesToFollowStopped(ctx context.Context) (seconds []float64, err error) {
	for i := range stopsTried {
		took, err := w.timeToFollow(ctx, fmt.Sprintf("stopped-%d", i), (*testbed.Process).Stop,
			time.Duration(i)*standbyRhythm/stopsTried)
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, took)
	}
	return seconds, nil
}

// timeToFollow starts a standby, ends the leader a while later, and returns how many seconds after that ZIM receives
// the CreateRoom of a new room.
func (w *world) timeToFollow(
	ctx context.Context, room string, end func(*testbed.Process), later time.Duration,
) (seconds float64, err error) {
	leader := w.manager
	if err := w.startStandby(ctx); err != nil {
		return 0, err
	}
	if err := testbed.Sleep(ctx, later); err != nil {
		return 0, err
	}
	began := time.Now()
	end(leader)
	created, err := w.createNewRoom(ctx, newRoom(room))
	if err != nil {
		return 0, fmt.Errorf("leader %s: %w", room, err)
	}
	return created.Sub(began).Seconds(), nil
}

// startStandby starts another manager, and returns when it is ready to follow.
func (w *world) startStandby(ctx context.Context) error {
	health, err := testbed.FreeAddress(ctx)
	if err != nil {
		return err
	}
	if err := w.startManager(ctx, "--health-probe-bind-address="+health); err != nil {
		return err
	}
	err = testbed.Await(ctx, standbyLimit, func(ctx context.Context) (bool, error) {
		return testbed.IsReady(ctx, health), nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the standby: %w", err)
	}
	return nil
}
