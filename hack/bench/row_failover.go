package main

import (
	"context"
	"fmt"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// standbyTime is how long a second replica may take until it is ready to follow.
const standbyTime = 5 * time.Second

// measureFailover has a second manager take over from one that is killed, and a third from the second, which is
// stopped, and looks how long a room that is new at that moment has to wait for its CreateRoom.
func (b *bench) measureFailover(ctx context.Context, _ int) (result outcome, err error) {
	plan := atQuota
	plan.managerArgs = []string{"--leader-elect", "--operator-namespace=" + namespace}
	err = b.inWorld(ctx, plan, func(ctx context.Context, w *world) error {
		for _, change := range []struct {
			name  string
			end   func(*testbed.Process)
			limit float64
		}{
			{"killed", (*testbed.Process).Kill, 20},
			{"stopped", (*testbed.Process).Stop, 3},
		} {
			leader := w.manager
			if err := w.startManager(ctx); err != nil {
				return err
			}
			if err := testbed.Sleep(ctx, standbyTime); err != nil {
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
