package zimsim_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// switchCase shows what one switch changes. TestSwitches runs do in the default position and in the other one.
type switchCase struct {
	change         func(*zimsim.Switches)
	do             func(f *fixture) any
	byDefault, set any
}

func leaveEmpty(f *fixture) any {
	f.create("r", object{"Attributes": []object{attribute("a", "1")}})
	f.must(f.Enter(appID, "r", "u"))
	f.must(f.Leave(appID, "r", "u"))
	left := len(f.attributesOf("r"))
	f.modify("r", set("later", "stays"))
	return []int{left, len(f.attributesOf("r"))}
}

func createdWithAttributes(f *fixture) any {
	answered := f.create("r", object{"Attributes": []object{attribute("a", "1")}}).seq()
	return []int{answered, len(f.attributesOf("r"))}
}

// firstCallback returns the body of the callback that a new room causes.
func firstCallback(f *fixture) string {
	h := &hook{}
	f.SetApp(zimsim.App{AppID: appID, CallsPerSecond: -1, CallbackURL: hookURL})
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.SendCallbacks(ctx, h)
	}()
	for i := 0; h.first() == ""; i++ { // Those of the time before it runs are not sent.
		f.create(strconv.Itoa(i), nil)
	}
	cancel()
	<-ended
	return h.first()
}

// callbacksDuring returns the callbacks that a simulator with the fixture's switches sends while something happens and
// for an hour afterwards, each as its second and event, in order.
func callbacksDuring(f *fixture, happen func(*testing.T, *zimsim.Simulator)) []string {
	var list []string
	t, _ := f.t.(*testing.T)
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		begin, s := time.Now(), sending(t, h, func(o *zimsim.Options) { o.Switches = f.Switches() })
		happen(t, s)
		time.Sleep(time.Hour)
		synctest.Wait()
		for i, body := range h.received(t) {
			list = append(list, fmt.Sprintf("%02.0f %s", h.times[i].Sub(begin).Seconds(), body["event"]))
		}
	})
	slices.Sort(list)
	return list
}

// serverCalls has the server create rooms, put a client out and destroy one of the rooms. The other dies by itself.
func serverCalls(t *testing.T, s *zimsim.Simulator) {
	t.Helper()
	signedTo := func(action string) string { return "/?" + signed(action, time.Now()).Encode() }
	get := func(action, parameters string) {
		serve(t, s.API(), http.MethodGet, signedTo(action)+parameters, "")
		time.Sleep(time.Second)
	}
	create := func(roomID string) {
		codeOf(t, s.API(), signedTo("CreateRoom"), roomID, 10)
		time.Sleep(time.Second)
	}
	if err := s.RegisterUser(appID, operator); err != nil {
		t.Fatal(err)
	}
	create("r")
	if err := s.Enter(appID, "r", "ann"); err != nil {
		t.Fatal(err)
	}
	get("KickoutRoomUser", "&RoomId=r&UserId[]=ann")
	get("DestroyRoom", "&RoomId=r")
	create("s")
}

// emptyings has a room become empty twice and die of it, and another one destroyed while it is empty.
func emptyings(t *testing.T, s *zimsim.Simulator) {
	t.Helper()
	do := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
	}
	do(s.CreateRoom(appID, zimsim.Room{ID: "r", Creator: "ann", DestroyDelay: 20 * time.Second}))
	do(s.Leave(appID, "r", "ann"))
	do(s.Enter(appID, "r", "ann"))
	do(s.Leave(appID, "r", "ann"))
	do(s.CreateRoom(appID, zimsim.Room{ID: "s", Creator: "bob", DestroyDelay: 20 * time.Second}))
	do(s.Leave(appID, "s", "bob"))
	do(s.DestroyRoom(appID, "s"))
}

func createCode(extra object) func(*fixture) any {
	return func(f *fixture) any { return f.create("r", extra).Code }
}

func destroyAndCreate(f *fixture) any {
	f.create("r", nil)
	f.get("DestroyRoom", "RoomId", "r")
	f.clock.advance(2*time.Second - 1)
	early := f.create("r", nil).Code
	f.get("DestroyRoom", "RoomId", "r")
	f.clock.advance(2 * time.Second)
	return []int{early, f.create("r", nil).Code}
}

