package zimsim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// admin sends a call to the admin side over HTTP semantics and decodes the answer into out, unless that is nil.
func (f *fixture) admin(method, target, body string, wantStatus int, out any) {
	f.t.Helper()
	answer := serve(f.t, f.Admin(), method, target, body)
	if answer.Code != wantStatus {
		f.t.Errorf("%s %s: status %d, want %d: %s", method, target, answer.Code, wantStatus, answer.Body)
	}
	if got := answer.Header().Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		f.t.Errorf("%s %s: Content-Type %q", method, target, got)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer.Body.Bytes(), out); err != nil {
		f.t.Errorf("%s %s: %q: %v", method, target, answer.Body, err)
	}
}

func TestAdminHTTPRooms(t *testing.T) {
	f := newFixture(t)
	const id = "a#b?c&d%e f+g"
	target := "/rooms?appID=12345&id=" + url.QueryEscape(id)
	inRoom := "?appID=12345&roomID=" + url.QueryEscape(id)
	var room zimsim.Room
	f.admin(http.MethodPost, "/rooms?appID=12345",
		`{"id":"`+id+`","name":"foreign","destroyDelay":"90s","creator":"c",
			"attributes":{"k":{"value":"v","autoDelete":true}}}`,
		200, &room)
	want := zimsim.Room{
		ID: id, Name: "foreign", DestroyDelay: 90 * time.Second, CreatedTime: start, Creator: "c",
		Members: []string{"c"}, Attributes: map[string]zimsim.Attribute{"k": {Value: "v", AutoDelete: true, Seq: 1}},
		AttributeSeq: 1, Incarnation: 1, EverEntered: true,
	}
	wantEqual(t, "room created", room, want)
	f.admin(http.MethodGet, target, "", 200, &room)
	wantEqual(t, "room", room, want)

	f.admin(http.MethodPut, "/members"+inRoom+"&userID=u%23", "", 200, nil)
	f.admin(http.MethodDelete, "/members"+inRoom+"&userID=c", "", 200, nil)
	f.admin(http.MethodPut, "/attributes"+inRoom+"&key=x%26y", `{"value":""}`, 200, nil)
	got, _ := f.Room(appID, id)
	wantEqual(t, "members", got.Members, []string{"u#"})
	wantEqual(t, "attributes", f.attributesOf(id), map[string]string{"x&y": ""})
	f.admin(http.MethodDelete, "/attributes"+inRoom+"&key=x%26y", "", 200, nil)
	wantEqual(t, "attributes", f.attributesOf(id), map[string]string{})
	f.admin(http.MethodDelete, "/members"+inRoom+"&userID=u%23", "", 200, nil)
	var rooms []map[string]any
	f.admin(http.MethodGet, "/rooms?appID=12345", "", 200, &rooms)
	wantEqual(t, "delay and death in JSON", []any{rooms[0]["destroyDelay"], rooms[0]["diesAt"]},
		[]any{"1m30s", start.Add(90 * time.Second).Format(time.RFC3339)})

	f.admin(http.MethodDelete, target, "", 200, nil)
	f.admin(http.MethodGet, target, "", 404, nil)
	f.admin(http.MethodPut, "/members"+inRoom+"&userID=u", "", 404, nil)
	f.admin(http.MethodPut, "/members"+inRoom+"&userID=u&create=true", "", 200, nil)
	f.admin(http.MethodGet, target, "", 200, &room)
	wantEqual(t, "Incarnation", room.Incarnation, 2)
}

func TestAdminHTTPApps(t *testing.T) {
	f := newFixture(t)
	f.admin(http.MethodPut, "/apps",
		`{"appID":7,"serverSecret":"hush","maxRooms":3,"attributeLimits":{"count":16}}`, 200, nil)
	answer := serve(t, f.Admin(), http.MethodGet, "/apps", "")
	if text := answer.Body.String(); strings.Contains(text, "hush") || strings.Contains(text, secret) ||
		!strings.Contains(text, `{"appID":7,"callsPerSecond":20,"maxRooms":3,`) || !strings.Contains(text, `"count":16`) {
		t.Errorf("apps: %s", text)
	}
	f.admin(http.MethodPut, "/apps", `{"appID":12345,"serviceDisabled":true}`, 200, nil)
	f.wantCode(f.query("r"), 100000017)
}

