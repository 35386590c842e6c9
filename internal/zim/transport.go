package zim

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	// callTimeout bounds one HTTP call, from sending to the end of the answer. Waiting for a turn comes on top.
	callTimeout = 10 * time.Second

	// maxConnectionsPerHost leaves room for many calls at once without letting a slow server pile connections up.
	maxConnectionsPerHost = 64
)

// NewHTTPClient returns the HTTP client for ZIM: TLS 1.2 or newer, proxies from the environment, redirects not
// followed (the signed query would go along), nothing sent twice, and a timeout of 10 s for a call.
func NewHTTPClient() *http.Client {
	return NewGuardedHTTPClient(func() error { return nil })
}

// NewGuardedHTTPClient returns a client whose connections ask before each write, as Config.MayCall is asked before each
// call: connecting and the handshake come in between, and may take ten seconds. What meets an error does not leave.
func NewGuardedHTTPClient(mayWrite func() error) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy: proxyOnce,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				connection, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return guardedConn{Conn: connection, mayWrite: mayWrite}, nil
			},
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			IdleConnTimeout:        30 * time.Second, // Before servers do: a call on a connection that closes is lost.
			MaxConnsPerHost:        maxConnectionsPerHost,
			MaxIdleConnsPerHost:    maxConnectionsPerHost,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

type guardedConn struct {
	net.Conn

	mayWrite func() error
}

// Write implements net.Conn.
func (c guardedConn) Write(bytes []byte) (int, error) {
	if err := c.mayWrite(); err != nil {
		return 0, err
	}
	return c.Conn.Write(bytes)
}

// delivery follows one request through net/http, to tell afterwards whether ZIM may have received it.
type delivery struct {
	asked     atomic.Bool // A connection was looked for.
	connected atomic.Bool // There was one.
	written   atomic.Bool // The request went out on it, as far as its headers.
}

type deliveryKey struct{}

// follow returns a context that reports to the delivery.
func (d *delivery) follow(ctx context.Context) context.Context {
	ctx = context.WithValue(ctx, deliveryKey{}, d)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { d.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { d.connected.Store(true) },
		WroteHeaders: func() { d.written.Store(true) },
	})
}

// mayHaveArrived is true unless it is known that no connection came about. A transport that reports nothing may have
// sent.
func (d *delivery) mayHaveArrived() bool {
	return d.connected.Load() || !d.asked.Load()
}

var errSentAlready = errors.New("the request was sent already")

// proxyOnce chooses the proxy, from the environment, and refuses a request that went out before. net/http asks for
// the proxy each time it is about to send; when a kept-alive connection breaks before the answer, it sends a GET
// again by itself. That second call would have no turn and an old signature, and a DestroyRoom could hit a room that
// others created meanwhile.
func proxyOnce(request *http.Request) (*url.URL, error) {
	if d, ok := request.Context().Value(deliveryKey{}).(*delivery); ok && d.written.Load() {
		return nil, errSentAlready
	}
	return http.ProxyFromEnvironment(request)
}
