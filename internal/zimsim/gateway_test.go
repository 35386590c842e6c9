package zimsim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestSignature(t *testing.T) {
	for name, tc := range map[string]struct {
		appID     uint32
		nonce     string
		secret    string
		timestamp int64
		signature string
	}{
		"the vendor's sample": {
			12345, "4fd24687296dd9f3", "9193cc662a4c0ec135ec71fb57194b38", 1615186943, "43e5cfcca828314675f91b001390566a",
		},
		"ten digits of AppId": {
			1234567890, "0123456789abcdef", "9193cc662a4c0ec135ec71fb57194b38", 1700000000, "0bbf70a7bfa873c89673019c58c74369",
		},
		"the ends of the ranges": {
			4294967295, "ffffffffffffffff", "00000000000000000000000000000000", 1, "4158831863253e07facc625b9fb4f3c9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.SetApp(zimsim.App{AppID: tc.appID, ServerSecret: tc.secret})
			f.clock.now = time.Unix(tc.timestamp, 0)
			query := signed("QueryRoomUserList", f.clock.now)
			query.Set("RoomId", "r")
			query.Set("AppId", strconv.FormatUint(uint64(tc.appID), 10))
			query.Set("SignatureNonce", tc.nonce)
			query.Set("Signature", tc.signature)
			f.wantCode(f.send(http.MethodGet, query, ""), 660300001)
			query.Set("Signature", strings.ToUpper(tc.signature))
			f.wantCode(f.send(http.MethodGet, query, ""), 100000005)
		})
	}
}

// mistake is something wrong with a call, and the code for it.
type mistake struct {
	name   string
	code   int
	change func(c *badCall)
}

// badCall is a CreateRoom on its way to being wrong.
type badCall struct {
	f      *fixture
	method string
	query  url.Values
	body   string
}

func (c *badCall) set(name, value string) {
	if name == "Timestamp" {
		// Signed as it is, so that only the timestamp is wrong.
		var n int64
		if _, err := fmt.Sscan(value, &n); err == nil {
			c.query.Set("Signature", signature(nonce, n))
		}
	}
	c.query.Set(name, value)
}

func param(name, value string) func(*badCall) { return func(c *badCall) { c.set(name, value) } }

func without(name string) func(*badCall) { return func(c *badCall) { c.query.Del(name) } }

func body(text string) func(*badCall) { return func(c *badCall) { c.body = text } }

// at returns the timestamp of so many seconds after the start.
func at(seconds int64) string { return strconv.FormatInt(start.Unix()+seconds, 10) }

// change changes the configuration of the app and keeps the rest of it.
func (f *fixture) change(change func(*zimsim.App)) {
	app := f.Apps()[0]
	change(&app)
	f.SetApp(app)
}

