// Command probe is a client in a pod, for hack/e2e: it says whether an address or a page can be reached from there.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// timeout is how long a connection may take: a network policy drops what it does not allow.
const timeout = 3 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// run waits for its end, listens at an address, connects to one, or gets a page with a token.
func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	switch {
	case len(args) == 2 && args[0] == "listen":
		return listen(ctx, args[1])
	case len(args) == 2 && args[0] == "connect":
		return connect(ctx, args[1])
	case len(args) == 3 && args[0] == "get":
		return get(ctx, args[1], args[2])
	}
	if len(args) == 1 && args[0] == "crash" {
		// Process 1 of the container whose processes this one sees. Nobody can kill it from in there, but the Go runtime
		// of a program that does not expect the signal ends it at once.
		return syscall.Kill(1, syscall.SIGQUIT)
	}
	return errors.New("usage: probe listen ADDRESS | connect ADDRESS | get URL TOKEN | crash")
}

func listen(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, Handler: http.NotFoundHandler(), ReadHeaderTimeout: timeout}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func connect(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: timeout}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	say("connected")
	return connection.Close()
}

func get(ctx context.Context, url, token string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil) //nolint:gosec // To be told is its use.
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	httpClient := &http.Client{Timeout: timeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // The manager's certificate is its own.
	}}
	answer, err := httpClient.Do(request) //nolint:gosec // As above.
	if err != nil {
		return err
	}
	say(answer.Status)
	return answer.Body.Close()
}

func say(text string) { _, _ = fmt.Fprintln(os.Stdout, text) }
