package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// standbyLimit is how long a second replica may take until it is ready to follow.
const standbyLimit = time.Minute

// leaderEnd is a way for a leader to end, and how many seconds later the next one is to work.
type leaderEnd struct {
	name  string
	end   func(*testbed.Process)
	limit float64
}

// measureFailover has a second manager take over from one that is killed, and a third from the second, which is
// stopped, and looks how long a room that is new at that moment has to wait for its CreateRoom.
func (b *bench) measureFailover(ctx context.Context, _ int) (result outcome, err error) {
	ends := []leaderEnd{{"killed", (*testbed.Process).Kill, 20}, {"stopped", (*testbed.Process).Stop, 3}}
	if b.quick {
		// The lease of one that was killed has to run out first. A standby tries every 2 to 4.4 seconds: only the median of
		// several is likely to be below 3.
		ends = []leaderEnd{{"stopped", (*testbed.Process).Stop, 5}}
	}
	plan := atQuota
	plan.managerArgs = []string{"--leader-elect", "--operator-namespace=" + namespace}
	err = b.inWorld(ctx, plan, func(ctx context.Context, w *world) error {
		for _, change := range ends {
			leader := w.manager
			if err := w.startStandby(ctx); err != nil {
				return err
			}
			began := time.Now()
			change.end(leader)
			created, err := w.createNewRoom(ctx, newRoom(change.name))
			if err != nil {
				return fmt.Errorf("leader %s: %w", change.name, err)
			}
			result.add("leader "+change.name+" to the next one's CreateRoom", "s", created.Sub(began).Seconds(),
				atMost(change.limit))
		}
		return nil
	})
	return result, err
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
