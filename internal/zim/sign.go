package zim

import (
	"crypto/md5" //nolint:gosec // The vendor's signature is defined on MD5.
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"
)

// signatureVersion is the only version that ZIM takes.
const signatureVersion = "2.0"

// sign returns the signature of one call: the lower-case hex MD5 of AppID, nonce, secret and Unix time, concatenated.
// It covers neither the action nor its parameters: who reads a signed URL can send anything in the account's name for
// ten minutes. So no signed URL leaves this package.
//
// https://www.zegocloud.com/docs/zim-server/accessing-server-apis
func sign(appID uint32, nonce, serverSecret string, timestamp int64) string {
	text := strconv.FormatUint(uint64(appID), 10) + nonce + serverSecret + strconv.FormatInt(timestamp, 10)
	sum := md5.Sum([]byte(text)) //nolint:gosec // See the import.
	return hex.EncodeToString(sum[:])
}

// stamp is what one request is signed with.
type stamp struct {
	nonce     string
	timestamp int64
	signature string
}

// newStamp signs a request of this moment.
func newStamp(appID uint32, serverSecret string, now time.Time) stamp {
	nonce, timestamp := newNonce(), now.Unix()
	return stamp{nonce: nonce, timestamp: timestamp, signature: sign(appID, nonce, serverSecret, timestamp)}
}

// newNonce returns 16 random hexadecimal characters, the form that the vendor's samples use.
func newNonce() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // Never fails: see crypto/rand.
	return hex.EncodeToString(random[:])
}
