package zimsim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestCreateRoom(t *testing.T) {
	f := newFixture(t)
	got := f.create("Room1", object{
		"RoomName": "RoomName1", "DestroyDelayTime": 3600,
		"Attributes": []object{attribute("k1", "v1"), {"Key": "k2", "Value": "v2", "AutoDelete": 1}},
	})
	f.wantCode(got, 0)
	wantEqual(t, "AttributeSeq", got.seq(), 2)
	wantEqual(t, "Message", got.Message, "success")
	room, ok := f.Room(appID, "Room1")
	if !ok {
		t.Fatal("no room")
	}
	wantEqual(t, "room", room, zimsim.Room{
		ID: "Room1", Name: "RoomName1", DestroyDelay: time.Hour, CreatedTime: start, Creator: operator,
		Attributes: map[string]zimsim.Attribute{
			"k1": {Value: "v1", Seq: 1}, "k2": {Value: "v2", Seq: 2, AutoDelete: true},
		},
		AttributeSeq: 2, Incarnation: 1, DiesAt: start.Add(time.Hour),
	})
	f.wantCode(f.create("Room1", nil), 660300014)
}

func TestCreateRoomCountsEveryAttributeGiven(t *testing.T) {
	f := newFixture(t)
	given := []object{attribute("a", "1"), attribute("a", "1"), attribute("a", "2")}
	wantEqual(t, "AttributeSeq", f.create("r", object{"Attributes": given}).seq(), 3)
	wantEqual(t, "attributes", f.attributesOf("r"), map[string]string{"a": "2"})
}

func TestCreateRoomParameters(t *testing.T) {
	const bad, good = 660000002, 0
	all, longest := "!#$%&()+-:;<=.>?@[]^_ {}|~azAZ09", strings.Repeat("u", 32)
	for name, tc := range map[string]struct {
		extra object
		want  int
	}{
		"every allowed character":     {object{"RoomId": all}, good},
		"32 bytes of RoomId":          {object{"RoomId": strings.Repeat("a", 32)}, good},
		"33 bytes of RoomId":          {object{"RoomId": strings.Repeat("a", 33)}, bad},
		"empty RoomId":                {object{"RoomId": ""}, bad},
		"RoomId null":                 {object{"RoomId": nil}, bad},
		"RoomId a number":             {object{"RoomId": 5}, bad},
		"RoomId with an umlaut":       {object{"RoomId": "ä"}, bad},
		"RoomId with a line break":    {object{"RoomId": "a\n"}, bad},
		"no FromUserId":               {object{"FromUserId": nil}, bad},
		"empty FromUserId":            {object{"FromUserId": ""}, bad},
		"33 bytes of FromUserId":      {object{"FromUserId": strings.Repeat("a", 33)}, bad},
		"FromUserId with a slash":     {object{"FromUserId": "a/b"}, bad},
		"32 bytes of FromUserId":      {object{"FromUserId": longest}, good},
		"64 bytes of RoomName":        {object{"RoomName": strings.Repeat("ä", 32)}, good},
		"65 bytes of RoomName":        {object{"RoomName": strings.Repeat("ä", 32) + "a"}, bad},
		"RoomName a number":           {object{"RoomName": 1}, bad},
		"the longest delay":           {object{"DestroyDelayTime": 10800}, good},
		"a longer delay":              {object{"DestroyDelayTime": 10801}, bad},
		"a negative delay":            {object{"DestroyDelayTime": -1}, bad},
		"a fraction of a delay":       {object{"DestroyDelayTime": 1.5}, bad},
		"a whole delay as a fraction": {object{"DestroyDelayTime": 60.0}, good},
		"a delay in a string":         {object{"DestroyDelayTime": "60"}, bad},
		"a delay beyond reason":       {object{"DestroyDelayTime": 1e300}, bad},
		"Attributes an object":        {object{"Attributes": object{}}, bad},
		"Attributes of strings":       {object{"Attributes": []string{"a"}}, bad},
		"no Attributes at all":        {object{"Attributes": []object{}}, good},
		"an attribute without Key":    {object{"Attributes": []object{{"Value": "v"}}}, bad},
		"an attribute without Value":  {object{"Attributes": []object{{"Key": "k"}}}, bad},
		"an empty value":              {object{"Attributes": []object{attribute("k", "")}}, good},
		"AutoDelete 2":                {object{"Attributes": []object{{"Key": "k", "Value": "v", "AutoDelete": 2}}}, bad},
		"20 attributes":               {object{"Attributes": attributes(20, 1)}, good},
		"21 attributes":               {object{"Attributes": attributes(21, 1)}, bad},
		"16 bytes of key":             {object{"Attributes": []object{attribute(strings.Repeat("k", 16), "v")}}, good},
		"17 bytes of key":             {object{"Attributes": []object{attribute(strings.Repeat("k", 17), "v")}}, bad},
		"1024 bytes of value":         {object{"Attributes": []object{attribute("k", strings.Repeat("v", 1024))}}, good},
		"1025 bytes of value":         {object{"Attributes": []object{attribute("k", strings.Repeat("v", 1025))}}, bad},
		"5120 bytes in total":         {object{"Attributes": attributes(5, 1022)}, good},
		"5125 bytes in total":         {object{"Attributes": attributes(5, 1023)}, bad},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.post("UserRegister", object{"UserInfo": []object{{"UserId": longest}}})
			f.wantCode(f.create("r", tc.extra), tc.want)
			wantEqual(t, "rooms", len(f.Rooms(appID)) == 1, tc.want == good)
		})
	}
}

