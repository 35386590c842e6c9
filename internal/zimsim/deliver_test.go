package zimsim_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestFaultHangLastsAsLongAsTheCaller(t *testing.T) {
	f := newFixture(t)
	f.inject(zimsim.Fault{Kind: zimsim.FaultHang})
	ctx, cancel := context.WithCancel(t.Context())
	url := f.server.URL + "/?" + signed("QueryRoomUserList", start).Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	f.must(err)
	ended := make(chan error)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	for len(f.Calls()) == 0 {
		select {
		case err := <-ended:
			t.Fatalf("ended early: %v", err)
		default:
		}
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("there was an answer")
	}
}

func TestFaultHugeSizes(t *testing.T) {
	const most = 110 << 20
	for name, tc := range map[string]struct{ size, want int64 }{
		"by default": {0, 100 << 20},
		"endless":    {-1, most},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.inject(zimsim.Fault{Kind: zimsim.FaultHuge, Size: tc.size})
			resp := f.open()
			n, err := io.CopyN(io.Discard, resp.Body, most)
			f.must(resp.Body.Close())
			if n != tc.want || (err != nil) != (n < most) {
				t.Errorf("read %d bytes: %v", n, err)
			}
		})
	}
}

// open sends a signed QueryRoomUserList and returns the answer with its body still to be read.
func (f *fixture) open() *http.Response {
	f.t.Helper()
	url := f.server.URL + "/?" + signed("QueryRoomUserList", start).Encode()
	req, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, url, http.NoBody)
	f.must(err)
	resp, err := http.DefaultTransport.RoundTrip(req)
	f.must(err)
	return resp
}

func TestRedirectDoesNotRepeatTheSignature(t *testing.T) {
	f := newFixture(t)
	f.inject(zimsim.Fault{Kind: zimsim.FaultRedirect})
	resp := f.open()
	f.must(resp.Body.Close())
	wantEqual(t, "Location", resp.Header.Get("Location"), "/moved")
}

func TestWaitingEndsInACutConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		options zimsim.Options
		fault   zimsim.Fault
		want    time.Duration
	}{
		"hang until the caller goes": {fault: zimsim.Fault{Kind: zimsim.FaultHang}, want: time.Hour},
		"hang for a while": {
			fault: zimsim.Fault{Kind: zimsim.FaultHang, Duration: time.Minute}, want: time.Minute,
		},
		"latency beyond the caller": {options: zimsim.Options{Latency: 2 * time.Hour}, want: time.Hour},
		"a fault's latency beyond as well": {
			fault: zimsim.Fault{Kind: zimsim.FaultLatency, Duration: 2 * time.Hour}, want: time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := zimsim.New(tc.options)
				s.SetApp(zimsim.App{AppID: appID, ServerSecret: secret})
				if tc.fault.Kind != "" {
					if _, err := s.Inject(tc.fault); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				target := "/?" + signed("QueryRoomUserList", began).Encode()
				defer func() {
					wantEqual(t, "panic", recover(), any(http.ErrAbortHandler), cmpopts.EquateErrors())
					wantEqual(t, "took", time.Since(began), tc.want)
				}()
				req := httptest.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
				s.API().ServeHTTP(httptest.NewRecorder(), req)
			})
		})
	}
}

func TestPagesOfFaultsSayWhatTheyAre(t *testing.T) {
	for kind, want := range map[zimsim.FaultKind]string{
		zimsim.FaultHTML: "text/html; charset=utf-8", zimsim.FaultHuge: "application/json; charset=utf-8",
	} {
		f := newFixture(t)
		f.inject(zimsim.Fault{Kind: kind, Size: 1000})
		resp := f.open()
		f.must(resp.Body.Close())
		wantEqual(t, "Content-Type of "+string(kind), resp.Header.Get("Content-Type"), want)
	}
}

func TestLatencyIsAddedToEveryAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		options zimsim.Options
		random  float64
		want    time.Duration
	}{
		"none":            {zimsim.Options{}, 0, 0},
		"fixed":           {zimsim.Options{Latency: time.Minute}, 0.9, time.Minute},
		"lowest":          {zimsim.Options{Latency: time.Minute, Jitter: time.Second}, 0, 59 * time.Second},
		"middle":          {zimsim.Options{Latency: time.Minute, Jitter: time.Second}, 0.5, time.Minute},
		"high":            {zimsim.Options{Latency: time.Minute, Jitter: time.Second}, 0.75, time.Minute + time.Second/2},
		"never below 0":   {zimsim.Options{Jitter: time.Hour}, 0, 0},
		"of a fault, too": {zimsim.Options{Latency: time.Minute}, 0.25, time.Minute + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.options.Rand = func() float64 { return tc.random }
				s := zimsim.New(tc.options)
				s.SetApp(zimsim.App{AppID: appID, ServerSecret: secret})
				if tc.want > time.Hour {
					if _, err := s.Inject(zimsim.Fault{Kind: zimsim.FaultLatency, Duration: time.Hour}); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				answer := serve(t, s.API(), http.MethodGet, "/?"+signed("QueryRoomUserList", began).Encode(), "")
				wantEqual(t, "took", time.Since(began), tc.want)
				wantEqual(t, "status", answer.Code, 200)
			})
		})
	}
}
