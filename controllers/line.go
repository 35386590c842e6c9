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
	// lanePeople is for what people changed or asked for, new ZimRooms included, until it was tried.
	lanePeople
	// laneRepair is for rooms that are or may be missing, and for another try of what failed.
	laneRepair
	// laneVerification is for looks that nobody asked for.
	laneVerification

	lanes = 4
)

// laneNames are for metrics.
var laneNames = [lanes]string{"deletion", "people", "repair", "verification"}

const (
	// lowerLanesTurn is how often the lower lanes have a turn while higher ones are never empty: every eighth.
	lowerLanesTurn = 8

	// verificationShare of an account's rate is what verification takes at most. The rest is left to people, and to the
	// other clients of the AppID.
	verificationShare = 0.5
)

// line is the queue of one account's objects in front of the gate. Within a lane it is first come, first served.
type line struct {
	// capacity is how many places the account may hold, taken how many it does.
	capacity, taken int
	waiting         [lanes]list.List // of *waiter
	members         map[reconcile.Request]*list.Element
	// passedOver counts how many went ahead of lower lanes since one of these had a turn.
	passedOver int
	// verificationRate is the calls a second for verification; nextVerification is when the next may begin.
	verificationRate float64
	nextVerification time.Time
	// alarmAt is when the line is looked at again, because its next verification may begin, if nothing else happens.
	alarmAt time.Time
	// timeouts counts the calls in a row that ended without an answer in time.
	timeouts int
}

// waiter is an object in line.
type waiter struct {
	request reconcile.Request
	lane    lane
	// calls is how many calls a verification makes.
	calls int
	since time.Time
}

func newLine() *line {
	return &line{members: map[reconcile.Request]*list.Element{}}
}

// join puts an object into its lane. One that waits already keeps its place, or moves to a higher lane.
func (l *line) join(next waiter) {
	if element, waits := l.members[next.request]; waits {
		before := element.Value.(*waiter)
		if before.lane <= next.lane {
			return
		}
		next.since = before.since
		l.waiting[before.lane].Remove(element)
	}
	l.members[next.request] = l.waiting[next.lane].PushBack(&next)
}

// pop takes the next out of the line; nil if nobody may go now.
func (l *line) pop(now time.Time) *waiter {
	chosen := l.choose(now)
	if chosen == nil {
		return nil
	}
	next := chosen.Value.(*waiter)
	l.waiting[next.lane].Remove(chosen)
	delete(l.members, next.request)
	if next.lane == laneVerification {
		pause := time.Duration(float64(next.calls) / l.verificationRate * float64(time.Second))
		if l.nextVerification = l.nextVerification.Add(pause); l.nextVerification.Before(now) {
			l.nextVerification = now.Add(pause) // What was not used is not saved up.
		}
	}
	return next
}

// choose returns the first of the highest lane; but every so often the longest waiting of those below it.
func (l *line) choose(now time.Time) *list.Element {
	var first, lower *list.Element
	for i := range l.waiting {
		front := l.waiting[i].Front()
		switch {
		case front == nil, lane(i) == laneVerification && now.Before(l.nextVerification):
		case first == nil:
			first = front
		case lower == nil || front.Value.(*waiter).since.Before(lower.Value.(*waiter).since):
			lower = front
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
	return lower
}

// waits counts those in line by lane.
func (l *line) waits() (counts [lanes]int) {
	for i := range l.waiting {
		counts[i] = l.waiting[i].Len()
	}
	return counts
}

// allowedPlaces is how many places the account may hold. While its endpoint hangs they become fewer, down to one which
// finds out whether it still does, and the workers are there for others.
func (l *line) allowedPlaces() int {
	return max(1, l.capacity-l.timeouts)
}