func stopOnAnyError(f *fixture) any {
	f.create("r", nil)
	first := set("a", "1")
	first["StopOnError"] = 1
	return len(f.modify("r", first, set(strings.Repeat("k", 17), ""), set("b", "2")).SuccKeyList)
}

// switchCases has a case for every switch, by the name of its field.
var switchCases = map[string]switchCase{
	"TimerStartsAtCreation": {
		func(s *zimsim.Switches) { s.TimerStartsAtCreation = false },
		func(f *fixture) any { f.create("r", nil); f.clock.advance(time.Minute); return f.exists() }, false, true,
	},
	"KeepAttributesWhileEmpty": {
		func(s *zimsim.Switches) { s.KeepAttributesWhileEmpty = false }, leaveEmpty, []int{1, 2}, []int{0, 1},
	},
	"KeepAttributesOfNeverEntered": {
		func(s *zimsim.Switches) { s.KeepAttributesOfNeverEntered = false }, createdWithAttributes, []int{1, 1}, []int{1, 0},
	},
	"RoomIDReuseSeconds": {
		func(s *zimsim.Switches) { s.RoomIDReuseSeconds = 2 }, destroyAndCreate, []int{0, 0}, []int{660300014, 0},
	},
	"QuotaBeforeExistence": {
		func(s *zimsim.Switches) { s.QuotaBeforeExistence = true },
		func(f *fixture) any {
			f.SetApp(zimsim.App{AppID: appID, CallsPerSecond: -1, MaxRooms: 1})
			f.create("r", nil)
			return f.create("r", nil).Code
		}, 660300014, 660300015,
	},
	"CapDestroyDelay": {
		func(s *zimsim.Switches) { s.CapDestroyDelay = true },
		func(f *fixture) any {
			f.create("r", object{"DestroyDelayTime": 99999})
			room, _ := f.Room(appID, "r")
			return room.DestroyDelay
		}, time.Duration(0), 3 * time.Hour,
	},
	"RoomNameInCharacters": {
		func(s *zimsim.Switches) { s.RoomNameInCharacters = true },
		createCode(object{"RoomName": strings.Repeat("房", 64)}), 660000002, 0,
	},
	"ExtraIDCharacters": {
		func(s *zimsim.Switches) { s.ExtraIDCharacters = "," }, createCode(object{"RoomId": "a,b"}), 660000002, 0,
	},
	"RefusedIDCharacters": {
		func(s *zimsim.Switches) { s.RefusedIDCharacters = " " }, createCode(object{"RoomId": "a b"}), 0, 660000002,
	},
	"QueryAttributeOnMissingRoom": {
		func(s *zimsim.Switches) { s.QueryAttributeOnMissingRoom = 0 },
		func(f *fixture) any { got := f.query("r"); return []int{got.Code, got.seq(), len(got.Attributes)} },
		[]int{660300001, -1, 0}, []int{0, 0, 0},
	},
	"ModifyAttributeOnMissingRoom": {
		func(s *zimsim.Switches) { s.ModifyAttributeOnMissingRoom = 660000003 },
		func(f *fixture) any { return f.modify("r", set("k", "v")).Code }, 660300001, 660000003,
	},
	"AttributeCallsOnEmptyRoom": {
		func(s *zimsim.Switches) { s.AttributeCallsOnEmptyRoom = 660300008 },
		func(f *fixture) any {
			f.create("r", nil)
			query, modify, kept := f.query("r").Code, f.modify("r", set("k", "v")).Code, len(f.attributesOf("r"))
			f.must(f.Enter(appID, "r", "u"))
			return []int{query, modify, kept, f.query("r").Code}
		}, []int{0, 0, 1, 0}, []int{660300008, 660300008, 0, 0},
	},
	"UserListOfEmptyRoom": {
		func(s *zimsim.Switches) { s.UserListOfEmptyRoom = 0 },
		func(f *fixture) any {
			f.create("r", nil)
			got := f.get("QueryRoomUserList", "RoomId", "r")
			return []any{got.Code, got.Count != nil, strings.Contains(got.raw, `"UserList":[]`)}
		}, []any{660300008, false, false}, []any{0, true, true},
	},
	"LastPageFlagEmpty": {
		func(s *zimsim.Switches) { s.LastPageFlagEmpty = true },
		func(f *fixture) any {
			f.must(f.EnterOrCreate(appID, "r", "u"))
			return *f.get("QueryRoomUserList", "RoomId", "r").NextFlag
		}, "0", "",
	},
	"UnchangedSetCounts": {
		func(s *zimsim.Switches) { s.UnchangedSetCounts = false },
		func(f *fixture) any {
			f.create("r", object{"Attributes": []object{attribute("a", "1"), attribute("b", "2")}})
			same := f.modify("r", set("a", "1"))
			return []int{same.seq(), same.SuccKeyList[0].Seq, f.modify("r", set("a", "2")).seq()}
		}, []int{3, 3, 4}, []int{2, 1, 3},
	},
	"DeleteAbsentKeyFails": {
		func(s *zimsim.Switches) { s.DeleteAbsentKeyFails = true },
		func(f *fixture) any {
			f.create("r", nil)
			got := f.modify("r", remove("k"))
			return []int{got.seq(), len(got.SuccKeyList), len(got.ErrKeyList)}
		}, []int{0, 1, 0}, []int{0, 0, 1},
	},
	"RefuseEmptyValue": {
		func(s *zimsim.Switches) { s.RefuseEmptyValue = true },
		createCode(object{"Attributes": []object{attribute("k", "")}}), 0, 660000002,
	},
	"StopOnErrorForWholeRequest": {
		func(s *zimsim.Switches) { s.StopOnErrorForWholeRequest = true }, stopOnAnyError, 2, 1,
	},
	"RefusedKeysCode": {
		func(s *zimsim.Switches) { s.RefusedKeysCode = 660000002 },
		func(f *fixture) any {
			f.create("r", nil)
			return []int{f.modify("r", set(strings.Repeat("k", 17), "")).Code, f.modify("r", set("k", "")).Code}
		}, []int{0, 0}, []int{660000002, 0},
	},
	"TotalOfValuesOnly": {
		func(s *zimsim.Switches) { s.TotalOfValuesOnly = true },
		createCode(object{"Attributes": attributes(5, 1024)}), 660000002, 0,
	},
	"UnregisteredOperator": {
		func(s *zimsim.Switches) { s.UnregisteredOperator = 660700015 },
		createCode(object{"FromUserId": "nobody"}), 660500002, 660700015,
	},
	"OperatorMustHaveLoggedIn": {
		func(s *zimsim.Switches) { s.OperatorMustHaveLoggedIn = true },
		func(f *fixture) any {
			registered := f.create("a", nil).Code
			f.must(f.EnterOrCreate(appID, "x", operator))
			return []int{registered, f.create("b", nil).Code}
		}, []int{0, 0}, []int{660500002, 0},
	},
	"LimitPerAction": {
		func(s *zimsim.Switches) { s.LimitPerAction = true },
		func(f *fixture) any {
			f.SetApp(zimsim.App{AppID: appID})
			f.probes(20)
			return f.create("r", nil).Code
		}, 660300005, 0,
	},
	"CountRefusedCalls": {
		func(s *zimsim.Switches) { s.CountRefusedCalls = true },
		func(f *fixture) any {
			f.SetApp(zimsim.App{AppID: appID})
			f.probes(20)
			f.clock.advance(time.Second / 2)
			f.probes(20)
			f.clock.advance(time.Second / 2)
			return f.probes(1)
		}, 0, 1,
	},
	"UserListOverLimit": {
		func(s *zimsim.Switches) { s.UserListOverLimit = 660300006 },
		func(f *fixture) any {
			f.SetApp(zimsim.App{AppID: appID})
			f.probes(20)
			return f.get("QueryRoomUserList", "RoomId", "r").Code
		}, 660300005, 660300006,
	},
	"UnknownApp": {
		func(s *zimsim.Switches) { s.UnknownApp = 100000011 },
		func(f *fixture) any {
			query := signed("QueryRoomUserList", start)
			query.Set("AppId", "777")
			return f.send(http.MethodGet, query, "").Code
		}, 100000010, 100000011,
	},
	"RequireHexNonce": {
		func(s *zimsim.Switches) { s.RequireHexNonce = true },
		func(f *fixture) any {
			query := signed("QueryRoomUserList", start)
			query.Set("RoomId", "r")
			right := f.send(http.MethodGet, query, "").Code
			query.Set("SignatureNonce", "15215528852396")
			query.Set("Signature", signature("15215528852396", start.Unix()))
			return []int{right, f.send(http.MethodGet, query, "").Code}
		}, []int{660300001, 660300001}, []int{660300001, 2},
	},
	"CallbackTimeInMilliseconds": {
		func(s *zimsim.Switches) { s.CallbackTimeInMilliseconds = false },
		func(f *fixture) any {
			_, after, _ := strings.Cut(firstCallback(f), `"timestamp":`)
			return after[:strings.IndexAny(after, ",}")]
		}, "1615186943000", "1615186943",
	},
	"CallbackURLEncoded": {
		func(s *zimsim.Switches) { s.CallbackURLEncoded = true },
		func(f *fixture) any { return firstCallback(f)[:4] }, `{"ap`, "%7B%",
	},
	"CallbacksOfServerCalls": {
		func(s *zimsim.Switches) { s.CallbacksOfServerCalls = false },
		func(f *fixture) any { return callbacksDuring(f, serverCalls) },
		[]string{"00 room_create", "01 room_enter", "01 room_exit", "02 room_destroy", "03 room_create", "13 room_destroy"},
		[]string{"01 room_enter", "13 room_destroy"},
	},
	"DestroyCallbackWhenEmpty": {
		func(s *zimsim.Switches) { s.DestroyCallbackWhenEmpty = true },
		func(f *fixture) any {
			isOther := func(c string) bool { return !strings.HasSuffix(c, "room_destroy") }
			return slices.DeleteFunc(callbacksDuring(f, emptyings), isOther)
		},
		[]string{"30 room_destroy", "35 room_destroy"},
		[]string{"05 room_destroy", "15 room_destroy", "25 room_destroy", "30 room_destroy"},
	},
	"GatewayErrorStatus": {
		func(s *zimsim.Switches) { s.GatewayErrorStatus = 403 },
		func(f *fixture) any {
			query := signed("QueryRoomUserList", start)
			query.Set("Signature", "wrong")
			return []int{f.send(http.MethodGet, query, "").status, f.query("r").status}
		}, []int{200, 200}, []int{403, 200},
	},
}

