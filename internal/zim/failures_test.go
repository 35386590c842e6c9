package zim_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// failure is a way in which a call fails.
type failure struct {
	// stage builds the server, and whatever else makes the call fail.
	stage func(*scene)
	// action is called; CreateRoom unless said otherwise.
	action zim.Action
	// want is the error, without the action.
	want zim.Error
	// wantRequests is how many requests are sent. 0 stands for 1.
	wantRequests int
	// wantCause is what errors.Is finds.
	wantCause error
}

// scene is what a call meets.
type scene struct {
	t        *testing.T
	wire     *wire
	ctx      context.Context //nolint:containedctx // Cancelled by what happens on the scene.
	endpoint string
	// after looks whether the world is as it should be after the call.
	after func()
}

func (s *scene) serve(handler http.HandlerFunc) {
	s.endpoint = newServer(s.t, handler).URL
}

// serving returns a stage with one server.
func serving(handler http.HandlerFunc) func(*scene) {
	return func(s *scene) { s.serve(handler) }
}

func TestFailures(t *testing.T) {
	for group, failures := range map[string]map[string]failure{
		"answer":     answerFailures,
		"JSON":       jsonFailures,
		"hostile":    hostileFailures,
		"connection": connectionFailures,
		"TLS":        tlsFailures,
		"simulator":  simulatorFailures,
	} {
		for name, tc := range failures {
			t.Run(group+"/"+name, func(t *testing.T) {
				t.Parallel()
				fail(t, tc)
			})
		}
	}
}

// fail makes a call that fails, and checks the error, what was sent and observed, and that none of it tells a secret.
func fail(t *testing.T, tc failure) {
	t.Helper()
	s := &scene{t: t, wire: newWire(t), ctx: t.Context(), after: func() {}}
	tc.stage(s)
	action := cmp.Or(tc.action, zim.ActionCreateRoom)
	observed := &calls{}
	client := newClient(t, s.endpoint, s.wire.client, func(config *zim.Config) { config.Observer = observed })

	err := act[action](s.ctx, client)

	tc.want.Action = action
	failsWith(t, err, tc.want)
	if tc.wantCause != nil && !errors.Is(err, tc.wantCause) {
		t.Errorf("the cause of %v is not %v", err, tc.wantCause)
	}
	requests := s.wire.requests()
	equal(t, "number of requests", len(requests), max(tc.wantRequests, 1))
	equal(t, "number of observed calls", len(observed.all()), len(requests))
	for _, call := range observed.all() {
		call.Duration, call.Waited = 0, 0
		equal(t, "observed call", call, zim.Call{
			Account: client.Account(), Action: action, Code: tc.want.Code, Failure: tc.want.Failure, Class: tc.want.Class,
			Documented: zim.Documented(tc.want.Code), RequestID: tc.want.RequestID,
		})
	}
	s.after()
	keepsSecrets(t, err, observed.all(), requests)
}

// keepsSecrets checks that nobody who prints an error, any error in its chain, or what was observed, prints with it
// what a request was signed with.
func keepsSecrets(t *testing.T, err error, observed []zim.Call, requests []sentRequest) {
	t.Helper()
	hidden := map[string]bool{secret: true, "Signature=": true, "SignatureNonce": true, "Action=": true, "AppId=": true}
	for _, request := range requests {
		hidden[request.query.Get("Signature")] = true
		hidden[request.query.Get("SignatureNonce")] = true
	}
	if hidden[""] {
		t.Error("a request went out without a signature")
		delete(hidden, "")
	}
	texts := printed(t, observed)
	for _, part := range chain(err) {
		texts = append(texts, part.Error())
		texts = append(texts, printed(t, part)...)
	}
	for _, text := range texts {
		for part := range maps.Keys(hidden) {
			if mentions(text, part) {
				t.Errorf("%q mentions %q", text, part)
			}
		}
	}
}

// printed returns the ways in which a value may end up in a log.
func printed(t *testing.T, value any) []string {
	t.Helper()
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		fmt.Sprintf("%v", value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%s", value),
		string(asJSON),
	}
}

// chain returns an error and all that it wraps.
func chain(err error) []error {
	if err == nil {
		return nil
	}
	all := []error{err}
	switch wrapping := err.(type) { //nolint:errorlint // Walks the chain link by link.
	case interface{ Unwrap() error }:
		all = append(all, chain(wrapping.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, part := range wrapping.Unwrap() {
			all = append(all, chain(part)...)
		}
	}
	return all
}

func TestPrintingAClientTellsNoSecret(t *testing.T) {
	client := newClient(t, "https://zim-api.zego.im", zim.NewHTTPClient())
	for _, text := range []string{fmt.Sprintf("%v", client), fmt.Sprintf("%+v", *client), fmt.Sprintf("%#v", client)} {
		if mentions(text, secret) {
			t.Errorf("%q mentions the secret", text)
		}
	}
}

func TestErrorTextIsStable(t *testing.T) {
	for name, tc := range map[string]struct {
		err  zim.Error
		want string
	}{
		"code": {
			zim.Error{Action: zim.ActionCreateRoom, Code: 660300014, HTTPStatus: 200, RequestID: "1"},
			"CreateRoom: ZIM answered 660300014 (room already exists)",
		},
		"undocumented code": {
			zim.Error{Action: zim.ActionCreateRoom, Code: 4711, HTTPStatus: 200},
			"CreateRoom: ZIM answered 4711 (undocumented code 4711)",
		},
		"HTTP status": {
			zim.Error{Action: zim.ActionDestroyRoom, Failure: zim.FailureHTTPStatus, HTTPStatus: 502},
			"DestroyRoom: the answer has an HTTP status other than 200: 502",
		},
		"no answer": {
			zim.Error{Action: zim.ActionDestroyRoom, Failure: zim.FailureTimeout, MaybeDone: true},
			"DestroyRoom: no answer in time",
		},
		"no connection": {
			zim.Error{Action: zim.ActionDestroyRoom, Failure: zim.FailureConnection},
			"DestroyRoom: no connection came about",
		},
		"no connection in time": {
			zim.Error{Action: zim.ActionDestroyRoom, Failure: zim.FailureTimeout},
			"DestroyRoom: no connection came about",
		},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "text", tc.err.Error(), tc.want)
		})
	}
}

func TestClassAndCodeOfOtherErrors(t *testing.T) {
	failed := &zim.Error{Action: zim.ActionCreateRoom, Class: zim.ClassRoomExists, Code: zim.CodeRoomExists}
	for name, tc := range map[string]struct {
		err       error
		wantClass zim.Class
		wantCode  zim.Code
	}{
		"no error":      {nil, zim.ClassOK, zim.CodeOK},
		"another error": {context.Canceled, zim.ClassTransient, zim.CodeOK},
		"wrapped":       {fmt.Errorf("creating: %w", failed), zim.ClassRoomExists, zim.CodeRoomExists},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "class", zim.ClassOf(tc.err), tc.wantClass)
			equal(t, "code", zim.CodeOf(tc.err), tc.wantCode)
		})
	}
}
