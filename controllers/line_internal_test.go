package controllers

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// testLine is a line to whom names can be given, and taken from, without time passing.
type testLine struct {
	line
	*gate
}

// popAll empties a line, as far as it may be, and returns the names in their order.
func (l *testLine) popAll() (names []string) {
	for now := time.Now(); ; {
		next := l.pop(now, math.Inf(1))
		if next == nil {
			return names
		}
		names = append(names, next.request.Name)
	}
}

func (l *testLine) ask(name string, to lane, since time.Time) {
	l.gate.join(&l.line, &waiter{request: requestNamed(name), errand: errand{lane: to}, since: since})
}

// lineOf returns a line with so many in each lane, named d1, d2, ..., p1, ... v1, ...; the lowest lane came first.
func lineOf(deletions, people, repairs, verifications int) *testLine {
	l := &testLine{gate: newGate(10, nil, nil)}
	start := time.Now().Add(-time.Hour)
	counts := [lanes]int{deletions, people, repairs, verifications}
	for lane, count := range slices.Backward(counts[:]) {
		for i := range count {
			start = start.Add(time.Millisecond)
			l.ask(fmt.Sprintf("%c%d", "dprv"[lane], i+1), laneOf(lane), start)
		}
	}
	return l
}

func laneOf(number int) lane { return lane(number) }

