package zimsim_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestQueryRoomUserList(t *testing.T) {
	f := newFixture(t)
	f.wantCode(f.get("QueryRoomUserList", "RoomId", "r"), 660300001)
	f.create("r", nil)
	f.wantCode(f.get("QueryRoomUserList", "RoomId", "r"), 660300008)
	f.post("UserRegister", object{"UserInfo": []object{{"UserId": "bbb", "UserName": "UserB"}}})
	f.must(f.Enter(appID, "r", "bbb"))
	f.must(f.Enter(appID, "r", "aaa"))
	for _, tc := range []struct {
		mode string
		want []userJSON
	}{
		{"", []userJSON{{UserID: "bbb", UserName: "UserB"}, {UserID: "aaa"}}},
		{"0", []userJSON{{UserID: "bbb", UserName: "UserB"}, {UserID: "aaa"}}},
		{"1", []userJSON{{UserID: "aaa"}, {UserID: "bbb", UserName: "UserB"}}},
	} {
		got := f.get("QueryRoomUserList", "RoomId", "r", "Mode", tc.mode)
		f.wantCode(got, 0)
		wantEqual(t, "UserList in mode "+tc.mode, got.UserList, tc.want)
		wantEqual(t, "Count and NextFlag", fmt.Sprintf("%d %s", *got.Count, *got.NextFlag), "2 0")
	}
}

func TestQueryRoomUserListParameters(t *testing.T) {
	f := newFixture(t)
	f.must(f.EnterOrCreate(appID, "r", "u"))
	for name, tc := range map[string]struct {
		parameters []string
		want       int
	}{
		"no RoomId":        {nil, 660000002},
		"empty RoomId":     {[]string{"RoomId", ""}, 660000002},
		"bad RoomId":       {[]string{"RoomId", `a"`}, 660000002},
		"Mode 2":           {[]string{"RoomId", "r", "Mode", "2"}, 660000002},
		"Limit no number":  {[]string{"RoomId", "r", "Limit", "x"}, 660000002},
		"Limit negative":   {[]string{"RoomId", "r", "Limit", "-1"}, 660000002},
		"Limit 0":          {[]string{"RoomId", "r", "Limit", "0"}, 0},
		"Limit above 500":  {[]string{"RoomId", "r", "Limit", "501"}, 0},
		"empty Limit":      {[]string{"RoomId", "r", "Limit", ""}, 0},
		"NextFlag no page": {[]string{"RoomId", "r", "NextFlag", "x"}, 660000002},
		"NextFlag below 0": {[]string{"RoomId", "r", "NextFlag", "-1"}, 660000002},
		"NextFlag too far": {[]string{"RoomId", "r", "NextFlag", "2147483647"}, 0},
	} {
		if got := f.get("QueryRoomUserList", tc.parameters...); got.Code != tc.want {
			t.Errorf("%s: Code = %d, want %d", name, got.Code, tc.want)
		}
	}
}

func TestPagesOfTheUserList(t *testing.T) {
	for name, tc := range map[string]struct {
		limit        string
		emptyFlag    bool
		sizes, flags string
	}{
		"as in the example":     {"100", false, "100 100 50", "1 2 0"},
		"no remainder":          {"125", false, "125 125", "1 0"},
		"one page":              {"", false, "250", "0"},
		"ending with emptiness": {"200", true, "200 50", "1 "},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, withSwitch(func(s *zimsim.Switches) { s.LastPageFlagEmpty = tc.emptyFlag }))
			for i := range 250 {
				f.must(f.EnterOrCreate(appID, "r", strconv.Itoa(i)))
			}
			var sizes, flags []string
			seen := map[string]bool{}
			flag := ""
			for {
				got := f.get("QueryRoomUserList", "RoomId", "r", "Limit", tc.limit, "NextFlag", flag)
				wantEqual(t, "Count", *got.Count, 250)
				for _, u := range got.UserList {
					seen[u.UserID] = true
				}
				flag = *got.NextFlag
				sizes, flags = append(sizes, strconv.Itoa(len(got.UserList))), append(flags, flag)
				if flag == "" || flag == "0" {
					break
				}
			}
			wantEqual(t, "sizes", strings.Join(sizes, " "), tc.sizes)
			wantEqual(t, "flags", strings.Join(flags, " "), tc.flags)
			wantEqual(t, "members seen", len(seen), 250)
		})
	}
}

func TestPagesHaveAtMost500Members(t *testing.T) {
	f := newFixture(t)
	for i := range 501 {
		f.must(f.EnterOrCreate(appID, "r", strconv.Itoa(i)))
	}
	for _, limit := range []string{"", "0", "500", "1000"} {
		got := f.get("QueryRoomUserList", "RoomId", "r", "Limit", limit)
		wantEqual(t, "members with Limit "+limit, len(got.UserList), 500)
	}
}

