// Package callback receives ZIM's server callbacks. It knows HTTP and the vendor's format, and nothing of Kubernetes:
// what a callback leads to is decided behind the Notebook.
//
// A callback is a hint, nothing more: its signature covers neither the event nor the room, ZIM may send it late, twice
// or not at all, and nothing that it says is believed. All it can do is to have a room looked at.
package callback

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// Event is what ZIM says has happened.
type Event string

// The events that a room's keeper wants to know of.
// https://www.zegocloud.com/docs/zim-server/callbacks/room/room-destroyed
const (
	// RoomDestroyed: the room is gone; since August 2025 also sent when everybody has left it.
	RoomDestroyed Event = "room_destroy"
	// RoomLeft: a user has left the room, which may be empty now.
	RoomLeft Event = "room_exit"
)

// Hint is what a verified callback says.
type Hint struct {
	// Account is that of the Signer whose secret verified the callback.
	Account Account
	Event   Event
	// RoomIDs are the readings of the room's id, one or two: the vendor does not say whether it is URL-encoded.
	RoomIDs []string
}

// Account names a ZEGOCLOUD application: an AppID at a realm.
type Account struct {
	Realm string
	AppID uint32
}

// payload is the part of a callback's body that is read, exactly as received.
type payload struct {
	AppID     text   `json:"appid"`
	Event     Event  `json:"event"`
	RoomID    string `json:"room_id"`
	Timestamp text   `json:"timestamp"`
	Nonce     text   `json:"nonce"`
	Signature string `json:"signature"`
}

// text is a JSON string or number, with the digits as they were sent: they are signed.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		err := json.Unmarshal(data, &s)
		*t = text(s)
		return err
	}
	var n json.Number
	err := json.Unmarshal(data, &n)
	*t = text(n)
	return err
}

// errMalformed says nothing of what was sent: it may be anything.
var errMalformed = errors.New("not a callback")

// parse reads a body: JSON, or JSON that is URL-encoded as a whole, as the vendor's pages can be read.
func parse(body []byte) (p payload, appID uint32, err error) {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '%' {
		decoded, err := url.QueryUnescape(string(body))
		if err != nil {
			return p, 0, errMalformed
		}
		body = []byte(decoded)
	}
	if err := json.Unmarshal(body, &p); err != nil {
		return p, 0, errMalformed
	}
	id, err := strconv.ParseUint(string(p.AppID), 10, 32)
	if err != nil || id == 0 || p.Event == "" || p.Timestamp == "" || p.Nonce == "" || p.Signature == "" {
		return p, 0, errMalformed
	}
	return p, uint32(id), nil
}

// roomIDs returns the readings of the room's id.
func (p *payload) roomIDs() []string {
	if p.RoomID == "" {
		return nil
	}
	ids := []string{p.RoomID}
	if strings.ContainsAny(p.RoomID, "%+") {
		if decoded, err := url.QueryUnescape(p.RoomID); err == nil && decoded != p.RoomID {
			ids = append(ids, decoded)
		}
	}
	return ids
}
