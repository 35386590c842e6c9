package zim_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// answeringCodes answers one code after the other, and the last for ever.
func answeringCodes(codes ...zim.Code) http.HandlerFunc {
	var answered atomic.Int32
	return func(w http.ResponseWriter, _ *http.Request) {
		at := min(int(answered.Add(1)), len(codes)) - 1
		_, _ = fmt.Fprintf(w, `{"Code":%d,"Count":0,"RequestId":"%d"}`, codes[at], at)
	}
}

func TestOnlyARefusedSignatureIsSentAgain(t *testing.T) {
	for code, tc := range map[zim.Code]struct {
		wantClass    zim.Class
		wantRequests int
	}{
		3:         {zim.ClassAuth, 2},
		100000004: {zim.ClassAuth, 2},
		100000005: {zim.ClassAuth, 2},
		1:         {zim.ClassTransient, 1},
		7:         {zim.ClassThrottled, 1},
		105001:    {zim.ClassTransient, 1},
		100000010: {zim.ClassConfig, 1},
		100000015: {zim.ClassTransient, 1},
		660000002: {zim.ClassInvalid, 1},
		660000028: {zim.ClassNotOffered, 1},
		660300001: {zim.ClassRoomMissing, 1},
		660300005: {zim.ClassThrottled, 1},
		660300006: {zim.ClassRoomThrottled, 1},
		660300014: {zim.ClassRoomExists, 1},
		660300015: {zim.ClassRoomQuota, 1},
		660500002: {zim.ClassOperator, 1},
		660399999: {zim.ClassTransient, 1},
	} {
		t.Run(strconv.Itoa(int(code)), func(t *testing.T) {
			w, observed := newWire(t), &calls{}
			client := newClient(t, newServer(t, answeringCodes(code)).URL, w.client, func(config *zim.Config) {
				config.Observer = observed
			})
			err := act[zim.ActionCreateRoom](t.Context(), client)
			failsWith(t, withoutRequestID(err), refusal(zim.ActionCreateRoom, code, tc.wantClass))

			sent := w.requests()
			equal(t, "number of requests", len(sent), tc.wantRequests)
			equal(t, "number of observed calls", len(observed.all()), tc.wantRequests)
			keepsSecrets(t, err, observed.all(), sent)
			for _, name := range []string{"SignatureNonce", "Signature"} {
				if len(sent) == 2 && sent[0].query.Get(name) == sent[1].query.Get(name) {
					t.Errorf("both requests have %s %q", name, sent[0].query.Get(name))
				}
			}
		})
	}
}

func TestRefusedSignatureMayBeAcceptedAnew(t *testing.T) {
	for action, call := range act {
		t.Run(string(action), func(t *testing.T) {
			w, observed := newWire(t), &calls{}
			client := newClient(t, newServer(t, answeringCodes(zim.CodeSignatureExpired, zim.CodeOK)).URL, w.client,
				func(config *zim.Config) { config.Observer = observed })
			if err := call(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			sent := w.requests()
			equal(t, "number of requests", len(sent), 2)
			equal(t, "body of the second request", sent[1].body, sent[0].body)
			classes := make([]zim.Class, 0, len(observed.all()))
			for _, call := range observed.all() {
				classes = append(classes, call.Class)
			}
			equal(t, "observed classes", classes, []zim.Class{zim.ClassAuth, zim.ClassOK})
		})
	}
}

// The error tells of the second attempt, whatever the first was.
func TestSecondAttemptDecides(t *testing.T) {
	client := newClient(t, newServer(t, answeringCodes(zim.CodeSignatureWrong, zim.CodeRoomExists)).URL, zim.NewHTTPClient())
	err := act[zim.ActionCreateRoom](t.Context(), client)
	want := refusal(zim.ActionCreateRoom, zim.CodeRoomExists, zim.ClassRoomExists)
	want.RequestID = "1"
	failsWith(t, err, want)
}

// The signature is made after the wait for a turn, which may be long.
func TestEveryAttemptIsSignedWhenItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var timestamps []string
		httpClient := zim.NewHTTPClient()
		httpClient.Transport = transportFunc(func(request *http.Request) (*http.Response, error) {
			timestamps = append(timestamps, request.URL.Query().Get("Timestamp"))
			body := io.NopCloser(strings.NewReader(`{"Code":100000005}`))
			return &http.Response{StatusCode: http.StatusOK, Body: body, Request: request}, nil
		})
		client := newClient(t, "https://zim-api.zego.im", httpClient, func(config *zim.Config) {
			config.Limiter = zim.NewLimiter(1)
		})
		start := time.Now()
		equal(t, "class", zim.ClassOf(client.DestroyRoom(t.Context(), "room")), zim.ClassAuth)
		between := time.Since(start)
		if between < time.Second {
			t.Errorf("the second attempt came after %s, want it to wait for a turn of its own", between)
		}
		equal(t, "timestamps", timestamps, []string{
			strconv.FormatInt(start.Unix(), 10), strconv.FormatInt(start.Add(between).Unix(), 10),
		})
	})
}

