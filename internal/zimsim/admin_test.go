package zimsim_test

import (
	"errors"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestCreateRoomAsAClient(t *testing.T) {
	attrs := map[string]zimsim.Attribute{"k2": {Value: "2", AutoDelete: true}, "k1": {Value: "1", Seq: 99}}
	kept := map[string]zimsim.Attribute{"k2": {Value: "2", AutoDelete: true, Seq: 2}, "k1": {Value: "1", Seq: 1}}
	for name, tc := range map[string]struct{ given, want zimsim.Room }{
		"named only": {
			zimsim.Room{ID: "r"},
			zimsim.Room{ID: "r", Creator: "zimsim-client", Members: []string{"zimsim-client"}},
		},
		"with a creator": {
			zimsim.Room{ID: "r", Name: "foreign", Creator: "c", DestroyDelay: time.Hour, Attributes: attrs},
			zimsim.Room{
				ID: "r", Name: "foreign", Creator: "c", DestroyDelay: time.Hour, Members: []string{"c"},
				Attributes: kept, AttributeSeq: 2,
			},
		},
		"with members": {
			zimsim.Room{ID: "r", Members: []string{"u", "v", "u"}},
			zimsim.Room{ID: "r", Creator: "u", Members: []string{"u", "v"}},
		},
		"with what only the simulator decides": {
			zimsim.Room{
				ID: "r", Members: []string{"u"}, CreatedTime: start.Add(-time.Hour), AttributeSeq: 7, Incarnation: 7,
				DiesAt: start,
			},
			zimsim.Room{ID: "r", Creator: "u", Members: []string{"u"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, withApp(func(a *zimsim.App) { a.AttributeLimits.Count, a.MaxDestroyDelay = 1, 1 }))
			f.must(f.CreateRoom(appID, tc.given))
			tc.want.CreatedTime, tc.want.Incarnation, tc.want.EverEntered = start, 1, true
			if tc.want.Attributes == nil {
				tc.want.Attributes = map[string]zimsim.Attribute{}
			}
			wantEqual(t, "rooms", f.Rooms(appID), []zimsim.Room{tc.want})
		})
	}
}

func TestClientsAreNotBoundByTheQuota(t *testing.T) {
	f := newFixture(t, withApp(func(a *zimsim.App) { a.MaxRooms = 1 }))
	f.create("a", nil)
	f.must(f.CreateRoom(appID, zimsim.Room{ID: "b"}))
	f.must(f.EnterOrCreate(appID, "c", "u"))
	wantEqual(t, "rooms", len(f.Rooms(appID)), 3)
}

func TestClientTakesAVanishedRoom(t *testing.T) {
	f := lobby(t)
	f.clock.advance(time.Minute)
	f.must(f.EnterOrCreate(appID, "r", "u"))
	f.wantCode(f.create("r", nil), 660300014)
	wantEqual(t, "AttributeSeq", f.query("r").seq(), 0)
	room, _ := f.Room(appID, "r")
	wantEqual(t, "Incarnation", room.Incarnation, 2)
	f.must(f.Leave(appID, "r", "u"))
	wantEqual(t, "exists once left", f.exists(), false)
}

func TestAdminErrors(t *testing.T) {
	f := lobby(t)
	for name, tc := range map[string]struct{ got, want error }{
		"room exists":           {f.CreateRoom(appID, zimsim.Room{ID: "r"}), zimsim.ErrRoomExists},
		"room without id":       {f.CreateRoom(appID, zimsim.Room{}), zimsim.ErrEmptyID},
		"create, no app":        {f.CreateRoom(7, zimsim.Room{ID: "r"}), zimsim.ErrUnknownApp},
		"destroy, no app":       {f.DestroyRoom(7, "r"), zimsim.ErrUnknownApp},
		"destroy, no room":      {f.DestroyRoom(appID, "x"), zimsim.ErrRoomNotFound},
		"enter, no room":        {f.Enter(appID, "x", "u"), zimsim.ErrRoomNotFound},
		"enter, no user":        {f.Enter(appID, "r", ""), zimsim.ErrEmptyID},
		"enter or create, none": {f.EnterOrCreate(appID, "", "u"), zimsim.ErrEmptyID},
		"leave, not inside":     {f.Leave(appID, "r", "u"), zimsim.ErrNotInRoom},
		"leave, no room":        {f.Leave(appID, "x", "u"), zimsim.ErrRoomNotFound},
		"set, no room":          {f.SetAttribute(appID, "x", "k", "v"), zimsim.ErrRoomNotFound},
		"set, no key":           {f.SetAttribute(appID, "r", "", "v"), zimsim.ErrEmptyID},
		"delete, no key":        {f.DeleteAttribute(appID, "r", "x"), zimsim.ErrAttributeNotFound},
		"register, no app":      {f.RegisterUser(7, "u"), zimsim.ErrUnknownApp},
		"register, no user":     {f.RegisterUser(appID, ""), zimsim.ErrEmptyID},
		"unregister, no user":   {f.UnregisterUser(appID, "u"), zimsim.ErrUserNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if !errors.Is(tc.got, tc.want) {
				t.Errorf("error %v, want %v", tc.got, tc.want)
			}
		})
	}
	wantEqual(t, "rooms of no app", len(f.Rooms(7)), 0)
	wantEqual(t, "users of no app", len(f.Users(7)), 0)
}

