package zim_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// commonParameters are in the query of every call: https://www.zegocloud.com/docs/zim-server/accessing-server-apis
var commonParameters = []string{"Action", "AppId", "Signature", "SignatureNonce", "SignatureVersion", "Timestamp"}

const (
	success   = `{"Code":0,"Message":"success","RequestId":"` + successID + `"}`
	successID = "343649807833778782"
)

// sendTo performs a call against a server that answers success to everything, and returns what was sent.
func sendTo(t *testing.T, call func(*zim.Client) error, changes ...func(*zim.Config)) sentRequest {
	t.Helper()
	w := newWire(t)
	server := newServer(t, answering(http.StatusOK, `{"Code":0,"Count":0}`))
	if err := call(newClient(t, server.URL, w.client, changes...)); err != nil {
		t.Fatal(err)
	}
	sent := w.requests()
	if len(sent) != 1 {
		t.Fatalf("%d requests were sent, want 1", len(sent))
	}
	return sent[0]
}

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var gotValue, wantValue any
	if err := json.Unmarshal([]byte(got), &gotValue); err != nil {
		t.Fatalf("body %q: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &wantValue); err != nil {
		t.Fatal(err)
	}
	equal(t, "body", gotValue, wantValue)
}

func TestCreateRoomSendsWhatTheVendorDocuments(t *testing.T) {
	at := time.Unix(1615186943, 0)
	sent := sendTo(t, func(client *zim.Client) error {
		_, err := client.CreateRoom(t.Context(), zim.CreateRoomRequest{
			FromUserID: "User1", RoomID: "Room1", RoomName: "RoomName1", DestroyDelay: time.Hour,
			Attributes: []zim.Attribute{{Key: "k1", Value: "v1"}, {Key: "k2", Value: "v2", AutoDelete: true}},
		})
		return err
	}, func(config *zim.Config) { config.Now = func() time.Time { return at } })

	documented, err := os.ReadFile("testdata/create_room.json") // The request example of the vendor's page.
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, sent.body, string(documented))

	equal(t, "names in the query", slices.Sorted(maps.Keys(sent.query)), commonParameters)
	nonce, signature := sent.query.Get("SignatureNonce"), sent.query.Get("Signature")
	equal(t, "query", sent.query, url.Values{
		"Action": {"CreateRoom"}, "AppId": {"12345"}, "Timestamp": {"1615186943"}, "SignatureVersion": {"2.0"},
		"SignatureNonce": {nonce}, "Signature": {signature},
	})
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(nonce) {
		t.Errorf("nonce %q, want 16 hexadecimal characters", nonce)
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(signature) {
		t.Errorf("signature %q, want 32 hexadecimal characters", signature)
	}
}

func TestRequestOfEveryAction(t *testing.T) {
	for action, tc := range map[zim.Action]struct {
		wantMethod string
		wantBody   string
		wantQuery  url.Values // Besides the common parameters.
	}{
		zim.ActionCreateRoom: {
			wantMethod: http.MethodPost, wantBody: `{"FromUserId":"operator","RoomId":"room","DestroyDelayTime":3600}`,
		},
		zim.ActionDestroyRoom: {
			wantMethod: http.MethodGet, wantQuery: url.Values{"RoomId": {"room"}},
		},
		zim.ActionQueryRoomAttribute: {
			wantMethod: http.MethodPost, wantBody: `{"FromUserId":"operator","RoomId":"room"}`,
		},
		zim.ActionModifyRoomAttribute: {
			wantMethod: http.MethodPost,
			wantBody: `{"FromUserId":"operator","RoomId":"room","Attributes":[
				{"Action":0,"Key":"k","Value":"v","AutoDelete":0}]}`,
		},
		zim.ActionQueryRoomUserList: {
			wantMethod: http.MethodGet, wantQuery: url.Values{"RoomId": {"room"}, "Limit": {"1"}},
		},
		zim.ActionUserRegister: {
			wantMethod: http.MethodPost, wantBody: `{"UserInfo":[{"UserId":"operator","UserName":"operator"}]}`,
		},
	} {
		t.Run(string(action), func(t *testing.T) {
			sent := sendTo(t, func(client *zim.Client) error { return act[action](t.Context(), client) },
				func(config *zim.Config) { config.UserAgent = "zim-operator/v1.2.3" })

			equal(t, "method", sent.method, tc.wantMethod)
			equal(t, "path", sent.path, "/")
			equal(t, "Action", sent.query["Action"], []string{string(action)})
			business := maps.Clone(sent.query)
			for _, name := range commonParameters {
				if len(business[name]) != 1 {
					t.Errorf("%s = %q, want one value", name, business[name])
				}
				delete(business, name)
			}
			equal(t, "business parameters in the query", len(business), len(tc.wantQuery))
			for name, want := range tc.wantQuery {
				equal(t, name, business[name], want)
			}
			wantHeader := http.Header{"Accept": {"application/json"}, "User-Agent": {"zim-operator/v1.2.3"}}
			if tc.wantBody != "" {
				wantHeader.Set("Content-Type", "application/json")
				sameJSON(t, sent.body, tc.wantBody)
			} else {
				equal(t, "body", sent.body, "")
			}
			equal(t, "header", sent.header, wantHeader)
		})
	}
}

