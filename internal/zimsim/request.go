package zimsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The common parameters, in the query of every call.
// https://www.zegocloud.com/docs/zim-server/accessing-server-apis
const (
	paramAppID            = "AppId"
	paramAction           = "Action"
	paramNonce            = "SignatureNonce"
	paramTimestamp        = "Timestamp"
	paramSignature        = "Signature"
	paramSignatureVersion = "SignatureVersion"
)

// isCommonParameter tells whether a query parameter belongs to the frame of a call, whatever its case.
func isCommonParameter(name string) bool {
	common := []string{
		paramAppID, paramAction, paramNonce, paramTimestamp, paramSignature, paramSignatureVersion,
	}
	return slices.ContainsFunc(common, func(c string) bool { return strings.EqualFold(c, name) })
}

// maxBody bounds what one call can make the simulator read.
const maxBody = 1 << 20

var errBodyTooLarge = errors.New("body too large")

// request is a call as it arrived, before anything is checked.
type request struct {
	method    string
	host      string
	userAgent string
	query     url.Values
	body      []byte
	bodyErr   error
	fields    fields // of the body; nil if it is not a JSON object

	// For the journal and for faults, as far as they can be read.
	action     string
	roomID     string
	fromUserID string
}

func readRequest(r *http.Request) *request {
	query := r.URL.Query()
	req := &request{
		method:    r.Method,
		host:      r.Host,
		userAgent: r.UserAgent(),
		query:     query,
		action:    query.Get(paramAction),
	}
	req.body, req.bodyErr = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if len(req.body) > maxBody {
		req.body, req.bodyErr = nil, errBodyTooLarge
	}
	if req.method != http.MethodPost {
		req.roomID, req.fromUserID = req.query.Get("RoomId"), req.query.Get("FromUserId")
		return req
	}
	if req.bodyErr == nil {
		_ = json.Unmarshal(req.body, &req.fields) // An action that finds no fields says so.
	}
	req.roomID, _ = req.fields.text("RoomId")
	req.fromUserID, _ = req.fields.text("FromUserId")
	return req
}

// namesAttribute tells whether a ModifyRoomAttribute is about the key.
func (r *request) namesAttribute(key string) bool {
	var items []fields
	if json.Unmarshal(r.fields["Attributes"], &items) != nil {
		return false
	}
	return slices.ContainsFunc(items, func(item fields) bool {
		name, ok := item.text("Key")
		return ok && name == key
	})
}

// fields is a JSON object, kept by exact name: encoding/json alone would take "roomid" for "RoomId" and so hide a
// caller's mistake.
type fields map[string]json.RawMessage

// has tells whether a field is there and not null.
func (f fields) has(name string) bool {
	raw, ok := f[name]
	return ok && string(raw) != "null"
}

// text returns a string field; false if it is missing or something else.
func (f fields) text(name string) (string, bool) {
	var text string
	if !f.has(name) || json.Unmarshal(f[name], &text) != nil {
		return "", false
	}
	return text, true
}

// unmarshalStrictly decodes one JSON value and refuses names that the target does not have.
func unmarshalStrictly(data []byte, target any) error {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(target); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