func TestUsers(t *testing.T) {
	f := newFixture(t)
	f.must(f.RegisterUser(appID, "b"))
	f.must(f.RegisterUser(appID, "b"))
	f.must(f.EnterOrCreate(appID, "r", "a"))
	f.post("UserRegister", object{"UserInfo": []object{{"UserId": "c", "UserName": "C", "UserAvatar": "http"}}})
	wantEqual(t, "users", f.Users(appID), []zimsim.User{
		{ID: "a", LoggedIn: true}, {ID: "b"}, {ID: "c", Name: "C", Avatar: "http"}, {ID: operator},
	})
	f.must(f.UnregisterUser(appID, "a"))
	room, _ := f.Room(appID, "r")
	wantEqual(t, "members", room.Members, []string{"a"})
}

func TestSetAppKeepsRoomsAndSecret(t *testing.T) {
	f := lobby(t)
	f.SetApp(zimsim.App{AppID: appID, MaxRooms: 1})
	f.SetApp(zimsim.App{AppID: 7, ServerSecret: "other", CallsPerSecond: -1})
	f.wantCode(f.query("r"), 0)
	f.wantCode(f.create("s", nil), 660300015)
	limits := zimsim.AttributeLimits{Count: 20, KeyBytes: 16, ValueBytes: 1024, TotalBytes: 5120}
	wantEqual(t, "apps", f.Apps(), []zimsim.App{
		{AppID: 7, CallsPerSecond: -1, MaxDestroyDelay: 10800, MaxRoomIDBytes: 32, AttributeLimits: limits},
		{AppID: appID, CallsPerSecond: 20, MaxRooms: 1, MaxDestroyDelay: 10800, MaxRoomIDBytes: 32, AttributeLimits: limits},
	})
	f.SetApp(zimsim.App{AppID: appID, ServerSecret: "rotated"})
	f.wantCode(f.query("r"), 100000005)
}

func TestSnapshotsAreCopies(t *testing.T) {
	f := lobby(t)
	f.must(f.Enter(appID, "r", "u"))
	f.must(f.Enter(appID, "r", "v"))
	before, _ := f.Room(appID, "r")
	f.must(f.Leave(appID, "r", "u"))
	wantEqual(t, "members of the snapshot", before.Members, []string{"u", "v"})
	before.Members[0], before.Attributes["a"] = "x", zimsim.Attribute{Value: "x"}
	after, _ := f.Room(appID, "r")
	wantEqual(t, "members", after.Members, []string{"v"})
	wantEqual(t, "attribute", after.Attributes["a"].Value, "1")
	calls := f.Calls()
	calls[0].Action = "x"
	wantEqual(t, "journal", f.Calls()[0].Action, "CreateRoom")
}
