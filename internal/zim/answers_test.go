package zim_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	errorPage = "<html><body>Bad gateway</body></html>"
	exists    = `{"Code":660300014,"Message":"room exists","RequestId":"7"}`

	// longestAnswer is the most that the client reads.
	longestAnswer = 1 << 20
)

// httpFailure is the error of an answer that failed by its status.
func httpFailure(status int, class zim.Class, maybeDone bool) zim.Error {
	return zim.Error{Class: class, Failure: zim.FailureHTTPStatus, HTTPStatus: status, MaybeDone: maybeDone}
}

// named is a failure whose answer has a request id all the same.
func named(failure zim.Error, requestID string) zim.Error {
	failure.RequestID = requestID
	return failure
}

// notZIM is the error of an answer that ZIM can't have given.
var notZIM = zim.Error{
	Class: zim.ClassTransient, Failure: zim.FailureNotJSON, HTTPStatus: http.StatusOK, MaybeDone: true,
}

// answerFailures fail by the status or the size of the answer.
var answerFailures = map[string]failure{
	"500 without a body": {
		stage: serving(answering(500, "")), want: httpFailure(500, zim.ClassTransient, true),
	},
	"502 with a page": {
		stage: serving(answering(502, errorPage)), want: httpFailure(502, zim.ClassTransient, true),
	},
	"500 with other JSON": {
		stage: serving(answering(500, `{"error":"x"}`)), want: httpFailure(500, zim.ClassTransient, true),
	},
	"500 with a code": {
		stage: serving(answering(500, exists)),
		want:  zim.Error{Class: zim.ClassRoomExists, Code: zim.CodeRoomExists, HTTPStatus: 500, RequestID: "7"},
	},
	"500 with success": {
		stage: serving(answering(500, success)), want: named(httpFailure(500, zim.ClassTransient, true), successID),
	},
	"201 with success": {
		stage: serving(answering(201, success)), want: named(httpFailure(201, zim.ClassTransient, true), successID),
	},
	"204": {
		stage: serving(answering(204, "")), want: httpFailure(204, zim.ClassTransient, true),
	},
	"403 with a page": {
		stage: serving(answering(403, errorPage)), want: httpFailure(403, zim.ClassTransient, true),
	},
	"429": {
		stage: serving(answering(429, "")), want: httpFailure(429, zim.ClassThrottled, false),
	},
	"429 with a page": {
		stage: serving(answering(429, errorPage)), want: httpFailure(429, zim.ClassThrottled, false),
	},
	"429 with a code": {
		stage: serving(answering(429, exists)), want: named(httpFailure(429, zim.ClassThrottled, false), "7"),
	},
	"429 with success": {
		stage: serving(answering(429, success)), want: named(httpFailure(429, zim.ClassThrottled, false), successID),
	},
	"a code at its action that is success at another": {
		stage: serving(answering(200, `{"Code":660300008}`)),
		want:  zim.Error{Class: zim.ClassTransient, Code: zim.CodeRoomEmpty, HTTPStatus: 200},
	},
	"undocumented code": {
		stage: serving(answering(200, `{"Code":660399999}`)),
		want:  zim.Error{Class: zim.ClassTransient, Code: 660399999, HTTPStatus: 200},
	},
	"100 MB":               {stage: tooLarge(200, large), want: tooLargeError},
	"100 MB, compressed":   {stage: tooLarge(200, compressed), want: tooLargeError},
	"100 MB of error page": {stage: tooLarge(500, large), want: httpFailure(500, zim.ClassTransient, true)},
	"one byte too large": {
		stage: serving(answering(200, paddedSuccess(longestAnswer+1))), want: tooLargeError,
	},
}

var tooLargeError = zim.Error{
	Class: zim.ClassTransient, Failure: zim.FailureTooLarge, HTTPStatus: http.StatusOK, MaybeDone: true,
}

// paddedSuccess returns an answer of success of so many bytes.
func paddedSuccess(size int) string {
	const head, tail = `{"Code":0,"Message":"`, `"}`
	return head + strings.Repeat("a", size-len(head)-len(tail)) + tail
}

// large and compressed write an answer of success of 100 MB, until nobody listens any more.
func large(w http.ResponseWriter, status int) {
	w.WriteHeader(status)
	writeLarge(w)
}

func writeLarge(w io.Writer) {
	chunk := strings.Repeat("a", 1<<20)
	_, err := io.WriteString(w, `{"Code":0,"Message":"`)
	for left := 100; left > 0 && err == nil; left-- {
		_, err = io.WriteString(w, chunk)
	}
	_, _ = io.WriteString(w, `"}`)
}

func compressed(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packer, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		panic(err)
	}
	writeLarge(packer)
	_ = packer.Close()
}