func TestSwitches(t *testing.T) {
	for name, tc := range switchCases {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "by default", tc.do(newFixture(t)), tc.byDefault)
			wantEqual(t, "switched", tc.do(newFixture(t, withSwitch(tc.change))), tc.set)
			changed := zimsim.DefaultSwitches()
			tc.change(&changed)
			for i := range reflect.TypeFor[zimsim.Switches]().NumField() {
				field := reflect.TypeFor[zimsim.Switches]().Field(i).Name
				before, after := reflect.ValueOf(zimsim.DefaultSwitches()).Field(i), reflect.ValueOf(changed).Field(i)
				if (field == name) == before.Equal(after) {
					t.Errorf("the case of %s and field %s do not go together", name, field)
				}
			}
		})
	}
	for field := range reflect.TypeFor[zimsim.Switches]().Fields() {
		if _, ok := switchCases[field.Name]; !ok {
			t.Errorf("no case for %s", field.Name)
		}
	}
}

func TestZeroSwitchesAreTheDefaults(t *testing.T) {
	s := zimsim.New(zimsim.Options{})
	wantEqual(t, "of New", s.Switches(), zimsim.DefaultSwitches())
	changed := zimsim.DefaultSwitches()
	changed.LimitPerAction = true
	s.SetSwitches(changed)
	wantEqual(t, "set", s.Switches(), changed)
	s.SetSwitches(zimsim.Switches{})
	wantEqual(t, "set to zero", s.Switches(), zimsim.DefaultSwitches())
}

func TestKickedOutUserLosesNothingElse(t *testing.T) {
	f := newFixture(t, withSwitch(func(s *zimsim.Switches) { s.KeepAttributesWhileEmpty = false }))
	f.create("r", object{"Attributes": []object{attribute("a", "1")}})
	f.must(f.Enter(appID, "r", "u"))
	f.must(f.Enter(appID, "r", "v"))
	f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "u")
	wantEqual(t, "with v still there", f.attributesOf("r"), map[string]string{"a": "1"})
	f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "v")
	wantEqual(t, "once empty", f.attributesOf("r"), map[string]string{})
}
