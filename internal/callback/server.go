package callback

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits of connections. A sender that is slow or idle holds one of them, so it may not be that for long.
const (
	maxConnections = 256
	readTimeout    = 5 * time.Second
	writeTimeout   = 10 * time.Second
	idleTimeout    = 10 * time.Second
	maxHeaderBytes = 16 << 10
	// grace is how long callbacks under way may take once the server is told to end. The next leader waits for it, and
	// ZIM repeats what is cut off.
	grace = time.Second
)

// Server serves callbacks on an address. A manager of controllers can run it.
type Server struct {
	// Address is the TCP address to listen on, as in ":8082".
	Address string
	// Handler is a Receiver.
	Handler http.Handler
}

// NeedLeaderElection tells a manager to run the server on every replica.
func (*Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends, which is no error.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("listening for callbacks: %w", err)
	}
	server := &http.Server{
		Handler:        s.Handler,
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			ended <- server.Close()
		} else {
			ended <- err
		}
	}()
	if err := server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("receiving callbacks: %w", err)
	}
	return <-ended
}
