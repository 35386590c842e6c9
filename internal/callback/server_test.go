package callback_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/callback"
)

func TestServerServesUntilItsContextEnds(t *testing.T) {
	probe, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	r, _ := receiver(newNotebook())
	server := &callback.Server{Address: address, Handler: r}
	if err := server.Start(t.Context()); err == nil || !strings.Contains(err.Error(), address) {
		t.Errorf("an address in use: %v", err)
	}
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	if server.NeedLeaderElection() {
		t.Error("only the leader would receive callbacks")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	status := 0
	for deadline := time.Now().Add(10 * time.Second); status == 0 && time.Now().Before(deadline); {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, strings.NewReader(destroyed))
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
			status = response.StatusCode
			_ = response.Body.Close()
		}
	}
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	probe, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	return probe.Addr().String()
}

// serve runs a server until the test ends, and returns its address.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	address := freeAddress(t)
	ended := make(chan error, 1)
	server := &callback.Server{Address: address, Handler: handler}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { ended <- server.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return address
}

// request connects and sends a request, without waiting for the answer.
func request(t *testing.T, address string) net.Conn {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil && time.Now().Before(deadline) {
			continue // The server is just starting.
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return connection
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	const most, all = 256, 300
	arrived, release := make(chan struct{}, all), make(chan struct{})
	address := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	var connections []net.Conn
	for range all {
		connections = append(connections, request(t, address))
	}
	for range most {
		<-arrived
	}
	if more := len(arrived); more > 0 {
		t.Errorf("%d requests more than %d at a time", more, most)
	}
	close(release)
	for _, connection := range connections { // The others are served when the first have ended.
		if answer, err := io.ReadAll(connection); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Errorf("%q %v", answer, err)
		}
		_ = connection.Close()
	}
}

// The manager gives its lease back once its servers have ended, and the next leader is to work within three seconds.
func TestSlowCallbacksDoNotHoldUpTheEnd(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	server := &callback.Server{Address: freeAddress(t), Handler: http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { close(arrived); <-release })}
	defer close(release)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Start(ctx) }()
	connection := request(t, server.Address)
	defer func() { _ = connection.Close() }()
	<-arrived
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(3 * time.Second):
		t.Error("the server has not ended")
	}
}
