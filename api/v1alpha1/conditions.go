package v1alpha1

// Condition types. Ready is kept from the first pass on; every other one is present only while it is True.
const (
	// ReadyCondition of a ZimRoom is True when ZIM confirmed the room and every declared attribute for the condition's
	// observedGeneration. It does not cover name and delay, which ZIM cannot change (see ReplacementPending).
	// Ready of a ZimApp is True while ZIM accepts its AppID, secret and operator user.
	ReadyCondition = "Ready"

	// ReconcilingCondition (kstatus) is True while the operator goes on working towards the spec.
	ReconcilingCondition = "Reconciling"

	// StalledCondition (kstatus) is True when only an edit, or a request to look again, can help.
	StalledCondition = "Stalled"

	// ReplacementPendingCondition of a ZimRoom is True while the live room has another name or delay than the spec.
	ReplacementPendingCondition = "ReplacementPending"

	// QuotaPressureCondition of a ZimApp is True while its ZimRooms ask for more calls than the account's quota gives. It
	// changes at most once in ten minutes.
	QuotaPressureCondition = "QuotaPressure"
)

// Reasons of ZimRoom conditions.
const (
	// ReasonRoomCreated means that the operator created the room.
	ReasonRoomCreated = "RoomCreated"
	// ReasonRoomAdopted means that the room had existed before the operator asked for it.
	ReasonRoomAdopted = "RoomAdopted"
	// ReasonRoomMissing means that ZIM said the room is gone, and that it could not be created again yet.
	ReasonRoomMissing = "RoomMissing"
	// ReasonReplacing means that the operator destroyed the room to give it another name or delay, and that it is not back yet.
	ReasonReplacing = "Replacing"
	// ReasonUnverified means that nobody could look at the room for so long that its state is not known any more.
	ReasonUnverified = "Unverified"
	// ReasonRateLimited means that ZIM, or the operator's own pacing, made the pass wait. It goes on by itself.
	ReasonRateLimited = "RateLimited"
	// ReasonZIMUnavailable means that ZIM gave no usable answer. It goes on by itself.
	ReasonZIMUnavailable = "ZIMUnavailable"
	// ReasonAppNotFound means that the ZimApp does not exist.
	ReasonAppNotFound = "AppNotFound"
	// ReasonAppNotAllowed means that the ZimApp's allowedNamespaces leave this namespace out, or would if it existed.
	ReasonAppNotAllowed = "AppNotAllowed"
	// ReasonAppNotReady means that the ZimApp is not Ready: its own conditions say why.
	ReasonAppNotReady = "AppNotReady"
	// ReasonOperatorNotRegistered means that ZIM does not know the operator user, even after its registration.
	ReasonOperatorNotRegistered = "OperatorNotRegistered"
	// ReasonRoomQuotaExceeded means that the account holds as many rooms as its plan allows.
	ReasonRoomQuotaExceeded = "RoomQuotaExceeded"
	// ReasonAttributesRejected means that ZIM refused attributes; the message names them. The others are set.
	ReasonAttributesRejected = "AttributesRejected"
	// ReasonInvalidParameter means that ZIM refused the manifest. Edit it.
	ReasonInvalidParameter = "InvalidParameter"
	// ReasonDuplicateRoomID means that an older ZimRoom of the same account has this room.
	ReasonDuplicateRoomID = "DuplicateRoomID"
	// ReasonSuspended means that spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonDeleting means that the object is being deleted and its room could not be destroyed yet.
	ReasonDeleting = "Deleting"
	// ReasonPolicyNever means that name or delay wait until the room is next created.
	ReasonPolicyNever = "PolicyNever"
	// ReasonRoomOccupied means that name or delay wait until nobody is in the room.
	ReasonRoomOccupied = "RoomOccupied"
)

// Reasons of ZimApp conditions. RateLimited and ZIMUnavailable are shared with ZimRoom.
const (
	// ReasonAccepted means that ZIM accepted AppID, secret and operator user.
	ReasonAccepted = "Accepted"
	// ReasonSecretNotFound means that the Secret does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonInvalidSecret means that the key is missing, empty, or padded with white space.
	ReasonInvalidSecret = "InvalidSecret"
	// ReasonCredentialsRejected means that ZIM refused the signature: AppID and server secret do not belong together.
	ReasonCredentialsRejected = "CredentialsRejected"
	// ReasonServiceNotEnabled means that In-app Chat is not enabled for the AppID (100000017).
	ReasonServiceNotEnabled = "ServiceNotEnabled"
	// ReasonAppRejected means that ZIM does not serve this AppID (100000001, 010, 011, 016).
	ReasonAppRejected = "AppRejected"
	// ReasonClockSkew means that the clocks of ZIM and of the operator's node are more than ten minutes apart.
	ReasonClockSkew = "ClockSkew"
	// ReasonOperatorRejected means that ZIM refused to register spec.fromUserID.
	ReasonOperatorRejected = "OperatorRejected"
	// ReasonClientError means that ZIM calls the request itself malformed: a fault of the operator or of a proxy.
	ReasonClientError = "ClientError"
	// ReasonInvalidEndpoint means that the manager's flags do not admit spec.endpoint.
	ReasonInvalidEndpoint = "InvalidEndpoint"
	// ReasonInUse means that the ZimApp is being deleted and waits for the ZimRooms that use it.
	ReasonInUse = "InUse"
	// ReasonBelowRequestedRate means that ZIM refuses calls at spec.requestsPerSecond, so that fewer are sent.
	ReasonBelowRequestedRate = "BelowRequestedRate"
	// ReasonIntervalsStretched means that ZimRooms are verified less often than their intervals say.
	ReasonIntervalsStretched = "IntervalsStretched"
)
