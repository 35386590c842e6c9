package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// measureDeaths has rooms that nobody enters die again and again, and looks how long each was absent.
func (b *bench) measureDeaths(ctx context.Context, _ int) (result outcome, err error) {
	size := b.deaths
	err = b.inWorld(ctx, atQuota, func(ctx context.Context, w *world) error {
		rooms := newRooms("room", size.rooms, withDelay(size.delay), withInterval(restartInterval))
		create := func(ctx context.Context, room *zimv1alpha1.ZimRoom) error { return w.kube.Create(ctx, room) }
		if err := atRandom(ctx, rooms, size.delay, create); err != nil {
			return err
		}
		if err := testbed.Sleep(ctx, size.window); err != nil {
			return err
		}
		events, err := w.simulator.Events(ctx, testbed.AppID)
		if err != nil {
			return err
		}
		absences := absencesOf(events, time.Now())
		if len(absences) == 0 {
			return errors.New("no room has died")
		}
		result.add("deaths", "", float64(len(absences)), nil)
		result.add("absent after a death, median", "s", median(absences), atMost(1))
		result.add("absent after a death, p99", "s", percentile(absences, 99), atMost(2))
		result.add("absent after a death, longest", "s", largest(absences), nil)
		return nil
	})
	return result, err
}

// atRandom does something with each room at a random moment of a while.
func atRandom(
	ctx context.Context, rooms []*zimv1alpha1.ZimRoom, over time.Duration,
	act func(context.Context, *zimv1alpha1.ZimRoom) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, room := range rooms {
		moment := time.Duration(rand.Int64N(int64(over))) //nolint:gosec // No secret depends on it.
		group.Go(func() error {
			if err := testbed.Sleep(ctx, moment); err != nil {
				return err
			}
			return act(ctx, room)
		})
	}
	return group.Wait()
}

// absencesOf returns how many seconds each room was absent after each of its ends. One that is still absent counts as
// long as it is by now, unless it has only just gone.
func absencesOf(events []zimsim.Event, now time.Time) []float64 {
	const justGone = time.Second
	// The simulator notices deaths when it is next looked at; their times are right.
	events = slices.SortedStableFunc(slices.Values(events), func(a, b zimsim.Event) int { return a.Time.Compare(b.Time) })
	gone := map[string]time.Time{}
	var absences []float64
	for _, event := range events {
		since, absent := gone[event.RoomID]
		switch {
		case event.Kind == zimsim.EventRoomDestroyed:
			gone[event.RoomID] = event.Time
		case event.Kind == zimsim.EventRoomCreated && absent:
			absences = append(absences, event.Time.Sub(since).Seconds())
			delete(gone, event.RoomID)
		}
	}
	for _, since := range gone {
		if absence := now.Sub(since); absence > justGone {
			absences = append(absences, absence.Seconds())
		}
	}
	return absences
}

// measureDestroyed has rooms destroyed that nobody could foresee.
func (b *bench) measureDestroyed(ctx context.Context, _ int) (result outcome, err error) {
	size := b.destroyed
	err = b.inWorld(ctx, atQuota, func(ctx context.Context, w *world) error {
		absences, err := w.destroyAll(ctx, size.rooms, size.interval, size.interval)
		if err != nil {
			return err
		}
		result.add("absent after a destruction, median", "s", median(absences), nil)
		result.add("absent after a destruction, longest", "s", largest(absences), atMost(size.interval.Seconds()+1))
		return nil
	})
	return result, err
}

// destroyAll creates rooms that are looked at once in an interval, destroys each at some moment of a while, and returns
// how many seconds each was absent, after as long as that again.
func (w *world) destroyAll(ctx context.Context, count int, interval, over time.Duration) ([]float64, error) {
	rooms := newRooms("room", count, withInterval(interval))
	if err := w.fill(ctx, rooms, readyLimit(count)); err != nil {
		return nil, err
	}
	// A slot that comes soon after the creation is passed over; and a room that is found missing when it is younger
	// than five seconds has to wait.
	if err := testbed.Sleep(ctx, max(2*over, 6*time.Second)); err != nil {
		return nil, err
	}
	destroy := func(ctx context.Context, room *zimv1alpha1.ZimRoom) error {
		return w.simulator.Destroy(ctx, testbed.AppID, room.Spec.ID)
	}
	if err := atRandom(ctx, rooms, over, destroy); err != nil {
		return nil, err
	}
	if err := testbed.Sleep(ctx, over+2*time.Second); err != nil {
		return nil, err
	}
	events, err := w.simulator.Events(ctx, testbed.AppID)
	if err != nil {
		return nil, err
	}
	absences := absencesOf(events, time.Now())
	if len(absences) < count {
		return nil, fmt.Errorf("%d rooms were destroyed, the simulator knows of %d", count, len(absences))
	}
	return absences, nil
}
