package zim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// brokenOff is the error of a call that left but got no readable answer.
var brokenOff = zim.Error{Class: zim.ClassTransient, Failure: zim.FailureConnection, MaybeDone: true}

// notConnected is the error of a call that never left.
var notConnected = zim.Error{Class: zim.ClassTransient, Failure: zim.FailureConnection}

// timedOut is the error of a call that took too long.
func timedOut(maybeDone bool) zim.Error {
	return zim.Error{Class: zim.ClassTransient, Failure: zim.FailureTimeout, MaybeDone: maybeDone}
}

// connectionFailures bring no whole answer.
var connectionFailures = map[string]failure{
	"refused": {
		stage: func(s *scene) { s.endpoint = "http://" + closedAddress(s.t) },
		want:  notConnected,
	},
	"name unknown": {
		stage: func(s *scene) {
			s.endpoint = "http://zim.example.com"
			s.wire.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "zim.example.com", IsNotFound: true}
			}
		},
		want: notConnected,
	},
	"no connection in time": {
		stage: func(s *scene) {
			s.endpoint = "http://zim.example.com"
			s.wire.client.Timeout = shortly
			s.wire.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		},
		want: timedOut(false),
	},
	"dialling timed out by itself": {
		stage: func(s *scene) {
			s.endpoint = "http://zim.example.com"
			s.wire.transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
			}
		},
		want: timedOut(false),
	},
	"cancelled while connecting": {
		stage: func(s *scene) {
			ctx, cancel := context.WithCancel(s.ctx)
			s.ctx, s.endpoint = ctx, "http://zim.example.com"
			s.wire.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				cancel()
				<-ctx.Done()
				return nil, ctx.Err()
			}
		},
		want:      zim.Error{Class: zim.ClassTransient, Failure: zim.FailureCancelled},
		wantCause: context.Canceled,
	},
	"cut before the answer": {
		stage: serving(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		want:  brokenOff,
	},
	"cut inside the answer": {
		stage: serving(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, success)
		}),
		want: brokenOff,
	},
	"hangs before the answer": {
		stage: func(s *scene) {
			s.wire.client.Timeout = shortly
			s.serve(hang)
		},
		want: timedOut(true),
	},
	"hangs inside the answer": {
		stage: func(s *scene) {
			s.wire.client.Timeout = shortly
			s.serve(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, success[:10])
				_ = http.NewResponseController(w).Flush()
				hang(w, r)
			})
		},
		want: timedOut(true),
	},
	"the pass is over": {
		stage: func(s *scene) {
			ctx, cancel := context.WithTimeout(s.ctx, shortly)
			s.t.Cleanup(cancel)
			s.ctx = ctx
			s.serve(hang)
		},
		want:      timedOut(true),
		wantCause: context.DeadlineExceeded,
	},
	"cancelled": {
		stage: func(s *scene) {
			ctx, cancel := context.WithCancel(s.ctx)
			s.ctx = ctx
			s.serve(func(w http.ResponseWriter, r *http.Request) {
				cancel()
				hang(w, r)
			})
		},
		want:      zim.Error{Class: zim.ClassTransient, Failure: zim.FailureCancelled, MaybeDone: true},
		wantCause: context.Canceled,
	},
	"cancelled inside the answer": {
		stage: func(s *scene) {
			ctx, cancel := context.WithCancel(s.ctx)
			s.ctx = ctx
			s.serve(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, success[:10])
				_ = http.NewResponseController(w).Flush()
				cancel()
				hang(w, r)
			})
		},
		want:      zim.Error{Class: zim.ClassTransient, Failure: zim.FailureCancelled, MaybeDone: true},
		wantCause: context.Canceled,
	},
}

// hang answers nothing until the caller is gone.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // The server sees the caller go only when the body is read.
	<-r.Context().Done()
}

// closedAddress returns an address where nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func TestCallIsNotSentWhenItsContextIsOver(t *testing.T) {
	for name, tc := range map[string]struct {
		limiter *zim.Limiter
	}{
		"without a limiter": {nil},
		"with a limiter":    {zim.NewLimiter(20)},
	} {
		t.Run(name, func(t *testing.T) {
			w, observed := newWire(t), &calls{}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			client := newClient(t, "http://"+closedAddress(t), w.client, func(config *zim.Config) {
				config.Limiter, config.Observer = tc.limiter, observed
			})
			err := client.DestroyRoom(ctx, "room")
			failsWith(t, err, zim.Error{
				Action: zim.ActionDestroyRoom, Class: zim.ClassTransient, Failure: zim.FailureNoTurn,
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the cause of %v is not that the context was cancelled", err)
			}
			equal(t, "number of requests", len(w.requests()), 0)
			equal(t, "number of observed calls", len(observed.all()), 0)
		})
	}
}

// transportFunc is a network in a function.
type transportFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f transportFunc) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestCallEndsAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		httpClient := zim.NewHTTPClient()
		httpClient.Transport = transportFunc(func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, request.Context().Err()
		})
		start := time.Now()
		err := newClient(t, "https://zim-api.zego.im", httpClient).DestroyRoom(t.Context(), "room")
		// Nothing is known of what this network did with the request.
		want := timedOut(true)
		want.Action = zim.ActionDestroyRoom
		failsWith(t, err, want)
		equal(t, "time until the call ended", time.Since(start), 10*time.Second)
	})
}