// tooLarge serves a body that has to be given up, and checks that it was.
func tooLarge(status int, write func(http.ResponseWriter, int)) func(*scene) {
	return func(s *scene) {
		s.serve(func(w http.ResponseWriter, _ *http.Request) {
			write(w, status)
		})
		s.after = func() {
			if read := s.wire.read.Load(); read > longestAnswer+1 {
				s.t.Errorf("%d bytes of the answer were read, want at most %d", read, longestAnswer+1)
			}
		}
	}
}

func TestLongestAnswerIsRead(t *testing.T) {
	server := newServer(t, answering(http.StatusOK, paddedSuccess(longestAnswer)))
	if err := act[zim.ActionDestroyRoom](t.Context(), newClient(t, server.URL, zim.NewHTTPClient())); err != nil {
		t.Errorf("an answer of %d bytes: %v, want no error", longestAnswer, err)
	}
}

// jsonFailures fail because the answer is not what ZIM answers.
var jsonFailures = func() map[string]failure {
	failures := map[string]failure{}
	for name, body := range map[string]string{
		"empty":                         "",
		"blank":                         " \n",
		"a page":                        errorPage,
		"plain text":                    "OK",
		"null":                          "null",
		"a number":                      "0",
		"a list":                        `[{"Code":0}]`,
		"no code":                       `{"Message":"success"}`,
		"null for a code":               `{"Code":null}`,
		"code as text":                  `{"Code":"0"}`,
		"fraction":                      `{"Code":0.5}`,
		"code beyond 32 bits":           `{"Code":4294967296}`,
		"code of another service":       `{"code":0,"message":"success"}`,
		"code further inside":           `{"Response":{"Code":0}}`,
		"cut short":                     success[:len(success)/2],
		"two answers":                   success + success,
		"comma as in the page's sample": "{\n\"Code\": 0,\n\"Message\": \"success\",\n}",
		"field of another type":         `{"Code":0,"AttributeSeq":"2"}`,
		"byte order mark":               "\ufeff" + success,
	} {
		failures[name] = failure{stage: serving(answering(http.StatusOK, body)), want: notZIM}
	}
	// Whoever takes such a room for empty destroys it with people in it.
	for name, body := range map[string]string{
		"no member count":            `{"Code":0}`,
		"null for a member count":    `{"Code":0,"Count":null}`,
		"negative member count":      `{"Code":0,"Count":-1}`,
		"count below the list":       `{"Code":0,"Count":0,"UserList":[{"UserId":"a"}]}`,
		"member count as text":       `{"Code":0,"Count":"0"}`,
		"member count under no name": `{"Code":0,"":0}`,
	} {
		failures[name] = failure{
			stage: serving(answering(http.StatusOK, body)), action: zim.ActionQueryRoomUserList, want: notZIM,
		}
	}
	return failures
}()

func TestUserRegisterReadsTheListOfErrors(t *testing.T) {
	unknown := zim.Error{Action: zim.ActionUserRegister, Class: zim.ClassTransient, Code: 1, HTTPStatus: 200}
	for name, tc := range map[string]struct {
		body string
		want *zim.Error
	}{
		"exists, with success":        {`{"Code":0,"ErrorList":[{"UserId":"u","SubCode":660700002}]}`, nil},
		"exists, with its code":       {`{"Code":660700002,"ErrorList":[{"UserId":"u","SubCode":660700002}]}`, nil},
		"exists, with another code":   {`{"Code":1,"ErrorList":[{"UserId":"u","SubCode":660700002}]}`, nil},
		"exists, without a list":      {`{"Code":660700002}`, nil},
		"empty list":                  {`{"Code":0,"ErrorList":[]}`, nil},
		"no list":                     {`{"Code":1}`, &unknown},
		"entry without a code":        {`{"Code":1,"ErrorList":[{"UserId":"u"}]}`, &unknown},
		"list of another type":        {`{"Code":1,"ErrorList":"u"}`, &unknown},
		"refused, with success":       {`{"Code":0,"ErrorList":[{"UserId":"u","SubCode":1}]}`, &unknown},
		"refused, the code is vaguer": {`{"Code":2,"ErrorList":[{"UserId":"u","SubCode":1}]}`, &unknown},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, answering(http.StatusOK, tc.body))
			err := newClient(t, server.URL, zim.NewHTTPClient()).UserRegister(t.Context(), "u")
			if tc.want == nil {
				if err != nil {
					t.Errorf("error = %v, want none", err)
				}
				return
			}
			failsWith(t, err, *tc.want)
		})
	}
}

func TestUserRegisterBelievesNoListWithoutAnAnswer(t *testing.T) {
	const body = `{"Code":0,"ErrorList":[{"UserId":"u","SubCode":660700002}]}`
	for name, handler := range map[string]http.HandlerFunc{
		"throttled":                   answering(429, body),
		"failed":                      answering(500, body),
		"list with something else in": answering(200, `{"Code":0,"ErrorList":[{"SubCode":660700002},{"SubCode":"x"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, handler)
			if err := newClient(t, server.URL, zim.NewHTTPClient()).UserRegister(t.Context(), "u"); err == nil {
				t.Error("no error, want one")
			}
		})
	}
}
