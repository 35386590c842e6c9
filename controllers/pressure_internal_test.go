package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

func TestPressureVerdict(t *testing.T) {
	for name, tc := range map[string]struct {
		refused bool
		stretch float64
		reason  string
		says    []string
	}{
		"none":      {false, 1, "", nil},
		"refused":   {true, 1, zimv1alpha1.ReasonBelowRequestedRate, []string{"requestsPerSecond", "more slowly"}},
		"stretched": {false, 2.25, zimv1alpha1.ReasonIntervalsStretched, []string{"up to 3 times"}},
		"both":      {true, 4, zimv1alpha1.ReasonBelowRequestedRate, []string{"requestsPerSecond", "up to 4 times"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := pressureVerdict(tc.refused, tc.stretch)
			if got.reason != tc.reason {
				t.Errorf("reason %q, want %q", got.reason, tc.reason)
			}
			for _, text := range tc.says {
				if !strings.Contains(got.message, text) {
					t.Errorf("message %q does not say %q", got.message, text)
				}
			}
		})
	}
}

// Somebody looks whether a ZimApp should say something else, and asks for a pass over it: over no other, and not again
// within ten minutes.
func TestPressureAsksForPasses(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(testTime())
	registry, load := newTestRegistry(), newWorkload()
	pressure := newQuotaPressure(clock, registry, load)
	found := map[string]*app{}
	for name, accepted := range map[string]bool{"accepted": true, "refused": false} {
		found[name] = &app{
			name: types.NamespacedName{Name: name}, account: oneAccount, rate: 20, accepted: accepted,
		}
		registry.put(found[name])
	}
	registry.limiter(oneAccount, 20)
	objects := map[string]*zimv1alpha1.ZimApp{"accepted": {}, "refused": {}}
	update := func() {
		for name, object := range objects {
			pressure.update(object, found[name])
		}
	}
	expect := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, name := range pressure.outdated() {
			got = append(got, name.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	expect("before any pass")
	update()
	expect("without pressure")
	asks := demand{account: oneAccount, verification: 1e9}
	load.change(demand{}, asks)
	expect("with pressure", "accepted")
	update()
	expect("after it was said")
	load.change(asks, demand{})
	expect("when it is over")
	clock.SetTime(clock.Now().Add(pressureInterval))
	expect("ten minutes later", "accepted")
	update()
	expect("after that was said")
	if conditions := objects["accepted"].Status.Conditions; len(conditions) > 0 {
		t.Errorf("conditions %v are left", conditions)
	}
	load.change(demand{}, asks)
	clock.SetTime(clock.Now().Add(pressureInterval + time.Second))
	pressure.forget(found["accepted"].name)
	expect("after the ZimApp went")
}
