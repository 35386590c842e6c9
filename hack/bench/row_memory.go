package main

import (
	"context"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// measureMemory looks at the manager's size without rooms, with many, and after a restart.
func (b *bench) measureMemory(ctx context.Context, _ int) (result outcome, err error) {
	size := b.memory
	err = b.inWorld(ctx, withoutQuota, func(ctx context.Context, w *world) error {
		empty, err := w.rest(ctx, min(size.rest, 5*time.Second))
		if err != nil {
			return err
		}
		rooms := newRooms("room", size.rooms, withInterval(restartInterval))
		if err := w.fill(ctx, rooms, fillLimit); err != nil {
			return err
		}
		full, err := w.rest(ctx, size.rest)
		if err != nil {
			return err
		}
		if err := w.restart(ctx); err != nil {
			return err
		}
		restarted, err := w.rest(ctx, size.rest)
		if err != nil {
			return err
		}
		perRoom := atMost(8)
		if b.quick {
			perRoom = nil // What the heap has room for anyway would be counted for too few rooms.
		}
		result.add("resident size", "MB", megabytes(full.ResidentKB), atMost(150))
		result.add("a room, above the empty manager", "KB",
			float64(full.ResidentKB-empty.ResidentKB)/float64(size.rooms), perRoom)
		result.add("resident size without rooms", "MB", megabytes(empty.ResidentKB), nil)
		result.add("largest resident size so far", "MB", megabytes(full.PeakKB), nil)
		result.add("resident size after a restart", "MB", megabytes(restarted.ResidentKB), atMost(150))
		result.add("a room after a restart", "KB",
			float64(restarted.ResidentKB-empty.ResidentKB)/float64(size.rooms), perRoom)
		result.add("CPU time of filling", "s", full.CPUSeconds-empty.CPUSeconds, nil)
		result.add("CPU time of a restart", "s", restarted.CPUSeconds, nil)
		return nil
	})
	return result, err
}

// rest returns the manager's usage after it had nothing to do for a while.
func (w *world) rest(ctx context.Context, duration time.Duration) (testbed.Usage, error) {
	if err := testbed.Sleep(ctx, duration); err != nil {
		return testbed.Usage{}, err
	}
	return w.manager.Usage()
}

func megabytes(kilobytes int) float64 { return float64(kilobytes) / 1024 }