// mistakesInOrder are grouped by check, in the order of the checks: of two mistakes in different groups the earlier
// group's code is answered.
var mistakesInOrder = [][]mistake{
	{{"wrong host", 100000000, func(c *badCall) {
		c.f.server.URL = strings.Replace(c.f.server.URL, "127.0.0.1", "localhost", 1)
	}}},
	{
		{"no AppId", 100000001, without("AppId")},
		{"AppId no number", 100000001, param("AppId", "abc")},
		{"AppId above uint32", 100000001, param("AppId", "4294967296")},
		{"AppId with zeros", 100000001, param("AppId", "012345")},
	},
	{{"no Timestamp", 100000002, without("Timestamp")}, {"empty Timestamp", 100000002, param("Timestamp", "")}},
	{
		{"Timestamp no number", 100000003, param("Timestamp", "now")},
		{"Timestamp a fraction", 100000003, param("Timestamp", "1.5")},
		{"Timestamp with a zero", 100000003, param("Timestamp", "0"+at(0))},
	},
	{{"no Action", 100000006, without("Action")}},
	{{"no nonce", 100000008, without("SignatureNonce")}},
	{{"no Signature", 100000009, without("Signature")}},
	{{"no SignatureVersion", 100000013, without("SignatureVersion")}},
	{{"SignatureVersion 1.0", 100000014, param("SignatureVersion", "1.0")}},
	{{"unknown AppId", 100000010, param("AppId", "777")}},
	{
		{"601 s old", 100000004, param("Timestamp", at(-601))},
		{"601 s ahead", 100000004, param("Timestamp", at(601))},
		{"milliseconds", 100000004, param("Timestamp", strconv.FormatInt(start.UnixMilli(), 10))},
	},
	{
		{"wrong Signature", 100000005, param("Signature", strings.Repeat("0", 32))},
		{"another nonce", 100000005, param("SignatureNonce", "ffffffffffffffff")},
	},
	{{"service off", 100000017, func(c *badCall) {
		c.f.change(func(a *zimsim.App) { a.ServiceDisabled = true })
	}}},
	{
		{"unknown Action", 100000007, param("Action", "ListRooms")},
		{"Action in lower case", 100000007, param("Action", "createroom")},
		{"wrong method", 100000007, func(c *badCall) { c.method = http.MethodGet }},
	},
	{{"above the limit", 660300005, func(c *badCall) {
		c.f.change(func(a *zimsim.App) { a.CallsPerSecond = 1 })
		c.f.send(http.MethodGet, signed("QueryRoomUserList", start), "")
	}}},
	{
		{"no body", 660000002, body("")},
		{"body no object", 660000002, body(`[]`)},
		{"two bodies", 660000002, body(`{"FromUserId":"op","RoomId":"r"} {}`)},
		{"body too large", 100000012, body(strings.Repeat(" ", 1<<20+1))},
		{"no RoomId", 660000002, body(`{"FromUserId":"op"}`)},
		{"RoomId in another case", 660000002, body(`{"FromUserId":"op","roomid":"r"}`)},
		{"bad RoomId beside an unregistered operator", 660000002, body(`{"FromUserId":"nobody","RoomId":"*"}`)},
	},
	{{"unregistered operator", 660500002, body(`{"FromUserId":"nobody","RoomId":"taken"}`)}},
	{{"room exists", 660300014, body(`{"FromUserId":"op","RoomId":"taken"}`)}},
}

// badCreate sends a CreateRoom with mistakes.
func badCreate(t *testing.T, mistakes ...mistake) response {
	t.Helper()
	f := newFixture(t, func(o *zimsim.Options) { o.Hosts = []string{"127.0.0.1"} })
	f.must(f.CreateRoom(appID, zimsim.Room{ID: "taken"}))
	c := &badCall{f: f, method: http.MethodPost, query: signed("CreateRoom", start)}
	c.body = `{"FromUserId":"op","RoomId":"r"}`
	for _, m := range mistakes {
		m.change(c)
	}
	answer := f.send(c.method, c.query, c.body)
	if len(f.Rooms(appID)) != 1 && len(mistakes) > 0 {
		t.Error("the call created a room all the same")
	}
	return answer
}

func TestEveryMistakeGetsItsCode(t *testing.T) {
	if got := badCreate(t); got.Code != 0 {
		t.Fatalf("without a mistake: %s", got.raw)
	}
	for _, group := range mistakesInOrder {
		for _, m := range group {
			t.Run(m.name, func(t *testing.T) {
				got := badCreate(t, m)
				if got.Code != m.code || got.status != http.StatusOK {
					t.Errorf("Code = %d, status = %d, want %d and 200", got.Code, got.status, m.code)
				}
				if got.Message == "" || got.Message == "success" || got.RequestID == "" {
					t.Errorf("incomplete answer %s", got.raw)
				}
			})
		}
	}
}

func TestEarlierChecksWin(t *testing.T) {
	for i := range mistakesInOrder {
		for j := i + 1; j < len(mistakesInOrder); j++ {
			// The later mistake is made first, so that the earlier one is not undone by it.
			first, second := mistakesInOrder[i][0], mistakesInOrder[j][0]
			if first.name == "no body" && second.code > 660000002 {
				continue // Both are about the body, which cannot be wrong in both ways.
			}
			t.Run(first.name+" and "+second.name, func(t *testing.T) {
				if got := badCreate(t, second, first); got.Code != first.code {
					t.Errorf("Code = %d, want %d", got.Code, first.code)
				}
			})
		}
	}
}

