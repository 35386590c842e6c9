package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func TestWronglyDestroyed(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*room)
		carried bool
		wrong   bool
	}{
		"declared":             {func(*room) {}, true, true},
		"declared, but failed": {func(*room) {}, false, false},
		"deleted before":       {func(r *room) { r.deleted = at(1) }, true, false},
		"deleted later":        {func(r *room) { r.deleted = at(3) }, true, true},
		"another name":         {func(r *room) { r.replaced = []time.Time{at(1)} }, true, false},
		"another name later":   {func(r *room) { r.replaced = []time.Time{at(3)} }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRooms("room", 1)[0]
			tc.change(r)
			call := zimsim.Call{Time: at(2), Action: testbed.DestroyRoom, RoomID: r.object.Spec.ID, CarriedOut: tc.carried}
			if got := wronglyDestroyed([]*room{r}, testbed.Journal{call}); (len(got) > 0) != tc.wrong {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHurried(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*room)
		first   zimsim.Call
		second  float64
		hurried bool
	}{
		"a second later":             {func(*room) {}, zimsim.Call{}, 2, false},
		"sooner":                     {func(*room) {}, zimsim.Call{}, 1.8, true},
		"because of an edit":         {func(r *room) { r.asked = []time.Time{at(1.5)} }, zimsim.Call{}, 1.8, false},
		"after an edit long ago":     {func(r *room) { r.asked = []time.Time{at(-3)} }, zimsim.Call{}, 1.8, true},
		"before an edit":             {func(r *room) { r.asked = []time.Time{at(2)} }, zimsim.Call{}, 1.8, true},
		"with a fresh signature":     {func(*room) {}, zimsim.Call{Code: 100000005}, 1.1, false},
		"of another replica":         {func(*room) {}, zimsim.Call{UserAgent: "other"}, 1.8, false},
		"to make a replacement true": {func(r *room) { r.replaced = []time.Time{at(0.5)} }, zimsim.Call{}, 1.8, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRooms("room", 1)[0]
			tc.change(r)
			tc.first.Time, tc.first.Action, tc.first.RoomID = at(1), testbed.CreateRoom, r.object.Spec.ID
			second := zimsim.Call{Time: at(tc.second), Action: testbed.CreateRoom, RoomID: r.object.Spec.ID}
			if got := hurried([]*room{r}, testbed.Journal{tc.first, second}); (len(got) > 0) != tc.hurried {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	good := zimsim.Room{Attributes: map[string]zimsim.Attribute{"topic": {Value: "first"}}}
	for name, tc := range map[string]struct {
		change func(r *room, object *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool)
		want   string
	}{
		"as declared": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			return o, good, true
		}, ""},
		"not Ready": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			o.Status.Conditions[0].Status = metav1.ConditionFalse
			return o, good, true
		}, "not as declared, Ready=False "},
		"Ready for an earlier generation": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			o.Generation++
			return o, good, true
		}, "not as declared, Ready=True "},
		"no room": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			return o, zimsim.Room{}, false
		}, "there is no room"},
		"another name": {func(r *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.object.Spec.Name = "Name"
			return o, good, true
		}, "the room has another name"},
		"other attributes": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			return o, zimsim.Room{}, true
		}, "the room has other attributes"},
		"no finalizer": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			o.Finalizers = nil
			return o, good, true
		}, "no finalizer"},
		"deleted, and all gone": {func(r *room, _ *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.deleted = start
			return nil, zimsim.Room{}, false
		}, ""},
		"deleted, the room may stay": {func(r *room, _ *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.deleted, r.mayStay = start, true
			return nil, good, true
		}, ""},
		"deleted, the room stays": {func(r *room, _ *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.deleted = start
			return nil, good, true
		}, "the room is still there"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRooms("room", 1)[0]
			object := r.object.DeepCopy()
			object.Finalizers = []string{zimv1alpha1.Finalizer}
			object.Status.Conditions = []metav1.Condition{{
				Type: zimv1alpha1.ReadyCondition, Status: metav1.ConditionTrue,
			}}
			if got := r.compare(tc.change(r, object)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCodesAreAllThatMatterToRooms(t *testing.T) {
	all := codes()
	for _, code := range []int{1, 2, 3, 7, 51102, 100000005, 100000017, 660000002, 660300001, 660300015, 660700017, 8} {
		if !slices.Contains(all, code) {
			t.Errorf("%d is missing", code)
		}
	}
	if slices.Contains(all, 660600001) || slices.Contains(all, heldBack) {
		t.Error("codes that rooms do not meet, or that last an hour, are among them")
	}
}

func TestRowsHaveNamesOfTheirOwn(t *testing.T) {
	prefixes := map[string]bool{}
	for _, r := range allRows() {
		if prefix := r.prefix(); r.run == nil && prefixes[prefix] {
			t.Errorf("the rooms of %q are named like those of another row: %s", r.name, prefix)
		} else {
			prefixes[prefix] = true
		}
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	err := writeTable(&out, []*result{{row: "a fault", seen: "3 calls", rate: 19, writes: 2, growth: 1, converged: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "fault    converged  calls/s  writes  memory  promises  observed\n" +
		"a fault  1.0 s      19       2       1.00    held      3 calls\n"
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}
