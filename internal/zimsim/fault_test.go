package zimsim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// reply is what a caller sees of a call, whatever went wrong.
type reply struct {
	status int
	body   string
	cut    bool
}

// tryCreate sends a CreateRoom that may go wrong in any way.
func (f *fixture) tryCreate(roomID string) reply {
	f.t.Helper()
	body := fmt.Sprintf(`{"FromUserId":%q,"RoomId":%q,"DestroyDelayTime":60}`, operator, roomID)
	status, answer, err := f.raw(http.MethodPost, signed("CreateRoom", f.clock.Now()), body)
	return reply{status, answer, err != nil}
}

func isPage(r reply) bool { return strings.HasPrefix(r.body, "<html>") }

func isCut(r reply) bool { return r.cut }

func isAnything(reply) bool { return true }

// faultCases are what each kind of fault does to a CreateRoom.
var faultCases = map[string]struct {
	fault      zimsim.Fault
	looks      func(r reply) bool
	status     int
	code       int
	carriedOut bool
}{
	"Code": {
		zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300007},
		func(r reply) bool { return strings.Contains(r.body, `"Code":660300007`) }, 200, 660300007, false,
	},
	"Code, carried out": {
		zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000003, CarryOut: true},
		func(r reply) bool { return strings.Contains(r.body, `"Code":660000003`) }, 200, 660000003, true,
	},
	"HTTPStatus": {zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 502}, isPage, 502, zimsim.NoCode, false},
	"HTTPStatus, empty": {
		zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 429, EmptyBody: true},
		func(r reply) bool { return r.body == "" }, 429, zimsim.NoCode, false,
	},
	"HTTPStatus, carried out": {
		zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 504, CarryOut: true}, isPage, 504, zimsim.NoCode, true,
	},
	"HTML":              {zimsim.Fault{Kind: zimsim.FaultHTML}, isPage, 200, zimsim.NoCode, false},
	"HTML, carried out": {zimsim.Fault{Kind: zimsim.FaultHTML, CarryOut: true}, isPage, 200, zimsim.NoCode, true},
	"Huge": {
		zimsim.Fault{Kind: zimsim.FaultHuge, Size: 200_000},
		func(r reply) bool { return len(r.body) == 200_000 && json.Valid([]byte(r.body)) }, 200, zimsim.NoCode, false,
	},
	"Hang for a time": {
		zimsim.Fault{Kind: zimsim.FaultHang, Duration: time.Millisecond}, isCut, 0, zimsim.NoCode, false,
	},
	"CutBefore": {zimsim.Fault{Kind: zimsim.FaultCutBefore}, isCut, 0, zimsim.NoCode, false},
	"CutAfter":  {zimsim.Fault{Kind: zimsim.FaultCutAfter}, isCut, 0, zimsim.NoCode, true},
	"Truncated": {
		zimsim.Fault{Kind: zimsim.FaultTruncated},
		func(r reply) bool { return strings.HasPrefix(r.body, `{"Code":0,`) && !json.Valid([]byte(r.body)) },
		200, zimsim.NoCode, true,
	},
	"Redirect": {
		zimsim.Fault{Kind: zimsim.FaultRedirect, Location: "https://elsewhere.example/"},
		isAnything, 302, zimsim.NoCode, false,
	},
	"Redirect 307": {
		zimsim.Fault{Kind: zimsim.FaultRedirect, HTTPStatus: 307}, isAnything, 307, zimsim.NoCode, false,
	},
	"Latency": {
		zimsim.Fault{Kind: zimsim.FaultLatency, Duration: time.Millisecond},
		func(r reply) bool { return strings.Contains(r.body, `"Code":0`) }, 200, 0, true,
	},
}