// attributes returns n attributes with keys of two bytes.
func attributes(n, valueBytes int) []object {
	list := make([]object, n)
	for i := range list {
		list[i] = attribute(fmt.Sprintf("%02d", i), strings.Repeat("v", valueBytes))
	}
	return list
}

func TestAppLimitsAreConfigurable(t *testing.T) {
	f := newFixture(t, withApp(func(a *zimsim.App) {
		a.MaxDestroyDelay, a.DefaultDestroyDelay, a.MaxRoomIDBytes = 20, 10, 40
		a.AttributeLimits = zimsim.AttributeLimits{Count: 2, KeyBytes: 3, ValueBytes: 4, TotalBytes: 9}
	}))
	f.wantCode(f.create("r", object{"DestroyDelayTime": 21}), 660000002)
	f.wantCode(f.create(strings.Repeat("a", 41), object{"DestroyDelayTime": 20}), 660000002)
	f.wantCode(f.create(strings.Repeat("a", 40), object{"DestroyDelayTime": 20}), 0)
	for name, tc := range map[string]struct {
		attributes []object
		want       int
	}{
		"count": {[]object{attribute("a", ""), attribute("b", ""), attribute("c", "")}, 660000002},
		"key":   {[]object{attribute("aaaa", "")}, 660000002},
		"value": {[]object{attribute("a", "12345")}, 660000002},
		"total": {[]object{attribute("a", "1234"), attribute("b", "1234")}, 660000002},
		"fits":  {[]object{attribute("a", "1234"), attribute("b", "123")}, 0},
	} {
		f.wantCode(f.create(name, object{"DestroyDelayTime": nil, "Attributes": tc.attributes}), tc.want)
	}
	room, _ := f.Room(appID, "fits")
	wantEqual(t, "default delay", room.DestroyDelay, 10*time.Second)
	unlimited := zimsim.AttributeLimits{Count: -1, KeyBytes: -1, ValueBytes: -1, TotalBytes: -1}
	f.SetApp(zimsim.App{AppID: appID, CallsPerSecond: -1, AttributeLimits: unlimited})
	f.wantCode(f.create("unlimited", object{"Attributes": attributes(30, 2000)}), 0)
}

func TestRoomQuotaCountsRoomsThatExist(t *testing.T) {
	f := newFixture(t, withApp(func(a *zimsim.App) { a.MaxRooms = 2 }))
	f.wantCode(f.create("a", nil), 0)
	f.wantCode(f.create("b", nil), 0)
	f.wantCode(f.create("c", nil), 660300015)
	f.wantCode(f.create("a", nil), 660300014)
	f.wantCode(f.get("DestroyRoom", "RoomId", "a"), 0)
	f.wantCode(f.create("c", nil), 0)
	f.clock.advance(time.Minute)
	f.wantCode(f.create("d", nil), 0)
}

