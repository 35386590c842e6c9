package zim_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// FuzzAnswer gives every action any answer. None makes it panic, and only one of ZIM is a success.
func FuzzAnswer(f *testing.F) {
	for _, status := range []int{200, 201, 204, 302, 404, 429, 500} {
		for _, body := range []string{
			"", "null", "0", errorPage, success, exists, `{"code":0}`, `{"Code":"0"}`, `{"Code":null}`, `{"Code":0,"Count":0}`,
			`{"Code":0,"AttributeSeq":2,"Attributes":[{"Key":"k","Value":"v","Seq":2,"AutoDelete":0}]}`,
			`{"Code":0,"SuccKeyList":[{"Key":"a","Seq":3}],"ErrKeyList":[{"SubCode":1,"Key":"b"}]}`,
			`{"Code":0,"Count":2,"NextFlag":"0","UserList":[{"UserId":"a","UserName":"A"}]}`,
			`{"Code":660700002,"ErrorList":[{"UserId":"a","SubCode":660700002,"SubMessage":"exists"}]}`,
			`{"Code":660300001}`, `{"Code":660300008}`, `{"Code":100000005,"ErrorList":[{"SubCode":660700002}]}`,
			`{"Code":1,"Code":0}`, `{"Code":0,"Code":1}`, `{"Code":-0}`, `{"Code":0.0}`, `{"Code":0e0}`,
			`{"Code":660000002,"RequestId":"\u0000é"}`, `[[[[`, `{"Code":0}{`,
		} {
			f.Add(status, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		httpClient := &http.Client{Transport: transportFunc(func(request *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body)), Request: request}, nil
		})}
		client := newClient(t, "https://zim-api.zego.im", httpClient)
		for action, call := range act {
			err := call(t.Context(), client)
			if err == nil && !isSuccess(action, status, body) {
				t.Errorf("%s takes status %d with %q for success", action, status, body)
			}
			if err != nil && !slices.Contains(zim.Classes(), zim.ClassOf(err)) {
				t.Errorf("%s: %v has the class %q", action, err, zim.ClassOf(err))
			}
			if err != nil && zim.ClassOf(err) == zim.ClassOK {
				t.Errorf("%s: %v has the class of success", action, err)
			}
		}
	})
}

// isSuccess tells, apart from the client, whether an answer may be a success: {"Code":0} with status 200, or a code
// that means for the action that what was wanted is so.
func isSuccess(action zim.Action, status int, body []byte) bool {
	var answer map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&answer) != nil || status == http.StatusTooManyRequests {
		return false
	}
	number, isNumber := answer["Code"].(json.Number)
	code, err := number.Int64()
	switch {
	case !isNumber || err != nil:
		return false
	case code == 0:
		return status == http.StatusOK
	case action == zim.ActionDestroyRoom:
		return code == 660300001
	case action == zim.ActionQueryRoomUserList:
		return code == 660300008
	case action == zim.ActionUserRegister:
		return code == 660700002 || bytes.Contains(body, []byte("660700002"))
	}
	return false
}
