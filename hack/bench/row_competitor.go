package main

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// competitorRate is how many calls a second somebody else sends on the operator's account.
const competitorRate = 10

// measureCompetitor has new rooms created while another client takes half of the account's quota.
func (b *bench) measureCompetitor(ctx context.Context, _ int) (result outcome, err error) {
	err = b.inWorld(ctx, atQuota, func(ctx context.Context, w *world) error {
		rooms := newRooms("room", b.competitor)
		group, groupCtx := errgroup.WithContext(ctx)
		competing, stop := context.WithCancel(groupCtx)
		defer stop()
		group.Go(func() error { return w.compete(competing, competitorRate) })
		group.Go(func() error {
			defer stop()
			return w.fill(groupCtx, rooms, 2*readyLimit(len(rooms)))
		})
		if err := group.Wait(); err != nil {
			return err
		}
		calls, err := w.simulator.Calls(ctx, testbed.AppID)
		if err != nil {
			return err
		}
		ours, theirs := calls.By(testbed.OperatorAgent), calls.By(competitorAgent)
		ready := w.watch.ReadyTimes(rooms)
		rate, share := aboutHalf(), atMost(2)
		if b.quick {
			rate, share = nil, nil // It is over before the operator has found out that there is somebody else.
		}
		result.add("rooms a second, last two thirds", "/s", rateOfLast(secondsSince(ours[0].Time, ready)), rate)
		result.add("limit answers of our calls", "%", 100*float64(ours.Limited())/float64(len(ours)), share)
		result.add("limit answers of the other's calls", "%",
			100*float64(theirs.Limited())/float64(len(theirs)), nil)
		result.add("rooms that failed", "", float64(len(rooms)-len(ready)+w.watch.CountFailed(rooms)), none())
		return nil
	})
	return result, err
}
