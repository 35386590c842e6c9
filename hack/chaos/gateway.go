package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// zimHost is what the replicas call: the vendor's own address. They reach it through an HTTP proxy, one for each
// replica, so that it is known who called, and nothing leaves the machine.
const zimHost = "zim-api.zego.im"

// certificates that the gateway can show.
type certificates struct {
	good, expired, otherHost, unknownIssuer *tls.Certificate
}

func newCertificates(trusted *authority) (all certificates, err error) {
	unknown, err := newAuthority()
	if err != nil {
		return all, err
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	for _, c := range []struct {
		certificate **tls.Certificate
		issuer      *authority
		host        string
		until       time.Time
	}{
		{&all.good, trusted, zimHost, tomorrow},
		{&all.expired, trusted, zimHost, time.Now().Add(-time.Hour)},
		{&all.otherHost, trusted, "zim-api.example.com", tomorrow},
		{&all.unknownIssuer, unknown, zimHost, tomorrow},
	} {
		if *c.certificate, err = c.issuer.issue(c.host, c.until); err != nil {
			return all, err
		}
	}
	return all, nil
}

// gateway is an HTTP proxy behind which there is nothing but the simulator, with TLS. It writes the name of the replica
// into the user agent, for the simulator's journal.
type gateway struct {
	replica     string
	certificate atomic.Pointer[tls.Certificate]
	tunnels     *tunnels
	// elsewhere counts attempts to reach any other host.
	elsewhere atomic.Int64
	listener  net.Listener
}

func newGateway(ctx context.Context, replica, simulator string, certificate *tls.Certificate) (*gateway, error) {
	target, err := url.Parse(simulator)
	if err != nil {
		return nil, fmt.Errorf("address of the simulator: %w", err)
	}
	g := &gateway{replica: replica, tunnels: newTunnels()}
	g.certificate.Store(certificate)
	var config net.ListenConfig
	if g.listener, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("starting a gateway: %w", err)
	}
	connect := &http.Server{Handler: http.HandlerFunc(g.connect), ReadHeaderTimeout: time.Minute}
	api := &http.Server{Handler: g.forward(target), ReadHeaderTimeout: time.Minute, ErrorLog: silent}
	go func() { _ = connect.Serve(g.listener) }()
	go func() { _ = api.Serve(g.tunnels) }()
	context.AfterFunc(ctx, func() { _ = errors.Join(connect.Close(), api.Close()) })
	return g, nil
}

func (g *gateway) address() string { return g.listener.Addr().String() }

// connect makes a tunnel to the host that is ZIM's.
func (g *gateway) connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != zimHost+":443" {
		g.elsewhere.Add(1)
		http.Error(w, "there is nothing but "+zimHost, http.StatusBadGateway)
		return
	}
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if _, err := connection.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
		_ = connection.Close()
		return
	}
	g.tunnels.offer(tls.Server(connection, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return g.certificate.Load(), nil },
	}))
}

// forward passes calls to the simulator. A connection that the simulator cuts is cut here too. Each call has a
// connection of its own: Go's client would send a GET a second time on one that breaks.
func (g *gateway) forward(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Set("User-Agent", r.In.UserAgent()+" "+g.replica)
		},
		Transport:    &http.Transport{DisableKeepAlives: true},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     silent,
	}
}

// tunnels is a listener that accepts connections which are there already.
type tunnels struct {
	offered chan net.Conn
	closed  chan struct{}
}

func newTunnels() *tunnels {
	return &tunnels{offered: make(chan net.Conn), closed: make(chan struct{})}
}

func (t *tunnels) offer(connection net.Conn) {
	select {
	case t.offered <- connection:
	case <-t.closed:
		_ = connection.Close()
	}
}

// Accept implements net.Listener.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case connection := <-t.offered:
		return connection, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. It is called once, by the server.
func (t *tunnels) Close() error {
	close(t.closed)
	return nil
}

// Addr implements net.Listener.
func (*tunnels) Addr() net.Addr { return &net.TCPAddr{} }
