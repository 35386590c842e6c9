package zimsim_test

import (
	"maps"
	"strings"
	"testing"
)

// lobby is a fixture with a room r that holds a=1 and b=2, AttributeSeq 2.
func lobby(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	f.wantCode(f.create("r", object{"Attributes": []object{attribute("a", "1"), attribute("b", "2")}}), 0)
	return f
}

// attributesOf returns the values of a room's attributes.
func (f *fixture) attributesOf(roomID string) map[string]string {
	f.t.Helper()
	room, ok := f.Room(appID, roomID)
	if !ok {
		f.t.Fatal("no such room")
	}
	values := map[string]string{}
	for key, a := range room.Attributes {
		values[key] = a.Value
	}
	return values
}

func TestQueryRoomAttribute(t *testing.T) {
	f := lobby(t)
	got := f.modify("r", object{"Action": 0, "Key": "b", "Value": "3", "AutoDelete": 1})
	f.wantCode(got, 0)
	got = f.query("r")
	f.wantCode(got, 0)
	wantEqual(t, "AttributeSeq", got.seq(), 3)
	wantEqual(t, "Attributes", got.Attributes, []attributeJSON{
		{Key: "a", Value: "1", Seq: 1}, {Key: "b", Value: "3", Seq: 3, AutoDelete: 1},
	})
	f.wantCode(f.query("missing"), 660300001)
	f.wantCode(f.query(""), 660000002)
	f.wantCode(f.post("QueryRoomAttribute", object{"RoomId": "r"}), 660000002)
	f.wantCode(f.post("QueryRoomAttribute", object{"RoomId": "r", "FromUserId": "nobody"}), 660500002)
}

func TestQueryRoomAttributeOfARoomWithoutAny(t *testing.T) {
	f := newFixture(t)
	wantEqual(t, "AttributeSeq of CreateRoom", f.create("r", nil).seq(), 0)
	got := f.query("r")
	if got.seq() != 0 || !strings.Contains(got.raw, `"Attributes":[]`) {
		t.Errorf("answer %s", got.raw)
	}
}

func TestModifyRoomAttribute(t *testing.T) {
	type keys = []keyJSON
	const bad = 660000002
	long := strings.Repeat("x", 17)
	stop := func(item object) object { item["StopOnError"] = 1; return item }
	for name, tc := range map[string]struct {
		items        []object
		seq          int
		succ, failed keys
		want         map[string]string
	}{
		"set a new one": {
			[]object{set("c", "3")}, 3, keys{{Key: "c", Seq: 3}}, nil, map[string]string{"a": "1", "b": "2", "c": "3"},
		},
		"overwrite": {[]object{set("a", "9")}, 3, keys{{Key: "a", Seq: 3}}, nil, map[string]string{"a": "9", "b": "2"}},
		"delete":    {[]object{remove("a")}, 3, keys{{Key: "a", Seq: 3}}, nil, map[string]string{"b": "2"}},
		"several": {
			[]object{set("a", "9"), remove("b"), set("c", "3")}, 5,
			keys{{Key: "a", Seq: 3}, {Key: "b", Seq: 4}, {Key: "c", Seq: 5}}, nil, map[string]string{"a": "9", "c": "3"},
		},
		"the same key twice": {
			[]object{set("a", "8"), set("a", "9")}, 4, keys{{Key: "a", Seq: 3}, {Key: "a", Seq: 4}}, nil,
			map[string]string{"a": "9", "b": "2"},
		},
		"set without a value": {
			[]object{{"Action": 0, "Key": "a"}}, 3, keys{{Key: "a", Seq: 3}}, nil, map[string]string{"a": "", "b": "2"},
		},
		"one refused in the middle": {
			[]object{set("a", "9"), set(long, "x"), set("c", "3")}, 4,
			keys{{Key: "a", Seq: 3}, {Key: "c", Seq: 4}}, keys{{Key: long, SubCode: bad}},
			map[string]string{"a": "9", "b": "2", "c": "3"},
		},
		"stop at the refused one": {
			[]object{set("a", "9"), stop(set(long, "x")), set("c", "3")}, 3,
			keys{{Key: "a", Seq: 3}}, keys{{Key: long, SubCode: bad}}, map[string]string{"a": "9", "b": "2"},
		},
		"only another one would stop": {
			[]object{stop(set("a", "9")), set(long, "x"), set("c", "3")}, 4,
			keys{{Key: "a", Seq: 3}, {Key: "c", Seq: 4}}, keys{{Key: long, SubCode: bad}},
			map[string]string{"a": "9", "b": "2", "c": "3"},
		},
		"value too long": {
			[]object{set("a", strings.Repeat("x", 1025))}, 2,
			nil, keys{{Key: "a", SubCode: bad}}, map[string]string{"a": "1", "b": "2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := lobby(t)
			got := f.modify("r", tc.items...)
			f.wantCode(got, 0)
			wantEqual(t, "AttributeSeq", got.seq(), tc.seq)
			wantEqual(t, "SuccKeyList", got.SuccKeyList, tc.succ)
			wantEqual(t, "ErrKeyList", got.ErrKeyList, tc.failed)
			wantEqual(t, "attributes", f.attributesOf("r"), tc.want)
			wantEqual(t, "AttributeSeq kept", f.query("r").seq(), tc.seq)
		})
	}
}

