package callback_test

import (
	"context"
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
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		n := newNotebook()
		n.onNote = func(context.Context) {
			if !strings.Contains(body, signature) && !strings.Contains(body, "%") && !strings.Contains(body, `\u`) {
				t.Errorf("verified without the signature: %q", body)
			}
		}
		status, outcome := send(t, n, http.MethodPost, body)
		switch outcome {
		case callback.Noted, callback.Ignored, callback.Unverified, callback.Malformed:
		default:
			t.Errorf("%s for %q", outcome, body)
		}
		if (status == http.StatusOK) != (outcome == callback.Noted || outcome == callback.Ignored) {
			t.Errorf("%d for %s", status, outcome)
		}
		for _, hint := range n.hints {
			if len(hint.RoomIDs) == 0 || len(hint.RoomIDs) > 2 || hint.Account != account {
				t.Errorf("%+v", hint)
			}
		}
	})
}
