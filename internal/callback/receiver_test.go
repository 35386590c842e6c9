package callback_test

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zim-operator/zim-operator/internal/callback"
)

// The vendor's own example of a signature.
// https://www.zegocloud.com/docs/zim-server/callbacks/authenticating-server-to-server-callbacks
const (
	secret    = "secret"
	timestamp = "1470820198"
	nonce     = "123412"
	signature = "5bd59fd62953a8059fb7eaba95720f66d19e4517"
)

var (
	now     = time.Unix(1470820198, 0)
	account = callback.Account{Realm: "zego.im", AppID: 1}
)

// destroyed is the vendor's example of a room_destroy, with the signature of the other example.
const destroyed = `{"appid":"1","event":"room_destroy","room_id":"1","nonce":"` + nonce + `","signature":"` + signature +
	`","user_ids":["Tony","Jenny"],"operator_account":"userA","timestamp":` + timestamp + `}`

// notebook stands in for what knows Kubernetes.
type notebook struct {
	signers map[uint32][]callback.Signer
	outcome callback.Outcome
	err     error
	onNote  func(ctx context.Context)

	mu    sync.Mutex
	hints []callback.Hint
}

func newNotebook() *notebook {
	return &notebook{
		signers: map[uint32][]callback.Signer{1: {{Account: account, Secrets: []string{secret}}}},
		outcome: callback.Noted,
	}
}

func (n *notebook) Signers(_ context.Context, appID uint32) ([]callback.Signer, error) {
	return n.signers[appID], n.err
}

func (n *notebook) Note(ctx context.Context, hint callback.Hint) (callback.Outcome, error) {
	n.mu.Lock()
	n.hints = append(n.hints, hint)
	n.mu.Unlock()
	if n.onNote != nil {
		n.onNote(ctx)
	}
	return n.outcome, n.err
}

// receiver is a Receiver at a fixed time, and what it observed.
func receiver(n callback.Notebook) (*callback.Receiver, func() []callback.Outcome) {
	var mu sync.Mutex
	var outcomes []callback.Outcome
	r := callback.New(callback.Config{
		Notebook: n,
		Now:      func() time.Time { return now },
		Observe: func(outcome callback.Outcome, _ error) {
			mu.Lock()
			defer mu.Unlock()
			outcomes = append(outcomes, outcome)
		},
	})
	return r, func() []callback.Outcome {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(outcomes)
	}
}

// send has a request answered, and returns the status and all that was observed.
func send(t *testing.T, n callback.Notebook, method, body string) (int, callback.Outcome) {
	t.Helper()
	r, outcomes := receiver(n)
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, "/any/path", strings.NewReader(body)))
	if answer.Body.Len() > 0 {
		t.Errorf("the answer says more than its status: %q", answer.Body)
	}
	if len(outcomes()) != 1 {
		t.Fatalf("observed %v, want one outcome", outcomes())
	}
	return answer.Code, outcomes()[0]
}

// with replaces parts of the example.
func with(replacements ...string) string {
	return strings.NewReplacer(replacements...).Replace(destroyed)
}

// sign signs the nonce of the example as the vendor's page says, apart from the package's own code.
func sign(secret, timestamp string) string {
	parts := []string{timestamp, nonce, secret}
	slices.Sort(parts)
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, ""))))
}

