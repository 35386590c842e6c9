package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// measureNoQuota has new rooms created as fast as everything goes, and compares with a controller that does nothing but
// write. Each has a world of its own, and they take turns of a few seconds, because a machine wavers: what slows one
// of them down is there in the other's next turn, mostly.
func (b *bench) measureNoQuota(ctx context.Context, repetition int) (result outcome, err error) {
	size := b.noQuota
	var operatorTook, bareTook time.Duration
	err = b.inWorld(ctx, withoutQuota, func(ctx context.Context, operator *world) error {
		return b.inWorld(ctx, bareController, func(ctx context.Context, bare *world) error {
			operatorTook, bareTook, err = takeTurns(ctx, operator, bare, size, repetition%2)
			return err
		})
	})
	if err != nil {
		return result, err
	}
	least := atLeast(0.9)
	if b.quick {
		least = nil // It is over before the API servers are warm.
	}
	operatorRate, bareRate := float64(size.rooms)/operatorTook.Seconds(), float64(size.rooms)/bareTook.Seconds()
	result.add("rooms a second", "/s", operatorRate, nil)
	result.add("rooms a second of the bare controller", "/s", bareRate, nil)
	result.add("share of the bare controller's rate", "", operatorRate/bareRate, least)
	return result, nil
}

// breather is between two turns, so that what one of them still does after it is not the other's burden.
const breather = 500 * time.Millisecond

// takeTurns fills both worlds in turns, and returns how long each of them took in all. Who begins alternates; with 0
// the operator is the first.
func takeTurns(
	ctx context.Context, operator, bare *world, size turnsSize, first int,
) (operatorTook, bareTook time.Duration, err error) {
	if err := errors.Join(operator.warmUp(ctx), bare.warmUp(ctx)); err != nil {
		return 0, 0, err
	}
	took := map[*world]time.Duration{}
	for turn := range size.turns {
		order := []*world{operator, bare}
		if (first+turn)%2 == 1 {
			slices.Reverse(order)
		}
		for _, w := range order {
			spent, err := w.timeToReady(ctx, fmt.Sprintf("turn-%d", turn), size.rooms/size.turns)
			if err != nil {
				return 0, 0, err
			}
			took[w] += spent
			if err := testbed.Sleep(ctx, breather); err != nil {
				return 0, 0, err
			}
		}
	}
	return took[operator], took[bare], nil
}

// timeToReady is how long it takes until so many new rooms are Ready, from the first that is applied on.
func (w *world) timeToReady(ctx context.Context, prefix string, count int) (time.Duration, error) {
	const limit = 5 * time.Minute
	rooms := newRooms(prefix, count, withInterval(restartInterval))
	start := time.Now()
	if err := w.fill(ctx, rooms, limit); err != nil {
		return 0, err
	}
	seconds := largest(secondsSince(start, w.watch.ReadyTimes(rooms)))
	return time.Duration(seconds * float64(time.Second)), nil
}

// warmUp lets a few rooms through: whatever is done at the first time only, is done.
func (w *world) warmUp(ctx context.Context) error {
	const rooms, limit = 20, time.Minute
	return w.fill(ctx, newRooms("warm-up", rooms), limit)
}
