package testbed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// FreeAddress finds an address on the loopback interface that is free at this moment.
func FreeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return listener.Addr().String(), listener.Close()
}

var prober = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}

// IsReady tells whether a manager says so at its address for probes.
func IsReady(ctx context.Context, address string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := prober.Do(request)
	return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}
