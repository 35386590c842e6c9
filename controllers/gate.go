package controllers

import (
	"math"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// turnsAhead is how many seconds' worth of the turns that leave at present the passes inside the gate may take: enough
	// to keep the account's pace while they wait for answers and write to Kubernetes, and so few that nobody inside waits
	// long for a turn, also while ZIM refuses calls.
	turnsAhead = 0.4

	// workersPerAccount is the share of the controller's workers that one account may hold, and workersInCalls that of
	// all accounts together: the others find some for what needs no call, even when every endpoint hangs.
	workersPerAccount = 0.4
	workersInCalls    = 0.8
)

// gate lets a bounded number of passes of each account call ZIM at a time. A pass that finds no place ends at once:
// its object stands in the account's line, holding no worker, and is woken when its place is free. All order among
// calls is made here: what is in the controller's queue needs no call, or has a place.
type gate struct {
	wake func(...reconcile.Request)
	// pace is what the limiter of an account does at present.
	pace    func(zim.Account) zim.Pace
	workers int
	// observer learns how long objects waited.
	observer Observer

	mu    sync.Mutex
	lines map[zim.Account]*line
	// An object is in line, or has a place, or neither; never two of anything. One with a place is in a pass, or was
	// woken and is on its way.
	waiting map[reconcile.Request]*waiter
	places  map[reconcile.Request]*waiter
	// unserved are those that had a place and could not use it, until they ask again.
	unserved map[reconcile.Request]*waiter
}

func newGate(workers int, wake func(...reconcile.Request), pace func(zim.Account) zim.Pace) *gate {
	return &gate{
		wake:     wake,
		pace:     pace,
		workers:  workers,
		observer: noObserver{},
		lines:    map[zim.Account]*line{},
		waiting:  map[reconcile.Request]*waiter{},
		places:   map[reconcile.Request]*waiter{},
		unserved: map[reconcile.Request]*waiter{},
	}
}

// visit is one pass of one object in front of the gate.
type visit struct {
	gate     *gate
	request  reconcile.Request
	inside   bool
	asked    bool
	unserved bool
	// stays: whatever the object waits for, it goes on to.
	stays bool
}

// enter begins a visit: the object may have a place already, if it was woken for one. Every visit ends with leave.
func (g *gate) enter(request reconcile.Request) *visit {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &visit{gate: g, request: request, inside: g.places[request] != nil}
}

// admit returns true if the object has or gets a place. If not, it is in line and will be woken.
func (v *visit) admit(account zim.Account, why errand) bool {
	v.asked = true
	v.inside = v.gate.admit(account, v.request, why)
	return v.inside
}

// stay keeps the object's place in line, and the right to be the first: the pass could not tell whether a call is
// needed, or comes too soon for one.
func (v *visit) stay() { v.stays = true }

// leaveUnserved gives the object's place away too, because the pass could make no call for a reason that is not ZIM's.
// When the object asks again it is the first of its lane: it has waited.
func (v *visit) leaveUnserved() {
	v.gate.leave(v, true)
	v.inside, v.unserved = false, true
}

// leave gives the object's place, if it has one, to the next in line, also if the pass did not need it. A pass that has
// made its calls leaves before it writes its findings down. A place that became free for the object while this visit
// was already turned away is kept for the next. An object that did not ask needs no call any more, and stands in line
// no longer.
func (v *visit) leave() {
	if !v.unserved {
		v.gate.leave(v, false)
		v.inside = false
	}
}

func (g *gate) admit(account zim.Account, request reconcile.Request, why errand) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	queue := g.lines[account]
	if queue == nil {
		queue = &line{}
		g.lines[account] = queue
	}
	if place := g.places[request]; place != nil {
		if place.line == queue {
			return true
		}
		g.free(request) // It was woken for a call to the account of another ZimApp.
	}
	g.join(queue, &waiter{request: request, errand: why, since: time.Now()})
	g.fill(request)
	return g.places[request] != nil
}

