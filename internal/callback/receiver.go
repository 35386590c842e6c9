package callback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/time/rate"
)

// Limits of what is taken in, from whoever can reach the address.
const (
	// maxBody is more than ZIM sends: a room_destroy names the members, 6,000 at most, with ids of 32 bytes.
	maxBody = 512 << 10
	// smallBody is what is read of any body. Only maxAtATime at a time are read further, which bounds the memory.
	smallBody = 16 << 10
	// maxAtATime bounds the callbacks that are worked on at the same time. They are whole by then: who sends slowly takes
	// no place from others.
	maxAtATime = 32
	// requestsPerSecond and requestBurst bound what is looked at in all; ZIM repeats what was refused.
	requestsPerSecond, requestBurst = 200, 1000
	// noteTimeout bounds the work for one callback.
	noteTimeout = 5 * time.Second
)

// Outcome says what became of a callback.
type Outcome string

// The outcomes. ZIM repeats what is not answered with 2xx, after 2, 4, 8, 16 and 32 seconds.
const (
	// Noted: a ZimRoom carries the note that makes the operator look. 200.
	Noted Outcome = "noted"
	// Coalesced: a ZimRoom carries one that is young enough for this callback too. 200.
	Coalesced Outcome = "coalesced"
	// NotOurs: the callback is true, but no ZimRoom has this room. 200.
	NotOurs Outcome = "not_ours"
	// Ignored: the callback is true, but asks for nothing. 200.
	Ignored Outcome = "ignored"
	// Unverified: no ZimApp that ZIM accepts verifies the signature, or the callback is too old. 401.
	Unverified Outcome = "unverified"
	// Malformed: not a callback. 400, 405 or 413.
	Malformed Outcome = "malformed"
	// Refused: too many at a time. 503.
	Refused Outcome = "refused"
	// Failed: Kubernetes could not be read or written. 503.
	Failed Outcome = "failed"
)

// Outcomes are all of them.
var Outcomes = []Outcome{Noted, Coalesced, NotOurs, Ignored, Unverified, Malformed, Refused, Failed}

// Signer is who may sign callbacks for an AppID.
type Signer struct {
	Account Account
	// Secrets are tried one after the other: the vendor's pages disagree on which one signs.
	Secrets []string
}

// Notebook is where callbacks lead to. It is safe for concurrent use.
type Notebook interface {
	// Signers returns those whom ZIM has accepted for an AppID.
	Signers(ctx context.Context, appID uint32) ([]Signer, error)
	// Note notes a hint where the operator sees it, whichever replica works. It returns Noted, Coalesced, NotOurs,
	// Ignored or Refused; with an error the outcome is Failed.
	Note(ctx context.Context, hint Hint) (Outcome, error)
}

// Config is what a Receiver needs. Unless said otherwise a field is required.
type Config struct {
	Notebook Notebook
	// Observe is told of each callback's outcome; err is set with Failed. Nil: nobody is.
	Observe func(outcome Outcome, err error)
	// Now tells the time. Nil: time.Now.
	Now func() time.Time
}

// Receiver answers ZIM's callbacks, on whatever path. It implements http.Handler.
type Receiver struct {
	config  Config
	limiter *rate.Limiter
	// larges are the places of those who send more than a small body, places those of whole callbacks.
	larges, places places
}

// New returns a Receiver.
func New(config Config) *Receiver {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Observe == nil {
		config.Observe = func(Outcome, error) {}
	}
	return &Receiver{
		config:  config,
		limiter: rate.NewLimiter(requestsPerSecond, requestBurst),
		larges:  make(places, maxAtATime),
		places:  make(places, maxAtATime),
	}
}

// ServeHTTP implements http.Handler. Answers say no more than their status: whoever can reach the address can ask.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	status, outcome, err := r.recovered(w, request)
	r.config.Observe(outcome, err)
	switch status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
	}
	w.WriteHeader(status)
}

// recovered turns a panic into a failure, which is observed. Its value may hold what was sent: only the place is told.
func (r *Receiver) recovered(w http.ResponseWriter, request *http.Request) (status int, outcome Outcome, err error) {
	defer func() {
		if value := recover(); value != nil {
			status, outcome = http.StatusServiceUnavailable, Failed
			err = fmt.Errorf("panic with a %T\n%s", value, debug.Stack())
		}
	}()
	return r.receive(w, request)
}