func TestMessageNamesTheWrongParameter(t *testing.T) {
	for sent, want := range map[string]string{
		`{}`:                           "parameter error: RoomId",
		`{"RoomId":"r"}`:               "parameter error: FromUserId",
		`nothing`:                      "parameter error: body",
		strings.Repeat(" ", 1<<20+1):   "failed to read body",
		`{"RoomId":"","RoomName":"5"}`: "parameter error: RoomId",
	} {
		wantEqual(t, "Message", badCreate(t, mistake{change: body(sent)}).Message, want)
	}
}

func TestTimestampMayBeTenMinutesOff(t *testing.T) {
	for _, off := range []int64{-600, 600} {
		c := mistake{change: param("Timestamp", at(off))}
		f := newFixture(t)
		call := &badCall{f: f, query: signed("CreateRoom", start)}
		c.change(call)
		f.wantCode(f.send(http.MethodPost, call.query, `{"FromUserId":"op","RoomId":"r"}`), 0)
	}
}

func TestClockOfAnAppMayBeOff(t *testing.T) {
	for off, want := range map[int]int{600: 0, -600: 0, 601: 100000004, -601: 100000004} {
		f := newFixture(t)
		f.change(func(app *zimsim.App) { app.ClockAhead = off })
		f.wantCode(f.send(http.MethodPost, signed("CreateRoom", start), `{"FromUserId":"op","RoomId":"r"}`), want)
	}
}

func TestWrongMethods(t *testing.T) {
	for action, right := range map[string]string{
		"CreateRoom": "POST", "DestroyRoom": "GET", "QueryRoomAttribute": "POST", "ModifyRoomAttribute": "POST",
		"QueryRoomUserList": "GET", "KickoutRoomUser": "GET", "UserRegister": "POST",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			t.Run(method+" "+action, func(t *testing.T) {
				f := newFixture(t)
				got := f.send(method, signed(action, start), "")
				if refused := got.Code == 100000007; refused != (method != right) {
					t.Errorf("Code = %d", got.Code)
				}
			})
		}
	}
}

func TestOtherPathsAreNotTheAPI(t *testing.T) {
	f := newFixture(t)
	f.server.URL += "/v2"
	status, _, err := f.raw(http.MethodGet, signed("QueryRoomUserList", start), "")
	f.must(err)
	if status != http.StatusNotFound {
		t.Errorf("status = %d", status)
	}
}

func TestAnswersAndJournalHoldNoSecrets(t *testing.T) {
	right := signature(nonce, start.Unix())
	f := newFixture(t)
	query := signed("CreateRoom", start)
	query.Set("ServerSecret", secret)
	misplaced := fmt.Sprintf(`{"FromUserId":"op","RoomId":"r","Signature":%q,"SignatureNonce":%q,"ServerSecret":%q}`,
		right, nonce, secret)
	answers := f.send(http.MethodPost, query, misplaced).raw
	query.Set("Action", "DestroyRoom")
	query.Set("RoomId", "r")
	query.Set("signature", right)
	answers += f.send(http.MethodGet, query, "").raw
	query.Set("Signature", strings.Repeat("0", 32))
	answers += f.send(http.MethodGet, query, "").raw
	kept := fmt.Sprintf("%+v %+v", f.Calls(), f.Apps())
	for _, hidden := range []string{right, nonce, secret} {
		if strings.Contains(answers, hidden) {
			t.Errorf("answers hold %s: %s", hidden, answers)
		}
		if strings.Contains(kept, hidden) {
			t.Errorf("the journal holds %s: %s", hidden, kept)
		}
	}
	if !strings.Contains(kept, "RoomId=r") || !strings.Contains(kept, `"RoomId":"r"`) {
		t.Errorf("the journal lacks the business parameters: %s", kept)
	}
}