func TestFaultKinds(t *testing.T) {
	for name, tc := range faultCases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tc.fault.Times = 1
			id := f.inject(tc.fault)
			got := f.tryCreate("r")
			if got.status != tc.status || !tc.looks(got) {
				t.Errorf("status %d, cut %t, %d bytes: %.200s", got.status, got.cut, len(got.body), got.body)
			}
			call := f.Calls()[0]
			wantEqual(t, "Fault", call.Fault, tc.fault.Kind)
			wantEqual(t, "FaultID", call.FaultID, id)
			wantEqual(t, "Code", call.Code, tc.code)
			wantEqual(t, "HTTPStatus", call.HTTPStatus, tc.status)
			wantEqual(t, "CarriedOut", call.CarriedOut, tc.carriedOut)
			wantEqual(t, "RequestID", call.RequestID != "", tc.code != zimsim.NoCode)
			wantEqual(t, "the room exists", len(f.Rooms(appID)) == 1, tc.carriedOut)
			wantEqual(t, "faults left", len(f.Faults()), 0)
			want := `"Code":0`
			if tc.carriedOut {
				want = `"Code":660300014`
			}
			if again := f.tryCreate("r"); !strings.Contains(again.body, want) {
				t.Errorf("repeated: %s", again.body)
			}
		})
	}
}

func TestWhichCallsAFaultHits(t *testing.T) {
	// Each call is a CreateRoom or a QueryRoomAttribute of a room; x marks those that are hit.
	for name, tc := range map[string]struct {
		fault zimsim.Fault
		calls string
		want  string
	}{
		"all":                  {zimsim.Fault{}, "Ca Cb Qa Qb", "x x x x"},
		"an action":            {zimsim.Fault{Action: "CreateRoom"}, "Ca Qa Cb", "x - x"},
		"a room":               {zimsim.Fault{RoomID: "a"}, "Ca Cb Qa", "x - x"},
		"an app":               {zimsim.Fault{AppID: appID}, "Ca", "x"},
		"another app":          {zimsim.Fault{AppID: 7}, "Ca", "-"},
		"action and room":      {zimsim.Fault{Action: "CreateRoom", RoomID: "b"}, "Ca Qb Cb", "- - x"},
		"twice":                {zimsim.Fault{Times: 2}, "Ca Qa Qb Qc", "x x - -"},
		"once, after two":      {zimsim.Fault{Skip: 2, Times: 1}, "Ca Qa Qb Qc", "- - x -"},
		"after two of a room":  {zimsim.Fault{Skip: 1, RoomID: "a"}, "Ca Qb Qa Qa", "- - x x"},
		"some, by probability": {zimsim.Fault{Probability: 0.5, Times: 2}, "Ca Qa Qb Qc Qd Qe", "x - x - - -"},
	} {
		t.Run(name, func(t *testing.T) {
			turn := 0.0
			f := newFixture(t, func(o *zimsim.Options) {
				o.Rand = func() float64 { turn++; return []float64{0.5, 0.49}[int(turn)%2] }
			})
			tc.fault.Kind, tc.fault.Code = zimsim.FaultCode, 105001
			f.inject(tc.fault)
			var got []string
			for call := range strings.FieldsSeq(tc.calls) {
				mark, code := "-", 0
				if call[0] == 'C' {
					code = f.create(call[1:], nil).Code
				} else {
					code = f.query(call[1:]).Code
				}
				if code == 105001 {
					mark = "x"
				}
				got = append(got, mark)
			}
			wantEqual(t, "hit", strings.Join(got, " "), tc.want)
		})
	}
}

func TestOldestMatchingFaultHits(t *testing.T) {
	f := newFixture(t)
	first := f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 1, RoomID: "a"})
	f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 7})
	f.wantCode(f.query("a"), 1)
	f.wantCode(f.query("b"), 7)
	wantEqual(t, "faults", f.Faults(), []zimsim.Fault{
		{ID: 1, Kind: zimsim.FaultCode, Code: 1, RoomID: "a", Hits: 1}, {ID: 2, Kind: zimsim.FaultCode, Code: 7, Hits: 1},
	})
	wantEqual(t, "cleared", f.ClearFault(first), true)
	wantEqual(t, "cleared again", f.ClearFault(first), false)
	f.wantCode(f.query("a"), 7)
	f.ClearFaults()
	f.wantCode(f.query("a"), 660300001)
}

func TestFaultsDoNotHideCallersMistakes(t *testing.T) {
	f := newFixture(t, quota)
	f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 105001, Times: 21})
	query := signed("QueryRoomUserList", start)
	query.Set("Signature", "wrong")
	f.wantCode(f.send(http.MethodGet, query, ""), 100000005)
	for range 20 {
		f.wantCode(f.query("r"), 105001)
	}
	f.wantCode(f.query("r"), 660300005)
	wantEqual(t, "hits", f.Faults()[0].Hits, 20)
}

