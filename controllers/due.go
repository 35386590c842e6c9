package controllers

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// unverifiedIntervals and unverifiedFloor say after how long without a look what was known of a room counts no more.
const (
	unverifiedIntervals = 3
	unverifiedFloor     = 10 * time.Minute
)

// isDue tells whether a pass has a reason to call ZIM: something is to be brought there or was asked for, a try is to
// be repeated, or the room's slot or a prediction has come. Everything else, the informer's resync included, costs no
// call.
func (r *ZimRoomReconciler) isDue(p *pass) bool {
	memory, now := p.memory, r.clock.Now()
	handled := isHandled(p.room)
	switch {
	case isCurrent(p.room) && handled:
		if memory.nextLook.IsZero() {
			memory.nextLook = r.nextLook(p, now)
		}
		return !memory.nextLook.IsZero() && !now.Before(memory.nextLook)
	case isRefused(p.room) && handled:
		// Only another ZimApp or Secret can make a difference. What changed while nobody looked is not known any more.
		if memory.tried == (attempt{}) {
			memory.tried = p.attempt()
		}
		return memory.tried.appRevision != p.app.revision
	default:
		return r.quota.isCalled(p.request) || memory.tried != p.attempt() || !now.Before(memory.nextLook)
	}
}

// plan decides when the next look is due, after a pass with an outcome.
func (r *ZimRoomReconciler) plan(p *pass, result outcome, now time.Time) {
	memory := p.memory
	if result.seen {
		memory.lastAnswer = now
	}
	switch {
	case result.retry != nil:
		memory.failures++
		memory.nextLook = now.Add(result.retry.delay(memory.failures))
		if result.seen { // Its death or slot may come before the next try of what failed.
			memory.nextLook = earliest(memory.nextLook, r.nextLook(p, now))
		}
	case result.atSlot:
		memory.nextLook = nextSlot(now, time.Time{}, p.room.UID, r.intervalOf(p))
	case result.answered:
		memory.failures = 0
		memory.nextLook = r.nextLook(p, now)
	default:
		memory.nextLook = time.Time{} // Whatever changes the matter makes it due.
	}
}

// nextLook is when a room that is as declared is to be looked at again: in its slot, when it may have died, and while
// its replacement waits for it to become empty. Zero: never.
func (r *ZimRoomReconciler) nextLook(p *pass, now time.Time) time.Time {
	interval := r.intervalOf(p)
	next := nextSlot(now, p.memory.lastAnswer, p.room.UID, interval)
	if created := p.room.Status.Room.CreatedTime; created != nil {
		delay := p.room.Status.Room.DestroyDelay.Duration
		next = earliest(next, nextDeathLook(now, created.Time, p.memory.lastAnswer, delay, interval))
	}
	if isWaitingToBeReplaced(p.room) {
		next = earliest(next, now.Add(occupiedInterval))
	}
	return next
}

// earliest returns the earlier of two moments, either of which may be zero for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// unverifiedAt is when what was known of a room counts no more unless somebody can look before; zero for a room that
// is never verified.
func (r *ZimRoomReconciler) unverifiedAt(p *pass) time.Time {
	interval := r.intervalOf(p)
	if interval <= 0 {
		return time.Time{}
	}
	last := p.memory.lastAnswer
	if last.Before(r.started) {
		last = r.started
	}
	return last.Add(max(unverifiedIntervals*interval, unverifiedFloor))
}

// comeBack asks for a pass at the next look.
func (r *ZimRoomReconciler) comeBack(p *pass) reconcile.Result {
	return r.comeBackAt(p.memory.nextLook)
}

// comeBackAt asks for a pass at a moment; zero: for none.
func (r *ZimRoomReconciler) comeBackAt(next time.Time) reconcile.Result {
	if next.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(next.Sub(r.clock.Now()), time.Millisecond)}
}

// intervalOf is how often a room is to be verified; 0: never.
func (r *ZimRoomReconciler) intervalOf(p *pass) time.Duration {
	if p.room.Spec.Interval != nil {
		return p.room.Spec.Interval.Duration
	}
	return r.verifyInterval
}