func TestWhatAVerifiedCallbackLeadsTo(t *testing.T) {
	hint := func(event callback.Event, ids ...string) []callback.Hint {
		return []callback.Hint{{Account: account, Event: event, RoomIDs: ids}}
	}
	for name, tc := range map[string]struct {
		body string
		want []callback.Hint
	}{
		"destroyed":              {destroyed, hint(callback.RoomDestroyed, "1")},
		"left":                   {with("room_destroy", "room_exit"), hint(callback.RoomLeft, "1")},
		"numbers for texts":      {with(`"1","event"`, `1,"event"`, `"`+nonce+`"`, nonce), hint(callback.RoomDestroyed, "1")},
		"texts for numbers":      {with(`:`+timestamp, `:"`+timestamp+`"`), hint(callback.RoomDestroyed, "1")},
		"encoded as a whole":     {url.QueryEscape(destroyed), hint(callback.RoomDestroyed, "1")},
		"with space around":      {"\r\n " + destroyed + "\n", hint(callback.RoomDestroyed, "1")},
		"an id that is encoded":  {with(`"room_id":"1"`, `"room_id":"a%23b+c"`), hint(callback.RoomDestroyed, "a%23b+c", "a#b c")},
		"an id that is not":      {with(`"room_id":"1"`, `"room_id":"100%"`), hint(callback.RoomDestroyed, "100%")},
		"created: nothing to do": {with("room_destroy", "room_create"), nil},
		"another product's":      {with("room_destroy", "group_create"), nil},
		"no room":                {with(`"room_id":"1",`, ""), nil},
	} {
		t.Run(name, func(t *testing.T) {
			n, want := newNotebook(), callback.Noted
			if tc.want == nil {
				want = callback.Ignored
			}
			if status, outcome := send(t, n, http.MethodPost, tc.body); status != http.StatusOK || outcome != want {
				t.Errorf("%d %s, want 200 %s", status, outcome, want)
			}
			if diff := cmp.Diff(tc.want, n.hints); diff != "" {
				t.Errorf("hints (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyWhatIsNotedOrNotOursIsTaken(t *testing.T) {
	for outcome, want := range map[callback.Outcome]int{
		callback.Noted: 200, callback.Coalesced: 200, callback.NotOurs: 200, callback.Ignored: 200, callback.Refused: 503,
	} {
		n := newNotebook()
		n.outcome = outcome
		if status, got := send(t, n, http.MethodPost, destroyed); status != want || got != outcome {
			t.Errorf("%s: %d %s, want %d", outcome, status, got, want)
		}
	}
	n := newNotebook()
	n.err = errors.New("the API server is away")
	if status, outcome := send(t, n, http.MethodPost, destroyed); status != 503 || outcome != callback.Failed {
		t.Errorf("%d %s", status, outcome)
	}
}

func TestWhatIsNotVerifiedLeadsToNothing(t *testing.T) {
	at := func(t time.Time) string {
		stamp := strconv.FormatInt(t.Unix(), 10)
		return with(timestamp, stamp, signature, sign(secret, stamp))
	}
	for name, body := range map[string]string{
		"another signature":         with(signature, strings.Repeat("0", 40)),
		"upper case":                with(signature, strings.ToUpper(signature)),
		"a longer signature":        with(signature, signature+"0"),
		"another secret":            with(signature, sign("Secret", timestamp)),
		"an empty secret":           with(signature, sign("", timestamp)),
		"another nonce":             with(`"`+nonce+`"`, `"123413"`),
		"another time":              with(":"+timestamp, ":1470820199"),
		"an AppID without a ZimApp": with(`"appid":"1"`, `"appid":"2"`),
		"too old":                   at(now.Add(-25 * time.Hour)),
		"too far ahead":             at(now.Add(25 * time.Hour)),
		"no time":                   with(":"+timestamp, `:"soon"`, signature, sign(secret, "soon")),
	} {
		t.Run(name, func(t *testing.T) {
			n := newNotebook()
			n.signers[1] = append(n.signers[1], callback.Signer{Account: account, Secrets: []string{""}}, callback.Signer{Account: account})
			status, outcome := send(t, n, http.MethodPost, body)
			if status != http.StatusUnauthorized || outcome != callback.Unverified || n.hints != nil {
				t.Errorf("%d %s %v", status, outcome, n.hints)
			}
		})
	}
}

func TestBothReadingsOfSecretAndTimeWork(t *testing.T) {
	for name, tc := range map[string]struct{ secret, stamp string }{
		"CallbackSecret, seconds":      {"callback", strconv.FormatInt(now.Unix(), 10)},
		"CallbackSecret, milliseconds": {"callback", strconv.FormatInt(now.UnixMilli(), 10)},
		"ServerSecret, seconds":        {secret, strconv.FormatInt(now.Add(-23*time.Hour).Unix(), 10)},
		"ServerSecret, milliseconds":   {secret, strconv.FormatInt(now.Add(23*time.Hour).UnixMilli(), 10)},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNotebook()
			n.signers[1] = []callback.Signer{{Account: account, Secrets: []string{secret, "callback"}}}
			body := with(timestamp, tc.stamp, signature, sign(tc.secret, tc.stamp))
			if status, _ := send(t, n, http.MethodPost, body); status != http.StatusOK || len(n.hints) != 1 {
				t.Errorf("%d %v", status, n.hints)
			}
		})
	}
}

func TestACallbackIsForTheAccountsWhoseSecretVerifiesIt(t *testing.T) {
	elsewhere := callback.Account{Realm: "simulator:80", AppID: 1}
	n := newNotebook()
	n.signers[1] = []callback.Signer{
		{Account: callback.Account{Realm: "other:80", AppID: 1}, Secrets: []string{"theirs"}},
		{Account: account, Secrets: []string{"old", secret}},
		{Account: account, Secrets: []string{secret}},
		{Account: elsewhere, Secrets: []string{secret}},
	}
	send(t, n, http.MethodPost, destroyed)
	var accounts []callback.Account
	for _, hint := range n.hints {
		accounts = append(accounts, hint.Account)
	}
	if diff := cmp.Diff([]callback.Account{account, elsewhere}, accounts); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNoCallback(t *testing.T) {
	const limit = 512 << 10
	for name, tc := range map[string]struct {
		method, body string
		want         int
	}{
		"a look":              {http.MethodGet, "", 405},
		"nothing":             {http.MethodPost, "", 400},
		"a page":              {http.MethodPost, "<html>", 400},
		"half of one":         {http.MethodPost, destroyed[:40], 400},
		"a list":              {http.MethodPost, "[" + destroyed + "]", 400},
		"two":                 {http.MethodPost, destroyed + destroyed, 400},
		"badly encoded":       {http.MethodPost, "%7B%zz", 400},
		"no AppID":            {http.MethodPost, with(`"appid":"1",`, ""), 400},
		"AppID 0":             {http.MethodPost, with(`"appid":"1"`, `"appid":"0"`), 400},
		"AppID of 33 bits":    {http.MethodPost, with(`"appid":"1"`, `"appid":"4294967297"`), 400},
		"an object for AppID": {http.MethodPost, with(`"appid":"1"`, `"appid":{}`), 400},
		"no event":            {http.MethodPost, with(`"event":"room_destroy",`, ""), 400},
		"no signature":        {http.MethodPost, with(signature, ""), 400},
		"no nonce":            {http.MethodPost, with(`"nonce":"`+nonce+`",`, ""), 400},
		"no time":             {http.MethodPost, with(`,"timestamp":`+timestamp, ""), 400},
		"too long":            {http.MethodPost, destroyed + strings.Repeat(" ", limit), 413},
		"just not too long":   {http.MethodPost, destroyed + strings.Repeat(" ", limit-len(destroyed)), 200},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNotebook()
			status, outcome := send(t, n, tc.method, tc.body)
			if status != tc.want || (outcome == callback.Malformed) != (tc.want != 200) {
				t.Errorf("%d %s, want %d", status, outcome, tc.want)
			}
		})
	}
}

func TestOnlySoManyAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNotebook()
		release := make(chan struct{})
		n.onNote = func(context.Context) { <-release }
		r, outcomes := receiver(n)
		var statuses sync.Map
		for i := range 40 {
			go func() {
				answer := httptest.NewRecorder()
				r.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(destroyed)))
				statuses.Store(i, answer.Code)
			}()
		}
		synctest.Wait()
		if refused := len(outcomes()); refused != 8 {
			t.Errorf("%d of 40 were refused, want 8", refused)
		}
		close(release)
		synctest.Wait()
		taken := 0
		statuses.Range(func(_, status any) bool {
			if status == http.StatusOK {
				taken++
			}
			return true
		})
		if taken != 32 {
			t.Errorf("%d of 40 were taken, want 32", taken)
		}
	})
}

