package controllers

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

func TestIntervalsAreStretchedToTheShareOfVerification(t *testing.T) {
	verifications := func(perSecond int64) demand {
		return demand{account: oneAccount, verification: perSecond * 24 * 60 * 60}
	}
	deaths := func(perSecond int64) demand {
		return demand{account: oneAccount, deaths: perSecond * 24 * 60 * 60}
	}
	looks := func(rooms, calls int) (asks []demand) {
		return slices.Repeat([]demand{demandOf(oneAccount, 10*time.Minute, calls)}, rooms)
	}
	paced := zim.NewLimiter(20).Pace().Full
	for name, tc := range map[string]struct {
		asks []demand
		rate float64
		want float64
	}{
		"nobody asks":                      {nil, 20, 1},
		"less than half of the rate":       {[]demand{verifications(9)}, 20, 1},
		"just half":                        {[]demand{verifications(6), verifications(4)}, 20, 1},
		"a little more, in steps":          {[]demand{verifications(11)}, 20, 1.25},
		"three times as much":              {[]demand{verifications(30)}, 20, 3},
		"deaths leave less than half":      {[]demand{verifications(6), deaths(14)}, 20, 1},
		"and stretch":                      {[]demand{verifications(12), deaths(14)}, 20, 2},
		"but something is always left":     {[]demand{verifications(5), deaths(100)}, 20, 2},
		"deaths alone stretch nothing":     {[]demand{deaths(100)}, 20, 1},
		"another account's are no concern": {[]demand{{account: anotherAccount, verification: 1e9}}, 20, 1},
		"no step too far by rounding":      {looks(5000, 2), paced, 1.75},
		"nor with one call a look":         {looks(10000, 1), paced, 1.75},
		"nor with more":                    {looks(10000, 2), paced, 3.5},
		"the next step with the next room": {looks(10001, 2), paced, 3.75},
	} {
		t.Run(name, func(t *testing.T) {
			load := newWorkload()
			for _, asks := range tc.asks {
				load.change(demand{}, asks)
			}
			if got := load.stretch(oneAccount, tc.rate); got != tc.want {
				t.Errorf("stretched %.2f times, want %.2f", got, tc.want)
			}
		})
	}
}

// While ZIM refuses calls there is less to share.
func TestIntervalsAreStretchedWithThePresentRate(t *testing.T) {
	load := newWorkload()
	load.change(demand{}, demand{account: oneAccount, verification: 10 * 24 * 60 * 60})
	for present, want := range map[float64]float64{20: 1, 10: 2, 1: 20, 0: 1} {
		if got := load.stretch(oneAccount, present); got != want {
			t.Errorf("stretched %.2f times at %.0f calls a second, want %.2f", got, present, want)
		}
	}
}

// What rooms ask for is exact, however often they change their mind.
func TestWorkloadForgetsWhoAsksNoMore(t *testing.T) {
	load, random := newWorkload(), rand.New(rand.NewPCG(1, 0))
	rooms := make([]demand, 50)
	for range 10000 {
		room := &rooms[random.IntN(len(rooms))]
		after := demand{}
		if random.IntN(3) > 0 {
			interval := time.Second + time.Duration(random.Int64N(int64(24*time.Hour)))
			after = demandOf(oneAccount, interval, 1+random.IntN(2))
			after.deaths = random.Int64N(1000)
		}
		load.change(*room, after)
		*room = after
	}
	if len(load.accounts) != 1 {
		t.Fatalf("%d accounts", len(load.accounts))
	}
	for _, room := range rooms {
		load.change(room, demand{})
	}
	if len(load.accounts) > 0 {
		t.Errorf("%+v is left", load.accounts)
	}
}

func TestDemandOfARoom(t *testing.T) {
	for name, tc := range map[string]struct {
		interval time.Duration
		calls    int
		want     int64
	}{
		"a look a minute":  {time.Minute, 1, 1440},
		"two calls a look": {time.Minute, 2, 2880},
		"once a day":       {24 * time.Hour, 1, 1},
		"never":            {0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := demandOf(oneAccount, tc.interval, tc.calls).verification; got != tc.want {
				t.Errorf("%d calls a day, want %d", got, tc.want)
			}
		})
	}
}

// A single refusal is over soon: it stretches nothing.
func TestIntervalsFollowTheSteadyRate(t *testing.T) {
	now := testTime()
	for name, tc := range map[string]struct {
		since time.Time
		want  float64
	}{
		"nothing refused":        {time.Time{}, 19},
		"refused a moment ago":   {now.Add(-time.Minute + time.Second), 19},
		"refused for a minute":   {now.Add(-time.Minute), 7},
		"refused for a long one": {now.Add(-time.Hour), 7},
	} {
		t.Run(name, func(t *testing.T) {
			pace := zim.Pace{Allowed: 20, Full: 19, Present: 19, BelowSince: tc.since}
			if !tc.since.IsZero() {
				pace.Present = 7
			}
			if got := steadyRate(pace, now); got != tc.want {
				t.Errorf("got %.0f, want %.0f", got, tc.want)
			}
		})
	}
}

// What a look takes is counted in turns, those of a replacement that may become possible included.
func TestVerificationCalls(t *testing.T) {
	room := func(changes ...func(*zimv1alpha1.ZimRoom)) *zimv1alpha1.ZimRoom {
		r := &zimv1alpha1.ZimRoom{Status: zimv1alpha1.ZimRoomStatus{Room: &zimv1alpha1.RoomStatus{}}}
		for _, change := range changes {
			change(r)
		}
		return r
	}
	declared := func(r *zimv1alpha1.ZimRoom) { r.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "k"}} }
	set := func(r *zimv1alpha1.ZimRoom) { r.Status.Room.Attributes = []zimv1alpha1.AppliedAttribute{{Key: "k"}} }
	pending := func(reason string) func(*zimv1alpha1.ZimRoom) {
		return func(r *zimv1alpha1.ZimRoom) {
			r.Status.Conditions = []metav1.Condition{{Type: zimv1alpha1.ReplacementPendingCondition, Reason: reason}}
		}
	}
	for name, tc := range map[string]struct {
		room *zimv1alpha1.ZimRoom
		want int
	}{
		"without attributes":   {room(), 1},
		"with declared ones":   {room(declared), 2},
		"with some to delete":  {room(set), 2},
		"occupied":             {room(pending(zimv1alpha1.ReasonRoomOccupied)), 4},
		"occupied, attributes": {room(declared, pending(zimv1alpha1.ReasonRoomOccupied)), 5},
		"never replaced":       {room(pending(zimv1alpha1.ReasonPolicyNever)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verificationCalls(tc.room); got != tc.want {
				t.Errorf("%d turns, want %d", got, tc.want)
			}
		})
	}
}
