package controllers

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// unverifiedIntervals and unverifiedFloor say after how long without a look what was known of a room counts no more.
const (
	unverifiedIntervals = 3
	unverifiedFloor     = 10 * time.Minute
)

// replanFloor is the least time after which a room comes to see whether its interval need not be stretched any more.
const replanFloor = 5 * time.Minute

// isDue tells whether a pass has a reason to call ZIM, and which: something is to be brought there or was asked for, a
// try is to be repeated, or the room's slot or a prediction has come. Everything else, the informer's resync included,
// costs no call.
func (r *ZimRoomReconciler) isDue(p *pass) (why errand, due bool) {
	memory, now := p.memory, r.clock.Now()
	handled, hinted := isHandled(p.room), r.readCallback(p, now)
	r.hasten(p, now)
	switch {
	case now.Before(memory.coolUntil):
		return why, false
	case isCurrent(p.room) && handled:
		if memory.nextLook.IsZero() {
			memory.nextLook = r.nextLook(p, now)
			memory.noteDue()
			r.noteWorkload(p, now)
		}
		return r.lookErrand(p, now, hinted), hinted || isPast(memory.nextLook, now)
	case isRefused(p.room) && handled:
		// What changed while nobody looked is not known any more.
		if memory.tried == (attempt{}) {
			memory.tried = p.attempt()
			memory.nextLook = r.nextSlot(p, now, time.Time{})
		}
		if memory.tried.appRevision != p.app.revision { // Another ZimApp or Secret can make a difference.
			return errand{lane: laneRepair}, true
		}
		// ZIM may have refused by mistake: people would not know what to correct.
		return errand{lane: laneVerification, calls: 1}, isPast(memory.nextLook, now)
	}
	due = hinted || r.quota.isCalled(p.request) || memory.tried != p.attempt() || !now.Before(memory.nextLook)
	return p.tryErrand(), due
}

// lookErrand is what a look at a room is for that was as declared: to find it dead at the moment when it must have
// died or when a callback says so, to replace it after a try that failed, or to verify it.
func (r *ZimRoomReconciler) lookErrand(p *pass, now time.Time, hinted bool) errand {
	failedToReplace := isWaitingToBeReplaced(p.room) && p.memory.failures > 0
	if hinted || failedToReplace || isPast(r.expectedDeath(p, now), now) {
		return errand{lane: laneRepair}
	}
	return errand{lane: laneVerification, calls: verificationCalls(p.room)}
}

// expectedDeath is when a room that is as declared may be found dead, apart from its slots; zero: nobody knows.
func (r *ZimRoomReconciler) expectedDeath(p *pass, now time.Time) time.Time {
	return earliest(p.memory.echo, earliest(r.deathLook(p, now), r.emptyLook(p, now)))
}

// tryErrand is what a try is for to bring a room to what is declared: ZIM has not been asked for that yet, or it failed
// before. A room that nobody could look at for long is not known to lack anything: after an outage there are many.
func (p *pass) tryErrand() errand {
	switch tried := p.memory.tried; {
	case isUnverified(p.room) && isHandled(p.room):
		return errand{lane: laneVerification, calls: verificationCalls(p.room)}
	case p.missing || p.isReplacing():
		return errand{lane: laneRepair}
	case tried.generation != p.room.Generation, tried.requestedAt != p.attempt().requestedAt:
		return errand{lane: lanePeople}
	}
	return errand{lane: laneRepair}
}

// verificationCalls is how many turns it takes to see that a room is as declared: CreateRoom, QueryRoomAttribute, and
// those of a replacement that may become possible.
func verificationCalls(room *zimv1alpha1.ZimRoom) int {
	calls := 1
	if len(room.Spec.Attributes)+len(room.Status.Room.Attributes) > 0 {
		calls++
	}
	if isWaitingToBeReplaced(room) {
		calls += replacementTurns
	}
	return calls
}

func isPast(moment, now time.Time) bool {
	return !moment.IsZero() && !now.Before(moment)
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
		if result.cools {
			memory.coolUntil = memory.nextLook
		}
		if result.seen { // Its death or slot may come before the next try of what failed.
			memory.nextLook = earliest(memory.nextLook, r.nextLook(p, now))
		}
	case result.atSlot:
		memory.failures = 0
		memory.nextLook = r.nextSlot(p, now, time.Time{})
	case result.answered:
		memory.failures = 0
		memory.nextLook = r.nextLook(p, now)
	default:
		memory.nextLook = time.Time{} // Whatever changes the matter makes it due.
		r.quota.leave(p.request)
	}
	switch {
	case result.seen:
		memory.noteDue()
	case !result.silent && !isUnverified(p.room):
		memory.due.Store(nil) // There is more to do than to look, or nothing: the conditions say so.
	}
	r.noteWorkload(p, now)
}

// nextLook is when a room that is as declared is to be looked at again: in its slot, when it may have died, and while
// its replacement waits for it to become empty. Zero: never.
func (r *ZimRoomReconciler) nextLook(p *pass, now time.Time) time.Time {
	next := earliest(r.nextSlot(p, now, p.memory.lastAnswer), r.expectedDeath(p, now))
	if isWaitingToBeReplaced(p.room) {
		next = earliest(next, now.Add(occupiedInterval))
	}
	return next
}