func TestSlowSendersKeepNobodyOut(t *testing.T) {
	large := destroyed + strings.Repeat(" ", 16<<10)
	for name, tc := range map[string]struct {
		sent, other string
		want        int
	}{
		"who begins":                       {destroyed[:40], destroyed, 200},
		"who begins, others with large":    {destroyed[:40], large, 200},
		"who begins large":                 {large, destroyed, 200},
		"who begins large: those as large": {large, large, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, _ := receiver(newNotebook())
				unfinished, end := io.Pipe()
				for range 40 {
					body := io.MultiReader(strings.NewReader(tc.sent), unfinished)
					go r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body))
				}
				synctest.Wait()
				for range 3 { // Each leaves its place.
					answer := httptest.NewRecorder()
					r.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tc.other)))
					if answer.Code != tc.want {
						t.Errorf("%d, want %d", answer.Code, tc.want)
					}
				}
				_ = end.CloseWithError(io.ErrUnexpectedEOF)
				synctest.Wait()
				answer := httptest.NewRecorder()
				r.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tc.other)))
				if answer.Code != http.StatusOK {
					t.Errorf("%d once the others have ended", answer.Code)
				}
			})
		})
	}
}

func TestAFloodIsRefused(t *testing.T) {
	n := newNotebook()
	r, outcomes := receiver(n) // Its clock stands still.
	for range 1100 {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("{}")))
	}
	refused := 0
	for _, outcome := range outcomes() {
		if outcome == callback.Refused {
			refused++
		}
	}
	if refused != 100 {
		t.Errorf("%d refused, want what is above the burst of 1000", refused)
	}
}

func TestWorkForOneCallbackIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNotebook()
		n.onNote = func(ctx context.Context) {
			<-ctx.Done()
			n.err = ctx.Err()
		}
		begin := time.Now()
		if status, outcome := send(t, n, http.MethodPost, destroyed); status != 503 || outcome != callback.Failed {
			t.Errorf("%d %s", status, outcome)
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestAPanicIsAFailureThatSaysWhereAndNotWhat(t *testing.T) {
	n := newNotebook()
	n.onNote = func(context.Context) { panic(secret) }
	var observed error
	r := callback.New(callback.Config{
		Notebook: n, Now: func() time.Time { return now }, Observe: func(_ callback.Outcome, err error) { observed = err },
	})
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(destroyed)))
	if answer.Code != http.StatusServiceUnavailable || observed == nil {
		t.Fatalf("%d %v", answer.Code, observed)
	}
	if text := observed.Error(); strings.Contains(text, `"`+secret) || strings.Contains(text, signature) ||
		!strings.Contains(text, "receiver_test.go") {
		t.Error(text)
	}
}
