package zimsim_test

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	appID    = 12345
	secret   = "9193cc662a4c0ec135ec71fb57194b38"
	nonce    = "4fd24687296dd9f3"
	operator = "op"
)

// start is where every fake clock begins: the moment of the vendor's signature sample.
var start = time.Unix(1615186943, 0).UTC()

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type object = map[string]any

// fixture is a simulator behind a real HTTP server, with a registered operator and a clock that stands still.
type fixture struct {
	*zimsim.Simulator
	t      testing.TB
	clock  *clock
	server *httptest.Server
}

func newFixture(tb testing.TB, changes ...func(*zimsim.Options)) *fixture {
	tb.Helper()
	f := &fixture{t: tb, clock: &clock{now: start}}
	opts := zimsim.Options{
		Now:      f.clock.Now,
		Switches: zimsim.DefaultSwitches(),
		Apps:     []zimsim.App{{AppID: appID, ServerSecret: secret, CallsPerSecond: -1}},
	}
	for _, change := range changes {
		change(&opts)
	}
	f.Simulator = zimsim.New(opts)
	f.must(f.RegisterUser(appID, operator))
	f.server = httptest.NewServer(f.API())
	tb.Cleanup(f.server.Close)
	return f
}

// withSwitch changes one switch.
func withSwitch(change func(*zimsim.Switches)) func(*zimsim.Options) {
	return func(o *zimsim.Options) { change(&o.Switches) }
}

// withApp changes the app.
func withApp(change func(*zimsim.App)) func(*zimsim.Options) {
	return func(o *zimsim.Options) { change(&o.Apps[0]) }
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) inject(fault zimsim.Fault) int {
	f.t.Helper()
	id, err := f.Inject(fault)
	f.must(err)
	return id
}

// signature is written from the vendor's page, apart from the simulator's own.
func signature(nonce string, timestamp int64) string {
	return fmt.Sprintf("%x", md5.Sum(fmt.Appendf(nil, "%d%s%s%d", appID, nonce, secret, timestamp)))
}

// signed returns the query of a call that the gateway lets pass at a moment.
func signed(action string, at time.Time) url.Values {
	return url.Values{
		"Action":           {action},
		"AppId":            {strconv.Itoa(appID)},
		"SignatureNonce":   {nonce},
		"Timestamp":        {strconv.FormatInt(at.Unix(), 10)},
		"SignatureVersion": {"2.0"},
		"Signature":        {signature(nonce, at.Unix())},
	}
}

type attributeJSON struct {
	Key, Value      string
	Seq, AutoDelete int
}

type keyJSON struct {
	Key          string
	Seq, SubCode int
}

type userJSON struct {
	UserID     string `json:"UserId"`
	UserName   string
	SubMessage string
	SubCode    int
}

// response is an answer of the API with all that any action puts into one.
type response struct {
	Code                    int
	Message                 string
	RequestID               string `json:"RequestId"`
	AttributeSeq, Count     *int
	Attributes              []attributeJSON
	SuccKeyList, ErrKeyList []keyJSON
	NextFlag                *string
	UserList, ErrorList     []userJSON

	status int
	raw    string
}

func (r response) seq() int {
	if r.AttributeSeq == nil {
		return -1
	}
	return *r.AttributeSeq
}

// raw sends a request and returns what came back, or the transport's error.
func (f *fixture) raw(method string, query url.Values, body string) (status int, answer string, err error) {
	f.t.Helper()
	target := f.server.URL + "/?" + query.Encode()
	req, err := http.NewRequestWithContext(f.t.Context(), method, target, strings.NewReader(body))
	f.must(err)
	req.Header.Set("User-Agent", "test")
	// A connection of its own: the transport repeats a GET whose kept-alive connection was cut.
	req.Close = true
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// send sends a request and decodes the answer.
func (f *fixture) send(method string, query url.Values, body string) response {
	f.t.Helper()
	status, answer, err := f.raw(method, query, body)
	f.must(err)
	out := response{status: status, raw: answer}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		f.t.Fatalf("answer %q: %v", answer, err)
	}
	return out
}

// post sends a signed POST with a JSON body.
func (f *fixture) post(action string, body any) response {
	f.t.Helper()
	var data bytes.Buffer
	f.must(json.NewEncoder(&data).Encode(body))
	return f.send(http.MethodPost, signed(action, f.clock.Now()), data.String())
}

// get sends a signed GET; parameters come as name, value, name, value.
func (f *fixture) get(action string, parameters ...string) response {
	f.t.Helper()
	query := signed(action, f.clock.Now())
	for pair := range slices.Chunk(parameters, 2) {
		query.Add(pair[0], pair[1])
	}
	return f.send(http.MethodGet, query, "")
}

// create sends a CreateRoom with a delay of a minute unless extra says otherwise.
func (f *fixture) create(roomID string, extra object) response {
	f.t.Helper()
	body := object{"FromUserId": operator, "RoomId": roomID, "DestroyDelayTime": 60}
	maps.Copy(body, extra)
	return f.post("CreateRoom", body)
}

// modify sends a ModifyRoomAttribute.
func (f *fixture) modify(roomID string, items ...object) response {
	f.t.Helper()
	return f.post("ModifyRoomAttribute", object{"FromUserId": operator, "RoomId": roomID, "Attributes": items})
}

// query sends a QueryRoomAttribute.
func (f *fixture) query(roomID string) response {
	f.t.Helper()
	return f.post("QueryRoomAttribute", object{"FromUserId": operator, "RoomId": roomID})
}

func set(key, value string) object { return object{"Action": 0, "Key": key, "Value": value} }

func remove(key string) object { return object{"Action": 1, "Key": key} }

func attribute(key, value string) object { return object{"Key": key, "Value": value} }

// exists asks for the room r the way a caller of the API would.
func (f *fixture) exists() bool {
	f.t.Helper()
	return f.get("QueryRoomUserList", "RoomId", "r").Code != 660300001
}

func (f *fixture) wantCode(got response, want int) {
	f.t.Helper()
	if got.Code != want {
		f.t.Errorf("Code = %d (%s), want %d", got.Code, got.Message, want)
	}
}

func wantEqual[T any](tb testing.TB, what string, got, want T, opts ...cmp.Option) {
	tb.Helper()
	if diff := cmp.Diff(want, got, opts...); diff != "" {
		tb.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
