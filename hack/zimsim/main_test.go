package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zim-operator/zim-operator/internal/version"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const secret = "9193cc662a4c0ec135ec71fb57194b38"

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

// send sends a request and returns the body of the answer.
func send(ctx context.Context, method, url, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

// get sends a GET and decodes the answer.
func get[T any](t *testing.T, url string) T {
	t.Helper()
	var out T
	data, err := send(t.Context(), http.MethodGet, url, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// process is a running run.
type process struct {
	api, admin string
	stop       context.CancelFunc
	ended      chan error
}

// begin runs with ports of its own and returns once it says that it is ready.
func begin(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &process{stop: cancel, ended: make(chan error, 1)}
	reader, writer := io.Pipe()
	t.Cleanup(func() { _ = reader.Close() })
	args = append([]string{"--bind-address=127.0.0.1:0", "--admin-bind-address=127.0.0.1:0"}, args...)
	go func() {
		p.ended <- run(ctx, args, environment(map[string]string{secretVariable: secret}), writer)
		_ = writer.Close()
	}()
	lines := bufio.NewScanner(reader)
	for _, line := range []struct {
		begins  string
		address *string
	}{{"API   ", &p.api}, {"Admin ", &p.admin}} {
		if !lines.Scan() {
			t.Fatalf("ended early: %v", <-p.ended)
		}
		address, ok := strings.CutPrefix(lines.Text(), line.begins)
		if !ok {
			t.Fatalf("line %q does not begin with %q", lines.Text(), line.begins)
		}
		*line.address = address
	}
	return p
}

// signedList returns the URL of a QueryRoomUserList.
func (p *process) signedList() string {
	now := time.Now().Unix()
	signature := md5.Sum(fmt.Appendf(nil, "12345%s%s%d", "n", secret, now))
	return fmt.Sprintf("%s/?Action=QueryRoomUserList&AppId=12345&SignatureNonce=n&Timestamp=%d&SignatureVersion=2.0"+
		"&Signature=%x&RoomId=r", p.api, now, signature)
}

func TestRunServesUntilTold(t *testing.T) {
	p := begin(t, "--app-id=12345", "--latency=1ms", "--query-attribute-on-missing-room=0")
	if got := get[struct{ Code int }](t, p.signedList()); got.Code != 660300001 {
		t.Errorf("Code %d", got.Code)
	}
	got := get[zimsim.Switches](t, p.admin+"/switches")
	want := zimsim.DefaultSwitches()
	want.QueryAttributeOnMissingRoom = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("switches (-want +got):\n%s", diff)
	}
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
	if _, err := send(t.Context(), http.MethodGet, p.admin+"/healthz", ""); err == nil {
		t.Error("the admin side is still there")
	}
}

func TestRunEndsSoonWithHangingAnswers(t *testing.T) {
	p := begin(t, "--app-id=12345")
	if _, err := send(t.Context(), http.MethodPost, p.admin+"/faults", `{"kind":"Hang"}`); err != nil {
		t.Fatal(err)
	}
	hung := make(chan error, 1)
	go func() {
		_, err := send(t.Context(), http.MethodGet, p.signedList(), "")
		hung <- err
	}()
	for len(get[[]zimsim.Call](t, p.admin+"/calls")) == 0 {
		runtime.Gosched()
	}
	told := time.Now()
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(told); took > 2*grace {
		t.Errorf("took %s to end", took)
	}
	if err := <-hung; err == nil {
		t.Error("the hanging call got an answer")
	}
}

func TestRunRefuses(t *testing.T) {
	busy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		says string
	}{
		"unknown flag": {[]string{"--nosuch"}, "-nosuch"},
		"no number":    {[]string{"--max-rooms=many"}, "-max-rooms"},
		"an argument":  {[]string{"serve"}, `unexpected argument "serve"`},
		"busy port":    {[]string{"--bind-address=" + busy.Addr().String()}, "--bind-address: "},
		"busy admin port": {
			[]string{"--bind-address=127.0.0.1:0", "--admin-bind-address=" + busy.Addr().String()}, "--admin-bind-address: ",
		},
		"no secret":           {[]string{"--app-id=1"}, "needs a secret"},
		"empty secret":        {[]string{"--app-id=1", "--server-secret-file=" + empty}, "needs a secret"},
		"missing secret file": {[]string{"--app-id=1", "--server-secret-file=/nosuch"}, "--server-secret-file: "},
		"secret without app":  {[]string{"--server-secret-file=" + empty}, "need --app-id"},
		"URL without app":     {[]string{"--callback-url=http://localhost"}, "need --app-id"},
		"bad URL":             {[]string{"--app-id=1", "--callback-url=localhost:80"}, "--callback-url: "},
		"AppId too large":     {[]string{"--app-id=4294967296"}, "uint32"},
		"negative latency":    {[]string{"--latency=-1s"}, "negative"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(t.Context(), tc.args, environment(nil), &out)
			if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
			if out.Len() > 0 {
				t.Errorf("output %q", out.String())
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-h"}, environment(nil), &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(out.String(), "-bind-address") {
		t.Errorf("output %q", out.String())
	}
}

func TestVersion(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"--version"}, environment(nil), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != version.String()+"\n" {
		t.Errorf("got %q", out.String())
	}
}

func TestSecretFileWinsOverTheVariable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	variables := environment(map[string]string{secretVariable: "from the variable"})
	for want, args := range map[string][]string{
		"from the variable": {"--app-id=1"},
		"from the file":     {"--app-id=1", "--server-secret-file=" + file},
	} {
		c, err := parse(args, variables, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.options.Apps[0].ServerSecret; got != want {
			t.Errorf("secret %q, want %q", got, want)
		}
	}
}

func TestEverySwitchHasAFlag(t *testing.T) {
	s := zimsim.DefaultSwitches()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	bindSwitches(flags, &s)
	if diff := cmp.Diff(zimsim.DefaultSwitches(), s); diff != "" {
		t.Errorf("binding changes the defaults:\n%s", diff)
	}
	flags.VisitAll(func(f *flag.Flag) {
		value := map[string]string{"true": "false", "false": "true", "": ","}[f.DefValue]
		if value == "" {
			value = "12"
		}
		if err := f.Value.Set(value); err != nil {
			t.Error(err)
		}
		name := strings.ReplaceAll(f.Name, "-", "")
		field := reflect.ValueOf(s).FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, name) })
		if !field.IsValid() || fmt.Sprint(field) != value {
			t.Errorf("flag %s does not set its field", f.Name)
		}
	})
	changed, before := reflect.ValueOf(s), reflect.ValueOf(zimsim.DefaultSwitches())
	for i := range changed.NumField() {
		if changed.Field(i).Equal(before.Field(i)) {
			t.Errorf("no flag for %s", changed.Type().Field(i).Name)
		}
	}
}