func TestLineGoesByLanes(t *testing.T) {
	for name, tc := range map[string]struct {
		line *testLine
		want string
	}{
		"first come, first served, within each lane": {lineOf(2, 2, 1, 1), "d1 d2 p1 p2 r1 v1"},
		"every eighth is the longest waiting of the lower ones": {
			lineOf(9, 2, 2, 2), "d1 d2 d3 d4 d5 d6 d7 v1 d8 d9 p1 p2 r1 r2 v2",
		},
		"so nobody starves": {lineOf(14, 1, 1, 0), "d1 d2 d3 d4 d5 d6 d7 r1 d8 d9 d10 d11 d12 d13 d14 p1"},
		"below people too":  {lineOf(0, 8, 0, 1), "p1 p2 p3 p4 p5 p6 p7 v1 p8"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, strings.Join(tc.line.popAll(), " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// New rooms are not held up by looks at those that were new a moment ago; deletions are, so that these go on.
func TestVerificationsArePatientWithPeople(t *testing.T) {
	for name, tc := range map[string]struct {
		line *testLine
		wait time.Duration
		want string
	}{
		"behind people":           {lineOf(0, 9, 0, 0), 4 * time.Minute, "p1 p2 p3 p4 p5 p6 p7 p8 p9 v"},
		"for five minutes":        {lineOf(0, 9, 0, 0), 5 * time.Minute, "p1 p2 p3 p4 p5 p6 p7 v p8 p9"},
		"not behind deletions":    {lineOf(9, 0, 0, 0), 0, "d1 d2 d3 d4 d5 d6 d7 v d8 d9"},
		"nor is anybody else":     {lineOf(0, 9, 1, 0), 0, "p1 p2 p3 p4 p5 p6 p7 r1 p8 p9 v"},
		"nor are they for repair": {lineOf(0, 0, 9, 0), 0, "r1 r2 r3 r4 r5 r6 r7 v r8 r9"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.line.ask("v", laneVerification, time.Now().Add(-tc.wait))
			if diff := cmp.Diff(tc.want, strings.Join(tc.line.popAll(), " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever lanes are full, whoever is first in any of them gets in within a bounded number of turns.
func TestLineStarvesNobody(t *testing.T) {
	l := lineOf(5000, 100, 100, 100)
	seen := map[string]int{}
	for turn, name := range l.popAll() {
		if lane := name[:1]; seen[lane] == 0 {
			seen[lane] = turn + 1
		}
	}
	for lane, turn := range seen {
		if turn > 300*lowerLanesTurn {
			t.Errorf("the first of lane %s got in as number %d", lane, turn)
		}
	}
	if len(seen) != lanes {
		t.Errorf("only lanes %v got in", slices.Sorted(maps.Keys(seen)))
	}
}

// Rooms that somebody has just changed wait for no backlog of older looks while thousands are deleted.
func TestLowerLanesTakeTurns(t *testing.T) {
	l := lineOf(5000, 0, 0, 1000)
	now := time.Now()
	// take returns who got in among so many turns, deletions left out.
	take := func(turns int) (names []string) {
		for range turns {
			now = now.Add(50 * time.Millisecond)
			if name := l.pop(now, math.Inf(1)).request.Name; name[0] != 'd' {
				names = append(names, name)
			}
		}
		return names
	}
	take(20 * lowerLanesTurn)
	l.ask("p1", lanePeople, now.Add(1*time.Millisecond))
	l.ask("r1", laneRepair, now.Add(2*time.Millisecond))
	l.ask("p2", lanePeople, now.Add(3*time.Millisecond))
	got := strings.Join(take(7*lowerLanesTurn), " ")
	if diff := cmp.Diff("v21 p1 r1 v22 p2 v23 v24", got); diff != "" {
		t.Error(diff)
	}
}

func TestLineKeepsPlaces(t *testing.T) {
	l := lineOf(0, 2, 0, 3)
	l.ask("p1", lanePeople, time.Now())       // Asking again
	l.ask("p1", laneVerification, time.Now()) // for less changes nothing.
	l.ask("v3", lanePeople, time.Now())       // Somebody edits it.
	l.ask("v2", laneDeletion, time.Now())
	if diff := cmp.Diff("v2 p1 p2 v3 v1", strings.Join(l.popAll(), " ")); diff != "" {
		t.Error(diff)
	}
}

// One who moves to a higher lane has waited since it came: it counts where a lower lane has its turn.
func TestLineCountsTheWholeWait(t *testing.T) {
	l := lineOf(8, 0, 0, 0)
	l.ask("moved", laneVerification, time.Now().Add(-3*time.Hour))
	l.ask("p", lanePeople, time.Now().Add(-2*time.Hour))
	l.ask("moved", laneRepair, time.Now())
	if diff := cmp.Diff("d1 d2 d3 d4 d5 d6 d7 moved d8 p", strings.Join(l.popAll(), " ")); diff != "" {
		t.Error(diff)
	}
}

// crowd plays the passes of an account behind a gate: each takes a while in its place, then asks no more.
type crowd struct {
	gate *gate

	mu sync.Mutex
	// entered are those that got in, with the time since the start.
	entered map[string]time.Duration
	start   time.Time
	errands map[string]errand
	rate    int
	passes  time.Duration // How long each takes.
}

// newCrowd makes a gate whose woken objects are passed over at once, each in a goroutine of its own.
func newCrowd(passes time.Duration) *crowd {
	c := &crowd{
		entered: map[string]time.Duration{}, start: time.Now(), errands: map[string]errand{}, rate: 20, passes: passes,
	}
	c.gate = newGate(10, func(requests ...reconcile.Request) {
		for _, request := range requests {
			go c.pass(request.Name)
		}
	}, func(zim.Account) zim.Pace {
		c.mu.Lock()
		defer c.mu.Unlock()
		return paceOf(c.rate)
	})
	return c
}

func (c *crowd) ask(name string, why errand) {
	c.mu.Lock()
	c.errands[name] = why
	c.mu.Unlock()
	c.pass(name)
}

func (c *crowd) pass(name string) {
	visit := c.gate.enter(requestNamed(name))
	defer visit.leave()
	c.mu.Lock()
	why := c.errands[name]
	c.mu.Unlock()
	if !visit.admit(oneAccount, why) {
		return
	}
	c.mu.Lock()
	c.entered[name] = time.Since(c.start)
	c.mu.Unlock()
	time.Sleep(c.passes)
}

// when returns when somebody got in.
func (c *crowd) when(name string) (at time.Duration, in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, in = c.entered[name]
	return at, in
}

// verified counts those that got in whose names begin with v.
func (c *crowd) verified() (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.entered {
		if name[0] == 'v' {
			count++
		}
	}
	return count
}

func TestVerificationTakesHalfOfTheRate(t *testing.T) {
	for name, tc := range map[string]struct{ calls, want int }{
		"one call each":  {1, 570},
		"two calls each": {2, 285},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(10 * time.Millisecond)
				for i := range 2000 {
					go c.ask(fmt.Sprint("v", i), errand{lane: laneVerification, calls: tc.calls})
				}
				time.Sleep(time.Minute)
				if got := c.verified(); got < tc.want-1 || got > tc.want+1 {
					t.Errorf("%d in a minute, want %d: half of 19 calls a second", got, tc.want)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
			})
		})
	}
}

func TestVerificationSavesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(10 * time.Millisecond)
		c.ask("v", errand{lane: laneVerification})
		time.Sleep(time.Hour)
		for i := range 100 {
			go c.ask(fmt.Sprint("v", i), errand{lane: laneVerification})
		}
		time.Sleep(time.Second)
		if got := c.verified(); got > 1+11 {
			t.Errorf("%d within a second after an hour of rest, want 10", got-1)
		}
		time.Sleep(time.Hour)
	})
}

// Behind ten thousand verifications, whoever has changed something gets in as if nobody were there.
func TestPeopleAndDeletionsPassVerifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(100 * time.Millisecond)
		for i := range 10000 {
			go c.ask(fmt.Sprint("v", i), errand{lane: laneVerification, calls: 2})
		}
		for i := range 60 {
			time.Sleep(700 * time.Millisecond)
			asked := time.Since(c.start)
			people, deletion := fmt.Sprint("p", i), fmt.Sprint("d", i)
			go c.ask(people, errand{lane: lanePeople})
			go c.ask(deletion, errand{lane: laneDeletion})
			time.Sleep(300 * time.Millisecond)
			for _, name := range []string{people, deletion} {
				if at, in := c.when(name); !in || at-asked > 100*time.Millisecond {
					t.Fatalf("%s got in %s after it asked (%v)", name, at-asked, in)
				}
			}
		}
		if c.verified() < 200 {
			t.Errorf("only %d verifications in a minute", c.verified())
		}
		time.Sleep(time.Hour)
	})
}

