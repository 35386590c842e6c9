package zimsim

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // The vendor's choice.
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// callbackDelays are the pauses before the vendor tries again; after the last try the callback is lost.
// https://www.zegocloud.com/docs/zim-server/callbacks/room/room-destroyed
var callbackDelays = []time.Duration{
	2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
}

const (
	// callbacksAtATime bounds the requests that are under way.
	callbacksAtATime = 64
	// nonceRange is what nonces are drawn from: those of the vendor's samples have six digits.
	nonceRange = 1_000_000
)

// Callback is one try to deliver a server callback.
type Callback struct {
	// Time is when it ended, by Options.Now.
	Time time.Time `json:"time"`
	// AppID, Kind and RoomID are those of the event.
	AppID  uint32    `json:"appID"`
	Kind   EventKind `json:"kind"`
	RoomID string    `json:"roomID"`
	// Attempt counts the tries, beginning with 1.
	Attempt int `json:"attempt"`
	// HTTPStatus is that of the answer; 0: there was none.
	HTTPStatus int `json:"httpStatus,omitempty"`
}

// parcel is a callback on its way.
type parcel struct {
	callback Callback
	url      string
	body     []byte
}

// hasCallback tells whether the vendor sends one for an event. It needs the lock.
func (s *Simulator) hasCallback(r *room, e *Event) bool {
	if e.Reason == ReasonEmpty { // Time ends a room thus, though it may be while a call is carried out.
		return !r.endTold
	}
	return !s.serving || s.switches.CallbacksOfServerCalls
}

// tellEnd queues the callback of a room's end before it has come. It needs the lock.
func (s *Simulator) tellEnd(r *room, now time.Time) {
	e := Event{Time: now, AppID: r.app.config.AppID, RoomID: r.id, Kind: EventRoomDestroyed}
	if s.hasCallback(r, &e) {
		s.post(r, &e)
	}
}

// post queues the callback of an event, if its app has an address and somebody sends callbacks. It needs the lock.
func (s *Simulator) post(r *room, e *Event) {
	app := r.app.config
	if app.CallbackURL == "" || !s.sending {
		return
	}
	body := encode(s.callbackBody(r, e))
	if s.switches.CallbackURLEncoded {
		body = []byte(url.QueryEscape(string(body)))
	}
	s.outbox = append(s.outbox, parcel{
		callback: Callback{AppID: e.AppID, Kind: e.Kind, RoomID: e.RoomID}, url: app.CallbackURL, body: body,
	})
	s.wakeSender()
}

// callbackBody is what the vendor's pages show for the event.
func (s *Simulator) callbackBody(r *room, e *Event) map[string]any {
	timestamp := e.Time.Unix()
	if s.switches.CallbackTimeInMilliseconds {
		timestamp = e.Time.UnixMilli()
	}
	nonce := strconv.Itoa(int(s.opts.Rand() * nonceRange))
	body := map[string]any{
		"appid":            strconv.FormatUint(uint64(e.AppID), 10),
		"event":            e.Kind,
		"room_id":          e.RoomID,
		"operator_account": e.Operator,
		"timestamp":        timestamp,
		"nonce":            nonce,
		"signature":        callbackSignature(r.app.config, strconv.FormatInt(timestamp, 10), nonce),
	}
	switch e.Kind {
	case EventRoomCreated:
		body["room_name"], body["attributes"] = r.name, callbackAttributes(r)
	case EventRoomDestroyed:
		body["user_ids"] = append([]string{}, e.UserIDs...)
	case EventRoomLeft:
		body["exit_type"], body["exit_user_ids"] = e.Reason, e.UserIDs
	case EventRoomEntered:
	}
	return body
}

func callbackAttributes(r *room) []map[string]any {
	list := []map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(r.attributes)) {
		a, autoDelete := r.attributes[key], 0
		if a.AutoDelete {
			autoDelete = 1
		}
		list = append(list, map[string]any{"key": key, "value": a.Value, "auto_delete": autoDelete})
	}
	return list
}

// callbackSignature is the SHA-1 of secret, time and nonce, sorted.
// https://www.zegocloud.com/docs/zim-server/callbacks/authenticating-server-to-server-callbacks
func callbackSignature(app App, timestamp, nonce string) string {
	secret := app.CallbackSecret
	if secret == "" {
		secret = app.ServerSecret
	}
	parts := []string{secret, timestamp, nonce}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // The vendor's choice.
	return hex.EncodeToString(sum[:])
}

// SendCallbacks sends the callbacks of apps with a CallbackURL until the context ends. Rooms die on time meanwhile, not
// only when somebody looks. What happens while nobody sends is not sent later.
func (s *Simulator) SendCallbacks(ctx context.Context, transport http.RoundTripper) {
	s.setSending(true)
	defer s.setSending(false)
	places := make(chan struct{}, callbacksAtATime)
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for {
		parcels, untilNextDeath := s.collectParcels()
		for _, p := range parcels {
			deliveries.Go(func() { s.deliverCallback(ctx, transport, p, places) })
		}
		timer := time.NewTimer(untilNextDeath)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.posted:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (s *Simulator) setSending(sending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sending, s.outbox = sending, nil
}

// wakeSender lets SendCallbacks look again.
func (s *Simulator) wakeSender() {
	select {
	case s.posted <- struct{}{}:
	default:
	}
}

// collectParcels buries who is to be buried, and returns what is to be sent and how long until the next death.
func (s *Simulator) collectParcels() (parcels []parcel, untilNextDeath time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bury(s.now())
	parcels, s.outbox = s.outbox, nil
	untilNextDeath = time.Hour
	if len(s.deaths) > 0 {
		untilNextDeath = s.deaths[0].diesAt.Sub(s.now())
	}
	return parcels, untilNextDeath
}

// deliverCallback tries until it is taken, or lost.
func (s *Simulator) deliverCallback(
	ctx context.Context, transport http.RoundTripper, p parcel, places chan struct{},
) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		places <- struct{}{}
		status := sendCallback(ctx, transport, p)
		<-places
		p.callback.Attempt, p.callback.HTTPStatus = attempt+1, status
		s.recordCallback(p.callback)
		if (status >= 200 && status < 300) || attempt == len(callbackDelays) {
			return
		}
		timer := time.NewTimer(callbackDelays[attempt])
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// callbackTimeout is how long an answer may take. The vendor names no figure.
const callbackTimeout = 5 * time.Second

// sendCallback returns the status of the answer; 0 without one.
func sendCallback(ctx context.Context, transport http.RoundTripper, p parcel) int {
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(p.body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func (s *Simulator) recordCallback(c Callback) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Time = s.now()
	s.callbacks.add(c)
}

// Callbacks returns the newest tries to deliver callbacks that the filter matches, oldest first.
func (s *Simulator) Callbacks(filter EventFilter) []Callback {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.callbacks.newest(filter.Limit, func(c *Callback) bool {
		return filter.matches(&Event{AppID: c.AppID, RoomID: c.RoomID})
	})
}

// CheckCallbackURL returns an error if callbacks cannot be sent there. An empty address is right: nowhere.
func CheckCallbackURL(address string) error {
	parsed, err := url.Parse(address)
	if address == "" || (err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "") {
		return nil
	}
	return fmt.Errorf("%q is not an http or https URL", address)
}
