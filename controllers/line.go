package controllers

import (
	"container/list"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// lane says why a pass wants to call ZIM. Lower ones go first.
type lane int

const (
	// laneDeletion is for rooms whose ZimRoom is being deleted.
	laneDeletion lane = iota
	// lanePeople is for what people changed or asked for, new ZimRooms included, until ZIM was asked for it.
	lanePeople
	// laneRepair is for rooms that are or may be missing, and for another try of what failed.
	laneRepair
	// laneVerification is for looks that nobody asked for, and for another try of those.
	laneVerification

	lanes = 4
)

// laneNames are for metrics.
var laneNames = [lanes]string{"deletion", "people", "repair", "verification"}

const (
	// lowerLanesTurn is how often the lower lanes have a turn while higher ones are never empty: every eighth.
	lowerLanesTurn = 8

	// verificationPatience is how long a verification waits before it claims one of these turns from people: 10,000 new
	// rooms take nine minutes, and the first of them would be looked at again before the last are there.
	verificationPatience = 5 * time.Minute

	// verificationShare of an account's rate is what verification takes at most. The rest is left to people, and to the
	// other clients of the AppID.
	verificationShare = 0.5
)

// line is the queue of one account's objects in front of the gate. Within a lane it is first come, first served.
type line struct {
	lanes [lanes]list.List // of *waiter
	// taken is how many places the account holds.
	taken int
	// passedOver counts how many went ahead of lower lanes since one of these had a turn.
	passedOver int
	// lowerTurns is when each lane last had a turn that is for the lower ones.
	lowerTurns [lanes]time.Time
	// nextVerification is when the next verification may begin.
	nextVerification time.Time
	// alarmAt is when the line is looked at again, because its next verification may begin, if nothing else happens.
	alarmAt time.Time
	// timeouts counts the calls in a row that ended without an answer in time.
	timeouts int
}

// waiter is an object in line.
type waiter struct {
	request reconcile.Request
	errand
	since time.Time

	line    *line
	element *list.Element
}

// errand is what a pass wants to call ZIM for.
type errand struct {
	lane lane
	// calls is how many a verification makes, as far as one can tell before.
	calls int
}

// join puts an object at the end of its lane.
func (l *line) join(next *waiter) {
	next.line, next.element = l, l.lanes[next.lane].PushBack(next)
}

// returnFirst puts an object at the front of its lane, where it was.
func (l *line) returnFirst(next *waiter) {
	next.line, next.element = l, l.lanes[next.lane].PushFront(next)
}

// leave takes the object out of its line.
func (w *waiter) leave() {
	w.line.lanes[w.lane].Remove(w.element)
}

// pop takes the next out of the line; nil if nobody may go now. The rate is the calls a second that verification may
// take.
func (l *line) pop(now time.Time, verificationRate float64) *waiter {
	next := l.choose(now)
	if next == nil {
		return nil
	}
	next.leave()
	if next.lane == laneVerification {
		pause := time.Duration(float64(max(1, next.calls)) / verificationRate * float64(time.Second))
		if l.nextVerification = l.nextVerification.Add(pause); l.nextVerification.Before(now) {
			l.nextVerification = now.Add(pause) // What was not used is not saved up.
		}
	}
	return next
}

// choose returns the first of the highest lane; but every so often that of the lower lane which has waited longest.
func (l *line) choose(now time.Time) *waiter {
	var first, lower *waiter
	for i := range l.lanes {
		front := l.lanes[i].Front()
		if front == nil || (lane(i) == laneVerification && now.Before(l.nextVerification)) {
			continue
		}
		switch next := front.Value.(*waiter); {
		case first == nil:
			first = next
		case next.lane == laneVerification && first.lane == lanePeople && now.Sub(next.since) < verificationPatience:
		case lower == nil || l.waitsSince(next).Before(l.waitsSince(lower)):
			lower = next
		}
	}
	if lower == nil {
		return first
	}
	l.passedOver++
	if l.passedOver < lowerLanesTurn {
		return first
	}
	l.passedOver = 0
	l.lowerTurns[lower.lane] = now
	return lower
}

// waitsSince is since when a lane has waited whose first is given: since that one came, or since a turn that went to
// another of the lane. So a lane with a backlog takes turns with the other lower lanes, and does not have them all.
func (l *line) waitsSince(first *waiter) time.Time {
	if turn := l.lowerTurns[first.lane]; turn.After(first.since) {
		return turn
	}
	return first.since
}

// waits counts those in line by lane.
func (l *line) waits() (counts [lanes]int) {
	for i := range l.lanes {
		counts[i] = l.lanes[i].Len()
	}
	return counts
}

func (l *line) isEmpty() bool {
	return l.waits() == [lanes]int{}
}