func TestModifyRoomAttributeRefusesBadRequestsWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		body object
		want int
	}{
		"no Attributes":     {object{"Attributes": nil}, 660000002},
		"empty Attributes":  {object{"Attributes": []object{}}, 660000002},
		"no Action":         {object{"Attributes": []object{set("a", "9"), attribute("a", "9")}}, 660000002},
		"Action 2":          {object{"Attributes": []object{{"Action": 2, "Key": "a"}}}, 660000002},
		"no Key":            {object{"Attributes": []object{{"Action": 1}}}, 660000002},
		"Value a number":    {object{"Attributes": []object{{"Action": 0, "Key": "a", "Value": 9}}}, 660000002},
		"StopOnError 2":     {object{"Attributes": []object{{"Action": 0, "Key": "a", "StopOnError": 2}}}, 660000002},
		"no FromUserId":     {object{"FromUserId": ""}, 660000002},
		"nobody":            {object{"FromUserId": "nobody"}, 660500002},
		"a room not there":  {object{"RoomId": "missing"}, 660300001},
		"RoomId not usable": {object{"RoomId": "a/b"}, 660000002},
	} {
		t.Run(name, func(t *testing.T) {
			f := lobby(t)
			body := object{"FromUserId": operator, "RoomId": "r", "Attributes": []object{set("a", "9")}}
			maps.Copy(body, tc.body)
			f.wantCode(f.post("ModifyRoomAttribute", body), tc.want)
			wantEqual(t, "attributes", f.attributesOf("r"), map[string]string{"a": "1", "b": "2"})
		})
	}
}

func TestAttributeLimitsOfModify(t *testing.T) {
	f := newFixture(t)
	f.create("r", object{"Attributes": attributes(20, 1)})
	got := f.modify("r", set("21st", "x"), set("00", "y"), remove("01"), set("21st", "z"))
	wantEqual(t, "SuccKeyList", got.SuccKeyList,
		[]keyJSON{{Key: "00", Seq: 21}, {Key: "01", Seq: 22}, {Key: "21st", Seq: 23}})
	wantEqual(t, "ErrKeyList", got.ErrKeyList, []keyJSON{{Key: "21st", SubCode: 660000002}})

	f.create("full", object{"Attributes": attributes(5, 1022)})
	got = f.modify("full", set("00", strings.Repeat("v", 1023)), set("00", strings.Repeat("v", 1022)))
	wantEqual(t, "ErrKeyList of a full room", got.ErrKeyList, []keyJSON{{Key: "00", SubCode: 660000002}})
	wantEqual(t, "AttributeSeq of a full room", got.seq(), 6)
}

func TestAutoDeleteWaitsForItsUserToLeave(t *testing.T) {
	f := newFixture(t)
	f.create("r", object{"Attributes": []object{{"Key": "own", "Value": "1", "AutoDelete": 1}, attribute("stays", "2")}})
	f.must(f.RegisterUser(appID, "v"))
	f.wantCode(f.post("ModifyRoomAttribute", object{"FromUserId": "v", "RoomId": "r", "Attributes": []object{
		{"Action": 0, "Key": "others", "Value": "3", "AutoDelete": 1},
	}}), 0)
	for _, user := range []string{operator, "u", "v"} {
		f.must(f.Enter(appID, "r", user))
	}
	f.must(f.Leave(appID, "r", "u"))
	wantEqual(t, "after another left", f.attributesOf("r"), map[string]string{"own": "1", "stays": "2", "others": "3"})
	f.must(f.Leave(appID, "r", operator))
	wantEqual(t, "after the operator left", f.attributesOf("r"), map[string]string{"stays": "2", "others": "3"})
	wantEqual(t, "AttributeSeq", f.query("r").seq(), 4)
	f.wantCode(f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "v"), 0)
	wantEqual(t, "after v was removed", f.attributesOf("r"), map[string]string{"stays": "2"})
}

func TestChangesBehindTheOperatorsBackCount(t *testing.T) {
	f := lobby(t)
	f.must(f.SetAttribute(appID, "r", "a", "drift"))
	f.must(f.DeleteAttribute(appID, "r", "b"))
	got := f.query("r")
	wantEqual(t, "AttributeSeq", got.seq(), 4)
	wantEqual(t, "Attributes", got.Attributes, []attributeJSON{{Key: "a", Value: "drift", Seq: 3}})
}