// join puts an object in line. One that waits already keeps its place, or moves to a higher lane, or to the line of
// another account. It needs the lock.
func (g *gate) join(queue *line, next *waiter) {
	if before := g.waiting[next.request]; before != nil {
		if before.line == queue {
			if before.lane <= next.lane {
				return
			}
			next.since = before.since
		}
		before.leave()
	}
	before := g.unserved[next.request]
	delete(g.unserved, next.request)
	if before != nil && before.line == queue && before.lane == next.lane {
		next.since = before.since
		queue.returnFirst(next)
	} else {
		queue.join(next)
	}
	g.waiting[next.request] = next
}

// leave ends a visit: it frees the place that was held for it, if there was one, and wakes who gets it.
func (g *gate) leave(v *visit, unserved bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !v.stays {
		g.forget(v)
	}
	if !v.inside {
		return
	}
	if unserved {
		g.unserved[v.request] = g.places[v.request]
	}
	g.free(v.request)
	g.fill(reconcile.Request{})
}

// forget drops what was kept for an object that could ask: its place in line if it did not, and its right to be the
// first, which it has used if it did. It needs the lock.
func (g *gate) forget(v *visit) {
	delete(g.unserved, v.request)
	if waits := g.waiting[v.request]; waits != nil && !v.asked {
		waits.leave()
		delete(g.waiting, v.request)
	}
}

// free needs the lock.
func (g *gate) free(request reconcile.Request) {
	g.places[request].line.taken--
	delete(g.places, request)
}

// fill gives free places to those in line, and wakes them, except for one who is here. It needs the lock.
func (g *gate) fill(here reconcile.Request) {
	now := time.Now()
	for account, queue := range g.lines {
		g.fillFrom(account, queue, here, now)
		if queue.taken == 0 && queue.isEmpty() && queue.timeouts == 0 && now.After(queue.nextVerification) {
			delete(g.lines, account)
		}
	}
}

func (g *gate) fillFrom(account zim.Account, queue *line, here reconcile.Request, now time.Time) {
	pace := g.pace(account)
	verificationRate := pace.Present * verificationShare
	if verificationRate <= 0 {
		verificationRate = 1 // Nobody speaks for the account any more: its objects are to find that out.
	}
	for g.hasPlace(queue, pace) {
		next := queue.pop(now, verificationRate)
		if next == nil {
			g.setAlarm(queue, now)
			return
		}
		delete(g.waiting, next.request)
		g.places[next.request] = next
		queue.taken++
		if pace.Allowed > 0 { // Else the account was forgotten.
			g.observer.ObserveTurn(account, laneNames[next.lane], now.Sub(next.since))
		}
		if next.request != here {
			g.wake(next.request)
		}
	}
}

// hasPlace tells whether an account may take another place. It may not have more than would be left, so that there is
// always one for an account that has none. While its endpoint hangs its places become fewer, down to one which finds
// out whether it still does.
func (g *gate) hasPlace(queue *line, pace zim.Pace) bool {
	all := max(1, int(float64(g.workers)*workersInCalls))
	own := max(1, g.capacity(pace)-queue.timeouts)
	return queue.taken < own && queue.taken < all-len(g.places)
}

// capacity is how many places an account may hold.
func (g *gate) capacity(pace zim.Pace) int {
	byRate := int(math.Ceil(pace.Present * turnsAhead))
	byWorkers := int(float64(g.workers) * workersPerAccount)
	return max(1, min(byRate, byWorkers))
}

// setAlarm sees to it that verification goes on when it may, though no pass ends then. It needs the lock.
func (g *gate) setAlarm(queue *line, now time.Time) {
	if queue.isEmpty() || !queue.alarmAt.Before(queue.nextVerification) {
		return
	}
	queue.alarmAt = queue.nextVerification
	time.AfterFunc(queue.alarmAt.Sub(now), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.fill(reconcile.Request{})
	})
}

// noteAnswer learns whether a call of an account got an answer in time.
func (g *gate) noteAnswer(account zim.Account, inTime bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	queue := g.lines[account]
	switch {
	case queue == nil:
	case !inTime:
		queue.timeouts++
	case queue.timeouts > 0:
		queue.timeouts = 0
		g.fill(reconcile.Request{})
	}
}

// counts returns how many objects of an account are in line, by lane.
func (g *gate) counts(account zim.Account) [lanes]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if queue := g.lines[account]; queue != nil {
		return queue.waits()
	}
	return [lanes]int{}
}
