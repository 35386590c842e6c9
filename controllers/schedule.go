package controllers

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// backoff is a way of waiting before the next try: it doubles from first to limit, and takes up to a fifth
// longer, so that objects that failed together do not come back together. Never less: no room is called twice within a
// second because a call failed.
type backoff struct {
	first time.Duration
	limit time.Duration
}

var (
	// transientBackoff is for calls without a usable answer.
	transientBackoff = backoff{first: time.Second, limit: 5 * time.Minute}
	// throttledBackoff is for frequency limits: what is short of turns now may have some in a moment.
	throttledBackoff = backoff{first: time.Second, limit: time.Minute}
	// refusedBackoff is for what ZIM refuses and may accept later: a full room quota, an attribute.
	refusedBackoff = backoff{first: time.Minute, limit: 10 * time.Minute}
	// kubernetesRetry is for a write, or a question, that Kubernetes refused before ZIM was called.
	kubernetesRetry = backoff{first: 100 * time.Millisecond, limit: time.Minute}

	// unwrittenBackoff is for what ZIM said and Kubernetes did not take: it has to be asked for again.
	unwrittenBackoff = backoff{first: time.Second, limit: time.Minute}
	// probeBackoff is for the probe of an account that ZIM refuses.
	probeBackoff = backoff{first: 5 * time.Second, limit: 5 * time.Minute}
)

// jitterShare is how much longer a delay may be.
const jitterShare = 0.2

// delay returns how long to wait after so many failures in a row, the last one included.
func (b backoff) delay(failures int) time.Duration {
	wait := b.first
	for range failures - 1 {
		if wait *= 2; wait >= b.limit {
			wait = b.limit
			break
		}
	}
	spread := 1 + jitterShare*rand.Float64() //nolint:gosec // No secret depends on it.
	return time.Duration(float64(wait) * spread)
}

// nextSlot returns the next moment after now at which a room is to be verified. A room's slots come from its UID
// alone: load is even over the interval, and a restart of the operator changes nothing. lastAnswer, if known,
// suppresses a slot that would follow it within half an interval. The result is zero if the room is never verified.
func nextSlot(now, lastAnswer time.Time, uid types.UID, interval time.Duration) time.Time {
	if interval <= 0 {
		return time.Time{}
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uid))                           // Never fails: see hash.Hash.
	offset := time.Duration(hash.Sum64() % uint64(interval)) //nolint:gosec // Less than interval.
	phase := time.Duration(now.UnixNano() % int64(interval))
	slot := now.Add(offset - phase)
	if !slot.After(now) {
		slot = slot.Add(interval)
	}
	if !lastAnswer.IsZero() && slot.Sub(lastAnswer) < interval/2 {
		slot = slot.Add(interval)
	}
	return slot
}

// A room that nobody enters dies when its delay has passed since its creation. It is looked at just after that
// moment, and twice more, because ZIM may be late; then it must have been entered, and the prediction is spent for
// this life.
const (
	// shortestPredictedDelay is the shortest delay for which a death is predicted: below, a room would be created
	// without end.
	shortestPredictedDelay = 5 * time.Second
	// deathMargin is what ZIM may be late without costing a second look.
	deathMargin = 150 * time.Millisecond
)

var deathLooks = []time.Duration{deathMargin, deathMargin + 2*time.Second, deathMargin + 10*time.Second}

// nextDeathLook returns the next moment at which a room created at some time may be found dead; zero if none is left.
// After a restart, when no answer is known, a death that lies more than an interval back is spent: its slot has seen
// to it.
func nextDeathLook(now, created, lastAnswer time.Time, delay, interval time.Duration) time.Time {
	if delay < shortestPredictedDelay || interval <= 0 {
		return time.Time{}
	}
	death := created.Add(delay)
	if lastAnswer.IsZero() && now.Sub(death) > interval {
		return time.Time{}
	}
	for _, after := range deathLooks {
		if look := death.Add(after); look.After(lastAnswer) {
			return look
		}
	}
	return time.Time{}
}
