package zim_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestCreateRoom(t *testing.T) {
	f := newFixture(t)
	got, err := f.client.CreateRoom(t.Context(), zim.CreateRoomRequest{
		FromUserID: operator, RoomID: "room", RoomName: "Räume", DestroyDelay: 90 * time.Minute,
		Attributes: []zim.Attribute{{Key: "a", Value: "1"}, {Key: "b", AutoDelete: true}},
	})
	f.must(err)
	equal(t, "response", got, zim.CreateRoomResponse{AttributeSeq: 2})

	room, exists := f.Room(appID, "room")
	if !exists {
		t.Fatal("there is no room")
	}
	equal(t, "creator", room.Creator, operator)
	equal(t, "name", room.Name, "Räume")
	equal(t, "delay", room.DestroyDelay, 90*time.Minute)
	equal(t, "attributes", room.Attributes, map[string]zimsim.Attribute{
		"a": {Value: "1", Seq: 1}, "b": {AutoDelete: true, Seq: 2},
	})
}

func TestRefusals(t *testing.T) {
	withApp := func(change func(*zimsim.App)) func(*zimsim.Options) {
		return func(options *zimsim.Options) { change(&options.Apps[0]) }
	}
	for name, tc := range map[string]struct {
		options func(*zimsim.Options)
		given   func(*fixture)
		action  zim.Action
		want    zim.Error
	}{
		"the room exists": {
			given:  func(f *fixture) { f.create("room", nil) },
			action: zim.ActionCreateRoom,
			want:   refusal(zim.ActionCreateRoom, zim.CodeRoomExists, zim.ClassRoomExists),
		},
		"as many rooms as the plan allows": {
			options: withApp(func(app *zimsim.App) { app.MaxRooms = 1 }),
			given:   func(f *fixture) { f.create("other", nil) },
			action:  zim.ActionCreateRoom,
			want:    refusal(zim.ActionCreateRoom, zim.CodeRoomQuotaExceeded, zim.ClassRoomQuota),
		},
		"the delay is too long": {
			options: withApp(func(app *zimsim.App) { app.MaxDestroyDelay = 60 }),
			action:  zim.ActionCreateRoom,
			want:    refusal(zim.ActionCreateRoom, zim.CodeInvalidParameter, zim.ClassInvalid),
		},
		"unknown operator user": {
			given:  func(f *fixture) { f.must(f.UnregisterUser(appID, operator)) },
			action: zim.ActionCreateRoom,
			want:   refusal(zim.ActionCreateRoom, zim.CodeUserNotRegistered, zim.ClassOperator),
		},
		"too many calls": {
			given: func(f *fixture) {
				f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: zimsim.CodeAppLimit})
			},
			action: zim.ActionCreateRoom,
			want:   refusal(zim.ActionCreateRoom, zim.CodeFrequencyLimit, zim.ClassThrottled),
		},
		"too many calls for the room": {
			given: func(f *fixture) {
				f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: zimsim.CodeRoomLimit})
			},
			action: zim.ActionQueryRoomUserList,
			want:   refusal(zim.ActionQueryRoomUserList, 660300006, zim.ClassRoomThrottled),
		},
		"not in the plan": {
			given: func(f *fixture) {
				f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: int(zim.CodeNotOffered)})
			},
			action: zim.ActionQueryRoomAttribute,
			want:   refusal(zim.ActionQueryRoomAttribute, zim.CodeNotOffered, zim.ClassNotOffered),
		},
		"a code that nobody documented": {
			given:  func(f *fixture) { f.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660399999}) },
			action: zim.ActionCreateRoom,
			want:   refusal(zim.ActionCreateRoom, 660399999, zim.ClassTransient),
		},
		"service not enabled": {
			options: withApp(func(app *zimsim.App) { app.ServiceDisabled = true }),
			action:  zim.ActionDestroyRoom,
			want:    refusal(zim.ActionDestroyRoom, zim.CodeServiceNotEnabled, zim.ClassConfig),
		},
		"unknown AppID": {
			options: withApp(func(app *zimsim.App) { app.AppID++ }),
			given:   func(*fixture) {},
			action:  zim.ActionUserRegister,
			want:    refusal(zim.ActionUserRegister, zim.CodeServerSecretUnknown, zim.ClassConfig),
		},
		"attributes of a missing room": {
			action: zim.ActionQueryRoomAttribute,
			want:   refusal(zim.ActionQueryRoomAttribute, zim.CodeRoomNotFound, zim.ClassRoomMissing),
		},
		"change of a missing room": {
			action: zim.ActionModifyRoomAttribute,
			want:   refusal(zim.ActionModifyRoomAttribute, zim.CodeRoomNotFound, zim.ClassRoomMissing),
		},
		"members of a missing room": {
			action: zim.ActionQueryRoomUserList,
			want:   refusal(zim.ActionQueryRoomUserList, zim.CodeRoomNotFound, zim.ClassRoomMissing),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, tc.options)
			if tc.given != nil {
				tc.given(f)
			}
			err := act[tc.action](t.Context(), f.client)
			failsWith(t, withoutRequestID(err), tc.want)
			equal(t, "class", zim.ClassOf(err), tc.want.Class)
			equal(t, "code", zim.CodeOf(err), tc.want.Code)

			// The vendor's support asks for the request id.
			failed, _ := errors.AsType[*zim.Error](err)
			journal := f.Calls()
			equal(t, "request id", failed.RequestID, journal[len(journal)-1].RequestID)
		})
	}
}

