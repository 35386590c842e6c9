package zim_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// timedOut is the error of a call that took too long.
func timedOut(maybeDone bool) zim.Error {
	return zim.Error{Class: zim.ClassTransient, Failure: zim.FailureTimeout, MaybeDone: maybeDone}
}

// TestTimeouts lets calls wait in a bubble of time, on a network without sockets.
func TestTimeouts(t *testing.T) {
	for name, tc := range map[string]struct {
		failure

		wantAfter time.Duration
	}{
		"hangs before the answer": {
			failure:   failure{stage: func(s *scene) { s.servePiped(hang) }, want: timedOut(true)},
			wantAfter: 10 * time.Second,
		},
		"hangs inside the answer": {
			failure: failure{stage: func(s *scene) {
				s.servePiped(func(w http.ResponseWriter, r *http.Request) {
					pause(r, 9*time.Second)
					_, _ = io.WriteString(w, success[:10])
					_ = http.NewResponseController(w).Flush()
					hang(w, r)
				})
			}, want: timedOut(true)},
			wantAfter: 10 * time.Second,
		},
		"answers too late": {
			failure: failure{stage: func(s *scene) {
				s.servePiped(func(w http.ResponseWriter, r *http.Request) {
					pause(r, 11*time.Second)
					succeed(w, r)
				})
			}, want: timedOut(true)},
			wantAfter: 10 * time.Second,
		},
		"an answer a byte at a time": {
			failure: failure{stage: func(s *scene) {
				s.servePiped(func(w http.ResponseWriter, r *http.Request) {
					for ; r.Context().Err() == nil; pause(r, time.Second) {
						_, _ = io.WriteString(w, " ")
						_ = http.NewResponseController(w).Flush()
					}
				})
			}, want: timedOut(true)},
			wantAfter: 10 * time.Second,
		},
		"the pass is over first": {
			failure: failure{stage: func(s *scene) {
				s.servePiped(hang)
				ctx, cancel := context.WithTimeout(s.ctx, 3*time.Second)
				s.t.Cleanup(cancel)
				s.ctx = ctx
			}, want: timedOut(true), wantCause: context.DeadlineExceeded},
			wantAfter: 3 * time.Second,
		},
		"simulator hangs": {
			failure: failure{stage: func(s *scene) {
				f := newSimulator(s.t)
				f.inject(zimsim.Fault{Kind: zimsim.FaultHang})
				s.servePiped(f.API().ServeHTTP)
			}, want: timedOut(true)},
			wantAfter: 10 * time.Second,
		},
		"no connection": {
			failure: failure{stage: func(s *scene) {
				s.dial(func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				})
			}, want: timedOut(false)},
			wantAfter: 10 * time.Second,
		},
		"no connection in the dialler's time": {
			failure: failure{stage: func(s *scene) {
				s.dial(func(context.Context, string, string) (net.Conn, error) {
					time.Sleep(5 * time.Second)
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}
				})
			}, want: timedOut(false)},
			wantAfter: 5 * time.Second,
		},
		"handshake hangs": {
			failure: failure{stage: func(s *scene) {
				near, far := net.Pipe()
				s.t.Cleanup(func() { _ = far.Close() })
				go func() { _, _ = io.Copy(io.Discard, far) }()
				s.dial(func(context.Context, string, string) (net.Conn, error) { return near, nil })
				s.endpoint = "https://zim.example.com"
			}, want: timedOut(false)},
			wantAfter: 5 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				fail(t, tc.failure)
				equal(t, "time until the call ended", time.Since(start), tc.wantAfter)
			})
		})
	}
}

// Who may write a ZimApp sees the text of errors: it must not tell what is at an address.
func TestAllWaysOfNoConnectionReadTheSame(t *testing.T) {
	for name, dial := range map[string]func(context.Context) (net.Conn, error){
		"refused":     func(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
		"unreachable": func(context.Context) (net.Conn, error) { return nil, syscall.EHOSTUNREACH },
		"unknown":     func(context.Context) (net.Conn, error) { return nil, &net.DNSError{IsNotFound: true} },
		"silent": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scene{t: t, wire: newWire(t), ctx: t.Context()}
				s.dial(func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) })
				err := act[zim.ActionCreateRoom](s.ctx, newClient(t, s.endpoint, s.wire.client))
				equal(t, "text", err.Error(), "CreateRoom: no connection came about")
			})
		})
	}
}

// pause waits as long as the caller is there.
func pause(r *http.Request, duration time.Duration) {
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-time.After(duration):
	case <-r.Context().Done():
	}
}

// dial lets the client reach the endpoint in another way than by a socket.
func (s *scene) dial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.endpoint = "http://zim.example.com"
	s.wire.transport.DialContext = dial
}

// idleTimeout is how long a server without sockets keeps a connection that nobody uses.
const idleTimeout = 30 * time.Second

// servePiped is serve without sockets, on which a bubble of time could not wait.
func (s *scene) servePiped(handler http.HandlerFunc) {
	listener := &pipeListener{connections: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: handler, IdleTimeout: idleTimeout, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close() })
	s.dial(listener.dial)
}

// pipeListener is a net.Listener for connections inside the process.
type pipeListener struct {
	connections chan net.Conn
	closed      chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.connections <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.connections:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// transportFunc is a network in a function.
type transportFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f transportFunc) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

func TestUnknownNetworkMayHaveSent(t *testing.T) {
	httpClient := zim.NewHTTPClient()
	httpClient.Transport = transportFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
	err := newClient(t, "https://zim-api.zego.im", httpClient).DestroyRoom(t.Context(), "room")
	want := brokenOff
	want.Action = zim.ActionDestroyRoom
	failsWith(t, err, want)
}
