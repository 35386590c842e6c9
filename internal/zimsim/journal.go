package zimsim

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Call is one call of the API as the journal keeps it. It never holds a signature, a nonce or a secret.
type Call struct {
	// Time is when the call arrived, by Options.Now.
	Time time.Time `json:"time"`
	// AppID is 0 if the call carried none that could be read.
	AppID uint32 `json:"appID"`
	// Action, RoomID and FromUserID are as received, even if they were refused (the first 256 bytes).
	Action     string `json:"action"`
	RoomID     string `json:"roomID,omitempty"`
	FromUserID string `json:"fromUserID,omitempty"`
	// Code is what was answered, with faults too; NoCode if no code reached the caller.
	Code int `json:"code"`
	// CarriedOut tells whether the action itself succeeded, whatever then became of the answer.
	CarriedOut bool `json:"carriedOut"`
	// Fault is the kind of the fault that hit the call, if one did, and FaultID its id.
	Fault   FaultKind `json:"fault,omitempty"`
	FaultID int       `json:"faultID,omitempty"`
	// Method and UserAgent are those of the HTTP request, HTTPStatus that of the answer; 0: the connection was cut.
	Method     string `json:"method"`
	UserAgent  string `json:"userAgent,omitempty"`
	HTTPStatus int    `json:"httpStatus,omitempty"`
	// RequestID is the RequestId of the answer.
	RequestID string `json:"requestID,omitempty"`
	// Body is the JSON of a POST as received (the first 16 KiB), or the business parameters of a GET as a query string.
	Body string `json:"body,omitempty"`
}

// CallFilter picks calls out of the journal. A zero field matches every call.
type CallFilter struct {
	AppID  uint32
	Action string
	RoomID string
	// Limit keeps only so many of the newest matches. 0: all.
	Limit int
}

func (f CallFilter) matches(c *Call) bool {
	return (f.AppID == 0 || f.AppID == c.AppID) &&
		(f.Action == "" || f.Action == c.Action) &&
		(f.RoomID == "" || f.RoomID == c.RoomID)
}

// Calls returns the journal, oldest first.
func (s *Simulator) Calls() []Call { return s.CallsOf(CallFilter{}) }

// CallsOf returns the calls that the filter matches, oldest first.
func (s *Simulator) CallsOf(filter CallFilter) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls.newest(filter.Limit, filter.matches)
}

// ResetCalls empties the journal.
func (s *Simulator) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.clear()
}

// These bound what one call can make the journal hold, whoever sent it.
const (
	maxJournalBody = 16 << 10
	maxJournalText = 256
)

// clip shortens what a caller can choose the length of.
func clip(text string) string { return text[:min(len(text), maxJournalText)] }

// journalBody returns the business part of a call, without anything that would let a reader sign calls or replay this
// one: also callers who put credentials in the wrong place must not find them here.
func journalBody(req *request, secret string) string {
	text := string(req.body)
	if req.method != "POST" {
		business := url.Values{}
		for name, values := range req.query {
			if !isCommonParameter(name) {
				business[name] = values
			}
		}
		text = business.Encode()
	}
	for _, hidden := range []string{secret, req.query.Get(paramSignature), req.query.Get(paramNonce)} {
		if hidden != "" {
			text = strings.ReplaceAll(text, hidden, "REDACTED")
		}
	}
	return strings.ToValidUTF8(text[:min(len(text), maxJournalBody)], "")
}

// ring keeps the newest elements that were added. It grows up to its size as it fills.
type ring[T any] struct {
	size  int
	items []T
	next  int // where the oldest element is once the ring is full
}

func (r *ring[T]) add(item T) {
	switch {
	case r.size <= 0:
	case len(r.items) < r.size:
		r.items = append(r.items, item)
	default:
		r.items[r.next] = item
		r.next = (r.next + 1) % r.size
	}
}

// newest returns copies of the newest elements that match, oldest first; with a limit of 0 all of them.
func (r *ring[T]) newest(limit int, matches func(*T) bool) []T {
	list := []T{}
	for i := len(r.items) - 1; i >= 0 && (limit == 0 || len(list) < limit); i-- {
		item := &r.items[(r.next+i)%len(r.items)]
		if matches(item) {
			list = append(list, *item)
		}
	}
	slices.Reverse(list)
	return list
}

func (r *ring[T]) clear() { r.items, r.next = nil, 0 }
