package main

import (
	"maps"
	"testing"
	"time"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestTakenOver(t *testing.T) {
	adopted := func(*trial, *room) {}
	for name, tc := range map[string]struct {
		change func(*trial, *room)
		broken bool
	}{
		"adopted": {adopted, true},
		"created": {func(t *trial, _ *room) {
			t.after.objects["room-000"].Status.Room.Origin = zimv1alpha1.RoomOriginCreated
		}, false},
		"adopted from others":        {func(_ *trial, r *room) { r.mayBeAdopted = true }, false},
		"deleted":                    {func(_ *trial, r *room) { r.deleted = at(1) }, false},
		"gone":                       {func(t *trial, _ *room) { t.after.objects = nil }, false},
		"adopted by a new process":   {func(t *trial, _ *room) { t.restarts = 1 }, false},
		"adopted by one of many":     {func(t *trial, _ *room) { t.row.lives = true }, false},
		"confirmed to nobody so far": {func(t *trial, _ *room) { t.after.objects["room-000"].Status.Room = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			rooms := newRooms("room", 1)
			object := rooms[0].object.DeepCopy()
			object.Status.Room = &zimv1alpha1.RoomStatus{Origin: zimv1alpha1.RoomOriginAdopted}
			tried := &trial{steady: rooms, after: state{objects: map[string]*zimv1alpha1.ZimRoom{object.Name: object}}}
			tc.change(tried, rooms[0])
			if got := tried.takenOver(); (len(got) > 0) != tc.broken {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHarmed(t *testing.T) {
	s := newSurvivors("row")
	s.incarnations = map[string]int{"row-keep-000": 1, "row-keep-001": 2, "row-keep-002": 1, "row-keep-003": 1}
	live := map[string]zimsim.Room{
		"row-keep-000": {Incarnation: 1}, "row-keep-001": {Incarnation: 2}, "row-keep-002": {Incarnation: 1},
		"row-keep-003": {Incarnation: 1},
	}
	if got := s.harmed(live); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	for id := range live {
		gone, anew := maps.Clone(live), maps.Clone(live)
		delete(gone, id)
		anew[id] = zimsim.Room{Incarnation: 3}
		if len(s.harmed(gone)) != 1 || len(s.harmed(anew)) != 1 {
			t.Errorf("%s: got %v and %v", id, s.harmed(gone), s.harmed(anew))
		}
	}
}

func TestUnmet(t *testing.T) {
	for name, tc := range map[string]struct {
		met         expectation
		trial, none *trial // With the fault, and without.
	}{
		"hits": {callsWereHit, &trial{calls: testbed.Journal{{Fault: zimsim.FaultHTML}}}, &trial{calls: testbed.Journal{{}}}},
		"an answer": {
			callsWereAnswered(7), &trial{calls: testbed.Journal{{Code: 7}}}, &trial{calls: testbed.Journal{{Code: 1}}},
		},
		"no calls":   {noCallsArrived, calledAt(0.5, 13), calledAt(0.5, 2)},
		"few calls":  {fewCallsArrived, calledAt(1, 2, 3, 4, 13), calledAt(1, 2, 3, 4, 5)},
		"refusals":   {requestsWereRefused, &trial{refused: 1}, &trial{}},
		"an end":     {aProcessEnded, &trial{restarts: 1}, &trial{}},
		"watches":    {watchesBegan, &trial{watches: 1}, &trial{}},
		"meddling":   {roomsWereMeddledWith, &trial{meddled: map[string]int{"room": 1}}, &trial{meddled: map[string]int{}}},
		"delay":      {roomsWereNoticedLate(time.Second), freshCalledAt(1.5), freshCalledAt(0.5)},
		"every code": {eachCodeWasAnswered, withHits(1, 2, 2), withHits(1, 1)},
		"other hits": {eachCodeWasAnswered, withHits(1, 2), withHits(0, 1, 3)},
		"nothing":    {nil, &trial{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tc.trial.row.met = tc.met
			if got := tc.trial.unmet(); len(got) > 0 {
				t.Errorf("got %v", got)
			}
			if tc.none == nil {
				return
			}
			tc.none.row.met = tc.met
			if got := tc.none.unmet(); len(got) != 1 {
				t.Errorf("without the fault: got %v", got)
			}
		})
	}
}

// calledAt is a trial of four rooms and twelve seconds: eight verifications at least.
func calledAt(moments ...float64) *trial {
	tried := &trial{steady: newRooms("room", 4), began: at(0), ended: at(12)}
	for _, moment := range moments {
		tried.calls = append(tried.calls, zimsim.Call{Time: at(moment)})
	}
	return tried
}

// freshCalledAt is a trial of a room that is created at 0.
func freshCalledAt(moment float64) *trial {
	tried := &trial{fresh: newRooms("room", 1), calls: testbed.Journal{{Time: at(moment), RoomID: "room-000"}}}
	tried.fresh[0].asked = []time.Time{at(0)}
	return tried
}

// withHits is a trial of two codes, whose accounts are 1 and 2 here.
func withHits(accounts ...uint32) *trial {
	tried := &trial{codes: []int{7, 8}}
	for _, account := range accounts {
		tried.calls = append(tried.calls, zimsim.Call{AppID: firstCodeApp - 1 + account, Fault: zimsim.FaultCode})
	}
	tried.calls = append(tried.calls, zimsim.Call{AppID: firstCodeApp + 1})
	return tried
}

func TestEveryRowTellsWhetherItsFaultWasMet(t *testing.T) {
	for _, r := range allRows() {
		if r.met == nil && r.judge == nil && !r.lives {
			t.Errorf("%q does not", r.name)
		}
	}
}

func TestVitals(t *testing.T) {
	v := &vitals{first: 100, before: map[int]int{1: 200}, most: map[int]int{}}
	v.measure(1, testbed.Usage{ResidentKB: 210, PeakKB: 250})
	if v.growth() != 1.05 || v.size() != 2.5 {
		t.Errorf("grew to %v, %v since the first row", v.growth(), v.size())
	}
	v.measure(2, testbed.Usage{ResidentKB: 160, PeakKB: 160}) // It came later.
	if v.growth() != 1.6 {
		t.Errorf("grew to %v", v.growth())
	}
}

func TestExcesses(t *testing.T) {
	at := &result{rate: requestsPerSecond + arrivalJitter, growth: mostGrowth, size: mostGrowth}
	if got := at.excesses(); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	above := &result{rate: requestsPerSecond + arrivalJitter + 1, growth: mostGrowth + 0.1, size: mostGrowth + 0.1}
	if got := above.excesses(); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

func TestBusiestSecondIsOfOneAccount(t *testing.T) {
	calls := testbed.Journal{{AppID: 1, Time: at(0)}, {AppID: 2, Time: at(0.1)}, {AppID: 1, Time: at(0.2)}}
	if got := busiestSecond(calls); got != 2 {
		t.Errorf("got %d", got)
	}
}
