// Command zimsim serves a simulated ZIM server API, and on a second port its admin side.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/zim-operator/zim-operator/internal/version"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// grace is how long answers under way may take once the process is told to end.
const grace = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "zimsim: "+err.Error())
		os.Exit(1)
	}
}

// run serves until the context ends. On out it writes the two addresses once both accept connections.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	config, err := parse(args, getenv, out)
	if err != nil {
		return err
	}
	if config.showVersion {
		_, err := fmt.Fprintln(out, version.String())
		return err
	}
	var listen net.ListenConfig
	api, err := listen.Listen(ctx, "tcp", config.bindAddress)
	if err != nil {
		return fmt.Errorf("--bind-address: %w", err)
	}
	defer func() { _ = api.Close() }()
	admin, err := listen.Listen(ctx, "tcp", config.adminBindAddress)
	if err != nil {
		return fmt.Errorf("--admin-bind-address: %w", err)
	}
	defer func() { _ = admin.Close() }()

	simulator := zimsim.New(config.options)
	failed := make(chan error, 2)
	apiServer := serve(api, simulator.API(), failed)
	adminServer := serve(admin, simulator.Admin(), failed)
	sending, stop := context.WithCancel(ctx)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		simulator.SendCallbacks(sending, http.DefaultTransport)
	}()
	defer func() {
		stop()
		<-sent
	}()
	if _, err := fmt.Fprintf(out, "API   http://%s\nAdmin http://%s\n", api.Addr(), admin.Addr()); err != nil {
		return fmt.Errorf("writing the addresses: %w", err)
	}
	select {
	case <-ctx.Done():
		return shutDown(context.WithoutCancel(ctx), apiServer, adminServer)
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	}
}

// serve starts a server.
func serve(l net.Listener, handler http.Handler, failed chan<- error) *http.Server {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// No WriteTimeout: answers may be late or long on command.
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return server
}

// shutDown lets answers under way finish for a while and then cuts what is left, such as answers that hang on command.
func shutDown(ctx context.Context, servers ...*http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if server.Shutdown(ctx) != nil {
			errs = append(errs, server.Close())
		}
	}
	return errors.Join(errs...)
}
