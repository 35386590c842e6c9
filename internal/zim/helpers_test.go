package zim_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// The credentials are those of the vendor's sample of a signature.
const (
	appID    = 12345
	secret   = "9193cc662a4c0ec135ec71fb57194b38"
	operator = "operator"
)

// sentRequest is a request as it left the client.
type sentRequest struct {
	method, path, rawQuery string
	query                  url.Values
	header                 http.Header
	body                   string
}

// wire is the HTTP client of NewHTTPClient, watched: it keeps what was sent, whether or not it arrived, and counts
// what was read of the answers.
type wire struct {
	client    *http.Client
	transport *http.Transport

	mu   sync.Mutex
	sent []sentRequest
	read atomic.Int64
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{client: zim.NewHTTPClient()}
	w.transport = w.client.Transport.(*http.Transport)
	w.client.Transport = w
	t.Cleanup(w.transport.CloseIdleConnections)
	return w
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := sentRequest{
		method: request.Method, path: request.URL.Path, rawQuery: request.URL.RawQuery, query: request.URL.Query(),
		header: request.Header.Clone(),
	}
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		sent.body = string(text)
	}
	w.mu.Lock()
	w.sent = append(w.sent, sent)
	w.mu.Unlock()
	response, err := w.transport.RoundTrip(request)
	if err == nil {
		response.Body = &countedBody{ReadCloser: response.Body, read: &w.read}
	}
	return response, err
}

// requests returns what was sent so far.
func (w *wire) requests() []sentRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.sent)
}

type countedBody struct {
	io.ReadCloser

	read *atomic.Int64
}

func (b *countedBody) Read(buffer []byte) (int, error) {
	n, err := b.ReadCloser.Read(buffer)
	b.read.Add(int64(n))
	return n, err
}

// calls is an Observer that keeps what it learns.
type calls struct {
	mu   sync.Mutex
	seen []zim.Call
}

// ObserveCall implements zim.Observer.
func (c *calls) ObserveCall(_ context.Context, call zim.Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, call)
}

func (c *calls) all() []zim.Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seen)
}

// newClient returns a client for an endpoint, over an HTTP client.
func newClient(tb testing.TB, endpoint string, httpClient *http.Client, changes ...func(*zim.Config)) *zim.Client {
	tb.Helper()
	config := zim.Config{Endpoint: endpoint, AppID: appID, ServerSecret: secret, HTTPClient: httpClient}
	for _, change := range changes {
		change(&config)
	}
	client, err := zim.NewClient(config)
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// newServer serves a handler. What the server thinks of broken connections is not printed.
func newServer(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// answering returns a handler that gives one answer to everything.
func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// fixture is a client of a simulator, with a registered operator user.
type fixture struct {
	*zimsim.Simulator

	t      *testing.T
	wire   *wire
	client *zim.Client
}

func newFixture(t *testing.T, changes ...func(*zimsim.Options)) *fixture {
	t.Helper()
	f := newSimulator(t, changes...)
	f.wire = newWire(t)
	f.client = newClient(t, newServer(t, f.API().ServeHTTP).URL, f.wire.client)
	return f
}

// newSimulator is newFixture without a client.
func newSimulator(t *testing.T, changes ...func(*zimsim.Options)) *fixture {
	t.Helper()
	options := zimsim.Options{
		Switches: zimsim.DefaultSwitches(),
		Apps:     []zimsim.App{{AppID: appID, ServerSecret: secret, CallsPerSecond: -1}},
	}
	for _, change := range changes {
		if change != nil {
			change(&options)
		}
	}
	f := &fixture{Simulator: zimsim.New(options), t: t}
	for _, app := range options.Apps {
		f.must(f.RegisterUser(app.AppID, operator))
	}
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) inject(fault zimsim.Fault) {
	f.t.Helper()
	_, err := f.Inject(fault)
	f.must(err)
}

// create makes a room on the vendor's side, without a call; empty if no members are given.
func (f *fixture) create(roomID string, attributes map[string]zimsim.Attribute, members ...string) {
	f.t.Helper()
	const client = "client"
	f.must(f.CreateRoom(appID, zimsim.Room{
		ID: roomID, DestroyDelay: time.Hour, Attributes: attributes, Creator: client, Members: members,
	}))
	if len(members) == 0 {
		f.must(f.Leave(appID, roomID, client)) // The creator of a room enters it.
	}
}

// act calls every action once with ordinary parameters.
var act = map[zim.Action]func(context.Context, *zim.Client) error{
	zim.ActionCreateRoom: func(ctx context.Context, client *zim.Client) error {
		_, err := client.CreateRoom(ctx, zim.CreateRoomRequest{FromUserID: operator, RoomID: "room", DestroyDelay: time.Hour})
		return err
	},
	zim.ActionDestroyRoom: func(ctx context.Context, client *zim.Client) error {
		return client.DestroyRoom(ctx, "room")
	},
	zim.ActionQueryRoomAttribute: func(ctx context.Context, client *zim.Client) error {
		_, err := client.QueryRoomAttribute(ctx, operator, "room")
		return err
	},
	zim.ActionModifyRoomAttribute: func(ctx context.Context, client *zim.Client) error {
		_, err := client.ModifyRoomAttribute(ctx, zim.ModifyRoomAttributeRequest{
			FromUserID: operator, RoomID: "room", Set: []zim.Attribute{{Key: "k", Value: "v"}},
		})
		return err
	},
	zim.ActionQueryRoomUserList: func(ctx context.Context, client *zim.Client) error {
		_, err := client.QueryRoomUserList(ctx, "room")
		return err
	},
	zim.ActionUserRegister: func(ctx context.Context, client *zim.Client) error {
		return client.UserRegister(ctx, operator)
	},
}

// equal compares what a test wants with what it got.
func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(zim.Error{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// failsWith compares the exported fields of a failed call's error.
func failsWith(t *testing.T, err error, want zim.Error) {
	t.Helper()
	got, ok := err.(*zim.Error) //nolint:errorlint // The client returns this type itself, not wrapped.
	if !ok {
		t.Fatalf("error = %T %v, want a *zim.Error", err, err)
	}
	equal(t, "error", got, &want)
}

// refusal is the error of a call that ZIM refused with a code.
func refusal(action zim.Action, code zim.Code, class zim.Class) zim.Error {
	return zim.Error{Action: action, Class: class, Code: code, HTTPStatus: http.StatusOK}
}

// withoutRequestID drops from an error what changes from call to call.
func withoutRequestID(err error) error {
	if failed, ok := err.(*zim.Error); ok { //nolint:errorlint // See failsWith.
		plain := *failed
		plain.RequestID = ""
		return &plain
	}
	return err
}

// mentions tells whether a text holds a part, in whatever letters.
func mentions(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
