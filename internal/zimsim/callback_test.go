package zimsim_test

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	hookURL        = "http://hook.example.com/zim"
	callbackSecret = "0badcafe0badcafe0badcafe0badcafe"
)

// hook takes callbacks, without a socket.
type hook struct {
	mu sync.Mutex
	// statuses are the answers to callbacks about creations, one after the other and then 200; 0 is none.
	statuses []int
	bodies   []string
	times    []time.Time
}

func (h *hook) RoundTrip(request *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, err := io.ReadAll(request.Body)
	if err != nil || request.Method != http.MethodPost || request.URL.String() != hookURL {
		return nil, fmt.Errorf("%s %s: %w", request.Method, request.URL, err)
	}
	h.bodies, h.times = append(h.bodies, string(body)), append(h.times, time.Now())
	status := http.StatusOK
	if len(h.statuses) > 0 && strings.Contains(string(body), string(zimsim.EventRoomCreated)) {
		status, h.statuses = h.statuses[0], h.statuses[1:]
	}
	if status == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: request}, nil
}

// first returns the first body; empty if there is none yet.
func (h *hook) first() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.bodies) == 0 {
		return ""
	}
	return h.bodies[0]
}

// received returns the bodies so far, decoded.
func (h *hook) received(t *testing.T) []object {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	list := []object{}
	for _, body := range h.bodies {
		var decoded object
		if err := json.Unmarshal([]byte(body), &decoded); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		list = append(list, decoded)
	}
	return list
}

// sending runs a simulator, on the bubble's clock, that sends its callbacks to a hook.
func sending(t *testing.T, h *hook, changes ...func(*zimsim.Options)) *zimsim.Simulator {
	t.Helper()
	options := zimsim.Options{
		Switches: zimsim.DefaultSwitches(),
		Rand:     func() float64 { return 0.350176 },
		Apps:     []zimsim.App{{AppID: appID, ServerSecret: secret, CallbackSecret: callbackSecret, CallbackURL: hookURL}},
	}
	for _, change := range changes {
		change(&options)
	}
	s := zimsim.New(options)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.SendCallbacks(ctx, h)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	synctest.Wait()
	return s
}

// signedBy is written from the vendor's page, apart from the simulator's own.
func signedBy(secret, timestamp, nonce string) string {
	parts := []string{nonce, secret, timestamp}
	slices.Sort(parts)
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, ""))))
}

// fixed leaves out what differs from run to run.
var fixed = cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return key == "signature" || key == "timestamp" })

func TestCallbacksTellTheLifeOfARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		s := sending(t, h)
		err := errors.Join(
			s.CreateRoom(appID, zimsim.Room{
				ID: "r", Name: "Room", Creator: "ann", DestroyDelay: time.Minute,
				Attributes: map[string]zimsim.Attribute{"k": {Value: "v", AutoDelete: true}},
			}),
			s.Leave(appID, "r", "ann"),
		)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Minute) // Nobody looks: it dies on time all the same.
		synctest.Wait()
		common := func(event, operator string, more object) object {
			body := object{"appid": "12345", "event": event, "room_id": "r", "operator_account": operator, "nonce": "350176"}
			maps.Copy(body, more)
			return body
		}
		want := []object{
			common("room_create", "ann", object{
				"room_name": "Room", "attributes": []any{object{"key": "k", "value": "v", "auto_delete": 1.0}},
			}),
			common("room_enter", "ann", nil),
			common("room_exit", "ann", object{"exit_type": "Quit", "exit_user_ids": []any{"ann"}}),
			common("room_destroy", "", object{"user_ids": []any{}}),
		}
		inOrder := cmpopts.SortSlices(func(a, b object) bool { return fmt.Sprint(a["event"]) < fmt.Sprint(b["event"]) })
		wantEqual(t, "callbacks", h.received(t), want, fixed, inOrder)
		for _, attempt := range s.Callbacks(zimsim.EventFilter{}) {
			wantEqual(t, "attempt", attempt, zimsim.Callback{
				AppID: appID, RoomID: "r", Attempt: 1, HTTPStatus: 200, Kind: attempt.Kind, Time: attempt.Time,
			})
		}
	})
}

