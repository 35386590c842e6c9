package controllers

import (
	"math"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// turnsAhead is how many seconds' worth of turns the passes inside the gate may be waiting for: enough to keep the
	// account's pace while some wait for answers, and so few that nobody inside waits long.
	turnsAhead = 0.2

	// workersPerAccount is the share of the controller's workers that one account may hold, so that the others always find
	// some, even when the endpoint of the one hangs.
	workersPerAccount = 0.4
)

// gate lets a bounded number of passes of each account call ZIM at a time. A pass that finds no place ends at once:
// its object stands in the account's line, holding no worker, and is woken when its place is free.
type gate struct {
	wake    func(...reconcile.Request)
	workers int

	mu    sync.Mutex
	lines map[zim.Account]*line
	// places are held by objects: by one that is in a pass, or by one that was woken and is on its way.
	places map[reconcile.Request]*line
}

// line is the queue of one account: first come, first served.
type line struct {
	capacity int
	taken    int
	waiting  []reconcile.Request
	members  map[reconcile.Request]struct{}
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

// admit returns true if the object has or gets a place. If not, it is in line and will be woken.
func (v *visit) admit(account zim.Account, requestsPerSecond int) bool {
	if !v.inside {
		v.inside = v.gate.admit(account, requestsPerSecond, v.request)
	}
	return v.inside
}

// leave gives the object's place, if it has one, to the next in line, also if the pass did not need it. A place that
// became free for the object while this visit was already turned away is kept for the next.
func (v *visit) leave() {
	if v.inside {
		v.gate.wake(v.gate.handOn(v.request)...)
	}
}

func (g *gate) admit(account zim.Account, requestsPerSecond int, request reconcile.Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.places[request] != nil {
		return true // It was called between enter and now.
	}
	queue := g.lines[account]
	if queue == nil {
		queue = &line{members: map[reconcile.Request]struct{}{}}
		g.lines[account] = queue
	}
	queue.capacity = g.capacity(requestsPerSecond)
	if queue.taken < queue.capacity && len(queue.waiting) == 0 {
		queue.taken++
		g.places[request] = queue
		return true
	}
	if _, waits := queue.members[request]; !waits {
		queue.members[request] = struct{}{}
		queue.waiting = append(queue.waiting, request)
	}
	return false
}

// handOn frees a place, and returns who got one for it.
func (g *gate) handOn(request reconcile.Request) (next []reconcile.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	queue := g.places[request]
	delete(g.places, request)
	queue.taken--
	for queue.taken < queue.capacity && len(queue.waiting) > 0 {
		first := queue.waiting[0]
		queue.waiting = queue.waiting[1:]
		delete(queue.members, first)
		queue.taken++
		g.places[first] = queue
		next = append(next, first)
	}
	return next
}

func (g *gate) capacity(requestsPerSecond int) int {
	byRate := int(math.Ceil(float64(requestsPerSecond) * turnsAhead))
	byWorkers := int(float64(g.workers) * workersPerAccount)
	return max(1, min(byRate, byWorkers))
}
