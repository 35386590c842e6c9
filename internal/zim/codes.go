package zim

import (
	"slices"
	"strconv"
)

// Action is an operation of the server API.
type Action string

// The actions that rooms need.
const (
	ActionCreateRoom          Action = "CreateRoom"
	ActionDestroyRoom         Action = "DestroyRoom"
	ActionQueryRoomAttribute  Action = "QueryRoomAttribute"
	ActionModifyRoomAttribute Action = "ModifyRoomAttribute"
	ActionQueryRoomUserList   Action = "QueryRoomUserList"
	ActionUserRegister        Action = "UserRegister"
)

// Class says what a return code asks of the caller. One class, one reaction.
type Class string

const (
	// ClassOK needs nothing more.
	ClassOK Class = "OK"
	// ClassRoomExists means that the room was there before CreateRoom.
	ClassRoomExists Class = "RoomExists"
	// ClassRoomMissing means that there is no such room (any more).
	ClassRoomMissing Class = "RoomMissing"
	// ClassThrottled means too many calls for the AppID: slow down and come back.
	ClassThrottled Class = "Throttled"
	// ClassRoomThrottled means too many calls for this room.
	ClassRoomThrottled Class = "RoomThrottled"
	// ClassRoomQuota means that the account holds as many rooms as its plan allows.
	ClassRoomQuota Class = "RoomQuota"
	// ClassInvalid means that the parameters are wrong: repeating the call can't help.
	ClassInvalid Class = "Invalid"
	// ClassOperator means that the operator user is not registered.
	ClassOperator Class = "Operator"
	// ClassAuth means that ZIM refused the signature.
	ClassAuth Class = "Auth"
	// ClassConfig means that ZIM does not serve this AppID, or calls the request malformed.
	ClassConfig Class = "Config"
	// ClassNotOffered means that the account's plan lacks the action.
	ClassNotOffered Class = "NotOffered"
	// ClassTransient is everything else, no answer and unknown codes included: try again later.
	ClassTransient Class = "Transient"
)

// Classes returns every class, for tests that want to leave none out.
func Classes() []Class {
	return []Class{
		ClassOK, ClassRoomExists, ClassRoomMissing, ClassThrottled, ClassRoomThrottled, ClassRoomQuota, ClassInvalid,
		ClassOperator, ClassAuth, ClassConfig, ClassNotOffered, ClassTransient,
	}
}

// Code is a return code (Code) or the code of one part of an answer (SubCode).
type Code int32

// Codes that are named somewhere in the operator. The table below has all.
const (
	CodeOK                  Code = 0
	CodeAppIDFormat         Code = 100000001
	CodeSignatureExpired    Code = 100000004
	CodeSignatureWrong      Code = 100000005
	CodeServerSecretUnknown Code = 100000010
	CodeAppConfigUnknown    Code = 100000011
	CodeNoProduction        Code = 100000016
	CodeServiceNotEnabled   Code = 100000017
	CodeInvalidParameter    Code = 660000002
	CodeNotOffered          Code = 660000028
	CodeRoomNotFound        Code = 660300001
	CodeFrequencyLimit      Code = 660300005
	CodeRoomEmpty           Code = 660300008
	CodeRoomExists          Code = 660300014
	CodeRoomQuotaExceeded   Code = 660300015
	CodeUserNotRegistered   Code = 660500002
	CodeUserExists          Code = 660700002
)

type codeInfo struct {
	class   Class
	meaning string
}

