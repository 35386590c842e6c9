package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

func TestParseUsage(t *testing.T) {
	status := "Name:\tmanager\nVmPeak:\t 1300000 kB\nVmHWM:\t   90112 kB\nVmRSS:\t   81920 kB\nThreads:\t12\n"
	stat := "42 (a (b) c) S 1 42 42 0 -1 4194560 9000 0 12 0 250 75 0 0 20 0 12 0 100 1300000000 20480 1 1"
	got, err := parseUsage(status, stat)
	if err != nil {
		t.Fatal(err)
	}
	if want := (usage{residentKB: 81920, peakKB: 90112, cpuSeconds: 3.25}); got != want {
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

const metricsText = `# HELP apiserver_request_total [STABLE] Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="zim.zego.im",resource="zimrooms",scope="resource",subresource="",verb="POST",version="v1alpha1"} 100
apiserver_request_total{code="200",component="apiserver",dry_run="",group="zim.zego.im",resource="zimrooms",scope="resource",subresource="",verb="PATCH",version="v1alpha1"} 90
apiserver_request_total{code="409",component="apiserver",dry_run="",group="zim.zego.im",resource="zimrooms",scope="resource",subresource="",verb="PATCH",version="v1alpha1"} 10
apiserver_request_total{code="200",component="apiserver",dry_run="",group="zim.zego.im",resource="zimrooms",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 95
apiserver_request_total{code="200",component="apiserver",dry_run="",group="zim.zego.im",resource="zimrooms",scope="cluster",subresource="",verb="LIST",version="v1alpha1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="zim.zego.im",resource="zimapps",scope="resource",subresource="status",verb="PATCH",version="v1alpha1"} 2
apiserver_request_total{code="201",component="apiserver",dry_run="",group="events.k8s.io",resource="events",scope="resource",subresource="",verb="POST",version="v1"} 500
# HELP apiserver_request_total_of_others Another one.
# TYPE apiserver_request_total_of_others counter
apiserver_request_total_of_others{resource="zimrooms",verb="PATCH"} 7
`

func TestParseWrites(t *testing.T) {
	got, err := parseWrites(strings.NewReader(metricsText))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{
		"zimrooms POST": 100, "zimrooms PATCH": 100, "zimrooms/status PATCH": 95, "zimapps/status PATCH": 2,
	} {
		if got[key] != want {
			t.Errorf("%s: got %d, want %d", key, got[key], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("got %v", got)
	}
	since := got.since(writes{"zimrooms POST": 100, "zimrooms PATCH": 40})
	if total := since.total(zimRooms); total != 155 {
		t.Errorf("got %d writes to ZimRooms, want 155: %v", total, since)
	}
	if total := since.total(zimApps); total != 2 {
		t.Errorf("got %d writes to ZimApps, want 2", total)
	}
}

func TestJournal(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	j := journal{
		{Time: at(0), Action: createRoom, RoomID: "a", UserAgent: "zim-operator/v1", Code: 660300005},
		{Time: at(1), Action: createRoom, RoomID: "a", UserAgent: "zim-operator/v1", CarriedOut: true},
		{Time: at(2), Action: createRoom, RoomID: "b", UserAgent: competitorAgent, Code: 660300014},
		{Time: at(3), Action: destroyRoom, RoomID: "a", UserAgent: "zim-operator/v1", CarriedOut: true},
	}
	ours := j.by(operatorAgent)
	if len(ours) != 3 || ours.limited() != 1 || len(ours.carriedOut()) != 2 || len(j.after(at(1))) != 2 {
		t.Errorf("got %+v", ours)
	}
	if got := ours.of(createRoom).firstByRoom(); len(got) != 1 || !got["a"].Equal(at(0)) {
		t.Errorf("got %v", got)
	}
}

func TestAbsences(t *testing.T) {
	start := time.Now()
	event := func(room string, kind zimsim.EventKind, milliseconds int) zimsim.Event {
		return zimsim.Event{RoomID: room, Kind: kind, Time: start.Add(time.Duration(milliseconds) * time.Millisecond)}
	}
	got := absencesOf([]zimsim.Event{
		event("a", zimsim.EventRoomCreated, 0),
		event("b", zimsim.EventRoomCreated, 100),
		event("b", zimsim.EventRoomDestroyed, 5100), // Noticed before a's end, which was earlier.
		event("a", zimsim.EventRoomDestroyed, 5000),
		event("a", zimsim.EventRoomCreated, 5250),
		event("b", zimsim.EventRoomCreated, 6100),
		event("c", zimsim.EventRoomCreated, 0),
		event("c", zimsim.EventRoomDestroyed, 7000), // And never back.
		event("a", zimsim.EventRoomDestroyed, 9900), // Just gone.
	}, start.Add(10*time.Second))
	slices.Sort(got)
	if want := []float64{0.25, 1, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSlotAfter(t *testing.T) {
	now := time.Now()
	for _, uid := range []types.UID{"", "a", "b", "1f0c8f0e-5d63-4c64-9d2c-0d5a2d0f2a11"} {
		slot := slotAfter(now, uid, time.Hour)
		if !slot.After(now) || slot.Sub(now) > time.Hour {
			t.Errorf("slot %s after now", slot.Sub(now))
		}
		if next := slotAfter(slot, uid, time.Hour); next.Sub(slot) != time.Hour {
			t.Errorf("the next slot is %s later", next.Sub(slot))
		}
	}
}

func TestWatchRemembersWhatItSaw(t *testing.T) {
	w := &watch{rooms: map[string]sighting{}}
	room := newRoom("a")
	room.Generation = 1
	see := func(status metav1.ConditionStatus, reason string) {
		room.Status.Conditions = []metav1.Condition{{
			Type: zimv1alpha1.ReadyCondition, Status: status, Reason: reason, ObservedGeneration: 1,
		}}
		w.see(room)
	}
	rooms := []*zimv1alpha1.ZimRoom{room}
	see(metav1.ConditionFalse, zimv1alpha1.ReasonRateLimited)
	if w.areReady(rooms) || w.countFailed(rooms) != 0 {
		t.Error("a room that waits for its turn is not Ready, and has not failed")
	}
	see(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated)
	first := w.readyTimes(rooms)
	see(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated)
	if !w.areReady(rooms) || !w.readyTimes(rooms)[0].Equal(first[0]) || w.countConfirmed(rooms) != 1 {
		t.Error("Ready is not what was seen first")
	}
	room.Generation = 2
	if w.countConfirmed(rooms) != 0 {
		t.Error("an edit that nobody has read yet counts as confirmed")
	}
	see(metav1.ConditionFalse, zimv1alpha1.ReasonInvalidParameter)
	see(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated)
	if w.countFailed(rooms) != 1 {
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

func TestGrowth(t *testing.T) {
	var samples []sample
	for second := 10; second <= 600; second += 10 {
		samples = append(samples, sample{after: time.Duration(second) * time.Second, residentKB: second * 1024})
	}
	early, late := growth(samples, 10*time.Minute)
	if early != 145 || late != 570 {
		t.Errorf("got %v and %v", early, late)
	}
}

func TestRowNames(t *testing.T) {
	for name, want := range map[string]bool{
		"create": true, "create/100": true, "writes": true, "writes/1": false, "nothing": false, "": false,
	} {
		if got := isRow(name); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
	b := &bench{options: options{only: []string{"create", "writes"}}}
	if !b.isWanted("create/100") || !b.isWanted("writes") || b.isWanted("memory") {
		t.Error("--only chooses the wrong rows")
	}
}
