package zim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// untrusted is the error of a server that is not who it should be. Nothing was sent to it.
var untrusted = zim.Error{Class: zim.ClassTransient, Failure: zim.FailureCertificate}

// tlsFailures fail around TLS.
var tlsFailures = map[string]failure{
	"unknown authority": {
		stage: func(s *scene) { s.endpoint = newTLSServer(s.t, succeed, nil).URL },
		want:  untrusted,
	},
	"certificate of another host": {
		stage: func(s *scene) {
			server := newTLSServer(s.t, succeed, nil)
			trust(s.wire, server)
			s.endpoint = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
		},
		want: untrusted,
	},
	"TLS 1.1": {
		stage: func(s *scene) {
			server := newTLSServer(s.t, succeed, func(server *httptest.Server) {
				server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
			})
			trust(s.wire, server)
			s.endpoint = server.URL
		},
		want: notConnected,
	},
	"no TLS there": {
		stage: func(s *scene) {
			s.serve(succeed)
			s.endpoint = strings.Replace(s.endpoint, "http://", "https://", 1)
		},
		want: notConnected,
	},
	"TLS there": {
		stage: func(s *scene) {
			s.endpoint = strings.Replace(newTLSServer(s.t, succeed, nil).URL, "https://", "http://", 1)
		},
		want: httpFailure(http.StatusBadRequest, zim.ClassTransient, true),
	},
	"cancelled in the handshake": {
		stage: func(s *scene) {
			ctx, cancel := context.WithCancel(s.ctx)
			s.ctx = ctx
			s.endpoint = "https://" + silentListener(s.t, cancel)
		},
		want:      zim.Error{Class: zim.ClassTransient, Failure: zim.FailureCancelled},
		wantCause: context.Canceled,
	},
	"HTTP/2, cut before the answer": {
		stage: overHTTP2(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		want:  brokenOff,
	},
	"HTTP/2, refused": {
		stage: overHTTP2(answering(http.StatusOK, exists)),
		want:  zim.Error{Class: zim.ClassRoomExists, Code: zim.CodeRoomExists, HTTPStatus: 200, RequestID: "7"},
	},
}

var succeed = answering(http.StatusOK, success)

// newTLSServer serves a handler with a certificate for 127.0.0.1 that nobody trusts yet.
func newTLSServer(t *testing.T, handler http.HandlerFunc, change func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if change != nil {
		change(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// trust lets the client trust the server's certificate, and changes nothing else of the client's TLS.
func trust(w *wire, server *httptest.Server) {
	w.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
	w.transport.TLSClientConfig.RootCAs.AddCert(server.Certificate())
}

func overHTTP2(handler http.HandlerFunc) func(*scene) {
	return func(s *scene) {
		server := newTLSServer(s.t, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				s.t.Errorf("the request came by %s, want HTTP/2", r.Proto)
			}
			handler(w, r)
		}, func(server *httptest.Server) { server.EnableHTTP2 = true })
		trust(s.wire, server)
		s.endpoint = server.URL
	}
}

// silentListener accepts connections and says nothing on them.
func silentListener(t *testing.T, accepted func()) (address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			accepted()
			_, _ = io.Copy(io.Discard, connection) // Until the client gives up.
			_ = connection.Close()
		}
	}()
	return listener.Addr().String()
}

func TestCallOverTLS(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			server := newTLSServer(t, succeed, func(server *httptest.Server) {
				server.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
			})
			w := newWire(t)
			trust(w, server)
			if err := newClient(t, server.URL, w.client).DestroyRoom(t.Context(), "room"); err != nil {
				t.Error(err)
			}
		})
	}
}