func TestCallbackSignatures(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*zimsim.Options)
		secret string
		unit   func(time.Time) int64
	}{
		"own secret, milliseconds": {func(*zimsim.Options) {}, callbackSecret, time.Time.UnixMilli},
		"ServerSecret":             {func(o *zimsim.Options) { o.Apps[0].CallbackSecret = "" }, secret, time.Time.UnixMilli},
		"seconds":                  {withSwitch(func(s *zimsim.Switches) { s.CallbackTimeInMilliseconds = false }), callbackSecret, time.Time.Unix},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hook{}
				s := sending(t, h, tc.change)
				now := time.Now()
				if err := s.CreateRoom(appID, zimsim.Room{ID: "r", DestroyDelay: time.Hour}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				body := h.received(t)[0]
				timestamp := fmt.Sprintf("%.0f", body["timestamp"])
				wantEqual(t, "timestamp", timestamp, strconv.FormatInt(tc.unit(now), 10))
				wantEqual(t, "signature", body["signature"], any(signedBy(tc.secret, timestamp, "350176")))
			})
		})
	}
}

// The vendor's own example: https://www.zegocloud.com/docs/zim-server/callbacks/authenticating-server-to-server-callbacks
func TestSignatureOfTheVendorsExample(t *testing.T) {
	wantEqual(t, "signature", signedBy("secret", "1470820198", "123412"), "5bd59fd62953a8059fb7eaba95720f66d19e4517")
}

func TestCallbacksAreRepeatedUntilTaken(t *testing.T) {
	const second = time.Second
	for name, tc := range map[string]struct {
		statuses []int
		want     []time.Duration
	}{
		"taken":                 {[]int{204}, []time.Duration{0}},
		"no answer, then taken": {[]int{0, 503, 200}, []time.Duration{0, 2 * second, 6 * second}},
		"lost": {
			[]int{503, 302, 404, 500, 0, 503, 200},
			[]time.Duration{0, 2 * second, 6 * second, 14 * second, 30 * second, 62 * second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hook{statuses: tc.statuses}
				s := sending(t, h)
				begin := time.Now()
				if err := s.CreateRoom(appID, zimsim.Room{ID: "r", DestroyDelay: time.Hour}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				h.mu.Lock()
				defer h.mu.Unlock()
				var got []time.Duration
				first := h.bodies[slices.IndexFunc(h.bodies, func(body string) bool { return strings.Contains(body, "room_create") })]
				for i := range h.times {
					if h.bodies[i] == first { // A repeat is the same to the letter.
						got = append(got, h.times[i].Sub(begin))
					}
				}
				wantEqual(t, "tries", got, tc.want)
			})
		})
	}
}

func TestCallbackBodiesAsAWholeEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		s := sending(t, h, withSwitch(func(s *zimsim.Switches) { s.CallbackURLEncoded = true }))
		if err := s.CreateRoom(appID, zimsim.Room{ID: "a+b c%", DestroyDelay: time.Hour}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		decoded, err := url.QueryUnescape(h.bodies[0])
		if err != nil || !strings.HasPrefix(h.bodies[0], "%7B") || !strings.Contains(decoded, `"room_id":"a+b c%"`) {
			t.Errorf("%q: %v", h.bodies[0], err)
		}
	})
}

func TestNoCallbacksWithoutAnAddressOrASender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hook{}
		s := sending(t, h, withApp(func(app *zimsim.App) { app.CallbackURL = "" }))
		create := func(s *zimsim.Simulator) {
			if err := s.CreateRoom(appID, zimsim.Room{ID: "r", DestroyDelay: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		create(s)
		silent := zimsim.New(zimsim.Options{Apps: []zimsim.App{{AppID: appID, ServerSecret: secret, CallbackURL: hookURL}}})
		create(silent)
		synctest.Wait()
		wantEqual(t, "callbacks", len(h.bodies), 0)
		wantEqual(t, "tries", len(silent.Callbacks(zimsim.EventFilter{})), 0)
	})
}

func TestAdminHTTPCallbacks(t *testing.T) {
	f := newFixture(t)
	f.admin(http.MethodPut, "/apps", `{"appID":12345,"callbackURL":"localhost"}`, 400, nil)
	f.admin(http.MethodPut, "/apps", `{"appID":12345,"callbackURL":"http://localhost","callbackSecret":"hush"}`, 200, nil)
	answer := serve(t, f.Admin(), http.MethodGet, "/apps", "")
	if text := answer.Body.String(); strings.Contains(text, "hush") || !strings.Contains(text, "http://localhost") {
		t.Errorf("apps: %s", text)
	}
	var tries []zimsim.Callback
	f.admin(http.MethodGet, "/callbacks?appID=12345&roomID=r&limit=1", "", 200, &tries)
	wantEqual(t, "tries", tries, []zimsim.Callback{})
}
