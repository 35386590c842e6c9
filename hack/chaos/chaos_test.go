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
		times   int
		wrong   bool
	}{
		"declared":             {func(*room) {}, true, 1, true},
		"declared, but failed": {func(*room) {}, false, 1, false},
		"deleted before":       {func(r *room) { r.deleted = at(1) }, true, 3, false},
		"deleted later":        {func(r *room) { r.deleted = at(3) }, true, 1, true},
		"another name":         {func(r *room) { r.replaced = []time.Time{at(1)} }, true, 1, false},
		"another name later":   {func(r *room) { r.replaced = []time.Time{at(3)} }, true, 1, true},
		"twice for a name":     {func(r *room) { r.replaced = []time.Time{at(1)} }, true, 2, false},
		"again and again":      {func(r *room) { r.replaced = []time.Time{at(1), at(3)} }, true, 3, true},
		"two names":            {func(r *room) { r.replaced = []time.Time{at(0), at(1)} }, true, 3, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRooms("room", 1)[0]
			tc.change(r)
			call := zimsim.Call{Time: at(2), Action: testbed.DestroyRoom, RoomID: r.object.Spec.ID, CarriedOut: tc.carried}
			journal := slices.Repeat(testbed.Journal{call}, tc.times)
			if got := wronglyDestroyed([]*room{r}, journal); (len(got) > 0) != tc.wrong {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHurried(t *testing.T) {
	unchanged := func(*room) {}
	create := func(seconds float64, code int) zimsim.Call {
		return zimsim.Call{Time: at(seconds), Action: testbed.CreateRoom, Code: code}
	}
	of := func(seconds float64, action, agent string) zimsim.Call {
		return zimsim.Call{Time: at(seconds), Action: action, UserAgent: agent}
	}
	two := testbed.Journal{create(1, 0), create(1.8, 0)}
	for name, tc := range map[string]struct {
		change  func(*room)
		calls   testbed.Journal
		hurried bool
	}{
		"a second later":             {unchanged, testbed.Journal{create(1, 0), create(2, 0)}, false},
		"sooner":                     {unchanged, two, true},
		"because of an edit":         {func(r *room) { r.asked = []time.Time{at(1.5)} }, two, false},
		"after an edit long ago":     {func(r *room) { r.asked = []time.Time{at(-3)} }, two, true},
		"before an edit":             {func(r *room) { r.asked = []time.Time{at(2)} }, two, true},
		"to make a replacement true": {func(r *room) { r.replaced = []time.Time{at(0.5)} }, two, false},
		"because it was deleted":     {func(r *room) { r.deleted = at(1.5) }, two, false},
		"with a fresh signature":     {unchanged, testbed.Journal{create(1, 100000005), create(1.1, 0)}, false},
		"with two of them":           {unchanged, testbed.Journal{create(1, 3), create(1.1, 3), create(1.2, 0)}, true},
		"for another code":           {unchanged, testbed.Journal{create(1, 3), create(1.1, 51102), create(1.2, 0)}, false},
		"with one a second": {unchanged, testbed.Journal{
			create(1, 3), create(1.1, 3), create(3, 3), create(3.1, 0),
		}, false},
		"because the room was gone": {unchanged, testbed.Journal{
			create(1, 0), {Time: at(1.1), Action: testbed.ModifyRoomAttribute, Code: 660300001}, create(1.2, 0),
			{Time: at(1.3), Action: testbed.ModifyRoomAttribute},
		}, false},
		"of another replica": {unchanged, testbed.Journal{
			of(1, testbed.CreateRoom, "a"), of(1.8, testbed.CreateRoom, "b"),
		}, false},
		"for something else": {unchanged, testbed.Journal{
			of(1, testbed.CreateRoom, "a"), of(1.8, testbed.ModifyRoomAttribute, "a"),
		}, false},
		"sooner, with another call between": {unchanged, testbed.Journal{
			of(1, testbed.ModifyRoomAttribute, "a"), of(1.1, testbed.CreateRoom, "a"), of(1.8, testbed.ModifyRoomAttribute, "a"),
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRooms("room", 1)[0]
			tc.change(r)
			for i := range tc.calls {
				tc.calls[i].RoomID = r.object.Spec.ID
			}
			if got := hurried([]*room{r}, slices.Clone(tc.calls)); (len(got) > 0) != tc.hurried {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestWritten(t *testing.T) {
	for name, tc := range map[string]struct {
		writes, attempts int
		changing         bool
		broken           bool
	}{
		"as many as may be":           {2, 16, false, false},
		"more writes":                 {3, 3, false, true},
		"more writes of what changes": {3, 3, true, false},
		"more attempts":               {0, 17, false, true},
		"more attempts, what changes": {0, 17, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			tried := &trial{
				row: row{writes: tc.changing}, began: at(0), ended: at(10.5),
				writes: map[string]int{"room": tc.writes}, attempts: map[string]int{"room": tc.attempts},
			}
			if got := tried.written(); (len(got) > 0) != tc.broken {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestPanicsAreFound(t *testing.T) {
	log := `{"level":"info","msg":"Started"}
{"level":"error","msg":"Observed a panic","panic":"assignment to entry in nil map"}
goroutine 7 [running]:
`
	if got := panicLines("replica-a", log); len(got) != 1 || !strings.Contains(got[0], "nil map") {
		t.Errorf("got %q", got)
	}
	if got := panicLines("replica-a", "{\"level\":\"info\"}\n"); len(got) > 0 {
		t.Errorf("got %q", got)
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
	err := writeTable(&out, []*result{
		{row: "a fault", seen: "3 calls", rate: 19, writes: 2, attempts: 5, growth: 1, size: 1.2, converged: time.Second},
		{row: "another", writes: most(nil), attempts: most(nil)},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "fault    converged  calls/s  writes  tried  memory  since row 1  promises  observed\n" +
		"a fault  1.0 s      19       2       5      1.00    1.20         held      3 calls\n" +
		"another  0.0 s      0        -       -      -       -            held\n"
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
}
