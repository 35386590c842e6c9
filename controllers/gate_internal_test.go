package controllers

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

var (
	oneAccount     = zim.Account{Realm: "zego.im", AppID: 1}
	anotherAccount = zim.Account{Realm: "zego.im", AppID: 2}
)

func requestNamed(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: name}}
}

// paceOf is that of an account whose calls ZIM does not refuse.
func paceOf(rate int) zim.Pace {
	return zim.Pace{Allowed: rate, Present: 0.95 * float64(rate), Full: 0.95 * float64(rate)}
}

// atRate is the same for all accounts.
func atRate(rate int) func(zim.Account) zim.Pace {
	return func(zim.Account) zim.Pace { return paceOf(rate) }
}

func TestGateCapacity(t *testing.T) {
	refused := paceOf(20)
	refused.Present = 0.2 // ZIM refuses everything: a turn comes every five seconds.
	for name, tc := range map[string]struct {
		workers int
		pace    zim.Pace
		want    int
	}{
		"four tenths of a second's turns": {workers: 100, pace: paceOf(20), want: 8},
		"at most 40 % of the workers":     {workers: 10, pace: paceOf(1000), want: 4},
		"always one":                      {workers: 1, pace: paceOf(1), want: 1},
		"rounded up from a slow account":  {workers: 10, pace: paceOf(6), want: 3},
		"of the turns that leave now":     {workers: 10, pace: refused, want: 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newGate(tc.workers, nil, nil).capacity(tc.pace); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func TestGateLetsWaitersInByTheirOrder(t *testing.T) {
	var woken []string
	const rate = 2 // One place.
	entrance := newGate(10, func(requests ...reconcile.Request) {
		for _, request := range requests {
			woken = append(woken, request.Name)
		}
	}, atRate(rate))
	inside := entrance.enter(requestNamed("inside"))
	for range 2 { // Asking again costs no second place.
		if !inside.admit(oneAccount, errand{}) {
			t.Fatal("the first was not admitted")
		}
	}
	for _, name := range []string{"a", "b", "a", "c"} {
		waiting := entrance.enter(requestNamed(name))
		if waiting.admit(oneAccount, errand{}) {
			t.Fatalf("%s was admitted past the capacity", name)
		}
		waiting.leave()
	}
	other := entrance.enter(requestNamed("other"))
	if !other.admit(anotherAccount, errand{}) {
		t.Error("another account's object was not admitted")
	}
	other.leave()

	inside.leave()
	for _, name := range []string{"a", "b", "c"} {
		late := entrance.enter(requestNamed("late"))
		if late.admit(oneAccount, errand{}) {
			t.Error("one that came later was admitted before " + name)
		}
		late.leave()
		next := entrance.enter(requestNamed(name))
		if !next.admit(oneAccount, errand{}) {
			t.Errorf("%s was woken and not admitted", name)
		}
		next.leave()
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "late"}, woken); diff != "" {
		t.Error(diff)
	}
}

// A place that becomes free for an object while its pass is being turned away is there for its next pass.
func TestGateKeepsAPlaceForAPassThatWasTurnedAway(t *testing.T) {
	entrance := newGate(1, func(...reconcile.Request) {}, atRate(1))
	inside := entrance.enter(requestNamed("inside"))
	inside.admit(oneAccount, errand{})
	turnedAway := entrance.enter(requestNamed("turned away"))
	turnedAway.admit(oneAccount, errand{})
	inside.leave()
	turnedAway.leave()
	if next := entrance.enter(requestNamed("turned away")); !next.admit(oneAccount, errand{}) {
		t.Error("its place was given away")
	}
}

// A woken pass that needs no place, because its object is gone or suspended by now, gives it back.
func TestGateTakesBackPlacesThatAreNotNeeded(t *testing.T) {
	entrance := newGate(1, func(...reconcile.Request) {}, atRate(1))
	inside := entrance.enter(requestNamed("inside"))
	inside.admit(oneAccount, errand{})
	for _, name := range []string{"gone", "last"} {
		entrance.enter(requestNamed(name)).admit(oneAccount, errand{})
	}
	inside.leave()
	entrance.enter(requestNamed("gone")).leave()
	if last := entrance.enter(requestNamed("last")); !last.admit(oneAccount, errand{}) {
		t.Error("the place got lost")
	}
}

// Whatever order passes come in: never more inside than there are places, and everybody gets in.
func TestGateUnderRandomPasses(t *testing.T) {
	const objects, rate, workers = 50, 20, 10
	random := rand.New(rand.NewPCG(1, 2))
	queue := map[reconcile.Request]bool{}
	entrance := newGate(workers, func(requests ...reconcile.Request) {
		for _, request := range requests {
			queue[request] = true
		}
	}, atRate(rate))
	done := map[reconcile.Request]bool{}
	for i := range objects {
		queue[requestNamed(strconv.Itoa(i))] = true
	}
	inside := map[reconcile.Request]*visit{}
	for step := 0; len(done) < objects; step++ {
		if step > 100*objects {
			t.Fatalf("only %d of %d got in", len(done), objects)
		}
		for request, pass := range inside {
			if random.IntN(2) == 0 {
				delete(inside, request)
				done[request] = true
				pass.leave()
			}
		}
		for request := range queue {
			if inside[request] != nil {
				continue // The controller runs one pass of an object at a time.
			}
			delete(queue, request)
			pass := entrance.enter(request)
			if done[request] || !pass.admit(oneAccount, errand{}) {
				pass.leave()
				continue
			}
			inside[request] = pass
		}
		if len(inside) > entrance.capacity(paceOf(rate)) {
			t.Fatalf("%d inside", len(inside))
		}
	}
}

// An object that is woken by something else just when the gate calls it takes one place, not two.
func TestGateGivesOnePlaceToOneObject(t *testing.T) {
	const rate = 5 // Two places.
	entrance := newGate(10, func(...reconcile.Request) {}, atRate(rate))
	var inside []*visit
	for _, name := range []string{"one", "two"} {
		pass := entrance.enter(requestNamed(name))
		pass.admit(oneAccount, errand{})
		inside = append(inside, pass)
	}
	entrance.enter(requestNamed("late")).admit(oneAccount, errand{})
	late := entrance.enter(requestNamed("late")) // By a watch.
	inside[0].leave()                            // It is called,
	inside[1].leave()                            // and another place is free.
	if !late.admit(oneAccount, errand{}) {
		t.Fatal("it was called and not admitted")
	}
	late.leave()
	entrance.enter(requestNamed("late")).leave() // By the gate.
	if len(entrance.places) > 0 || len(entrance.lines) > 0 {
		t.Errorf("%d places taken and %d lines kept with nobody there", len(entrance.places), len(entrance.lines))
	}
}

// An object that stands in line and needs no call any more does not stand there, and takes nothing of verification's
// share.
func TestGateForgetsWhoAsksNoMore(t *testing.T) {
	const rate = 2 // One place, and a verification about every second.
	entrance := newGate(10, func(...reconcile.Request) {}, atRate(rate))
	inside := entrance.enter(requestNamed("inside"))
	inside.admit(oneAccount, errand{lane: lanePeople})
	for _, name := range []string{"suspended", "verified"} {
		pass := entrance.enter(requestNamed(name))
		pass.admit(oneAccount, errand{lane: laneVerification, calls: 1})
		pass.leave()
	}
	entrance.enter(requestNamed("suspended")).leave()
	if got := entrance.counts(oneAccount)[laneVerification]; got != 1 {
		t.Errorf("%d in line, want one", got)
	}
	inside.leave()
	if next := entrance.enter(requestNamed("verified")); !next.admit(oneAccount, errand{lane: laneVerification}) {
		t.Error("the only one in line was not admitted")
	}
}