func TestSimulatorRefusesTheSignature(t *testing.T) {
	for name, tc := range map[string]struct {
		change   func(*zim.Config)
		wantCode zim.Code
	}{
		"wrong secret": {func(config *zim.Config) { config.ServerSecret = "wrong" }, zim.CodeSignatureWrong},
		"clock behind": {
			func(config *zim.Config) { config.Now = func() time.Time { return time.Now().Add(-11 * time.Minute) } },
			zim.CodeSignatureExpired,
		},
		"clock ahead": {
			func(config *zim.Config) { config.Now = func() time.Time { return time.Now().Add(11 * time.Minute) } },
			zim.CodeSignatureExpired,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSimulator(t)
			client := newClient(t, newServer(t, f.API().ServeHTTP).URL, zim.NewHTTPClient(), tc.change)
			err := act[zim.ActionCreateRoom](t.Context(), client)
			failsWith(t, withoutRequestID(err), refusal(zim.ActionCreateRoom, tc.wantCode, zim.ClassAuth))
			equal(t, "number of calls", len(f.Calls()), 2)
		})
	}
}

// net/http sends a GET again by itself when a connection that it had kept breaks; ours must not.
func TestNothingIsSentTwiceOnABrokenConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		action zim.Action
		fault  zimsim.FaultKind
		http2  bool
	}{
		"GET, done":           {zim.ActionDestroyRoom, zimsim.FaultCutAfter, false},
		"GET, not done":       {zim.ActionDestroyRoom, zimsim.FaultCutBefore, false},
		"POST, done":          {zim.ActionCreateRoom, zimsim.FaultCutAfter, false},
		"POST, not done":      {zim.ActionCreateRoom, zimsim.FaultCutBefore, false},
		"GET over HTTP/2":     {zim.ActionDestroyRoom, zimsim.FaultCutAfter, true},
		"POST over HTTP/2":    {zim.ActionCreateRoom, zimsim.FaultCutAfter, true},
		"GET of a user list":  {zim.ActionQueryRoomUserList, zimsim.FaultCutAfter, false},
		"POST of a user name": {zim.ActionUserRegister, zimsim.FaultCutAfter, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSimulator(t)
			var connections atomic.Int32
			server := newTLSServer(t, f.API().ServeHTTP, func(server *httptest.Server) {
				server.EnableHTTP2 = tc.http2
				server.Config.ConnState = countConnections(&connections)
			})
			w := newWire(t)
			trust(w, server)
			client := newClient(t, server.URL, w.client)
			f.must(client.UserRegister(t.Context(), "first")) // Leaves a connection.
			f.ResetCalls()
			f.inject(zimsim.Fault{Kind: tc.fault})

			err := act[tc.action](t.Context(), client)

			want := brokenOff
			want.Action = tc.action
			failsWith(t, err, want)
			equal(t, "number of calls that arrived", len(f.Calls()), 1)
			equal(t, "number of connections", connections.Load(), 1)
			keepsSecrets(t, err, nil, w.requests())

			f.ClearFaults()
			f.must(client.UserRegister(t.Context(), "next")) // The client is not the worse for it.
		})
	}
}