// codes has one row for every return code that the vendor documents.
//
// https://www.zegocloud.com/docs/zim-server/return-codes and the pages of the actions
var codes = map[Code]codeInfo{
	// Gateway.
	0:         {ClassOK, "success"},
	1:         {ClassTransient, "server busy"},
	2:         {ClassInvalid, "wrong parameter"},
	3:         {ClassAuth, "authentication failed"},
	7:         {ClassThrottled, "too many requests a second"},
	50014:     {ClassTransient, "user name too long"},
	51102:     {ClassOperator, "user does not exist"},
	105001:    {ClassTransient, "database request failed"},
	100000000: {ClassConfig, "wrong host"},
	100000001: {ClassConfig, "AppID has a wrong format"},
	100000002: {ClassConfig, "timestamp is empty"},
	100000003: {ClassConfig, "timestamp has a wrong format"},
	100000004: {ClassAuth, "signature expired"},
	100000005: {ClassAuth, "signature is wrong"},
	100000006: {ClassConfig, "action is empty"},
	100000007: {ClassConfig, "action is not supported"},
	100000008: {ClassConfig, "nonce is empty"},
	100000009: {ClassConfig, "signature is empty"},
	100000010: {ClassConfig, "ZIM found no server secret for the AppID"},
	100000011: {ClassConfig, "ZIM found no configuration for the AppID"},
	100000012: {ClassTransient, "ZIM could not read the request"},
	100000013: {ClassConfig, "signature version is empty"},
	100000014: {ClassConfig, "signature version is not supported"},
	100000015: {ClassTransient, "gateway error"},
	100000016: {ClassConfig, "AppID has no production environment"},
	100000017: {ClassConfig, "service is not enabled for the AppID"},

	// General.
	660000001: {ClassTransient, "server error"},
	660000002: {ClassInvalid, "parameter is missing or illegal"},
	660000003: {ClassTransient, "server error"},
	660000011: {ClassTransient, "too many users in the list"},
	660000012: {ClassInvalid, "user id is longer than 32 bytes"},
	660000013: {ClassTransient, "undescribed"},
	660000015: {ClassTransient, "undescribed"},
	660000022: {ClassTransient, "message not found"},
	660000023: {ClassTransient, "message recalled already"},
	660000024: {ClassTransient, "too late to recall the message"},
	660000025: {ClassTransient, "content is not base64"},
	660000026: {ClassTransient, "not the sender of the message"},
	660000027: {ClassTransient, "room messages are not kept"},
	660000028: {ClassNotOffered, "not offered in the account's plan"},
	660200001: {ClassTransient, "user does not exist or is logged out"},

	// Rooms.
	660300001: {ClassRoomMissing, "room does not exist"},
	660300002: {ClassTransient, "user is not in the room"},
	660300005: {ClassThrottled, "frequency limit of the AppID"},
	660300006: {ClassRoomThrottled, "frequency limit of the room"},
	660300007: {ClassTransient, "ZIM failed to get the room"},
	660300008: {ClassTransient, "room is empty"}, // Success for QueryRoomUserList: see successes.
	660300012: {ClassTransient, "user is not in the room"},
	660300013: {ClassTransient, "room messages have no receipts"},
	660300014: {ClassRoomExists, "room already exists"},
	660300015: {ClassRoomQuota, "number of rooms above the limit"},
	660300019: {ClassTransient, "attribute values too long"},

	// Messages and the operator user.
	660400001: {ClassTransient, "message too large"},
	660400102: {ClassTransient, "too many receipts"},
	660400103: {ClassTransient, "group receipt failed"},
	660400104: {ClassTransient, "one-to-one receipt failed"},
	660500002: {ClassOperator, "operator user is not registered"},
	660500003: {ClassTransient, "limit of messages to all users"},
	660500004: {ClassTransient, "text moderation failed"},
	660500005: {ClassTransient, "text rejected by moderation"},
	660500006: {ClassTransient, "image moderation failed"},
	660500007: {ClassTransient, "image rejected by moderation"},
	660500009: {ClassTransient, "message dropped by a callback"},
	660500010: {ClassTransient, "message rejected by a callback"},

	// Users.
	660700001: {ClassThrottled, "frequency limit of UserRegister"},
	660700002: {ClassTransient, "user already exists"}, // Success for UserRegister: see successes.
	660700006: {ClassTransient, "user name too long"},
	660700007: {ClassTransient, "user avatar too long"},
	660700008: {ClassTransient, "error getting user information"},
	660700012: {ClassOperator, "user does not exist"},
	660700013: {ClassTransient, "query of user information failed"},
	660700015: {ClassOperator, "user is not registered"},
	660700016: {ClassTransient, "sync of user information failed"},
	660700017: {ClassTransient, "update of user information failed"},
}

// otherCodes are documented for actions that rooms do not use. They are transient, like a code that nobody
// documented, but worth no alarm.
var otherCodes = []Code{
	// Groups.
	660600001, 660600003, 660600004, 660600005, 660600006, 660600007, 660600008, 660600009,
	660600010, 660600011, 660600012, 660600013, 660600014, 660600015, 660600016, 660600017,
	660600019, 660600020, 660600021, 660600022, 660600023, 660600024, 660600028, 660600029,
	660600030, 660600032, 660600033,
	// Conversations and friends.
	660800001, 660800002, 660800019, 660800020, 660800021, 660800022, 660800023, 660800024,
	660800025, 660800026, 660800027, 660800028, 660800030, 660800032, 660800033, 660800034,
	660800037, 660800038, 660800039, 660800040, 660800041, 660800042, 660800043, 660800044,
	660800045, 660800046, 660800048, 660800051, 660800052, 660800053, 660800054,
	// Calls, and edits of messages.
	660900003, 660900004, 660900005, 660900006, 660900007, 660900008, 661000001, 661000005,
}

// success is an answer that is none of success by its code, but by what was asked.
type success struct {
	action Action
	code   Code
}

var successes = map[success]bool{
	{ActionQueryRoomUserList, CodeRoomEmpty}: true, // The room exists, with nobody in it.
	{ActionUserRegister, CodeUserExists}:     true, // The user is registered.
	{ActionDestroyRoom, CodeRoomNotFound}:    true, // The room is gone.
}

// Classify returns the class of a code that an action answered. A code that nobody documented is transient.
func Classify(action Action, code Code) Class {
	if successes[success{action, code}] {
		return ClassOK
	}
	if info, known := codes[code]; known {
		return info.class
	}
	return ClassTransient
}

// Documented tells whether the vendor's pages have a code.
func Documented(code Code) bool {
	_, known := codes[code]
	return known || slices.Contains(otherCodes, code)
}

// String returns what a code means, in a few words.
func (c Code) String() string {
	if info, known := codes[c]; known {
		return info.meaning
	}
	return "undocumented code " + strconv.Itoa(int(c))
}
