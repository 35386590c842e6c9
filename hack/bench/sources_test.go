package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

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

func TestGrowth(t *testing.T) {
	var samples []sample
	for second := 10; second <= 600; second += 10 {
		samples = append(samples, sample{after: time.Duration(second) * time.Second, residentKB: second * 1024})
	}
	early, late, err := growth(samples, 10*time.Minute)
	if err != nil || early != 145 || late != 570 {
		t.Errorf("got %v and %v, %v", early, late, err)
	}
	for name, some := range map[string][]sample{
		"nothing": nil, "no third minute": slices.Concat(samples[:11], samples[18:]), "no last minute": samples[:53],
	} {
		if early, late, err := growth(some, 10*time.Minute); err == nil {
			t.Errorf("%s: got %v and %v", name, early, late)
		}
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
