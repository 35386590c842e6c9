package main

import (
	"context"
	"time"
)

// measureNoQuota has new rooms created as fast as everything goes, and compares with a controller that does nothing but
// write. Each runs twice, around the other, so that a machine that slows down or speeds up does so for both; who begins
// alternates.
func (b *bench) measureNoQuota(ctx context.Context, repetition int) (result outcome, err error) {
	order := []plan{withoutQuota, bareController, bareController, withoutQuota}
	if repetition%2 == 1 {
		order = []plan{bareController, withoutQuota, withoutQuota, bareController}
	}
	least := atLeast(0.9)
	if b.quick {
		order, least = order[:2], nil // It is over before the API server is warm.
	}
	times := map[bool]time.Duration{}
	for _, plan := range order {
		took, err := b.timeToReady(ctx, plan)
		if err != nil {
			return result, err
		}
		times[plan.bare] += took
	}
	rooms := float64(b.noQuota * len(order) / 2)
	operator, bare := rooms/times[false].Seconds(), rooms/times[true].Seconds()
	result.add("rooms a second", "/s", operator, nil)
	result.add("rooms a second of the bare controller", "/s", bare, nil)
	result.add("share of the bare controller's rate", "", operator/bare, least)
	return result, nil
}

// timeToReady is how long it takes until all rooms are Ready, from the first that is applied on.
func (b *bench) timeToReady(ctx context.Context, plan plan) (took time.Duration, err error) {
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
		seconds := largest(secondsSince(start, w.watch.ReadyTimes(rooms)))
		took = time.Duration(seconds * float64(time.Second))
		return nil
	})
	return took, err
}

// warmUp lets a few rooms through: whatever is done at the first time only, is done.
func (w *world) warmUp(ctx context.Context) error {
	const rooms, limit = 20, time.Minute
	return w.fill(ctx, newRooms("warm-up", rooms), limit)
}