func TestModifyRoomAttributeSendsSetsAndDeletes(t *testing.T) {
	sent := sendTo(t, func(client *zim.Client) error {
		_, err := client.ModifyRoomAttribute(t.Context(), zim.ModifyRoomAttributeRequest{
			FromUserID: "User1", RoomID: "Room1",
			Set:    []zim.Attribute{{Key: "a", Value: ""}, {Key: "b", Value: `"<&>"`, AutoDelete: true}},
			Delete: []string{"c"},
		})
		return err
	})
	sameJSON(t, sent.body, `{"FromUserId":"User1","RoomId":"Room1","Attributes":[
		{"Action":0,"Key":"a","Value":"","AutoDelete":0},
		{"Action":0,"Key":"b","Value":"\"<&>\"","AutoDelete":1},
		{"Action":1,"Key":"c","Value":"","AutoDelete":0}]}`)
}

func TestDestroyDelayIsAlwaysSentInWholeSeconds(t *testing.T) {
	for name, tc := range map[string]struct {
		delay time.Duration
		want  string
	}{
		"none":              {0, `{"FromUserId":"","RoomId":"","DestroyDelayTime":0}`},
		"longest":           {3 * time.Hour, `{"FromUserId":"","RoomId":"","DestroyDelayTime":10800}`},
		"parts of a second": {1999 * time.Millisecond, `{"FromUserId":"","RoomId":"","DestroyDelayTime":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			sent := sendTo(t, func(client *zim.Client) error {
				_, err := client.CreateRoom(t.Context(), zim.CreateRoomRequest{DestroyDelay: tc.delay})
				return err
			})
			sameJSON(t, sent.body, tc.want)
		})
	}
}

// A room id may hold every character that means something in a query.
func TestQueryOfAGetIsPercentEncoded(t *testing.T) {
	for _, roomID := range []string{
		"plain", "a#b", "a&b=c", "a+b", "a b", "100%", "a%20b", "{}|~,", "?x", "a;b", ":@/", "[]", "<>^", "()!$", "Räume/聊天",
	} {
		t.Run(roomID, func(t *testing.T) {
			var arrived url.Values
			var raw string
			server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				arrived, raw = r.URL.Query(), r.URL.RawQuery
				answering(http.StatusOK, success)(w, r)
			})
			if err := newClient(t, server.URL, zim.NewHTTPClient()).DestroyRoom(t.Context(), roomID); err != nil {
				t.Fatal(err)
			}
			equal(t, "RoomId that arrived", arrived["RoomId"], []string{roomID})
			equal(t, "number of parameters", len(arrived), len(commonParameters)+1)
			// Percent signs, no plus: not every server reads that as a space.
			if !regexp.MustCompile(`^[A-Za-z0-9\-._~%=&]*$`).MatchString(raw) {
				t.Errorf("query %q has characters that are not safe in one", raw)
			}
		})
	}
}

func TestEndpointMayEndInASlash(t *testing.T) {
	var uri string
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		uri = r.URL.Path
		answering(http.StatusOK, success)(w, r)
	})
	for _, endpoint := range []string{server.URL, server.URL + "/"} {
		if err := newClient(t, endpoint, zim.NewHTTPClient()).DestroyRoom(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
		equal(t, "path", uri, "/")
	}
}