// The rate of an account changes while its objects wait: nobody has to come for that to count.
func TestVerificationFollowsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(10 * time.Millisecond)
		for i := range 3000 {
			go c.ask(fmt.Sprint("v", i), errand{lane: laneVerification})
		}
		in := 0
		for _, tc := range []struct{ rate, want int }{{20, 570}, {4, 114}, {40, 1140}} {
			c.mu.Lock()
			c.rate = tc.rate
			c.mu.Unlock()
			time.Sleep(time.Minute)
			if got := c.verified() - in; got < tc.want-3 || got > tc.want+3 {
				t.Errorf("%d in a minute at %d calls a second, want %d", got, tc.rate, tc.want)
			}
			in = c.verified()
		}
		time.Sleep(time.Hour)
	})
}

// An object whose ZimApp becomes another one stands in one line only, and gives back a place that it got in the other.
func TestGateKeepsAnObjectInOneLine(t *testing.T) {
	entrance := newGate(10, func(...reconcile.Request) {}, atRate(1)) // One place for each account.
	admit := func(name string, account zim.Account) (*visit, bool) {
		pass := entrance.enter(requestNamed(name))
		return pass, pass.admit(account, errand{})
	}
	first, _ := admit("first", oneAccount)
	second, _ := admit("second", anotherAccount)
	_, _ = admit("moves", oneAccount)
	_, _ = admit("moves", anotherAccount)
	first.leave()
	if taken := len(entrance.places); taken != 1 {
		t.Errorf("%d places taken, want that of another account", taken)
	}
	second.leave()
	if _, in := admit("moves", anotherAccount); !in {
		t.Fatal("it has no place in the line it moved to")
	}
	back, in := admit("moves", oneAccount) // Woken for another account, and there it goes back.
	if !in {
		t.Fatal("it has no place where there is one")
	}
	if _, in := admit("other", anotherAccount); !in {
		t.Error("the place that it does not need is not free")
	}
	back.leave()
	if taken := len(entrance.places); taken != 1 {
		t.Errorf("%d places taken, want one", taken)
	}
}

