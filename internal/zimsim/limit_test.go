package zimsim_test

import (
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// quota gives the app the vendor's default quota.
func quota(o *zimsim.Options) { o.Apps[0].CallsPerSecond = 0 }

// probes sends so many calls at once and returns how many were refused for the limit.
func (f *fixture) probes(n int) int {
	f.t.Helper()
	refused := 0
	for range n {
		if f.get("QueryRoomUserList", "RoomId", "r").Code == 660300005 {
			refused++
		}
	}
	return refused
}

func TestLimitIsTwentyCallsInAnySlidingSecond(t *testing.T) {
	f := newFixture(t, quota)
	wantEqual(t, "refused of 10 at 0 ms", f.probes(10), 0)
	f.clock.advance(600 * time.Millisecond)
	wantEqual(t, "refused of 11 at 600 ms", f.probes(11), 1)
	f.clock.advance(400*time.Millisecond - 1)
	wantEqual(t, "refused of 1 just before a second", f.probes(1), 1)
	f.clock.advance(1)
	// The first ten are a second old now, the ten of 600 ms are not: a new clock second is no clean slate.
	wantEqual(t, "refused of 11 at a second", f.probes(11), 1)
	f.clock.advance(time.Second)
	wantEqual(t, "refused of 21 a second later", f.probes(21), 1)
}

func TestLimitIsSharedUnlessPerAction(t *testing.T) {
	for name, tc := range map[string]struct {
		perAction bool
		want      int
	}{
		"shared":     {false, 660300005},
		"per action": {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, quota, withSwitch(func(s *zimsim.Switches) { s.LimitPerAction = tc.perAction }))
			f.probes(20)
			f.wantCode(f.create("r", nil), tc.want)
			wantEqual(t, "refused after 20", f.probes(1), 1)
		})
	}
}

func TestRefusedCallsCountOnlyOnRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		count bool
		want  int
	}{
		"forgotten": {false, 0},
		"counted":   {true, 20},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, quota, withSwitch(func(s *zimsim.Switches) { s.CountRefusedCalls = tc.count }))
			f.probes(20)
			f.clock.advance(time.Second - 1)
			f.probes(20)
			f.clock.advance(1)
			wantEqual(t, "refused of 20 a second after the first", f.probes(20), tc.want)
		})
	}
}

func TestLimitCodes(t *testing.T) {
	f := newFixture(t, quota)
	f.probes(20)
	f.wantCode(f.create("r", nil), 660300005)
	f.wantCode(f.post("UserRegister", object{"UserInfo": []object{{"UserId": "u"}}}), 660700001)
	f.wantCode(f.get("QueryRoomUserList", "RoomId", "r"), 660300005)
	switches := f.Switches()
	switches.UserListOverLimit = 660300006
	f.SetSwitches(switches)
	f.wantCode(f.get("QueryRoomUserList", "RoomId", "r"), 660300006)
}

func TestLimitCountsOnlyCallsOfTheApp(t *testing.T) {
	f := newFixture(t, quota)
	for range 30 {
		query := signed("QueryRoomUserList", start)
		query.Set("Signature", "wrong")
		f.wantCode(f.send("GET", query, ""), 100000005)
	}
	wantEqual(t, "refused after wrong signatures", f.probes(20), 0)
	f.SetApp(zimsim.App{AppID: appID, CallsPerSecond: 25})
	wantEqual(t, "refused with a raised limit", f.probes(6), 1)
	f.SetApp(zimsim.App{AppID: appID, CallsPerSecond: -1})
	wantEqual(t, "refused without a limit", f.probes(100), 0)
}