func TestDestroyRoom(t *testing.T) {
	f := newFixture(t)
	f.create("room", nil, "member")
	f.must(f.client.DestroyRoom(t.Context(), "room"))
	if _, exists := f.Room(appID, "room"); exists {
		t.Error("the room is still there")
	}
	if err := f.client.DestroyRoom(t.Context(), "room"); err != nil {
		t.Errorf("destroying a room that is gone: %v, want no error", err)
	}
}

func TestQueryRoomAttribute(t *testing.T) {
	f := newFixture(t)
	f.create("room", map[string]zimsim.Attribute{"a": {Value: "1"}, "b": {Value: "2", AutoDelete: true}}, "member")
	got, err := f.client.QueryRoomAttribute(t.Context(), operator, "room")
	f.must(err)
	equal(t, "attributes", got, zim.RoomAttributes{
		Seq: 2, Attributes: []zim.Attribute{{Key: "a", Value: "1"}, {Key: "b", Value: "2", AutoDelete: true}},
	})
}

func TestQueryRoomAttributeOfARoomWithoutAny(t *testing.T) {
	f := newFixture(t)
	f.create("room", nil)
	got, err := f.client.QueryRoomAttribute(t.Context(), operator, "room")
	f.must(err)
	equal(t, "attributes", got, zim.RoomAttributes{})
}

func TestModifyRoomAttribute(t *testing.T) {
	change := zim.ModifyRoomAttributeRequest{
		FromUserID: operator, RoomID: "room",
		Set:    []zim.Attribute{{Key: "a", Value: "new"}, {Key: "c", Value: "3", AutoDelete: true}},
		Delete: []string{"b"},
	}
	for name, tc := range map[string]struct {
		faults       []zimsim.Fault
		wantErr      bool
		wantRejected []zim.RejectedAttribute
		wantKeys     []string
	}{
		"all done": {wantKeys: []string{"a", "c"}},
		"one rejected, with success": {
			faults:       []zimsim.Fault{{Kind: zimsim.FaultRefuseKey, Key: "c", SubCode: 660000002}},
			wantRejected: []zim.RejectedAttribute{{Key: "c", SubCode: 660000002}},
			wantKeys:     []string{"a"},
		},
		"one rejected, with a code": {
			faults:       []zimsim.Fault{{Kind: zimsim.FaultRefuseKey, Key: "c", SubCode: 1, Code: 660000002}},
			wantErr:      true,
			wantRejected: []zim.RejectedAttribute{{Key: "c", SubCode: 1}},
			wantKeys:     []string{"a"},
		},
		"two rejected": {
			faults: []zimsim.Fault{
				{Kind: zimsim.FaultRefuseKey, Key: "a", SubCode: 1}, {Kind: zimsim.FaultRefuseKey, Key: "b", SubCode: 2},
			},
			wantRejected: []zim.RejectedAttribute{{Key: "a", SubCode: 1}, {Key: "b", SubCode: 2}},
			wantKeys:     []string{"a", "b", "c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.create("room", map[string]zimsim.Attribute{"a": {Value: "1"}, "b": {Value: "2"}})
			for _, fault := range tc.faults {
				f.inject(fault)
			}
			got, err := f.client.ModifyRoomAttribute(t.Context(), change)
			if tc.wantErr {
				failsWith(t, withoutRequestID(err),
					refusal(zim.ActionModifyRoomAttribute, zim.CodeInvalidParameter, zim.ClassInvalid))
			} else {
				f.must(err)
			}
			room, _ := f.Room(appID, "room")
			equal(t, "rejected", got.Rejected, tc.wantRejected)
			equal(t, "sequence", got.Seq, room.AttributeSeq)
			equal(t, "keys of the room", slices.Sorted(maps.Keys(room.Attributes)), tc.wantKeys)
		})
	}
}

func TestQueryRoomUserList(t *testing.T) {
	for name, tc := range map[string]struct {
		members   []string
		switches  func(*zimsim.Switches)
		wantCount int
	}{
		"empty room, by its code":        {nil, func(*zimsim.Switches) {}, 0},
		"empty room, by a count of 0":    {nil, func(s *zimsim.Switches) { s.UserListOfEmptyRoom = 0 }, 0},
		"one member":                     {[]string{"a"}, func(*zimsim.Switches) {}, 1},
		"more members than on one page":  {[]string{"a", "b", "c"}, func(*zimsim.Switches) {}, 3},
		"last page marked by an empty 0": {[]string{"a"}, func(s *zimsim.Switches) { s.LastPageFlagEmpty = true }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(options *zimsim.Options) { tc.switches(&options.Switches) })
			f.create("room", nil, tc.members...)
			got, err := f.client.QueryRoomUserList(t.Context(), "room")
			f.must(err)
			equal(t, "count", got, tc.wantCount)
		})
	}
}

func TestUserRegister(t *testing.T) {
	f := newFixture(t)
	f.must(f.client.UserRegister(t.Context(), "new"))
	f.must(f.client.UserRegister(t.Context(), "new"))
	journal := f.Calls()
	equal(t, "second answer", zim.Code(journal[len(journal)-1].Code), zim.CodeUserExists)
	equal(t, "users", len(f.Users(appID)), 2) // The fixture's operator is the other.
}

func TestUserRegisterTellsWhatBecameOfTheUser(t *testing.T) {
	f := newFixture(t)
	err := f.client.UserRegister(t.Context(), "a user id that is longer than 32 bytes")
	failsWith(t, withoutRequestID(err), refusal(zim.ActionUserRegister, 660000012, zim.ClassInvalid))
}
