package controllers

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// Rooms without an answer since the start would otherwise all be Unverified, and written, at the same instant.
func TestUnverifiedAt(t *testing.T) {
	const interval = 10 * time.Minute
	started := testTime()
	r := &ZimRoomReconciler{
		clock: clocktesting.NewFakePassiveClock(started), verifyInterval: interval, started: started,
	}
	unverifiedAt := func(uid types.UID, lastAnswer time.Time) time.Time {
		room := &zimv1alpha1.ZimRoom{}
		room.UID = uid
		return r.unverifiedAt(&pass{room: room, memory: &roomMemory{lastAnswer: lastAnswer}})
	}
	seen := map[time.Time]bool{}
	for _, uid := range []types.UID{"a-room", "another"} {
		at := unverifiedAt(uid, time.Time{})
		if slot := nextSlot(started, time.Time{}, uid, interval); !at.Equal(slot.Add(3 * interval)) {
			t.Errorf("%s without an answer: %s, want three intervals after its first slot %s", uid, at, slot)
		}
		if before := unverifiedAt(uid, started.Add(-time.Minute)); !before.Equal(at) {
			t.Errorf("%s with an answer before the start: %s, want %s", uid, before, at)
		}
		seen[at] = true
		answer := started.Add(time.Minute)
		if at := unverifiedAt(uid, answer); !at.Equal(answer.Add(3 * interval)) {
			t.Errorf("%s with an answer since: %s, want three intervals after %s", uid, at, answer)
		}
	}
	if len(seen) != 2 {
		t.Error("two rooms without an answer since the start are Unverified at the same moment")
	}
}

// stretchedWorld has rooms of one account whose intervals are stretched as the test says.
type stretchedWorld struct {
	*ZimRoomReconciler
	clock  *clocktesting.FakePassiveClock
	others demand
}

func newStretchedWorld() *stretchedWorld {
	clock, registry := clocktesting.NewFakePassiveClock(testTime()), newTestRegistry()
	registry.limiter(oneAccount, 20)
	registry.put(&app{account: oneAccount, rate: 20, accepted: true})
	return &stretchedWorld{clock: clock, ZimRoomReconciler: &ZimRoomReconciler{
		clock: clock, verifyInterval: 10 * time.Minute, started: testTime(), registry: registry,
		workload: newWorkload(), quota: newRoomQuota(func(...reconcile.Request) {}),
	}}
}

func (w *stretchedWorld) advance(by time.Duration) { w.clock.SetTime(w.clock.Now().Add(by)) }

// stretch has others ask for so much that intervals are stretched so many times. The few rooms of a test change nothing.
func (w *stretchedWorld) stretch(t *testing.T, times float64) {
	t.Helper()
	const secondsOfDay, paced = 24 * 60 * 60, 20 / 1.05
	asks := demand{account: oneAccount, verification: int64((times - 0.2) * paced * verificationShare * secondsOfDay)}
	w.workload.change(w.others, asks)
	w.others = asks
	if got := w.workload.stretch(oneAccount, paced); got != times {
		t.Fatalf("stretched %.2f times, want %.2f", got, times)
	}
}

// room makes a pass over a room that was Ready before this process began. Its look is planned if nothing else is said.
func (w *stretchedWorld) room(number int, changes ...func(*pass)) *pass {
	room := &zimv1alpha1.ZimRoom{Status: zimv1alpha1.ZimRoomStatus{Room: &zimv1alpha1.RoomStatus{}}}
	room.UID = types.UID(fmt.Sprint("room-", number))
	ready := confirmedOutcome(zimv1alpha1.RoomOriginCreated, nil)
	setConditions(&room.Status.Conditions, ready, room.Generation, testTime())
	p := &pass{room: room, app: &app{}, memory: &roomMemory{account: oneAccount}}
	for _, change := range changes {
		change(p)
	}
	w.isDue(p)
	return p
}