// nextSlot is the room's next slot at its present interval; zero: never.
func (r *ZimRoomReconciler) nextSlot(p *pass, now, lastAnswer time.Time) time.Time {
	p.memory.interval = r.intervalOf(p)
	return nextSlot(now, lastAnswer, p.room.UID, p.memory.interval)
}

// hasten plans a look again that waits for a slot of a longer interval than the room has now. One that is no further
// away than the interval is long stays where it is: so a small step moves few rooms, and a large one spreads all of
// them over the interval. Another try of what failed keeps its backoff.
func (r *ZimRoomReconciler) hasten(p *pass, now time.Time) {
	memory, interval := p.memory, r.intervalOf(p)
	if interval <= 0 || interval >= memory.interval {
		return
	}
	memory.interval, memory.shortened = interval, now
	if memory.failures > 0 || memory.nextLook.Sub(now) <= interval {
		return
	}
	memory.nextLook = earliest(memory.nextLook, nextSlot(now, memory.lastAnswer, p.room.UID, interval))
	if memory.due.Load() != nil {
		memory.noteDue()
	}
}

// deathLook is when a room that is as declared may be found dead; zero if its death is not predicted.
func (r *ZimRoomReconciler) deathLook(p *pass, now time.Time) time.Time {
	live := p.room.Status.Room
	if live.CreatedTime == nil {
		return time.Time{}
	}
	return nextDeathLook(now, live.CreatedTime.Time, p.memory.lastAnswer, live.DestroyDelay.Duration,
		r.declaredInterval(p.room))
}

// earliest returns the earlier of two moments, either of which may be zero for never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// unverifiedAt is when what was known of a room counts no more unless somebody can look before; zero for a room that
// is never verified. The interval is that with which the next look was planned; if it became shorter since, it counts
// from then. What was answered before the start of this process is not known: then it counts from the room's first slot
// since, so that not all are written at once.
func (r *ZimRoomReconciler) unverifiedAt(p *pass) time.Time {
	interval := max(p.memory.interval, r.intervalOf(p))
	if r.declaredInterval(p.room) <= 0 {
		return time.Time{}
	}
	last := p.memory.lastAnswer
	if last.Before(r.started) {
		last = nextSlot(r.started, time.Time{}, p.room.UID, interval)
	}
	if p.memory.shortened.After(last) {
		last = p.memory.shortened
	}
	return last.Add(max(unverifiedIntervals*interval, unverifiedFloor))
}

// comeBack asks for a pass at the next look, or before if its interval may not have to be stretched until then.
func (r *ZimRoomReconciler) comeBack(p *pass) reconcile.Result {
	next := p.memory.nextLook
	if p.memory.coolUntil.After(next) {
		next = p.memory.coolUntil
	}
	return r.comeBackAt(r.orToReplan(p, next))
}

// orToReplan returns when to come back for what is due at a moment. While its interval is stretched a room comes as
// often as declared: such a pass costs no call, and sees whether the look may come sooner.
func (r *ZimRoomReconciler) orToReplan(p *pass, next time.Time) time.Time {
	declared := r.declaredInterval(p.room)
	if next.IsZero() || p.memory.interval <= declared {
		return next
	}
	return earliest(next, r.clock.Now().Add(max(declared, replanFloor)))
}

// comeBackAt asks for a pass at a moment; zero: for none.
func (r *ZimRoomReconciler) comeBackAt(next time.Time) reconcile.Result {
	if next.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(next.Sub(r.clock.Now()), time.Millisecond)}
}

// intervalOf is how often a room is verified: as often as declared, or as its account's quota allows; 0: never.
func (r *ZimRoomReconciler) intervalOf(p *pass) time.Duration {
	interval := r.declaredInterval(p.room)
	if p.memory.account == (zim.Account{}) {
		return interval
	}
	rate := steadyRate(r.registry.pace(p.memory.account), r.clock.Now())
	return time.Duration(float64(interval) * r.workload.stretch(p.memory.account, rate))
}

// declaredInterval is how often a room is to be verified; 0: never.
func (r *ZimRoomReconciler) declaredInterval(room *zimv1alpha1.ZimRoom) time.Duration {
	if room.Spec.Interval != nil {
		return room.Spec.Interval.Duration
	}
	return r.verifyInterval
}

// noteWorkload keeps the account's workload true to what the room asks for from now on: nothing, if no look is planned.
func (r *ZimRoomReconciler) noteWorkload(p *pass, now time.Time) {
	if p.room.Status.Room == nil || p.memory.nextLook.IsZero() {
		r.ask(p, demand{})
		return
	}
	interval := r.declaredInterval(p.room)
	if isWaitingToBeReplaced(p.room) && (interval <= 0 || interval > occupiedInterval) {
		interval = occupiedInterval
	}
	asks := demandOf(p.memory.account, interval, verificationCalls(p.room))
	// A room that has died before and whose next death is awaited is one that nobody enters, as far as one can tell.
	if live := p.room.Status.Room; live.Recreations > 0 && !r.deathLook(p, now).IsZero() {
		asks.deaths = int64(24 * time.Hour / live.DestroyDelay.Duration)
	}
	r.ask(p, asks)
}

// ask replaces what a room asks of its account.
func (r *ZimRoomReconciler) ask(p *pass, asks demand) {
	r.workload.change(p.memory.demand, asks)
	p.memory.demand = asks
}
