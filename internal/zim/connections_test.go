package zim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// brokenOff is the error of a call that left but got no readable answer.
var brokenOff = zim.Error{Class: zim.ClassTransient, Failure: zim.FailureConnection, MaybeDone: true}

// notConnected is the error of a call that never left.
var notConnected = zim.Error{Class: zim.ClassTransient, Failure: zim.FailureConnection}

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

func TestCallIsNotSentWhenItMayNotLeave(t *testing.T) {
	w, observed, errForbidden := newWire(t), &calls{}, errors.New("forbidden")
	client := newClient(t, "http://"+closedAddress(t), w.client, func(config *zim.Config) {
		config.MayCall, config.Observer = func() error { return errForbidden }, observed
	})
	for name, client := range map[string]*zim.Client{"paced": client, "unpaced": client.Unpaced()} {
		t.Run(name, func(t *testing.T) {
			err := client.DestroyRoom(t.Context(), "room")
			failsWith(t, err, zim.Error{
				Action: zim.ActionDestroyRoom, Class: zim.ClassTransient, Failure: zim.FailureNoTurn,
			})
			if !errors.Is(err, errForbidden) {
				t.Errorf("the cause of %v is not what forbade it", err)
			}
		})
	}
	equal(t, "number of requests", len(w.requests()), 0)
	equal(t, "number of observed calls", len(observed.all()), 0)
}

func TestCallMayNotLeaveAfterItsTurnCameTooLate(t *testing.T) {
	w, limiter, leads := newWire(t), zim.NewLimiter(20), atomic.Bool{}
	client := newClient(t, "http://"+closedAddress(t), w.client, func(config *zim.Config) {
		config.Limiter = limiter
		config.MayCall = func() error {
			if leads.Load() {
				return nil
			}
			return context.Canceled
		}
	})
	leads.Store(true)
	if _, err := limiter.TakeTurns(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { leads.Store(false) }) // While the call waits for its turn.
	_ = client.DestroyRoom(t.Context(), "room")
	equal(t, "number of requests", len(w.requests()), 0)
}

func TestNothingIsWrittenOnceItMayNotLeave(t *testing.T) {
	for name, tc := range map[string]struct{ http2, kept bool }{
		"over HTTP/1.1":        {false, false},
		"over HTTP/2":          {true, false},
		"over HTTP/1.1, again": {false, true},
		"over HTTP/2, again":   {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var arrived atomic.Int32
			var leads atomic.Bool
			server := newTLSServer(t, func(w http.ResponseWriter, r *http.Request) {
				arrived.Add(1)
				succeed(w, r)
			}, func(server *httptest.Server) { server.EnableHTTP2 = tc.http2 })
			httpClient := zim.NewGuardedHTTPClient(func() error {
				if leads.Load() {
					return nil
				}
				return errors.New("forbidden")
			})
			trust(&wire{transport: httpClient.Transport.(*http.Transport)}, server)
			client, want := newClient(t, server.URL, httpClient), int32(0)
			leads.Store(true)
			if tc.kept {
				want = 1
				if err := client.DestroyRoom(t.Context(), "room"); err != nil {
					t.Fatal(err)
				}
			}
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn: func(httptrace.GotConnInfo) { leads.Store(false) }, // While the call was on its way.
			})
			if zim.ClassOf(client.DestroyRoom(ctx, "room")) != zim.ClassTransient {
				t.Error("the call succeeded")
			}
			server.Close()
			equal(t, "calls that arrived", arrived.Load(), want)
		})
	}
}
