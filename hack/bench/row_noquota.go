package main

import (
	"context"
	"time"
)

// measureNoQuota has new rooms created as fast as everything goes, and compares with a controller that does nothing but
// write. Who goes first alternates.
func (b *bench) measureNoQuota(ctx context.Context, repetition int) (result outcome, err error) {
	plans := [2]plan{withoutQuota, {callsPerSecond: -1, bare: true}}
	var rates [2]float64
	for i := range plans {
		at := (i + repetition) % len(plans)
		if rates[at], err = b.roomsPerSecond(ctx, plans[at]); err != nil {
			return result, err
		}
	}
	least := atLeast(0.9)
	if b.quick {
		least = nil // It is over before the API server is warm.
	}
	result.add("rooms a second", "/s", rates[0], nil)
	result.add("rooms a second of the bare controller", "/s", rates[1], nil)
	result.add("share of the bare controller's rate", "", rates[0]/rates[1], least)
	return result, nil
}

// roomsPerSecond is how many rooms a second become Ready, from the first that is applied on.
func (b *bench) roomsPerSecond(ctx context.Context, plan plan) (rate float64, err error) {
	err = b.inWorld(ctx, plan, func(ctx context.Context, w *world) error {
		const limit = 5 * time.Minute
		if err := w.warmUp(ctx); err != nil {
			return err
		}
		rooms := newRooms("room", b.noQuota)
		start := time.Now()
		if err := w.fill(ctx, rooms, limit); err != nil {
			return err
		}
		rate = float64(len(rooms)) / largest(secondsSince(start, w.watch.readyTimes(rooms)))
		return nil
	})
	return rate, err
}

// warmUp lets a few rooms through: whatever is done at the first time only, is done.
func (w *world) warmUp(ctx context.Context) error {
	const rooms, limit = 20, time.Minute
	return w.fill(ctx, newRooms("warm-up", rooms), limit)
}