func (r *Receiver) receive(w http.ResponseWriter, request *http.Request) (status int, outcome Outcome, err error) {
	if request.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, Malformed, nil
	}
	if !r.limiter.AllowN(r.config.Now(), 1) {
		return http.StatusServiceUnavailable, Refused, nil
	}
	body, status := r.read(w, request)
	switch status {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		return status, Refused, nil
	default:
		return status, Malformed, nil
	}
	if !r.places.take() {
		return http.StatusServiceUnavailable, Refused, nil
	}
	defer r.places.leave()
	p, appID, err := parse(body)
	if err != nil {
		return http.StatusBadRequest, Malformed, nil
	}
	ctx, cancel := context.WithTimeout(request.Context(), noteTimeout)
	defer cancel()
	outcome, err = r.note(ctx, &p, appID)
	return statusOf(outcome), outcome, err
}

// read returns the body, or the status to answer if it is not 200.
func (r *Receiver) read(w http.ResponseWriter, request *http.Request) (body []byte, status int) {
	limited := http.MaxBytesReader(w, request.Body, maxBody)
	body, err := io.ReadAll(io.LimitReader(limited, smallBody))
	if err == nil && len(body) == smallBody {
		if !r.larges.take() {
			return nil, http.StatusServiceUnavailable
		}
		defer r.larges.leave()
		var rest []byte
		rest, err = io.ReadAll(limited)
		body = append(body, rest...)
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return nil, http.StatusBadRequest
	}
	return body, http.StatusOK
}

// places bound how many do something at the same time.
type places chan struct{}

// take takes a place, if one is free.
func (p places) take() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p places) leave() { <-p }

// note verifies a callback and passes it on to each account whose secret verifies it: the same AppID can be in use at
// the vendor's and at a simulator.
func (r *Receiver) note(ctx context.Context, p *payload, appID uint32) (Outcome, error) {
	signers, err := r.config.Notebook.Signers(ctx, appID)
	if err != nil {
		return Failed, err
	}
	result := Unverified
	for _, account := range p.verifiedFor(signers, r.config.Now()) {
		outcome, noteErr := r.noteFor(ctx, p, account)
		if noteErr != nil {
			outcome, err = Failed, errors.Join(err, noteErr)
		}
		result = result.Or(outcome)
	}
	return result, err
}

func (r *Receiver) noteFor(ctx context.Context, p *payload, account Account) (Outcome, error) {
	ids := p.roomIDs()
	if (p.Event != RoomDestroyed && p.Event != RoomLeft) || len(ids) == 0 {
		return Ignored, nil
	}
	return r.config.Notebook.Note(ctx, Hint{Account: account, Event: p.Event, RoomIDs: ids})
}

// verifiedFor returns the accounts, each once, whose secrets verify the callback. Each secret is tried whatever the
// others gave.
func (p *payload) verifiedFor(signers []Signer, now time.Time) []Account {
	var accounts []Account
	if !p.isTimely(now) {
		return nil
	}
	seen := map[Account]bool{}
	for _, signer := range signers {
		verified := false
		for _, secret := range signer.Secrets {
			verified = p.isSignedWith(secret) || verified
		}
		if verified && !seen[signer.Account] {
			seen[signer.Account] = true
			accounts = append(accounts, signer.Account)
		}
	}
	return accounts
}

// weight orders what one callback led to in several places. One that is missing here is lighter than all.
var weight = map[Outcome]int{Unverified: 1, NotOurs: 2, Ignored: 3, Coalesced: 4, Noted: 5, Refused: 6, Failed: 7}

// Or combines what one callback led to in two places: what ZIM should repeat wins, then what led to more.
func (o Outcome) Or(other Outcome) Outcome {
	if weight[other] > weight[o] {
		return other
	}
	return o
}

func statusOf(outcome Outcome) int {
	switch outcome {
	case Noted, Coalesced, NotOurs, Ignored:
		return http.StatusOK
	case Unverified:
		return http.StatusUnauthorized
	case Malformed:
		return http.StatusBadRequest
	case Refused, Failed:
		return http.StatusServiceUnavailable
	}
	return http.StatusServiceUnavailable
}
