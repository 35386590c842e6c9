package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

func TestParseUsage(t *testing.T) {
	status := "Name:\tmanager\nVmPeak:\t 1300000 kB\nVmHWM:\t   90112 kB\nVmRSS:\t   81920 kB\nThreads:\t12\n"
	stat := "42 (a (b) c) S 1 42 42 0 -1 4194560 9000 0 12 0 250 75 0 0 20 0 12 0 100 1300000000 20480 1 1"
	got, err := parseUsage(status, stat)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Usage{ResidentKB: 81920, PeakKB: 90112, CPUSeconds: 3.25}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, tc := range map[string][2]string{
		"no memory":  {"Name:\tmanager\n", stat},
		"short stat": {status, "42 (a) S 1 2 3"},
		"no number":  {status, strings.Replace(stat, " 250 ", " x ", 1)},
	} {
		if _, err := parseUsage(tc[0], tc[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestJournal(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	j := Journal{
		{Time: at(0), Action: CreateRoom, RoomID: "a", UserAgent: "zim-operator/v1", Code: 660300005},
		{Time: at(1), Action: CreateRoom, RoomID: "a", UserAgent: "zim-operator/v1", CarriedOut: true},
		{Time: at(2), Action: CreateRoom, RoomID: "b", UserAgent: "somebody-else", Code: 660300014},
		{Time: at(3), Action: DestroyRoom, RoomID: "a", UserAgent: "zim-operator/v1", CarriedOut: true},
	}
	ours := j.By(OperatorAgent)
	if len(ours) != 3 || ours.Limited() != 1 || len(ours.CarriedOut()) != 2 || len(j.After(at(1))) != 2 {
		t.Errorf("got %+v", ours)
	}
	if got := ours.Of(CreateRoom).FirstByRoom(); len(got) != 1 || !got["a"].Equal(at(0)) {
		t.Errorf("got %v", got)
	}
}

func TestWatchRemembersWhatItSaw(t *testing.T) {
	w := &Watch{rooms: map[string]sighting{}}
	room := &zimv1alpha1.ZimRoom{}
	room.Name = "a"
	room.Generation = 1
	see := func(status metav1.ConditionStatus, reason string) {
		room.Status.Conditions = []metav1.Condition{{
			Type: zimv1alpha1.ReadyCondition, Status: status, Reason: reason, ObservedGeneration: 1,
		}}
		w.see(room)
	}
	rooms := []*zimv1alpha1.ZimRoom{room}
	see(metav1.ConditionFalse, zimv1alpha1.ReasonRateLimited)
	if w.AreReady(rooms) || w.CountFailed(rooms) != 0 {
		t.Error("a room that waits for its turn is not Ready, and has not failed")
	}
	see(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated)
	first := w.ReadyTimes(rooms)
	see(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated)
	if !w.AreReady(rooms) || !w.ReadyTimes(rooms)[0].Equal(first[0]) || w.CountConfirmed(rooms) != 1 {
		t.Error("Ready is not what was seen first")
	}
	room.Generation = 2
	if w.CountConfirmed(rooms) != 0 {
		t.Error("an edit that nobody has read yet counts as confirmed")
	}
	see(metav1.ConditionFalse, zimv1alpha1.ReasonInvalidParameter)
	see(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated)
	if w.CountFailed(rooms) != 1 {
		t.Error("a failure is forgotten")
	}
}

func TestParseAddresses(t *testing.T) {
	api, admin, ok := parseAddresses("API   http://127.0.0.1:1\nAdmin http://127.0.0.1:2\n")
	if !ok || api != "http://127.0.0.1:1" || admin != "http://127.0.0.1:2" {
		t.Errorf("got %q, %q, %v", api, admin, ok)
	}
	if _, _, ok := parseAddresses("API   http://127.0.0.1:1\nAdmin http://127"); ok {
		t.Error("half a line is taken for an address")
	}
}

func TestTail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	text := "a\n" + strings.Repeat("b\n", 7) + strings.Repeat("c", 500) + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := Tail(file), strings.Repeat("b\n", 7)+strings.Repeat("c", 400)+"..."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExitCode(t *testing.T) {
	for want, err := range map[int]error{
		1:   errors.New("failed"),
		130: fmt.Errorf("step 1: %w", &interruption{signal: syscall.SIGINT}),
		143: &interruption{signal: syscall.SIGTERM},
	} {
		if got := ExitCode(err); got != want {
			t.Errorf("%v: got %d, want %d", err, got, want)
		}
	}
}

func TestAwaitEndsWithTheCause(t *testing.T) {
	never := func(context.Context) (bool, error) { return false, nil }
	if err := Await(t.Context(), time.Millisecond, never); !errors.Is(err, ErrTooLate) {
		t.Errorf("got %v when the time is over", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interruption{signal: syscall.SIGINT})
	if err := Await(ctx, time.Minute, never); !IsInterruption(err) {
		t.Errorf("got %v after a signal", err)
	}
}

func TestProcessThatEnds(t *testing.T) {
	never := func(context.Context) bool { return false }
	var running Processes
	defer running.Stop()
	child := Child{Name: "child", Path: "/bin/sh", Args: []string{"-c", "echo broken; exit 3"}}
	p, err := running.Start(t.Context(), t.TempDir(), child, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = p.AwaitReady(t.Context(), time.Minute, never)
	if err == nil || !strings.HasPrefix(err.Error(), "child ended: exit status 3") ||
		!strings.HasSuffix(err.Error(), "broken") {
		t.Errorf("got %v before it was ready", err)
	}
	failed := make(chan error, 1)
	p.Stay(func(cause error) { failed <- cause })
	if err := <-failed; !strings.HasPrefix(err.Error(), "child ended by itself: exit status 3") {
		t.Errorf("got %v from one that was to stay", err)
	}
}

func TestBusiestSecond(t *testing.T) {
	start := time.Now()
	for name, tc := range map[string]struct {
		milliseconds []int
		want         int
	}{
		"nothing":                     {nil, 0},
		"one":                         {[]int{0}, 1},
		"a second apart":              {[]int{0, 1000, 2000}, 1},
		"just less than that":         {[]int{0, 999, 1998}, 2},
		"across a full second":        {[]int{0, 900, 950, 1000, 1050, 1899}, 5},
		"not in order":                {[]int{5000, 100, 0, 5100, 5200}, 3},
		"at the same moment":          {[]int{7, 7, 7, 7}, 4},
		"twenty a second, all evenly": {evenMilliseconds(100, 50), 20},
	} {
		t.Run(name, func(t *testing.T) {
			var moments []time.Time
			for _, ms := range tc.milliseconds {
				moments = append(moments, start.Add(time.Duration(ms)*time.Millisecond))
			}
			if got := BusiestSecond(moments); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
			}
		})
	}
}

func evenMilliseconds(count, step int) []int {
	var all []int
	for i := range count {
		all = append(all, i*step)
	}
	return all
}

func TestTableHasColumns(t *testing.T) {
	var text strings.Builder
	if err := WriteTable(&text, [][]string{{"what", "ms", ""}, {"größte", "1,000", "ok"}, {"", "9", ""}}); err != nil {
		t.Fatal(err)
	}
	if got, want := text.String(), "what    ms\ngrößte  1,000  ok\n        9\n"; got != want {
		t.Errorf("got\n%s", got)
	}
}