func TestAdminHTTPUsers(t *testing.T) {
	f := newFixture(t)
	f.admin(http.MethodPut, "/users?appID=12345&userID=a%26b", "", 200, nil)
	f.admin(http.MethodDelete, "/users?appID=12345&userID=op", "", 200, nil)
	var users []zimsim.User
	f.admin(http.MethodGet, "/users?appID=12345", "", 200, &users)
	wantEqual(t, "users", users, []zimsim.User{{ID: "a&b"}})
}

func TestAdminHTTPCallsAndEvents(t *testing.T) {
	f := newFixture(t)
	f.create("a", nil)
	f.create("b", nil)
	f.query("b")
	var calls []zimsim.Call
	f.admin(http.MethodGet, "/calls", "", 200, &calls)
	wantEqual(t, "calls", calls, f.Calls())
	f.admin(http.MethodGet, "/calls?appID=12345&action=CreateRoom&roomID=b&limit=5", "", 200, &calls)
	wantEqual(t, "filtered calls", calls, f.Calls()[1:2])
	f.admin(http.MethodGet, "/calls?limit=0", "", 200, &calls)
	wantEqual(t, "calls with limit 0", len(calls), 3)
	f.admin(http.MethodGet, "/calls?limit=1", "", 200, &calls)
	wantEqual(t, "newest call", calls, f.Calls()[2:])
	f.admin(http.MethodDelete, "/calls", "", 200, nil)
	f.admin(http.MethodGet, "/calls", "", 200, &calls)
	wantEqual(t, "calls after the reset", calls, []zimsim.Call{})

	var events []zimsim.Event
	f.admin(http.MethodGet, "/events", "", 200, &events)
	wantEqual(t, "events", events, f.Events(zimsim.EventFilter{}))
	f.admin(http.MethodGet, "/events?appID=12345&roomID=b&limit=3", "", 200, &events)
	wantEqual(t, "filtered events", events, f.Events(zimsim.EventFilter{})[1:])
	f.admin(http.MethodGet, "/events?appID=7", "", 200, &events)
	wantEqual(t, "events of another app", events, []zimsim.Event{})
	f.admin(http.MethodGet, "/events?limit=1", "", 200, &events)
	wantEqual(t, "newest event", events, f.Events(zimsim.EventFilter{})[1:])
}

func TestAdminHTTPFaults(t *testing.T) {
	f := newFixture(t)
	var created struct{ ID int }
	f.admin(http.MethodPost, "/faults", `{"kind":"Hang","action":"CreateRoom","duration":"1ns","times":2}`, 200, &created)
	f.admin(http.MethodPost, "/faults", `{"kind":"Code","code":7}`, 200, nil)
	wantEqual(t, "id", created.ID, 1)
	if got := f.tryCreate("r"); !got.cut {
		t.Errorf("the fault did not hit: %+v", got)
	}
	var faults []zimsim.Fault
	f.admin(http.MethodGet, "/faults", "", 200, &faults)
	wantEqual(t, "faults", faults, []zimsim.Fault{
		{ID: 1, Kind: zimsim.FaultHang, Action: "CreateRoom", Duration: 1, Times: 2, Hits: 1},
		{ID: 2, Kind: zimsim.FaultCode, Code: 7},
	})
	f.admin(http.MethodDelete, "/faults?id=1", "", 200, nil)
	f.admin(http.MethodDelete, "/faults?id=1", "", 404, nil)
	wantEqual(t, "faults left", len(f.Faults()), 1)
	f.admin(http.MethodDelete, "/faults", "", 200, nil)
	wantEqual(t, "faults in the end", len(f.Faults()), 0)
}

func TestAdminHTTPSwitches(t *testing.T) {
	f := newFixture(t)
	f.admin(http.MethodPut, "/switches", `{"limitPerAction":true,"unknownApp":100000011}`, 200, nil)
	want := zimsim.DefaultSwitches()
	want.LimitPerAction, want.UnknownApp = true, 100000011
	var got zimsim.Switches
	f.admin(http.MethodGet, "/switches", "", 200, &got)
	wantEqual(t, "switches", got, want)
}

