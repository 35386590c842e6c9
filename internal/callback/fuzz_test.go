package callback_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/zim-operator/zim-operator/internal/callback"
)

// FuzzReceiver sends anything. Whatever it is, the answer is one of the documented ones, it says nothing, and only what
// the secret signs comes through.
func FuzzReceiver(f *testing.F) {
	for _, body := range []string{
		destroyed, url.QueryEscape(destroyed), with("room_destroy", "room_exit"), with(signature, "x"), with(`"1"`, "1e9"),
		with(timestamp, "-1"), with(`"room_id":"1"`, `"room_id":"%"`), with(`"nonce"`, `"Nonce"`), "{", "%", "null", "[]", "\x00",
		// Other ways to write the signature, and what is not signed written in the same ways.
		with(signature, `\u0035`+signature[1:]), with(signature, `\u0036`+signature[1:]), url.QueryEscape(with(signature, "x")),
		with(signature, "x", `"room_id":"1"`, `"room_id":"%31"`),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		n := newNotebook()
		status, outcome := send(t, n, http.MethodPost, body)
		switch outcome {
		case callback.Noted, callback.Ignored, callback.Unverified, callback.Malformed:
		default:
			t.Errorf("%s for %q", outcome, body)
		}
		if (status == http.StatusOK) != (outcome == callback.Noted || outcome == callback.Ignored) {
			t.Errorf("%d for %s", status, outcome)
		}
		if status == http.StatusOK && signatureIn(t, body) != signature {
			t.Errorf("%s without the signature: %q", outcome, body)
		}
		for _, hint := range n.hints {
			if len(hint.RoomIDs) == 0 || len(hint.RoomIDs) > 2 || hint.Account != account {
				t.Errorf("%+v", hint)
			}
		}
	})
}

// signatureIn returns the signature of a body: JSON, or JSON that is URL-encoded as a whole.
func signatureIn(t *testing.T, body string) string {
	t.Helper()
	body = strings.TrimSpace(body)
	if decoded, err := url.QueryUnescape(body); err == nil && !json.Valid([]byte(body)) {
		body = decoded
	}
	var signed struct{ Signature string }
	if err := json.Unmarshal([]byte(body), &signed); err != nil {
		t.Errorf("taken though it is no JSON: %v: %q", err, body)
	}
	return signed.Signature
}