func TestDestroyRoom(t *testing.T) {
	f := newFixture(t)
	f.must(f.CreateRoom(appID, zimsim.Room{ID: "a#b?c&d%e f", Members: []string{"u", "v"}, DestroyDelay: time.Hour}))
	f.wantCode(f.get("DestroyRoom"), 660000002)
	f.wantCode(f.get("DestroyRoom", "RoomId", "a/b"), 660000002)
	f.wantCode(f.get("DestroyRoom", "RoomId", "a#b?c&d%e f", "FromUserId", "nobody"), 660500002)
	f.wantCode(f.get("DestroyRoom", "RoomId", "a#b?c&d%e f", "FromUserId", operator), 0)
	f.wantCode(f.get("DestroyRoom", "RoomId", "a#b?c&d%e f"), 660300001)
	wantEqual(t, "rooms", f.Rooms(appID), []zimsim.Room{})
}

func TestRecreatedRoomBeginsAnew(t *testing.T) {
	f := newFixture(t)
	f.create("r", object{"Attributes": []object{attribute("a", "1"), attribute("b", "2")}})
	f.wantCode(f.get("DestroyRoom", "RoomId", "r"), 0)
	f.clock.advance(time.Second)
	wantEqual(t, "AttributeSeq", f.create("r", object{"Attributes": []object{attribute("c", "3")}}).seq(), 1)
	room, _ := f.Room(appID, "r")
	wantEqual(t, "room", room, zimsim.Room{
		ID: "r", Creator: operator, CreatedTime: start.Add(time.Second), DestroyDelay: time.Minute, Incarnation: 2,
		AttributeSeq: 1, Attributes: map[string]zimsim.Attribute{"c": {Value: "3", Seq: 1}},
		DiesAt: start.Add(61 * time.Second),
	})
}

func TestAppsAreApart(t *testing.T) {
	f := newFixture(t)
	f.SetApp(zimsim.App{AppID: 7, ServerSecret: "other"})
	f.create("r", nil)
	wantEqual(t, "rooms of the other app", f.Rooms(7), []zimsim.Room{})
	wantEqual(t, "users of the other app", f.Users(7), []zimsim.User{})
	f.must(f.EnterOrCreate(7, "r", "u"))
	f.must(f.DestroyRoom(7, "r"))
	if !f.exists() {
		t.Error("the room of the first app went with the other's")
	}
}

func TestEventsOfARoomsLife(t *testing.T) {
	f := newFixture(t)
	f.create("r", object{"DestroyDelayTime": 30})
	f.must(f.Enter(appID, "r", "u"))
	f.must(f.Enter(appID, "r", "v"))
	f.must(f.Enter(appID, "r", "v"))
	f.must(f.Leave(appID, "r", "u"))
	f.wantCode(f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "v", "FromUserId", operator), 0)
	f.clock.advance(time.Hour)
	f.must(f.EnterOrCreate(appID, "r", "w"))
	f.wantCode(f.get("DestroyRoom", "RoomId", "r", "FromUserId", operator), 0)
	type event = zimsim.Event
	late := start.Add(time.Hour)
	want := []event{
		{Kind: "room_create", Operator: operator, Incarnation: 1, Time: start},
		{Kind: "room_enter", Operator: "u", UserIDs: []string{"u"}, Incarnation: 1, Time: start},
		{Kind: "room_enter", Operator: "v", UserIDs: []string{"v"}, Incarnation: 1, Time: start},
		{Kind: "room_exit", Reason: "Quit", Operator: "u", UserIDs: []string{"u"}, Incarnation: 1, Time: start},
		{Kind: "room_exit", Reason: "Kickout", Operator: operator, UserIDs: []string{"v"}, Incarnation: 1, Time: start},
		// Nobody looked for an hour, but it died when its delay ended.
		{Kind: "room_destroy", Reason: "Empty", Incarnation: 1, Time: start.Add(30 * time.Second)},
		{Kind: "room_create", Operator: "w", Incarnation: 2, Time: late},
		{Kind: "room_enter", Operator: "w", UserIDs: []string{"w"}, Incarnation: 2, Time: late},
		{Kind: "room_destroy", Reason: "Destroyed", Operator: operator, UserIDs: []string{"w"}, Incarnation: 2, Time: late},
	}
	got := f.Events(zimsim.EventFilter{})
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(event{}, "AppID", "RoomID"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	wantEqual(t, "AppID and RoomID", fmt.Sprintf("%d %s", got[0].AppID, got[0].RoomID), "12345 r")
}
