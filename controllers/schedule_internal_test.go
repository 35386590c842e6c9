package controllers

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestBackoffGrowsToItsLimitAndVaries(t *testing.T) {
	pace := backoff{first: time.Second, limit: time.Minute}
	for failures, base := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			delay := pace.delay(failures)
			if delay < base || delay > base*12/10 {
				t.Fatalf("%d failures: %s is less than %s, or more than a fifth above", failures, delay, base)
			}
			seen[delay] = true
		}
		if len(seen) < 50 {
			t.Errorf("%d failures: only %d different delays of 100", failures, len(seen))
		}
	}
}

func TestNextSlot(t *testing.T) {
	const interval = 10 * time.Minute
	now := testTime()

	t.Run("comes once in each interval, at the same phase", func(t *testing.T) {
		first := nextSlot(now, time.Time{}, "uid", interval)
		if wait := first.Sub(now); wait <= 0 || wait > interval {
			t.Fatalf("first slot after %s", wait)
		}
		if second := nextSlot(first, first, "uid", interval); second.Sub(first) != interval {
			t.Errorf("second slot %s after the first", second.Sub(first))
		}
	})
	t.Run("does not depend on when it is asked for", func(t *testing.T) {
		slot := nextSlot(now, time.Time{}, "uid", interval)
		for at := now; at.Before(slot); at = at.Add(7 * time.Second) {
			if got := nextSlot(at, time.Time{}, "uid", interval); !got.Equal(slot) {
				t.Fatalf("asked at %s: %s, want %s", at, got, slot)
			}
		}
	})
	t.Run("is skipped within half an interval of the last answer", func(t *testing.T) {
		slot := nextSlot(now, time.Time{}, "uid", interval)
		answer := slot.Add(-interval/2 + time.Second)
		if got := nextSlot(answer, answer, "uid", interval); !got.Equal(slot.Add(interval)) {
			t.Errorf("got %s, want %s", got, slot.Add(interval))
		}
		answer = slot.Add(-interval/2 - time.Second)
		if got := nextSlot(answer, answer, "uid", interval); !got.Equal(slot) {
			t.Errorf("got %s, want %s", got, slot)
		}
	})
	t.Run("spreads rooms evenly", func(t *testing.T) {
		const rooms, parts = 10000, 10
		var counts [parts]int
		for i := range rooms {
			slot := nextSlot(now, time.Time{}, types.UID(fmt.Sprintf("%08d-aaaa", i)), interval)
			counts[int(slot.Sub(now)-1)*parts/int(interval)]++
		}
		for part, count := range counts {
			if count < rooms/parts*8/10 || count > rooms/parts*12/10 {
				t.Errorf("part %d has %d rooms: %v", part, count, counts)
			}
		}
	})
	t.Run("never comes with interval 0", func(t *testing.T) {
		if got := nextSlot(now, time.Time{}, "uid", 0); !got.IsZero() {
			t.Errorf("got %s", got)
		}
	})
}

func testTime() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
}

func TestNextDeathLook(t *testing.T) {
	const (
		delay    = 10 * time.Second
		interval = time.Minute
	)
	created := testTime()
	death := created.Add(delay)
	for name, tc := range map[string]struct {
		now, lastAnswer time.Time
		delay, interval time.Duration
		want            time.Time
	}{
		"just created":                 {created, created, delay, interval, death.Add(deathLooks[0])},
		"seen alive before its death":  {created, created.Add(5 * time.Second), delay, interval, death.Add(deathLooks[0])},
		"alive at the first look":      {death, death.Add(deathLooks[0]), delay, interval, death.Add(deathLooks[1])},
		"alive at the second look":     {death, death.Add(deathLooks[1]), delay, interval, death.Add(deathLooks[2])},
		"alive at the last look":       {death, death.Add(deathLooks[2]), delay, interval, time.Time{}},
		"no answer known, still alive": {created, time.Time{}, delay, interval, death.Add(deathLooks[0])},
		"no answer known, died lately": {death.Add(interval), time.Time{}, delay, interval, death.Add(deathLooks[0])},
		"no answer known, died long ago": {
			death.Add(interval + 1), time.Time{}, delay, interval, time.Time{},
		},
		"delay of 5 s":    {created, created, 5 * time.Second, interval, created.Add(5*time.Second + deathLooks[0])},
		"delay below 5 s": {created, created, 5*time.Second - 1, interval, time.Time{}},
		"never verified":  {created, created, delay, 0, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := nextDeathLook(tc.now, created, tc.lastAnswer, tc.delay, tc.interval); !got.Equal(tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