// A look that was planned while ZIM refused calls, or at a rate that was a mistake, does not wait for its slot of then.
func TestLooksFollowIntervalsThatBecomeShorter(t *testing.T) {
	const rooms, parts = 500, 10
	w := newStretchedWorld()
	w.stretch(t, 35)
	var passes []*pass
	for i := range rooms {
		passes = append(passes, w.room(i))
	}
	// moved makes a pass over each room, and returns how many have another plan than before.
	moved := func() (count int) {
		for _, p := range passes {
			before := p.memory.nextLook
			if w.isDue(p); !p.memory.nextLook.Equal(before) {
				count++
			}
			if look := p.memory.due.Load(); look == nil || !look.at.Equal(p.memory.nextLook) {
				t.Fatal("what is due is not what is planned")
			}
		}
		return count
	}
	if got := moved(); got > 0 {
		t.Errorf("%d looks moved though nothing changed", got)
	}
	w.stretch(t, 33.25)
	if got := moved(); got == 0 || got > rooms/parts {
		t.Errorf("%d of %d looks moved by a step of a twentieth, want about a twentieth", got, rooms)
	}
	w.stretch(t, 3.5)
	moved()
	var counts [parts]int
	for _, p := range passes {
		left := p.memory.nextLook.Sub(w.clock.Now())
		if left > 35*time.Minute {
			t.Fatalf("a look is %s away, want at most 35 minutes", left)
		}
		counts[int((left-1)*parts/(35*time.Minute))]++
	}
	for _, count := range counts {
		if count < rooms/parts/2 || count > rooms/parts*2 {
			t.Fatalf("looks are not spread over the interval: %v", counts)
		}
	}
	w.stretch(t, 35)
	if got := moved(); got > 0 {
		t.Errorf("%d looks moved when intervals became longer", got)
	}
}

// What is not a slot does not follow the interval; what is one does, whatever the outcome that led to it.
func TestOnlySlotsFollowTheInterval(t *testing.T) {
	for name, tc := range map[string]struct {
		result  outcome
		follows bool
	}{
		"a look":                           {outcome{answered: true, seen: true}, true},
		"a look at what ZIM refused":       {outcome{atSlot: true}, true},
		"another try, whose backoff holds": {outcome{retry: &refusedBackoff}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStretchedWorld()
			w.stretch(t, 35)
			p := w.room(1, func(p *pass) {
				p.room.Spec.Interval = &metav1.Duration{Duration: time.Second}
				p.memory.failures = 1
			})
			w.plan(p, tc.result, w.clock.Now())
			before := p.memory.nextLook
			w.stretch(t, 1)
			w.isDue(p)
			if hastened := p.memory.nextLook.Before(before); hastened != tc.follows {
				t.Errorf("hastened: %v, from %s to %s", hastened, before, p.memory.nextLook)
			}
		})
	}
}

// Nobody wakes a room when pressure ends. It comes to see, but not all the time.
func TestStretchedRoomsComeToReplan(t *testing.T) {
	for name, tc := range map[string]struct {
		stretch        float64
		interval, want time.Duration
	}{
		"as often as declared":          {35, 10 * time.Minute, 10 * time.Minute},
		"every five minutes at most":    {3500, time.Second, 5 * time.Minute},
		"at its look, if not stretched": {1, 10 * time.Minute, 10*time.Minute + time.Second},
		"not if it is never verified":   {35, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStretchedWorld()
			w.stretch(t, tc.stretch)
			p := w.room(1, func(p *pass) { p.room.Spec.Interval = &metav1.Duration{Duration: tc.interval} })
			if !p.memory.nextLook.IsZero() { // Its next look is more than an interval away then.
				w.advance(p.memory.nextLook.Sub(w.clock.Now()) - time.Second)
			}
			w.plan(p, outcome{answered: true, seen: true}, w.clock.Now())
			if got := w.comeBack(p).RequeueAfter; got != tc.want {
				t.Errorf("comes back after %s, want %s", got, tc.want)
			}
		})
	}
}

// So does one that waits in line: what is known of it counts as long as its interval says.
func TestStretchedRoomsInLineComeToReplan(t *testing.T) {
	w := newStretchedWorld()
	w.stretch(t, 35)
	p := w.room(1)
	w.advance(p.memory.nextLook.Sub(w.clock.Now()))
	result, err := w.waitInLine(t.Context(), p, errand{lane: laneVerification})
	if want := 10 * time.Minute; err != nil || result.RequeueAfter != want {
		t.Errorf("comes back after %s (%v), want %s", result.RequeueAfter, err, want)
	}
}

// After pressure what is known of a room counts for as long as without, from when that is over: the room is not to blame.
func TestUnverifiedFollowsTheInterval(t *testing.T) {
	w := newStretchedWorld()
	w.stretch(t, 35)
	p := w.room(1)
	w.plan(p, outcome{answered: true, seen: true}, w.clock.Now())
	if got, want := w.unverifiedAt(p), testTime().Add(3*350*time.Minute); !got.Equal(want) {
		t.Fatalf("Unverified at %s, want %s", got, want)
	}
	w.advance(2 * time.Hour)
	w.stretch(t, 1)
	w.isDue(p)
	if got, want := w.unverifiedAt(p), testTime().Add(2*time.Hour+30*time.Minute); !got.Equal(want) {
		t.Errorf("Unverified at %s, want %s", got, want)
	}
}
