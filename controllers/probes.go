package controllers

import (
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// workersInProbes is the share of the ZimApp controller's workers that probes may hold: the others are for ZimApps
	// that need no call, even when every endpoint hangs.
	workersInProbes = 0.4

	// strangersShare is the part of it for ZimApps that ZIM has not accepted: anyone may write ZimApps whose endpoints
	// hang, and must not hold up those that speak for an account.
	strangersShare = 0.5
)

// probeLine bounds the probes that are under way: in all, and to one for each account or, before ZIM has accepted the
// ZimApp, each endpoint. A ZimApp that finds no place stands in line, holding no worker, and is woken when its place is
// free. It is safe for concurrent use.
type probeLine struct {
	wake func(...reconcile.Request)
	// places is how many probes may be under way, and strangers how many of them by ZimApps that ZIM has not accepted.
	places, strangers int

	mu sync.Mutex
	// waiting are those in line, in the order of their coming; inside are those that have a place: they are under way, or
	// were woken for it. A ZimApp is in one of them, or in neither.
	waiting, inside []probe
}

// probe is what a ZimApp wants to ask ZIM.
type probe struct {
	request  reconcile.Request
	accepted bool
	account  zim.Account
	endpoint string
}

func newProbeLine(workers int, wake func(...reconcile.Request)) *probeLine {
	places := max(1, int(float64(workers)*workersInProbes))
	return &probeLine{wake: wake, places: places, strangers: max(1, int(float64(places)*strangersShare))}
}

// enter returns true if the ZimApp has or gets a place, until leave. If not, it is in line, and will be woken.
func (l *probeLine) enter(next probe) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := indexOf(l.inside, next.request); i >= 0 {
		if l.inside[i] == next {
			return true
		}
		l.inside = slices.Delete(l.inside, i, i+1) // It was woken to ask something else.
	}
	if i := indexOf(l.waiting, next.request); i >= 0 {
		l.waiting[i] = next
	} else {
		l.waiting = append(l.waiting, next)
	}
	l.fill(next.request)
	return indexOf(l.inside, next.request) >= 0
}

// leave gives away the place of a ZimApp, inside or in line: it has made its probe, or needs none any more.
func (l *probeLine) leave(request reconcile.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	leaves := func(p probe) bool { return p.request == request }
	l.waiting = slices.DeleteFunc(l.waiting, leaves)
	l.inside = slices.DeleteFunc(l.inside, leaves)
	l.fill(reconcile.Request{})
}

// fill gives free places to those in line, and wakes them, except for one who is here. It needs the lock.
func (l *probeLine) fill(here reconcile.Request) {
	l.waiting = slices.DeleteFunc(l.waiting, func(next probe) bool {
		if !l.hasPlace(next) {
			return false
		}
		l.inside = append(l.inside, next)
		if next.request != here {
			l.wake(next.request)
		}
		return true
	})
}

func (l *probeLine) hasPlace(next probe) bool {
	strangers := 0
	for _, other := range l.inside {
		if next.excludes(other) {
			return false
		}
		if !other.accepted {
			strangers++
		}
	}
	return len(l.inside) < l.places && (next.accepted || strangers < l.strangers)
}

// excludes tells whether two probes may not be under way at the same time. Those of strangers never stand in the way
// of the account that they name.
func (p probe) excludes(other probe) bool {
	if p.accepted != other.accepted {
		return false
	}
	if p.accepted {
		return p.account == other.account
	}
	return p.endpoint == other.endpoint
}

func indexOf(probes []probe, request reconcile.Request) int {
	return slices.IndexFunc(probes, func(p probe) bool { return p.request == request })
}
