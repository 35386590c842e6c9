package callback

import (
	"crypto/sha1" //nolint:gosec // The vendor's choice.
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldest is how far a callback's time may be from now. The signature covers the time but not the event, so who has seen
// one callback can send others with it, until it is too old. A day is far more than ZIM's retries take and than clocks
// go wrong, and leaves room for a time zone: the vendor says little about this field.
const oldest = 24 * time.Hour

// isSignedWith tells, in constant time, whether the signature was made with a secret.
// https://www.zegocloud.com/docs/zim-server/callbacks/authenticating-server-to-server-callbacks
func (p *payload) isSignedWith(secret string) bool {
	parts := []string{secret, string(p.Timestamp), string(p.Nonce)}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // The vendor's choice.
	want := hex.EncodeToString(sum[:])
	return secret != "" && subtle.ConstantTimeCompare([]byte(want), []byte(p.Signature)) == 1
}

// isTimely tells whether the callback's time is near now, read as seconds or as milliseconds: the vendor's text says
// one, its examples the other.
func (p *payload) isTimely(now time.Time) bool {
	n, err := strconv.ParseInt(string(p.Timestamp), 10, 64)
	if err != nil {
		return false
	}
	return now.Sub(time.Unix(n, 0)).Abs() <= oldest || now.Sub(time.UnixMilli(n)).Abs() <= oldest
}