func TestAdminHTTPRefuses(t *testing.T) {
	for target, tc := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"GET /nowhere":                                        {"", 404, "/rooms"},
		"PATCH /rooms":                                        {"", 405, "DELETE, GET, POST"},
		"GET /rooms":                                          {"", 400, `"appID" is missing`},
		"GET /rooms?appID=x":                                  {"", 400, `"x" is not a uint32`},
		"GET /rooms?appID=7":                                  {"", 404, "no such app: 7"},
		"GET /rooms?appID=12345&roomID=r":                     {"", 400, `unknown query parameter "roomID"`},
		"GET /rooms?appID=12345&id=x":                         {"", 404, `no such room: "x"`},
		"DELETE /rooms?appID=12345":                           {"", 400, `"id" is missing`},
		"DELETE /rooms?appID=12345&id=x":                      {"", 404, `no such room: "x"`},
		"POST /rooms?appID=12345":                             {"", 400, "a JSON body is missing"},
		"POST /rooms?appID=12345#1":                           {"{", 400, "reading the body"},
		"POST /rooms?appID=12345#2":                           {`{"id":"r"}`, 409, `room exists: "r"`},
		"POST /rooms?appID=12345#3":                           {`{}`, 400, "id is empty"},
		"POST /rooms?appID=12345#4":                           {`{"id":"s","delay":"5s"}`, 400, `unknown field "delay"`},
		"POST /rooms?appID=12345#5":                           {`{"id":"s","destroyDelay":"5"}`, 400, `not a duration`},
		"POST /rooms?appID=12345#6":                           {`{"id":"s"} {}`, 400, "more than one"},
		"POST /rooms?appID=12345#7":                           {strings.Repeat(" ", 4<<20+1), 413, "too large"},
		"PUT /apps":                                           {`{"serverSecret":"s"}`, 400, "appID is missing"},
		"PUT /apps#1":                                         {`{"appID":7}`, 400, "serverSecret is missing"},
		"PUT /members?appID=12345&roomID=r":                   {"", 400, `"userID" is missing`},
		"PUT /members?appID=12345&roomID=r&userID=u&create=1": {"", 400, "neither true nor false"},
		"DELETE /members?appID=12345&roomID=r&userID=x":       {"", 404, "not in the room"},
		"PUT /attributes?appID=12345&roomID=r&key=k":          {"{}", 400, "value is missing"},
		"DELETE /attributes?appID=12345&roomID=r&key=k":       {"", 404, "no such attribute"},
		"DELETE /users?appID=12345&userID=x":                  {"", 404, "no such user"},
		"GET /users?appID=7":                                  {"", 404, "no such app"},
		"GET /calls?limit=-1":                                 {"", 400, "whole number"},
		"GET /calls?room=r":                                   {"", 400, "unknown query parameter"},
		"POST /faults":                                        {`{"kind":"Explode"}`, 400, `unknown kind "Explode"`},
		"POST /faults#1":                                      {`{"kind":"HTML","time":1}`, 400, "unknown field"},
		"PUT /switches":                                       {`{"nosuch":true}`, 400, "unknown field"},
		"PUT /switches#1":                                     {`{"gatewayErrorStatus":99}`, 400, "gatewayErrorStatus"},
	} {
		t.Run(target, func(t *testing.T) {
			f := newFixture(t)
			f.must(f.CreateRoom(appID, zimsim.Room{ID: "r"}))
			method, path, _ := strings.Cut(target, " ")
			path, _, _ = strings.Cut(path, "#")
			var out struct{ Error string }
			f.admin(method, path, tc.body, tc.status, &out)
			if !strings.Contains(out.Error, tc.says) {
				t.Errorf("error %q does not say %q", out.Error, tc.says)
			}
			wantEqual(t, "rooms", len(f.Rooms(appID)), 1)
			wantEqual(t, "switches", f.Switches(), zimsim.DefaultSwitches())
		})
	}
}

func TestAdminHTTPNamesTheMethodsThereAre(t *testing.T) {
	f := newFixture(t)
	answer := serve(t, f.Admin(), http.MethodPost, "/calls", "")
	wantEqual(t, "Allow", answer.Header().Get("Allow"), "DELETE, GET")
}

func TestJSONIsForPeopleToRead(t *testing.T) {
	f := newFixture(t)
	f.must(f.CreateRoom(appID, zimsim.Room{ID: "a&b<c>", Members: []string{"a&b<c>"}}))
	answer := f.get("QueryRoomUserList", "RoomId", "a&b<c>").raw
	answer += serve(t, f.Admin(), http.MethodGet, "/rooms?appID=12345", "").Body.String()
	wantEqual(t, "ids", strings.Count(answer, `"a&b<c>"`), 4)
}

func TestAdminHTTPHealth(t *testing.T) {
	f := newFixture(t)
	var out map[string]string
	f.admin(http.MethodGet, "/healthz", "", 200, &out)
	wantEqual(t, "health", out, map[string]string{"status": "ok"})
}
