package controllers

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// isDue tells whether a pass has a reason to call ZIM: something is to be brought there or was asked for, a try is to be
// repeated, or the room's slot has come. Everything else, the informer's resync included, costs no call.
func (r *ZimRoomReconciler) isDue(p *pass) bool {
	memory, now := p.memory, r.clock.Now()
	called := r.quota.takeCall(p.request)
	switch {
	case isCurrent(p.room) && requestedAt(p.room) == p.room.Status.LastHandledReconcileAt:
		interval := r.intervalOf(p)
		if memory.nextLook.IsZero() {
			memory.nextLook = nextSlot(now, memory.lastAnswer, p.room.UID, interval)
		}
		return interval > 0 && !now.Before(memory.nextLook)
	case isRefused(p.room) && requestedAt(p.room) == p.room.Status.LastHandledReconcileAt:
		// Only another ZimApp or Secret can make a difference. What changed while nobody looked is not known any more.
		if memory.tried == (attempt{}) {
			memory.tried = p.attempt()
		}
		return memory.tried != p.attempt()
	default:
		return called || memory.tried != p.attempt() || !now.Before(memory.nextLook)
	}
}

// plan decides when the next look is due, after a pass with an outcome. One that made no call changes nothing.
func (r *ZimRoomReconciler) plan(p *pass, result outcome, now time.Time) {
	memory := p.memory
	switch {
	case result.retry != nil:
		memory.failures++
		memory.nextLook = now.Add(result.retry.delay(memory.failures))
	case result.answered:
		memory.failures, memory.lastAnswer = 0, now
		memory.nextLook = nextSlot(now, now, p.room.UID, r.intervalOf(p))
	}
}

// comeBack asks for a pass at the next look.
func (r *ZimRoomReconciler) comeBack(p *pass) reconcile.Result {
	next := p.memory.nextLook
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
