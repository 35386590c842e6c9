package zimsim

import "strconv"

// NoCode is the Call.Code of a call whose caller received no code at all: the connection was cut, or the answer was
// not the vendor's JSON.
const NoCode = -1

// The vendor's return codes that the simulator answers by itself; a fault can answer any other.
// https://www.zegocloud.com/docs/zim-server/return-codes
const (
	CodeSuccess                     = 0
	CodeInputParameter              = 2
	CodeWrongHost                   = 100000000
	CodeAppIDFormat                 = 100000001
	CodeTimestampEmpty              = 100000002
	CodeTimestampFormat             = 100000003
	CodeSignatureExpired            = 100000004
	CodeSignatureWrong              = 100000005
	CodeActionEmpty                 = 100000006
	CodeActionNotSupported          = 100000007
	CodeNonceEmpty                  = 100000008
	CodeSignatureEmpty              = 100000009
	CodeNoServerSecret              = 100000010
	CodeNoAppConfiguration          = 100000011
	CodeBodyUnreadable              = 100000012
	CodeSignatureVersionEmpty       = 100000013
	CodeSignatureVersionUnsupported = 100000014
	CodeServiceDisabled             = 100000017
	CodeParameterError              = 660000002
	CodeTooManyUsers                = 660000011
	CodeUserIDTooLong               = 660000012
	CodeRoomNotExist                = 660300001
	CodeUserNotInRoom               = 660300002
	CodeAppLimit                    = 660300005
	CodeRoomLimit                   = 660300006
	CodeRoomEmpty                   = 660300008
	CodeMemberNotInRoom             = 660300012
	CodeRoomExists                  = 660300014
	CodeTooManyRooms                = 660300015
	CodeOperatorNotRegistered       = 660500002
	CodeRegisterLimit               = 660700001
	CodeUserExists                  = 660700002
	CodeUserNameTooLong             = 660700006
	CodeUserAvatarTooLong           = 660700007
)

// lastGatewayCode ends the block of codes that the vendor's gateway answers before an action sees the call.
const lastGatewayCode = CodeServiceDisabled

// messages are the simulator's own words: the vendor publishes no catalogue, and only "success" and
// "user length limit" appear in samples.
var messages = map[int]string{ //nolint:gosec // The names of what is wrong, no credentials.
	CodeSuccess:                     "success",
	CodeInputParameter:              "input parameter error",
	CodeWrongHost:                   "wrong host",
	CodeAppIDFormat:                 "AppId format error",
	CodeTimestampEmpty:              "Timestamp is empty",
	CodeTimestampFormat:             "Timestamp format error",
	CodeSignatureExpired:            "signature expired",
	CodeSignatureWrong:              "signature error",
	CodeActionEmpty:                 "Action is empty",
	CodeActionNotSupported:          "Action is not supported",
	CodeNonceEmpty:                  "SignatureNonce is empty",
	CodeSignatureEmpty:              "Signature is empty",
	CodeNoServerSecret:              "failed to get ServerSecret",
	CodeNoAppConfiguration:          "failed to get App configuration",
	CodeBodyUnreadable:              "failed to read body",
	CodeSignatureVersionEmpty:       "SignatureVersion is empty",
	CodeSignatureVersionUnsupported: "SignatureVersion is not supported",
	CodeServiceDisabled:             "service is not enabled",
	CodeParameterError:              "parameter error",
	CodeTooManyUsers:                "too many users",
	CodeUserIDTooLong:               "user length limit",
	CodeRoomNotExist:                "room does not exist",
	CodeUserNotInRoom:               "user is not in the room",
	CodeAppLimit:                    "frequency limit",
	CodeRoomLimit:                   "room frequency limit",
	CodeRoomEmpty:                   "room is empty",
	CodeMemberNotInRoom:             "user is not in the given room",
	CodeRoomExists:                  "room already exists",
	CodeTooManyRooms:                "room number exceeds the upper limit",
	CodeOperatorNotRegistered:       "operator is not registered",
	CodeRegisterLimit:               "frequency limit",
	CodeUserExists:                  "user already exists",
	CodeUserNameTooLong:             "user name length limit",
	CodeUserAvatarTooLong:           "user avatar length limit",
}

// messageOf returns the text that goes with a code, also for codes that only faults answer.
func messageOf(code int) string {
	if text, ok := messages[code]; ok {
		return text
	}
	return "error " + strconv.Itoa(code)
}

// isGatewayCode tells whether the vendor's gateway answers the code, rather than an action.
func isGatewayCode(code int) bool { return code >= CodeWrongHost && code <= lastGatewayCode }
