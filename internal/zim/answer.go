package zim

import (
	"encoding/json"
	"net/http"
	"strings"
)

const (
	// maxAnswerBytes bounds what is read of an answer. The largest real one, 20 attributes of 4096 characters, has a
	// quarter.
	maxAnswerBytes = 1 << 20

	// maxRequestIDBytes bounds what is kept of ZIM's request id.
	maxRequestIDBytes = 64
)

// envelope is what every answer has in common.
type envelope struct {
	code      Code
	requestID string
}

// parseEnvelope returns false for what is not an answer of ZIM. It takes no other spelling of Code, as encoding/json
// would by itself: the "code": 0 of some other service is no success.
func parseEnvelope(text []byte) (envelope, bool) {
	var fields map[string]json.RawMessage
	if len(text) > maxAnswerBytes || json.Unmarshal(text, &fields) != nil {
		return envelope{}, false
	}
	var code *Code
	if json.Unmarshal(fields["Code"], &code) != nil || code == nil {
		return envelope{}, false
	}
	head := envelope{code: *code}
	_ = json.Unmarshal(fields["RequestId"], &head.requestID) // One that is no text is as good as none.
	return head, true
}

// completer is an answer that may lack what was asked for.
type completer interface {
	isComplete() bool
}

// parseSuccess decodes an answer of success. It returns false if that does not hold what the action promises.
func parseSuccess(text []byte, answer any) bool {
	if answer == nil {
		return true
	}
	if json.Unmarshal(text, answer) != nil {
		return false
	}
	checked, ok := answer.(completer)
	return !ok || checked.isComplete()
}

// evaluate judges an answer. But for 429, ZIM's own code counts more than the HTTP status, which its pages do not
// mention; and there is no 0 without 200. The request id is that of any answer of ZIM.
func evaluate(action Action, status int, text []byte, answer any) (requestID string, failure *Error) {
	head, isZIM := parseEnvelope(text)
	if isZIM && head.code == CodeOK && status == http.StatusOK && parseSuccess(text, answer) {
		return head.requestID, nil
	}
	failure = &Error{Action: action, Class: ClassTransient, HTTPStatus: status, MaybeDone: true}
	switch {
	case status == http.StatusTooManyRequests:
		failure.Class, failure.Failure, failure.MaybeDone = ClassThrottled, FailureHTTPStatus, false
	case isZIM && head.code != CodeOK:
		failure.Code, failure.Class, failure.MaybeDone = head.code, Classify(action, head.code), false
		if answer != nil && failure.Class != ClassAuth {
			// A refusal may carry details, such as the keys of attributes. Without them it is still a refusal. One of the
			// signature has none, and its call is sent again: nothing may be left of the first answer.
			_ = json.Unmarshal(text, answer)
		}
	case status != http.StatusOK:
		failure.Failure = FailureHTTPStatus
	case len(text) > maxAnswerBytes:
		failure.Failure = FailureTooLarge
	default:
		failure.Failure = FailureNotJSON
	}
	return head.requestID, failure
}

// cleanRequestID keeps only what a request id can look like, so that no server can write into the log through it, and
// nothing of one that repeats what the request was signed with.
func cleanRequestID(id string, signed stamp) string {
	id = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r == '-', r == '_', r == '.':
			return r
		}
		return -1
	}, id)
	lower := strings.ToLower(id)
	if strings.Contains(lower, signed.nonce) || strings.Contains(lower, signed.signature) {
		return ""
	}
	return id[:min(len(id), maxRequestIDBytes)]
}