func TestFaultRefuseKey(t *testing.T) {
	f := lobby(t)
	f.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "a", SubCode: 5, Times: 1})
	f.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "c", SubCode: 6, RoomID: "r"})
	f.wantCode(f.query("r"), 0)
	f.wantCode(f.modify("r", set("b", "8")), 0)
	f.wantCode(f.post("ModifyRoomAttribute", object{"FromUserId": operator, "RoomId": "r", "Attributes": "a"}), 660000002)
	wantEqual(t, "hits before", f.Faults()[0].Hits+f.Faults()[1].Hits, 0)

	got := f.modify("r", set("a", "9"), set("b", "9"), set("c", "9"))
	f.wantCode(got, 0)
	wantEqual(t, "ErrKeyList", got.ErrKeyList, []keyJSON{{Key: "a", SubCode: 5}, {Key: "c", SubCode: 6}})
	wantEqual(t, "SuccKeyList", got.SuccKeyList, []keyJSON{{Key: "b", Seq: 4}})
	wantEqual(t, "attributes", f.attributesOf("r"), map[string]string{"a": "1", "b": "9"})
	wantEqual(t, "Fault in the journal", f.Calls()[4].Fault, zimsim.FaultRefuseKey)

	f.wantCode(f.modify("r", set("a", "9")), 0)
	f.ClearFaults()
	f.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "a", SubCode: 5, Code: 660000003})
	f.wantCode(f.modify("r", remove("a")), 660000003)
	wantEqual(t, "attributes in the end", f.attributesOf("r"), map[string]string{"a": "9", "b": "9"})
}

func TestInjectRefusesFaultsNobodyCanMean(t *testing.T) {
	for name, fault := range map[string]zimsim.Fault{
		"no kind":                {},
		"unknown kind":           {Kind: "Explode"},
		"Code without":           {Kind: zimsim.FaultCode},
		"HTTPStatus without":     {Kind: zimsim.FaultHTTPStatus},
		"HTTPStatus 100":         {Kind: zimsim.FaultHTTPStatus, HTTPStatus: 100},
		"HTTPStatus 600":         {Kind: zimsim.FaultHTTPStatus, HTTPStatus: 600},
		"Redirect 200":           {Kind: zimsim.FaultRedirect, HTTPStatus: 200},
		"Latency without":        {Kind: zimsim.FaultLatency},
		"RefuseKey no key":       {Kind: zimsim.FaultRefuseKey, SubCode: 1},
		"RefuseKey no subCode":   {Kind: zimsim.FaultRefuseKey, Key: "k"},
		"RefuseKey elsewhere":    {Kind: zimsim.FaultRefuseKey, Key: "k", SubCode: 1, Action: "CreateRoom"},
		"negative skip":          {Kind: zimsim.FaultHTML, Skip: -1},
		"negative times":         {Kind: zimsim.FaultHTML, Times: -1},
		"negative probability":   {Kind: zimsim.FaultHTML, Probability: -0.1},
		"probability above 1":    {Kind: zimsim.FaultHTML, Probability: 1.1},
		"negative duration":      {Kind: zimsim.FaultHang, Duration: -1},
		"carry out a cut before": {Kind: zimsim.FaultCutBefore, CarryOut: true},
		"unknown action":         {Kind: zimsim.FaultHTML, Action: "ListRooms"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if id, err := f.Inject(fault); err == nil || id != 0 {
				t.Errorf("id %d, error %v", id, err)
			}
			wantEqual(t, "faults", len(f.Faults()), 0)
		})
	}
}

func TestInjectAcceptsTheEndsOfRanges(t *testing.T) {
	f := newFixture(t)
	for _, fault := range []zimsim.Fault{
		{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 200, Probability: 1},
		{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 599},
		{Kind: zimsim.FaultRedirect, HTTPStatus: 300},
		{Kind: zimsim.FaultRedirect, HTTPStatus: 399},
		{Kind: zimsim.FaultRefuseKey, Key: "k", SubCode: -1, Action: "ModifyRoomAttribute"},
	} {
		f.inject(fault)
	}
}
