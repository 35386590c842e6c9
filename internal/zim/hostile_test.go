package zim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// hostileFailures are answers of a server that repeats what it was sent, or wants something else of the client.
var hostileFailures = map[string]failure{
	"message": {
		stage: serving(echoing(func(r *http.Request) string { return r.URL.String() }, "Message")),
		want:  invalid(""),
	},
	"request id with more than an id": {
		stage: serving(echoing(func(*http.Request) string { return "a\r\n\x00b \x1b[31m{c}\u202e-_.9" }, "RequestId")),
		want:  invalid("ab31mc-_.9"),
	},
	"endless request id": {
		stage: serving(echoing(func(*http.Request) string { return strings.Repeat("é7", 100_000) }, "RequestId")),
		want:  invalid(strings.Repeat("7", 64)),
	},
	"request id that is no text": {
		stage: serving(answering(http.StatusOK, `{"Code":660000002,"RequestId":343649807833778782}`)),
		want:  invalid(""),
	},
	"request id is the query": {
		stage: serving(echoing(func(r *http.Request) string { return r.URL.RawQuery }, "RequestId")),
		want:  invalid(""),
	},
	"request id is the signature": {
		stage: serving(echoing(parameter("Signature"), "RequestId")),
		want:  invalid(""),
	},
	"request id is the signature in capitals": {
		stage: serving(echoing(func(r *http.Request) string {
			return strings.ToUpper(parameter("Signature")(r))
		}, "RequestId")),
		want: invalid(""),
	},
	"request id is the signature with gaps": {
		stage: serving(echoing(func(r *http.Request) string {
			return strings.Join(strings.Split(parameter("Signature")(r), ""), " ")
		}, "RequestId")),
		want: invalid(""),
	},
	"request id has the nonce": {
		stage: serving(echoing(func(r *http.Request) string { return "req-" + parameter("SignatureNonce")(r) }, "RequestId")),
		want:  invalid(""),
	},
	"request id after success that is none": {
		stage: serving(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"Code":0,"AttributeSeq":"x","RequestId":%q,"Message":%q}`, r.URL, r.URL)
		}),
		want: notZIM,
	},
	"attribute keys": {
		stage: serving(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"Code":660000002,"ErrKeyList":[{"Key":%q,"SubCode":1}]}`, r.URL)
		}),
		action: zim.ActionModifyRoomAttribute,
		want:   invalid(""),
	},
	"page": {
		stage: serving(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "cannot handle %s", r.URL) }),
		want:  notZIM,
	},
	"text instead of an answer": {
		stage: serving(rawAnswer(func(r *http.Request) string { return r.URL.String() + "\r\n\r\n" })),
		want:  brokenOff,
	},
	"text instead of a status": {
		stage: serving(rawAnswer(func(r *http.Request) string { return "HTTP/1.1 " + r.URL.String() + "\r\n\r\n" })),
		want:  brokenOff,
	},
	"text instead of a header": {
		stage: serving(rawAnswer(func(r *http.Request) string { return "HTTP/1.1 200 OK\r\n" + r.URL.String() + "\r\n\r\n" })),
		want:  brokenOff,
	},
	"endless header": {
		stage: serving(rawAnswer(func(r *http.Request) string {
			return "HTTP/1.1 200 OK\r\nX-Query: " + strings.Repeat(r.URL.RawQuery, 1000) + "\r\n\r\n" + success
		})),
		want: brokenOff,
	},
	"text instead of a length": {
		stage: serving(rawAnswer(func(r *http.Request) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + r.URL.RawQuery + "\r\n"
		})),
		want: brokenOff,
	},
	"redirect to nowhere": {
		stage: serving(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://[::1/?"+r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		}),
		want: brokenOff,
	},
	"redirect, 301": {stage: redirecting(301), want: httpFailure(301, zim.ClassTransient, true)},
	"redirect, 302": {stage: redirecting(302), want: httpFailure(302, zim.ClassTransient, true)},
	"redirect, 303": {stage: redirecting(303), want: httpFailure(303, zim.ClassTransient, true)},
	"redirect, 307": {stage: redirecting(307), want: httpFailure(307, zim.ClassTransient, true)},
	"redirect, 308": {stage: redirecting(308), want: httpFailure(308, zim.ClassTransient, true)},
	"redirect of a GET": {
		stage: redirecting(302), action: zim.ActionDestroyRoom, want: httpFailure(302, zim.ClassTransient, true),
	},
}

// invalid is the error of a refused parameter.
func invalid(requestID string) zim.Error {
	return zim.Error{Class: zim.ClassInvalid, Code: zim.CodeInvalidParameter, HTTPStatus: http.StatusOK, RequestID: requestID}
}

// parameter returns what a request has in its query.
func parameter(name string) func(*http.Request) string {
	return func(r *http.Request) string { return r.URL.Query().Get(name) }
}

// echoing refuses a call with a text of its own choice in one field.
func echoing(text func(*http.Request) string, field string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := json.Marshal(map[string]any{"Code": zim.CodeInvalidParameter, field: text(r)})
		if err != nil {
			panic(err)
		}
		_, _ = w.Write(body)
	}
}

// rawAnswer writes to the connection what need not be HTTP, and closes it.
func rawAnswer(text func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(connection, text(r))
		_ = connection.Close()
	}
}

// redirecting sends the caller to another host, whom the signed query must not reach.
func redirecting(status int) func(*scene) {
	return func(s *scene) {
		var reached atomic.Int32
		elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reached.Add(1)
			answering(http.StatusOK, success)(w, r)
		}))
		s.t.Cleanup(elsewhere.Close)
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/?"+r.URL.RawQuery, status)
		})
		s.after = func() { equal(s.t, "requests at the other host", reached.Load(), 0) }
	}
}

// The second answer alone counts.
func TestNothingIsLeftOfAnAnswerThatRefusedTheSignature(t *testing.T) {
	var answered atomic.Int32
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"Code":100000005,"AttributeSeq":9,"ErrKeyList":[{"Key":"k","SubCode":1}]}`
		if answered.Add(1) > 1 {
			body = `{"Code":0}`
		}
		answering(http.StatusOK, body)(w, r)
	})
	got, err := newClient(t, server.URL, zim.NewHTTPClient()).ModifyRoomAttribute(t.Context(), zim.ModifyRoomAttributeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "response", got, zim.ModifyRoomAttributeResponse{})
}

// A panic's value may hold the signed URL. What the runtime says tells what went wrong, and holds nothing.
func TestAPanicWhileSendingTellsNothingSecret(t *testing.T) {
	const concealed = "sending a call to ZIM panicked"
	for name, tc := range map[string]struct {
		defect func(*http.Request)
		want   string
	}{
		"text":    {func(r *http.Request) { panic(r.URL.String()) }, concealed},
		"error":   {func(r *http.Request) { panic(&url.Error{Op: r.Method, URL: r.URL.String()}) }, concealed},
		"runtime": {func(r *http.Request) { r.Header = nil; r.Header.Set("a", "b") }, "assignment to entry in nil map"},
	} {
		t.Run(name, func(t *testing.T) {
			httpClient := &http.Client{Transport: transportFunc(func(request *http.Request) (*http.Response, error) {
				tc.defect(request)
				return nil, io.ErrUnexpectedEOF
			})}
			defer func() { equal(t, "what the panic says", fmt.Sprint(recover()), tc.want) }()
			_ = newClient(t, "https://zim-api.zego.im", httpClient).UserRegister(t.Context(), "u")
		})
	}
}
