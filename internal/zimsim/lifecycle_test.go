package zimsim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// lives are what can happen to a room with a delay of a minute, and when it dies.
var lives = map[string]struct {
	switches func(*zimsim.Switches)
	do       func(f *fixture)
	lives    time.Duration // from the start; 0: not even at the start; negative: for ever
}{
	"never entered": {do: func(*fixture) {}, lives: time.Minute},
	"never entered, no timer at creation": {
		switches: func(s *zimsim.Switches) { s.TimerStartsAtCreation = false },
		do:       func(*fixture) {}, lives: -1,
	},
	"left, no timer at creation": {
		switches: func(s *zimsim.Switches) { s.TimerStartsAtCreation = false },
		do: func(f *fixture) {
			f.clock.advance(time.Hour)
			f.must(f.Enter(appID, "r", "u"))
			f.must(f.Leave(appID, "r", "u"))
		},
		lives: time.Hour + time.Minute,
	},
	"entered": {do: func(f *fixture) { f.must(f.Enter(appID, "r", "u")) }, lives: -1},
	"entered just then": {do: func(f *fixture) {
		f.clock.advance(time.Minute - 1)
		f.must(f.Enter(appID, "r", "u"))
	}, lives: -1},
	"entered and left": {do: func(f *fixture) {
		f.clock.advance(30 * time.Second)
		f.must(f.Enter(appID, "r", "u"))
		f.clock.advance(10 * time.Second)
		f.must(f.Leave(appID, "r", "u"))
	}, lives: 100 * time.Second},
	"one of two left": {do: func(f *fixture) {
		f.must(f.Enter(appID, "r", "u"))
		f.must(f.Enter(appID, "r", "v"))
		f.must(f.Leave(appID, "r", "u"))
	}, lives: -1},
	"came back while empty": {do: func(f *fixture) {
		f.must(f.Enter(appID, "r", "u"))
		f.must(f.Leave(appID, "r", "u"))
		f.clock.advance(59 * time.Second)
		f.must(f.Enter(appID, "r", "u"))
		f.must(f.Leave(appID, "r", "u"))
	}, lives: 119 * time.Second},
	"last one kicked out": {do: func(f *fixture) {
		f.must(f.Enter(appID, "r", "u"))
		f.clock.advance(time.Second)
		f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "u")
	}, lives: 61 * time.Second},
	"asked about all the time": {do: func(f *fixture) {
		for range 59 {
			f.clock.advance(time.Second)
			f.query("r")
			f.modify("r", set("k", "v"))
		}
	}, lives: time.Minute},
}

func TestRoomsDieOnTime(t *testing.T) {
	for name, tc := range lives {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.switches != nil {
				switches := f.Switches()
				tc.switches(&switches)
				f.SetSwitches(switches)
			}
			f.wantCode(f.create("r", nil), 0)
			tc.do(f)
			if tc.lives < 0 {
				f.clock.advance(1000 * time.Hour)
				wantEqual(t, "exists for ever", f.exists(), true)
				return
			}
			f.clock.advance(tc.lives - f.clock.Now().Sub(start) - 1)
			wantEqual(t, "exists just before", f.exists(), true)
			f.clock.advance(1)
			wantEqual(t, "exists at its time", f.exists(), false)
		})
	}
}

func TestRoomTellsWhenItDies(t *testing.T) {
	f := newFixture(t)
	room := func() zimsim.Room { r, _ := f.Room(appID, "r"); return r }
	f.create("r", nil)
	wantEqual(t, "after creation", room().DiesAt, start.Add(time.Minute))
	f.must(f.Enter(appID, "r", "u"))
	wantEqual(t, "with somebody inside", room().DiesAt, time.Time{})
	wantEqual(t, "EverEntered", room().EverEntered, true)
	f.clock.advance(time.Hour)
	f.must(f.Leave(appID, "r", "u"))
	wantEqual(t, "once empty", room().DiesAt, start.Add(time.Hour+time.Minute))
}

func TestWithoutADelayRoomsDieWhenTheyEmpty(t *testing.T) {
	for name, delay := range map[string]any{"zero": 0, "omitted": nil} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.wantCode(f.create("r", object{"DestroyDelayTime": delay}), 0)
			wantEqual(t, "exists after creation", f.exists(), false)

			switches := f.Switches()
			switches.TimerStartsAtCreation = false
			f.SetSwitches(switches)
			f.wantCode(f.create("r", object{"DestroyDelayTime": delay}), 0)
			wantEqual(t, "exists without a timer", f.exists(), true)
			f.must(f.Enter(appID, "r", "u"))
			f.must(f.Leave(appID, "r", "u"))
			wantEqual(t, "exists once empty", f.exists(), false)
		})
	}
}

func TestEveryAccessSeesTheDead(t *testing.T) {
	for name, look := range map[string]func(f *fixture) bool{
		"CreateRoom":         func(f *fixture) bool { return f.create("r", nil).Code == 660300014 },
		"DestroyRoom":        func(f *fixture) bool { return f.get("DestroyRoom", "RoomId", "r").Code == 0 },
		"QueryRoomAttribute": func(f *fixture) bool { return f.query("r").Code == 0 },
		"ModifyRoomAttribute": func(f *fixture) bool {
			return f.modify("r", set("k", "v")).Code == 0
		},
		"Rooms":        func(f *fixture) bool { return len(f.Rooms(appID)) > 0 },
		"Room":         func(f *fixture) bool { _, ok := f.Room(appID, "r"); return ok },
		"Enter":        func(f *fixture) bool { return f.Enter(appID, "r", "u") == nil },
		"SetAttribute": func(f *fixture) bool { return f.SetAttribute(appID, "r", "k", "v") == nil },
		"Events":       func(f *fixture) bool { return len(f.Events(zimsim.EventFilter{})) == 1 },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("r", nil)
			f.clock.advance(time.Minute)
			if look(f) {
				t.Error("the room was still there")
			}
		})
	}
}

func TestManyRoomsDieInOrder(t *testing.T) {
	f := newFixture(t)
	// Neither created in the order of their deaths nor all of them dying.
	var want []string
	for i := range 200 {
		id := fmt.Sprintf("%03d", i)
		f.must(f.CreateRoom(appID, zimsim.Room{ID: id, DestroyDelay: time.Duration(i*7%200) * time.Second, Creator: "u"}))
		if i%3 != 0 {
			f.must(f.Leave(appID, id, "u"))
		}
		if i%3 == 0 || i*7%200 > 120 {
			want = append(want, id)
		}
	}
	f.clock.advance(2 * time.Minute)
	rooms := f.Rooms(appID)
	got := make([]string, 0, len(rooms))
	for _, r := range rooms {
		got = append(got, r.ID)
	}
	wantEqual(t, "rooms left", got, want)
	var deaths []time.Time
	for _, e := range f.Events(zimsim.EventFilter{}) {
		if e.Kind == zimsim.EventRoomDestroyed {
			deaths = append(deaths, e.Time)
		}
	}
	if !slices.IsSortedFunc(deaths, time.Time.Compare) || len(deaths) != 200-len(want) {
		t.Errorf("%d deaths out of order", len(deaths))
	}
}
