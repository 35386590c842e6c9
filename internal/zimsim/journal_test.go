package zimsim_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestJournal(t *testing.T) {
	f := newFixture(t)
	created := f.create("a b", object{"DestroyDelayTime": nil, "RoomName": "n"})
	f.clock.advance(time.Second)
	missing := f.get("DestroyRoom", "RoomId", "a b", "FromUserId", operator)
	f.create("bad/id", object{"FromUserId": ""})
	got := f.Calls()
	wantEqual(t, "calls", got[:2], []zimsim.Call{
		{
			Time: start, AppID: appID, Action: "CreateRoom", RoomID: "a b", FromUserID: operator, CarriedOut: true,
			Method: "POST", UserAgent: "test", HTTPStatus: 200, RequestID: created.RequestID,
			Body: `{"DestroyDelayTime":null,"FromUserId":"op","RoomId":"a b","RoomName":"n"}` + "\n",
		},
		{
			Time: start.Add(time.Second), AppID: appID, Action: "DestroyRoom", RoomID: "a b", FromUserID: operator,
			Code: 660300001, Method: "GET", UserAgent: "test", HTTPStatus: 200, RequestID: missing.RequestID,
			Body: "FromUserId=op&RoomId=a+b",
		},
	})
	wantEqual(t, "refused RoomID", got[2].RoomID, "bad/id")
	wantEqual(t, "refused CarriedOut", got[2].CarriedOut, false)
	if created.RequestID == missing.RequestID || len(created.RequestID) != 18 {
		t.Errorf("RequestIds %s and %s", created.RequestID, missing.RequestID)
	}
	f.ResetCalls()
	wantEqual(t, "calls after the reset", f.Calls(), []zimsim.Call{})
}

func TestCallsOf(t *testing.T) {
	f := newFixture(t)
	for _, room := range []string{"a", "b", "a"} {
		f.create(room, nil)
		f.query(room)
	}
	f.get("QueryRoomUserList", "RoomId", "a")
	for name, tc := range map[string]struct {
		filter zimsim.CallFilter
		want   string
	}{
		"all":             {zimsim.CallFilter{}, "Ca Qa Cb Qb Ca Qa Qa"},
		"an app":          {zimsim.CallFilter{AppID: appID}, "Ca Qa Cb Qb Ca Qa Qa"},
		"another app":     {zimsim.CallFilter{AppID: 7}, ""},
		"an action":       {zimsim.CallFilter{Action: "CreateRoom"}, "Ca Cb Ca"},
		"a room":          {zimsim.CallFilter{RoomID: "b"}, "Cb Qb"},
		"both":            {zimsim.CallFilter{Action: "CreateRoom", RoomID: "a"}, "Ca Ca"},
		"the newest two":  {zimsim.CallFilter{Limit: 2}, "Qa Qa"},
		"the newest of b": {zimsim.CallFilter{Limit: 1, RoomID: "b"}, "Qb"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range f.CallsOf(tc.filter) {
				got = append(got, c.Action[:1]+c.RoomID)
			}
			wantEqual(t, "calls", strings.Join(got, " "), tc.want)
		})
	}
}

func TestJournalKeepsTheNewest(t *testing.T) {
	for name, tc := range map[string]struct {
		size, calls int
		want        string
	}{
		"none":        {-1, 3, ""},
		"not full":    {4, 3, "0 1 2"},
		"full":        {3, 3, "0 1 2"},
		"once around": {3, 4, "1 2 3"},
		"twice":       {3, 8, "5 6 7"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *zimsim.Options) { o.JournalSize = tc.size })
			for i := range tc.calls {
				f.query(strconv.Itoa(i))
			}
			var got []string
			for _, c := range f.Calls() {
				got = append(got, c.RoomID)
			}
			wantEqual(t, "calls", strings.Join(got, " "), tc.want)
			f.ResetCalls()
			f.query("new")
			wantEqual(t, "calls after the reset", len(f.Calls()), min(1, max(0, tc.size)))
		})
	}
}

func TestJournalBoundsWhatItKeeps(t *testing.T) {
	f := newFixture(t)
	f.query(strings.Repeat("a", 1<<20-1000))
	call := f.Calls()[0]
	wantEqual(t, "RoomID and Body", []int{len(call.RoomID), len(call.Body)}, []int{256, 16 << 10})
}
