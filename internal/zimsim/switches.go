package zimsim

// Switches decide what the vendor's pages leave open or contradict. Take DefaultSwitches and change what you need.
// A change applies to calls from then on; timers that already run keep running.
type Switches struct {
	// TimerStartsAtCreation lets DestroyDelayTime run from creation in a room that nobody has entered yet. No page says;
	// the parameter is defined as the delay while there are 0 members. False: such a room lives until it is destroyed
	// or has been entered and left. Default true.
	TimerStartsAtCreation bool `json:"timerStartsAtCreation"`
	// KeepAttributesWhileEmpty keeps a room's attributes when its last member leaves (release notes of 2025-08-08).
	// False: they go at that moment (create page). What is set later, while the room is empty, stays. Default true.
	KeepAttributesWhileEmpty bool `json:"keepAttributesWhileEmpty"`
	// KeepAttributesOfNeverEntered keeps the attributes given to CreateRoom although nobody is in the room. False: they
	// are lost at once, after an answer that says nothing of it. Default true.
	KeepAttributesOfNeverEntered bool `json:"keepAttributesOfNeverEntered"`
	// RoomIDReuseSeconds is how long after a room's end CreateRoom still answers 660300014 for its id, as an eventually
	// consistent service might. Default 0: an id is free at once.
	RoomIDReuseSeconds int `json:"roomIDReuseSeconds"`

	// QuotaBeforeExistence makes CreateRoom answer 660300015 at a full quota even for a room that exists already.
	// Default false: 660300014 wins.
	QuotaBeforeExistence bool `json:"quotaBeforeExistence"`
	// CapDestroyDelay lowers a DestroyDelayTime above the maximum to it. Default false: 660000002.
	CapDestroyDelay bool `json:"capDestroyDelay"`
	// RoomNameInCharacters counts the 64 of RoomName in characters (OpenAPI file). Default false: bytes (the text).
	RoomNameInCharacters bool `json:"roomNameInCharacters"`
	// ExtraIDCharacters may stand in RoomId, FromUserId and UserId besides the set of the original pages: "," appears
	// on newer ones. Default "".
	ExtraIDCharacters string `json:"extraIDCharacters"`
	// RefusedIDCharacters may not stand in ids although the original pages list them: some list no space. Default "".
	RefusedIDCharacters string `json:"refusedIDCharacters"`

	// QueryAttributeOnMissingRoom is the code of QueryRoomAttribute for a room that does not exist; its page lists none.
	// Default 660300001. 0: success with no attributes.
	QueryAttributeOnMissingRoom int `json:"queryAttributeOnMissingRoom"`
	// ModifyAttributeOnMissingRoom is the same for ModifyRoomAttribute. Default 660300001. 0: success, to no effect.
	ModifyAttributeOnMissingRoom int `json:"modifyAttributeOnMissingRoom"`
	// AttributeCallsOnEmptyRoom is the code of QueryRoomAttribute and ModifyRoomAttribute for a room with no members,
	// which does nothing then. Default 0: they work as ever.
	AttributeCallsOnEmptyRoom int `json:"attributeCallsOnEmptyRoom"`
	// UserListOfEmptyRoom is the code of QueryRoomUserList for a room with no members. Default 660300008, "usually in
	// the delayed-destruction period"; 0: success with a count of 0.
	UserListOfEmptyRoom int `json:"userListOfEmptyRoom"`
	// LastPageFlagEmpty ends the pages of QueryRoomUserList with an empty NextFlag (response text). Default false: "0"
	// (request text and example).
	LastPageFlagEmpty bool `json:"lastPageFlagEmpty"`

	// UnchangedSetCounts raises AttributeSeq also when a set leaves the value as it was. Default true.
	UnchangedSetCounts bool `json:"unchangedSetCounts"`
	// DeleteAbsentKeyFails puts a deleted key that was not there into ErrKeyList. Default false: it succeeds without
	// raising AttributeSeq.
	DeleteAbsentKeyFails bool `json:"deleteAbsentKeyFails"`
	// RefuseEmptyValue refuses to set an attribute to "". Default false.
	RefuseEmptyValue bool `json:"refuseEmptyValue"`
	// StopOnErrorForWholeRequest lets one item with StopOnError 1 stop the request at any item's error. Default false:
	// each item's own StopOnError decides when that item fails.
	StopOnErrorForWholeRequest bool `json:"stopOnErrorForWholeRequest"`
	// RefusedKeysCode is the Code of a ModifyRoomAttribute with something in ErrKeyList. Default 0, as in the sample.
	RefusedKeysCode int `json:"refusedKeysCode"`
	// TotalOfValuesOnly counts only values towards AttributeLimits.TotalBytes. Default false: keys and values.
	TotalOfValuesOnly bool `json:"totalOfValuesOnly"`

	// UnregisteredOperator is the code for a FromUserId that is not registered. Default 660500002; the room pages list
	// none, the group pages this one.
	UnregisteredOperator int `json:"unregisteredOperator"`
	// OperatorMustHaveLoggedIn accepts only operators that have entered some room: UserRegister alone is not enough.
	// Default false.
	OperatorMustHaveLoggedIn bool `json:"operatorMustHaveLoggedIn"`

	// LimitPerAction gives each action its own sliding second. Default false: all actions of an app share one.
	LimitPerAction bool `json:"limitPerAction"`
	// CountRefusedCalls counts calls that the limit refused towards the limit, so that hammering never recovers.
	// Default false.
	CountRefusedCalls bool `json:"countRefusedCalls"`
	// UserListOverLimit is the code of a QueryRoomUserList above the limit: its own page lists 660300006. Default
	// 660300005 as for every other action.
	UserListOverLimit int `json:"userListOverLimit"`
	// UnknownApp is the code for an AppId that does not exist; the vendor has none for it. Default 100000010 (could not
	// get ServerSecret); 100000011 (could not get App configuration) is as likely.
	UnknownApp int `json:"unknownApp"`
	// RequireHexNonce answers 2 to a SignatureNonce that is not 16 hex characters. Default false: samples break the rule.
	RequireHexNonce bool `json:"requireHexNonce"`
	// CallbackTimeInMilliseconds gives callbacks a timestamp in milliseconds (text since 2025-09-11). False: in seconds
	// (samples). Default true.
	CallbackTimeInMilliseconds bool `json:"callbackTimeInMilliseconds"`
	// CallbackURLEncoded encodes the body of callbacks as a whole: the pages say that it "needs UrlDecode". Default false:
	// plain JSON, as in the samples.
	CallbackURLEncoded bool `json:"callbackURLEncoded"`
	// CallbacksOfServerCalls sends callbacks also of what CreateRoom, DestroyRoom and KickoutRoomUser did; no page says.
	// False: only clients, the console and time cause some. Default true: room_destroy has a field for its operator.
	CallbacksOfServerCalls bool `json:"callbacksOfServerCalls"`
	// DestroyCallbackWhenEmpty sends room_destroy when the last member leaves ("when all users have left", release notes
	// of 2025-08-08), and none when the room dies of that. Default false: it is sent when the room is gone.
	DestroyCallbackWhenEmpty bool `json:"destroyCallbackWhenEmpty"`

	// GatewayErrorStatus is the HTTP status of answers with a gateway code (1000000xx). Default 200.
	GatewayErrorStatus int `json:"gatewayErrorStatus"`
}

// DefaultSwitches returns the likeliest reading of the vendor's pages; each field's comment says why.
func DefaultSwitches() Switches {
	return Switches{
		TimerStartsAtCreation:        true,
		KeepAttributesWhileEmpty:     true,
		KeepAttributesOfNeverEntered: true,
		QueryAttributeOnMissingRoom:  CodeRoomNotExist,
		ModifyAttributeOnMissingRoom: CodeRoomNotExist,
		UserListOfEmptyRoom:          CodeRoomEmpty,
		UnchangedSetCounts:           true,
		UnregisteredOperator:         CodeOperatorNotRegistered,
		UserListOverLimit:            CodeAppLimit,
		UnknownApp:                   CodeNoServerSecret,
		CallbackTimeInMilliseconds:   true,
		CallbacksOfServerCalls:       true,
		GatewayErrorStatus:           200,
	}
}
