package zim_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// endpointVariable makes TestCallInAnotherProcess call that endpoint. The environment's proxies are read once in the
// life of a process, so each case needs its own.
const endpointVariable = "ZIM_TEST_ENDPOINT"

// TestMain keeps the proxies of the machine out of all tests but the one that wants some.
func TestMain(m *testing.M) {
	if os.Getenv(endpointVariable) == "" {
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

func TestCallInAnotherProcess(t *testing.T) {
	endpoint := os.Getenv(endpointVariable)
	if endpoint == "" {
		t.Skip("Runs only as a process of TestProxyOfTheEnvironment.")
	}
	w := newWire(t)
	w.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			return nil, &net.DNSError{Err: "no such host", Name: address} // Nothing leaves the machine.
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	err := act[zim.ActionCreateRoom](t.Context(), newClient(t, endpoint, w.client))
	keepsSecrets(t, err, nil, w.requests())
	failed, _ := err.(*zim.Error) //nolint:errorlint // See failsWith.
	if failed == nil {
		failed = &zim.Error{}
	}
	_, _ = fmt.Fprintf(os.Stderr, "result: %s %q %d %t\n", failed.Class, failed.Failure, failed.HTTPStatus, failed.MaybeDone)
}

func TestProxyOfTheEnvironment(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint string
		environ  func(proxy string) []string
		answer   http.HandlerFunc
		// What the proxy was asked for, without the query.
		wantAsked  []string
		wantResult string
	}{
		"http": {
			endpoint:   "http://zim.example.com",
			environ:    func(proxy string) []string { return []string{"HTTP_PROXY=http://" + proxy} },
			answer:     succeed,
			wantAsked:  []string{"POST http://zim.example.com/"},
			wantResult: ` "" 0 false`,
		},
		"https": {
			endpoint:   "https://zim.example.com",
			environ:    func(proxy string) []string { return []string{"HTTPS_PROXY=http://" + proxy} },
			answer:     answering(http.StatusForbidden, "no"),
			wantAsked:  []string{"CONNECT //zim.example.com:443"},
			wantResult: `Transient "the connection failed" 0 false`,
		},
		"no proxy for the host": {
			endpoint: "http://zim.example.com",
			environ: func(proxy string) []string {
				return []string{"HTTP_PROXY=http://" + proxy, "NO_PROXY=example.com"}
			},
			answer:     succeed,
			wantResult: `Transient "the connection failed" 0 false`,
		},
		"refused": {
			endpoint: "http://zim.example.com",
			environ: func(string) []string {
				return []string{"HTTP_PROXY=http://user:" + secret + "@" + closedAddress(t)}
			},
			wantResult: `Transient "the connection failed" 0 false`,
		},
		"not a URL": { // As if there were none.
			endpoint:   "http://zim.example.com",
			environ:    func(string) []string { return []string{"HTTP_PROXY=http://" + secret + ":port"} },
			wantResult: `Transient "the connection failed" 0 false`,
		},
		"wants a password": {
			endpoint:   "http://zim.example.com",
			environ:    func(proxy string) []string { return []string{"HTTP_PROXY=http://" + proxy} },
			answer:     answering(http.StatusProxyAuthRequired, errorPage),
			wantAsked:  []string{"POST http://zim.example.com/"},
			wantResult: `Transient "the answer has an HTTP status other than 200" 407 true`,
		},
		"repeats what it was asked": {
			endpoint: "https://zim.example.com",
			environ:  func(proxy string) []string { return []string{"HTTPS_PROXY=http://" + secret + "@" + proxy} },
			answer: rawAnswer(func(r *http.Request) string {
				return fmt.Sprintf("HTTP/1.1 407 %s %s\r\n\r\n", r.Host, r.Header.Get("Proxy-Authorization"))
			}),
			wantAsked:  []string{"CONNECT //zim.example.com:443"},
			wantResult: `Transient "the connection failed" 0 false`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			proxy := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked = append(asked, r.Method+" "+strings.TrimSuffix(r.URL.String(), "?"+r.URL.RawQuery))
				mu.Unlock()
				tc.answer(w, r)
			})
			result := callInAnotherProcess(t, tc.endpoint, tc.environ(proxy.Listener.Addr().String()))
			mu.Lock()
			defer mu.Unlock()
			equal(t, "asked of the proxy", asked, tc.wantAsked)
			equal(t, "result", result, tc.wantResult)
		})
	}
}

// callInAnotherProcess runs TestCallInAnotherProcess and returns the result that it prints.
func callInAnotherProcess(t *testing.T, endpoint string, environ []string) string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-test.run=^TestCallInAnotherProcess$", "-test.count=1")
	// The race detector would let the process wait for a second before it ends.
	command.Env = append([]string{endpointVariable + "=" + endpoint, "GORACE=atexit_sleep_ms=0"}, environ...)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	_, result, _ := strings.Cut(string(output), "result: ")
	result, _, _ = strings.Cut(result, "\n")
	return result
}
