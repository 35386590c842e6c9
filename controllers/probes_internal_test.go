package controllers

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// probesInLine is a line of probes, and which ZimApps it has woken.
type probesInLine struct {
	*probeLine
	woken []string
}

func newTestProbeLine(workers int) *probesInLine {
	line := &probesInLine{}
	line.probeLine = newProbeLine(workers, func(requests ...reconcile.Request) {
		for _, request := range requests {
			line.woken = append(line.woken, request.Name)
		}
	})
	return line
}

// ownProbe is one of a ZimApp that ZIM has accepted before, strangeProbe one of a ZimApp that it has not.
func ownProbe(name string, appID uint32) probe {
	return probe{request: requestNamed(name), accepted: true, account: zim.Account{Realm: "zego.im", AppID: appID}}
}

func strangeProbe(name, endpoint string) probe {
	return probe{request: requestNamed(name), endpoint: endpoint}
}

func TestProbesHoldAPartOfTheWorkers(t *testing.T) {
	for _, tc := range []struct{ workers, strangers, all int }{
		{workers: 1, strangers: 1, all: 1},
		{workers: 2, strangers: 1, all: 1},
		{workers: 5, strangers: 1, all: 2},
		{workers: 10, strangers: 2, all: 4},
		{workers: 50, strangers: 10, all: 20},
	} {
		t.Run(fmt.Sprintf("%d workers", tc.workers), func(t *testing.T) {
			line, inside := newTestProbeLine(tc.workers), 0
			for i := range 100 {
				if name := fmt.Sprintf("stranger-%d", i); line.enter(strangeProbe(name, "https://"+name)) {
					inside++
				}
			}
			if inside != tc.strangers {
				t.Errorf("%d probes of ZimApps that ZIM has not accepted, want %d", inside, tc.strangers)
			}
			for i := range 100 {
				if line.enter(ownProbe(fmt.Sprintf("own-%d", i), uint32(i))) {
					inside++
				}
			}
			if inside != tc.all {
				t.Errorf("%d probes, want %d", inside, tc.all)
			}
		})
	}
}

func TestProbesGoOneAtATime(t *testing.T) {
	for name, tc := range map[string]struct {
		first, second probe
		want          bool
	}{
		"of an account":               {ownProbe("a", 1), ownProbe("b", 1), false},
		"of two accounts":             {ownProbe("a", 1), ownProbe("b", 2), true},
		"of strangers at an endpoint": {strangeProbe("a", "https://one"), strangeProbe("b", "https://one"), false},
		"of strangers at two":         {strangeProbe("a", "https://one"), strangeProbe("b", "https://two"), true},
		"not of an account behind a stranger that names it": {
			probe{request: requestNamed("a"), account: oneAccount},
			probe{request: requestNamed("b"), account: oneAccount, accepted: true}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			line := newTestProbeLine(10)
			for range 2 { // Asking again costs no second place.
				if !line.enter(tc.first) {
					t.Fatal("the first found no place")
				}
			}
			if got := line.enter(tc.second); got != tc.want {
				t.Errorf("the second entered: %t, want %t", got, tc.want)
			}
		})
	}
}

// Those who need no probe any more, because their ZimApp is gone, say, hold up nobody.
func TestProbesComeInTheirOrder(t *testing.T) {
	line := newTestProbeLine(10)
	for _, name := range []string{"inside", "a", "b", "gone", "c", "a"} {
		if got := line.enter(ownProbe(name, 1)); got != (name == "inside") {
			t.Fatalf("%s entered: %t", name, got)
		}
	}
	line.leave(requestNamed("gone"))
	line.leave(requestNamed("inside"))
	if line.enter(ownProbe("late", 1)) {
		t.Error("one that came later entered before one that was woken")
	}
	line.leave(requestNamed("a")) // It was woken, and needs no probe.
	for _, name := range []string{"b", "c"} {
		if !line.enter(ownProbe(name, 1)) {
			t.Errorf("%s was woken and did not enter", name)
		}
		line.leave(requestNamed(name))
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "late"}, line.woken); diff != "" {
		t.Error(diff)
	}
}

func TestProbesOfAnotherAccountNeedAnotherPlace(t *testing.T) {
	line := newTestProbeLine(10)
	line.enter(ownProbe("moved", 1))
	line.enter(ownProbe("waits", 1))
	line.enter(ownProbe("other", 2))
	if line.enter(ownProbe("moved", 2)) {
		t.Error("the place for a probe of the one account is one for the other")
	}
	if diff := cmp.Diff([]string{"waits"}, line.woken); diff != "" {
		t.Error(diff)
	}
}

// Rooms wait for an app that is undecided, whatever else was known of it.
func TestRoomsLearnWhatBecameOfAProbe(t *testing.T) {
	changes := 0
	registry := newAppRegistry(func(types.NamespacedName, bool) { changes++ }, func(...reconcile.Request) {})
	name := types.NamespacedName{Name: "app"}
	registry.put(&app{name: name, accepted: true, revision: "1"})
	registry.put(&app{name: name, accepted: true, revision: "1", client: &zim.Client{}})
	if changes != 2 {
		t.Errorf("%d changes, want 2", changes)
	}
}
