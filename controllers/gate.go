package controllers

import (
	"math"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// turnsAhead is how many seconds' worth of turns the passes inside the gate may take: enough to keep the account's
	// pace while they wait for answers and write to Kubernetes, and so few that nobody inside waits long for a turn.
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
	wake    func(...reconcile.Request)
	workers int

	mu    sync.Mutex
	lines map[zim.Account]*line
	// places are held by objects: by one that is in a pass, or by one that was woken and is on its way.
	places map[reconcile.Request]*line
}

func newGate(workers int, wake func(...reconcile.Request)) *gate {
	return &gate{
		wake:    wake,
		workers: workers,
		lines:   map[zim.Account]*line{},
		places:  map[reconcile.Request]*line{},
	}
}

// visit is one pass of one object in front of the gate.
type visit struct {
	gate    *gate
	request reconcile.Request
	inside  bool
}

// enter begins a visit: the object may have a place already, if it was woken for one. Every visit ends with leave.
func (g *gate) enter(request reconcile.Request) *visit {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &visit{gate: g, request: request, inside: g.places[request] != nil}
}

// errand is what a pass wants to call ZIM for.
type errand struct {
	lane lane
	// calls is how many a verification makes, as far as one can tell before.
	calls int
}

// admit returns true if the object has or gets a place. If not, it is in line and will be woken.
func (v *visit) admit(account zim.Account, pace zim.Pace, why errand) bool {
	if !v.inside {
		v.inside = v.gate.admit(account, pace, waiter{
			request: v.request, lane: why.lane, calls: max(1, why.calls), since: time.Now(),
		})
	}
	return v.inside
}

// leave gives the object's place, if it has one, to the next in line, also if the pass did not need it. A pass that has
// made its calls leaves before it writes its findings down. A place that became free for the object while this visit
// was already turned away is kept for the next.
func (v *visit) leave() {
	if v.inside {
		v.inside = false
		v.gate.leave(v.request)
	}
}

func (g *gate) admit(account zim.Account, pace zim.Pace, next waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.places[next.request] != nil {
		return true // It was called between enter and now.
	}
	queue := g.lines[account]
	if queue == nil {
		queue = newLine()
		g.lines[account] = queue
	}
	queue.capacity = g.capacity(pace)
	queue.verificationRate = pace.Present * verificationShare
	queue.join(next)
	g.fill(next.request)
	return g.places[next.request] != nil
}

// leave frees a place, and wakes who got one for it.
func (g *gate) leave(request reconcile.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.places[request].taken--
	delete(g.places, request)
	g.fill(reconcile.Request{})
}

// fill gives free places to those in line, and wakes them, except for one who is here. It needs the lock.
func (g *gate) fill(here reconcile.Request) {
	now := time.Now()
	for account, queue := range g.lines {
		for g.hasPlace(queue) {
			next := queue.pop(now)
			if next == nil {
				g.setAlarm(queue, now)
				break
			}
			queue.taken++
			g.places[next.request] = queue
			if next.request != here {
				g.wake(next.request)
			}
		}
		if queue.taken == 0 && len(queue.members) == 0 && queue.timeouts == 0 && now.After(queue.nextVerification) {
			delete(g.lines, account)
		}
	}
}

// hasPlace tells whether an account may take another place. It may not have more than would be left, so that there is
// always one for an account that has none.
func (g *gate) hasPlace(queue *line) bool {
	all := max(1, int(float64(g.workers)*workersInCalls))
	return queue.taken < queue.allowedPlaces() && queue.taken < all-len(g.places)
}

// setAlarm sees to it that verification goes on when it may, though no pass ends then. It needs the lock.
func (g *gate) setAlarm(queue *line, now time.Time) {
	if len(queue.members) == 0 || !queue.alarmAt.Before(queue.nextVerification) {
		return
	}
	queue.alarmAt = queue.nextVerification
	time.AfterFunc(queue.alarmAt.Sub(now), func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.fill(reconcile.Request{})
	})
}

// capacity is how many places an account may hold.
func (g *gate) capacity(pace zim.Pace) int {
	byRate := int(math.Ceil(float64(pace.Allowed) * turnsAhead))
	byWorkers := int(float64(g.workers) * workersPerAccount)
	return max(1, min(byRate, byWorkers))
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

// waiting returns how many objects of an account are in line, by lane.
func (g *gate) waiting(account zim.Account) [lanes]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if queue := g.lines[account]; queue != nil {
		return queue.waits()
	}
	return [lanes]int{}
}
