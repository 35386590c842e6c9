package callback_test

import (
	"context"
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
