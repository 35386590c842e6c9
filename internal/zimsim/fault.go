package zimsim

import "time"

// FaultKind names a way in which a call goes wrong.
type FaultKind string

// The kinds of faults. Unless said otherwise the call is not carried out; Fault.CarryOut changes that where it can.
const (
	// FaultCode answers Fault.Code.
	FaultCode FaultKind = "Code"
	// FaultHTTPStatus answers Fault.HTTPStatus with an HTML page, or with nothing if Fault.EmptyBody is set.
	FaultHTTPStatus FaultKind = "HTTPStatus"
	// FaultHTML answers 200 with an HTML page.
	FaultHTML FaultKind = "HTML"
	// FaultHuge answers 200 with JSON of Fault.Size bytes. 0 stands for 100 MB; negative: endless.
	FaultHuge FaultKind = "Huge"
	// FaultHang does not answer; the connection is cut after Fault.Duration, or with 0 when the caller goes away.
	FaultHang FaultKind = "Hang"
	// FaultCutBefore cuts the connection before the call is carried out.
	FaultCutBefore FaultKind = "CutBefore"
	// FaultCutAfter carries the call out and then cuts the connection: a lost answer.
	FaultCutAfter FaultKind = "CutAfter"
	// FaultTruncated carries the call out and answers the first half of the JSON.
	FaultTruncated FaultKind = "Truncated"
	// FaultRedirect answers Fault.HTTPStatus (0 stands for 302) with Fault.Location (empty stands for /moved).
	FaultRedirect FaultKind = "Redirect"
	// FaultLatency carries the call out and answers Fault.Duration later.
	FaultLatency FaultKind = "Latency"
	// FaultRefuseKey lets a ModifyRoomAttribute refuse Fault.Key with Fault.SubCode, as part of a Fault.Code answer.
	// The other keys are carried out. Several may hit one call.
	FaultRefuseKey FaultKind = "RefuseKey"
)

// Fault makes calls go wrong. It hits calls that the gateway has let pass (signature right, within the limit), so that
// it never hides a caller's own mistake. Besides FaultRefuseKey at most one fault hits a call: the oldest that matches.
type Fault struct {
	// ID is given by Inject.
	ID int `json:"id,omitempty"`
	// Kind is what goes wrong.
	Kind FaultKind `json:"kind"`

	// AppID, Action and RoomID say which calls are hit; a zero value matches any.
	AppID  uint32 `json:"appID,omitempty"`
	Action string `json:"action,omitempty"`
	RoomID string `json:"roomID,omitempty"`
	// Skip lets so many matching calls pass first.
	Skip int `json:"skip,omitempty"`
	// Times is how many calls are hit before the fault ends by itself. 0: until it is cleared.
	Times int `json:"times,omitempty"`
	// Probability hits each matching call only with this chance. 0: always.
	Probability float64 `json:"probability,omitempty"`

	// Code is the answer's Code for FaultCode and FaultRefuseKey.
	Code int `json:"code,omitempty"`
	// Key and SubCode are what FaultRefuseKey puts into ErrKeyList.
	Key     string `json:"key,omitempty"`
	SubCode int    `json:"subCode,omitempty"`
	// HTTPStatus is the status for FaultHTTPStatus and FaultRedirect.
	HTTPStatus int `json:"httpStatus,omitempty"`
	// EmptyBody lets FaultHTTPStatus answer without a page.
	EmptyBody bool `json:"emptyBody,omitempty"`
	// Location is where FaultRedirect points.
	Location string `json:"location,omitempty"`
	// Duration is the time of FaultHang and FaultLatency. In JSON a Go duration such as "5s".
	Duration time.Duration `json:"-"`
	// Size is the length of FaultHuge's body.
	Size int64 `json:"size,omitempty"`
	// CarryOut carries the call out before its answer is spoiled. It goes with FaultCode, FaultHTTPStatus, FaultHTML,
	// FaultHuge, FaultHang and FaultRedirect.
	CarryOut bool `json:"carryOut,omitempty"`

	// Hits counts the calls hit so far.
	Hits int `json:"hits,omitempty"`
}

// plainFault is Fault without its methods, so that they can lean on the plain encoding.
type plainFault Fault

// faultJSON writes durations the way people read them.
type faultJSON struct {
	plainFault
	Duration string `json:"duration,omitempty"`
}

// MarshalJSON writes the duration as a Go duration.
func (f Fault) MarshalJSON() ([]byte, error) {
	out := faultJSON{plainFault: plainFault(f)}
	if f.Duration != 0 {
		out.Duration = f.Duration.String()
	}
	return encode(out), nil
}

// UnmarshalJSON reads the duration as a Go duration.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var in faultJSON
	if err := unmarshalStrictly(data, &in); err != nil {
		return err
	}
	*f = Fault(in.plainFault)
	return parseDuration("duration", in.Duration, &f.Duration)
}