func TestKickoutRoomUser(t *testing.T) {
	f := newFixture(t)
	f.must(f.CreateRoom(appID, zimsim.Room{ID: "r", Members: []string{"u", "v", "w"}}))
	many := make([]string, 0, 104)
	many = append(many, "RoomId", "r")
	for i := range 51 {
		many = append(many, "UserId[]", strconv.Itoa(i))
	}
	f.wantCode(f.get("KickoutRoomUser", "RoomId", "r"), 660000002)
	f.wantCode(f.get("KickoutRoomUser", many...), 660000011)
	f.wantCode(f.get("KickoutRoomUser", many[:len(many)-2]...), 660300002)
	f.wantCode(f.get("KickoutRoomUser", "RoomId", "missing", "UserId[]", "u"), 660300001)
	f.wantCode(f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "u", "FromUserId", "nobody"), 660500002)
	f.wantCode(f.get("KickoutRoomUser", "RoomId", "r", "UserId[]", "u", "UserId[]", "x", "UserId[]", "w"), 0)
	room, _ := f.Room(appID, "r")
	wantEqual(t, "members", room.Members, []string{"v"})
}

func TestUserRegister(t *testing.T) {
	type users = []userJSON
	long := strings.Repeat("u", 33)
	for name, tc := range map[string]struct {
		users  any
		code   int
		failed users
		want   string
	}{
		"new ones": {[]object{{"UserId": "a", "UserName": "A", "UserAvatar": "http"}, {"UserId": "b"}}, 0, nil, "a b op"},
		"one exists": {
			[]object{{"UserId": "a"}, {"UserId": operator}}, 0,
			users{{UserID: operator, SubCode: 660700002, SubMessage: "user already exists"}}, "a op",
		},
		"all exist": {
			[]object{{"UserId": operator}}, 660700002,
			users{{UserID: operator, SubCode: 660700002, SubMessage: "user already exists"}}, "op",
		},
		"the same twice": {
			[]object{{"UserId": "a"}, {"UserId": "a"}}, 0,
			users{{UserID: "a", SubCode: 660700002, SubMessage: "user already exists"}}, "a op",
		},
		"UserId too long": {
			[]object{{"UserId": long}}, 660000012,
			users{{UserID: long, SubCode: 660000012, SubMessage: "user length limit"}}, "op",
		},
		"UserId empty": {
			[]object{{"UserId": ""}}, 660000002, users{{SubCode: 660000002, SubMessage: "parameter error"}}, "op",
		},
		"UserId with a slash": {
			[]object{{"UserId": "a/b"}, {"UserId": "b"}}, 0,
			users{{UserID: "a/b", SubCode: 660000002, SubMessage: "parameter error"}}, "b op",
		},
		"UserName too long": {
			[]object{
				{"UserId": "a", "UserName": strings.Repeat("n", 257)}, {"UserId": "b", "UserName": strings.Repeat("n", 256)},
			}, 0,
			users{{UserID: "a", SubCode: 660700006, SubMessage: "user name length limit"}}, "b op",
		},
		"UserAvatar too long": {
			[]object{
				{"UserId": "a", "UserAvatar": strings.Repeat("n", 501)}, {"UserId": "b", "UserAvatar": strings.Repeat("n", 500)},
			}, 0,
			users{{UserID: "a", SubCode: 660700007, SubMessage: "user avatar length limit"}}, "b op",
		},
		"UserId a number": {[]object{{"UserId": 5}}, 660000002, nil, "op"},
		"no UserInfo":     {nil, 660000002, nil, "op"},
		"empty UserInfo":  {[]object{}, 660000002, nil, "op"},
		"101 users":       {manyUsers(101), 660000011, nil, "op"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			got := f.post("UserRegister", object{"UserInfo": tc.users})
			f.wantCode(got, tc.code)
			wantEqual(t, "ErrorList", got.ErrorList, tc.failed)
			all := f.Users(appID)
			ids := make([]string, 0, len(all))
			for _, u := range all {
				ids = append(ids, u.ID)
			}
			wantEqual(t, "users", strings.Join(ids, " "), tc.want)
		})
	}
}

func manyUsers(n int) []object {
	list := make([]object, n)
	for i := range list {
		list[i] = object{"UserId": strconv.Itoa(i)}
	}
	return list
}

func TestRegisteredUserMayOperate(t *testing.T) {
	f := newFixture(t)
	create := func(user string) response { return f.create("by "+user, object{"FromUserId": user}) }
	f.wantCode(create("u"), 660500002)
	f.wantCode(f.post("UserRegister", object{"UserInfo": manyUsers(100)}), 0)
	f.wantCode(create("99"), 0)
	f.must(f.EnterOrCreate(appID, "x", "u"))
	f.wantCode(create("u"), 0)
	f.must(f.UnregisterUser(appID, "99"))
	f.wantCode(f.create("again", object{"FromUserId": "99"}), 660500002)
}
