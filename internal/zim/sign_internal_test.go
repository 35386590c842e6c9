package zim

import (
	"regexp"
	"testing"
	"time"
)

func TestSignature(t *testing.T) {
	for name, tc := range map[string]struct {
		appID     uint32
		nonce     string
		secret    string
		timestamp int64
		want      string
	}{
		"sample of the vendor's page": {
			appID: 12345, nonce: "4fd24687296dd9f3", secret: "9193cc662a4c0ec135ec71fb57194b38", timestamp: 1615186943,
			want: "43e5cfcca828314675f91b001390566a",
		},
		"ten digits": {
			appID: 1234567890, nonce: "0123456789abcdef", secret: "9193cc662a4c0ec135ec71fb57194b38", timestamp: 1700000000,
			want: "0bbf70a7bfa873c89673019c58c74369",
		},
		"largest AppID, smallest time": {
			appID: 4294967295, nonce: "ffffffffffffffff", secret: "00000000000000000000000000000000", timestamp: 1,
			want: "4158831863253e07facc625b9fb4f3c9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := sign(tc.appID, tc.nonce, tc.secret, tc.timestamp); got != tc.want {
				t.Errorf("sign() = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestStampSignsItsOwnNonceAndTime(t *testing.T) {
	at := time.Unix(1615186943, 999_999_999)
	got := newStamp(12345, "9193cc662a4c0ec135ec71fb57194b38", at)
	if got.timestamp != 1615186943 {
		t.Errorf("timestamp = %d, want whole seconds of %s", got.timestamp, at)
	}
	if want := sign(12345, got.nonce, "9193cc662a4c0ec135ec71fb57194b38", got.timestamp); got.signature != want {
		t.Errorf("signature = %q, want %q", got.signature, want)
	}
}

func TestNonce(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{16}$`)
	seen := map[string]bool{}
	for range 1000 {
		nonce := newNonce()
		if !form.MatchString(nonce) {
			t.Fatalf("nonce %q, want 16 hexadecimal characters", nonce)
		}
		if seen[nonce] {
			t.Fatalf("nonce %q came twice", nonce)
		}
		seen[nonce] = true
	}
}