func countConnections(count *atomic.Int32) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			count.Add(1)
		}
	}
}

// A connection that the server closed while nobody used it costs no call.
func TestClosedIdleConnectionCostsNoCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, wire: newWire(t)}
		s.servePiped(succeed)
		client := newClient(t, s.endpoint, s.wire.client)
		for _, action := range []zim.Action{zim.ActionCreateRoom, zim.ActionDestroyRoom, zim.ActionCreateRoom} {
			if err := act[action](t.Context(), client); err != nil {
				t.Error(err)
			}
			time.Sleep(idleTimeout + time.Second)
		}
	})
}

// A frequency limit of the account slows all its calls down; nothing else does.
func TestFrequencyLimitsSlowTheAccountDown(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		code   zim.Code
		action zim.Action
		slower bool
	}{
		"of the AppID":           {http.StatusOK, 660300005, zim.ActionCreateRoom, true},
		"common code":            {http.StatusOK, 7, zim.ActionQueryRoomUserList, true},
		"of UserRegister":        {http.StatusOK, 660700001, zim.ActionUserRegister, true},
		"status 429":             {http.StatusTooManyRequests, 0, zim.ActionDestroyRoom, true},
		"of the room":            {http.StatusOK, 660300006, zim.ActionCreateRoom, false},
		"success":                {http.StatusOK, 0, zim.ActionDestroyRoom, false},
		"room exists":            {http.StatusOK, 660300014, zim.ActionCreateRoom, false},
		"server error":           {http.StatusInternalServerError, 0, zim.ActionDestroyRoom, false},
		"transient, by its code": {http.StatusOK, 660000003, zim.ActionDestroyRoom, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, unpaced := range []bool{false, true} {
				limiter := zim.NewLimiter(10000)
				server := newServer(t, func(response http.ResponseWriter, _ *http.Request) {
					response.WriteHeader(tc.status)
					_, _ = fmt.Fprintf(response, `{"Code":%d}`, tc.code)
				})
				client := newClient(t, server.URL, zim.NewHTTPClient(), func(config *zim.Config) { config.Limiter = limiter })
				if unpaced {
					client = client.Unpaced()
				}
				_ = act[tc.action](t.Context(), client)
				if pace := limiter.Pace(); (pace.Present < pace.Full) != tc.slower {
					t.Errorf("pace %+v, want it slower: %v (unpaced: %v)", pace, tc.slower, unpaced)
				}
			}
		})
	}
}

// Each call can be found at the vendor's, those that succeed too.
func TestObserverLearnsTheRequestID(t *testing.T) {
	w, observed := newWire(t), &calls{}
	client := newClient(t, newServer(t, answering(http.StatusOK, success)).URL, w.client, func(config *zim.Config) {
		config.Observer = zim.Observers{observed, observed}
	})
	if err := client.DestroyRoom(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	for _, call := range observed.all() {
		equal(t, "request id", call.RequestID, successID)
	}
	equal(t, "number of observations", len(observed.all()), 2)
}

func TestObserverLearnsHowLongACallWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		httpClient, observed := zim.NewHTTPClient(), &calls{}
		httpClient.Transport = transportFunc(func(request *http.Request) (*http.Response, error) {
			time.Sleep(30 * time.Millisecond)
			body := io.NopCloser(strings.NewReader(`{"Code":0}`))
			return &http.Response{StatusCode: http.StatusOK, Body: body, Request: request}, nil
		})
		client := newClient(t, "https://zim-api.zego.im", httpClient, func(config *zim.Config) {
			config.Limiter, config.Observer = zim.NewLimiter(1), observed
		})
		for range 2 {
			if err := client.DestroyRoom(t.Context(), "room"); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "time that the first call waited", observed.all()[0].Waited, 0)
		equal(t, "time that the second call waited", observed.all()[1].Waited, gapOf(1)-30*time.Millisecond)
		equal(t, "time of the second call", observed.all()[1].Duration, 30*time.Millisecond)
	})
}