// An account whose calls hang, or that has a long line, leaves workers to others; so do several of them.
func TestGateLeavesPlacesToOtherAccounts(t *testing.T) {
	for _, hanging := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(hanging, " accounts hang"), func(t *testing.T) {
			entrance := newGate(10, func(...reconcile.Request) {}, atRate(20))
			for i := range hanging {
				for room := range 50 {
					pass := entrance.enter(requestNamed(fmt.Sprintf("%d/%d", i, room)))
					pass.admit(zim.Account{AppID: uint32(100 + i)}, errand{lane: lanePeople})
				}
			}
			if taken := len(entrance.places); taken > 8 {
				t.Errorf("%d of 10 workers in calls, want 2 left for what needs none", taken)
			}
			for _, queue := range entrance.lines {
				if queue.taken > 4 || queue.taken < 1 {
					t.Errorf("an account has %d of 10 workers", queue.taken)
				}
			}
			pass := entrance.enter(requestNamed("other"))
			if !pass.admit(oneAccount, errand{lane: laneVerification}) {
				t.Error("another account's room found no place")
			}
		})
	}
}

// Calls that end without an answer take the places of their account, down to one that finds out when it is over.
func TestGateGivesAHangingAccountFewerPlaces(t *testing.T) {
	entrance := newGate(10, func(...reconcile.Request) {}, atRate(20))
	places := func() int { return entrance.lines[oneAccount].taken }
	var inside []*visit
	for i := range 20 {
		pass := entrance.enter(requestNamed(strconv.Itoa(i)))
		if pass.admit(oneAccount, errand{}) {
			inside = append(inside, pass)
		}
	}
	if places() != 4 {
		t.Fatalf("%d places, want 4", places())
	}
	for range 10 {
		entrance.noteAnswer(oneAccount, false)
	}
	for _, pass := range inside {
		pass.leave()
	}
	if places() != 1 {
		t.Errorf("%d places after ten calls without an answer, want 1", places())
	}
	entrance.noteAnswer(anotherAccount, true) // That is no answer of this account.
	if places() != 1 {
		t.Errorf("%d places after an answer to another account, want 1", places())
	}
	entrance.noteAnswer(oneAccount, true)
	if places() != 4 {
		t.Errorf("%d places after an answer, want 4 at once", places())
	}
}

// Whatever accounts, lanes and passes there are: nobody has more places than allowed, and everybody gets in.
func TestGateUnderManyAccounts(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			workers := 1 + random.IntN(20)
			entered, most := map[string]bool{}, 0
			accounts := 1 + random.IntN(6)
			var entrance *gate
			var pass func(name string)
			entrance = newGate(workers, func(requests ...reconcile.Request) {
				for _, request := range requests {
					go pass(request.Name)
				}
			}, func(account zim.Account) zim.Pace { return paceOf(int(account.AppID)%30 + 1) })
			pass = func(name string) {
				visit := entrance.enter(requestNamed(name))
				defer visit.leave()
				entrance.mu.Lock()
				done, account := entered[name], zim.Account{AppID: uint32(name[0])}
				if random.IntN(10) == 0 { // Its ZimApp is another one all of a sudden.
					account.AppID = uint32('a' + random.IntN(accounts))
				}
				why := errand{lane: laneOf(random.IntN(lanes)), calls: 1 + random.IntN(2)}
				duration := time.Duration(random.Int64N(int64(2 * time.Second)))
				entrance.mu.Unlock()
				if done || !visit.admit(account, why) {
					return
				}
				entrance.mu.Lock()
				entered[name] = true
				most = max(most, len(entrance.places))
				entrance.mu.Unlock()
				time.Sleep(duration)
			}
			const rooms = 60
			for account := range accounts {
				for room := range rooms {
					go pass(fmt.Sprintf("%c%d", 'a'+account, room))
				}
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if len(entered) != accounts*rooms {
				t.Errorf("seed %d: %d of %d got in", seed, len(entered), accounts*rooms)
			}
			if limit := max(1, workers*8/10); most > limit {
				t.Errorf("seed %d: %d of %d workers in calls", seed, most, workers)
			}
			for account, queue := range entrance.lines {
				if queue.taken > 0 || !queue.isEmpty() {
					t.Errorf("seed %d: account %v has %d places and %v in line", seed, account, queue.taken, queue.waits())
				}
			}
			if len(entrance.places) > 0 || len(entrance.waiting) > 0 {
				t.Errorf("seed %d: %d places and %d waiters are left", seed, len(entrance.places), len(entrance.waiting))
			}
		})
	}
}
