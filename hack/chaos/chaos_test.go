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
		change    func(*room)
		carried   bool
		times     int
		mayRepeat bool
		wrong     bool
	}{
		"declared":               {func(*room) {}, true, 1, true, true},
		"declared, but failed":   {func(*room) {}, false, 1, false, false},
		"deleted before":         {func(r *room) { r.deleted = at(1) }, true, 3, false, false},
		"deleted later":          {func(r *room) { r.deleted = at(3) }, true, 1, true, true},
		"another name":           {func(r *room) { r.replaced = []time.Time{at(1)} }, true, 1, false, false},
		"another name later":     {func(r *room) { r.replaced = []time.Time{at(3)} }, true, 1, true, true},
		"twice for a name":       {func(r *room) { r.replaced = []time.Time{at(1)} }, true, 2, false, true},
		"twice, unknowingly":     {func(r *room) { r.replaced = []time.Time{at(1)} }, true, 2, true, false},
		"thrice, unknowingly":    {func(r *room) { r.replaced = []time.Time{at(1), at(3)} }, true, 3, true, true},
		"two names":              {func(r *room) { r.replaced = []time.Time{at(0), at(1)} }, true, 2, false, false},
		"thrice for two names":   {func(r *room) { r.replaced = []time.Time{at(0), at(1)} }, true, 3, false, true},
		"two names, unknowingly": {func(r *room) { r.replaced = []time.Time{at(0), at(1)} }, true, 4, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRooms("room", 1)[0]
			tc.change(r)
			call := zimsim.Call{Time: at(2), Action: testbed.DestroyRoom, RoomID: r.object.Spec.ID, CarriedOut: tc.carried}
			journal := slices.Repeat(testbed.Journal{call}, tc.times)
			got := wronglyDestroyed([]*room{r}, journal, func(string) bool { return tc.mayRepeat })
			if (len(got) > 0) != tc.wrong {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestMayRepeatEnd(t *testing.T) {
	other := testbed.Journal{{RoomID: "other", CarriedOut: true, Fault: zimsim.FaultCutAfter}}
	lost := testbed.Journal{{RoomID: "room", CarriedOut: true, Fault: zimsim.FaultCutAfter}}
	for name, tc := range map[string]struct {
		trial *trial
		may   bool
	}{
		"nothing":            {&trial{calls: testbed.Journal{{RoomID: "room", CarriedOut: true}}}, false},
		"a process ended":    {&trial{restarts: 1}, true},
		"no process lives":   {&trial{row: row{lives: true}}, true},
		"answers get lost":   {&trial{row: row{losesAnswers: true}}, true},
		"an answer was lost": {&trial{calls: lost}, true},
		"of another room":    {&trial{calls: other}, false},
		"a call was lost":    {&trial{calls: testbed.Journal{{RoomID: "room", Fault: zimsim.FaultCutBefore}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.trial.mayRepeatEnd("room"); got != tc.may {
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
		"a second later":         {unchanged, testbed.Journal{create(1, 0), create(2, 0)}, false},
		"sooner":                 {unchanged, two, true},
		"because of an edit":     {func(r *room) { r.asked = []time.Time{at(1.5)} }, two, false},
		"after an edit long ago": {func(r *room) { r.asked = []time.Time{at(-3)} }, two, true},
		"before an edit":         {func(r *room) { r.asked = []time.Time{at(2)} }, two, true},
		"to bring it back with another name": {unchanged, testbed.Journal{
			create(1, 660300014), {Time: at(1.2), Action: testbed.DestroyRoom}, create(1.4, 0),
		}, false},
		"long after another name": {func(r *room) { r.replaced = []time.Time{at(-3)} }, two, true},
		"to destroy it": {unchanged, testbed.Journal{
			{Time: at(1), Action: testbed.DestroyRoom}, create(1.2, 0), {Time: at(1.4), Action: testbed.DestroyRoom},
		}, true},
		"because it was deleted": {func(r *room) { r.deleted = at(1.5) }, two, false},
		"with a fresh signature": {unchanged, testbed.Journal{create(1, 100000005), create(1.1, 0)}, false},
		"with two of them":       {unchanged, testbed.Journal{create(1, 3), create(1.1, 3), create(1.2, 0)}, true},
		"for another code":       {unchanged, testbed.Journal{create(1, 3), create(1.1, 51102), create(1.2, 0)}, false},
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
			if got := hurried([]*room{r}, slices.Clone(tc.calls), false); (len(got) > 0) != tc.hurried {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHiddenChangesExplainOneCallEach(t *testing.T) {
	r := newRooms("room", 1)[0]
	r.asked = []time.Time{at(-60), at(-50), at(-40)} // Created, and changed twice.
	var calls testbed.Journal
	for i := range 4 {
		calls = append(calls, zimsim.Call{Time: at(float64(i) / 2), Action: testbed.CreateRoom, RoomID: "room-000"})
	}
	if got := hurried([]*room{r}, slices.Clone(calls[:3]), true); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	both := slices.Clone(calls[:3])
	for i := range both {
		both[i].Action = testbed.ModifyRoomAttribute
	}
	both = append(both, calls[:3]...)
	slices.SortStableFunc(both, func(a, b zimsim.Call) int { return a.Time.Compare(b.Time) })
	if got := hurried([]*room{r}, both, true); len(got) > 0 {
		t.Errorf("two actions: got %v", got)
	}
	for name, got := range map[string][]string{
		"more calls than changes": hurried([]*room{r}, slices.Clone(calls), true),
		"no change was hidden":    hurried([]*room{r}, slices.Clone(calls[:2]), false),
	} {
		if len(got) != 1 {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestWritten(t *testing.T) {
	more := func(*trial, string) int { return 1 }
	for name, tc := range map[string]struct {
		writes, attempts int
		more             func(*trial, string) int
		broken           bool
	}{
		"as many as may be":            {2, 16, nil, false},
		"more writes":                  {3, 3, nil, true},
		"more writes, asked for":       {3, 3, more, false},
		"more writes than asked for":   {4, 4, more, true},
		"more attempts":                {0, 17, nil, true},
		"more attempts, writes wanted": {0, 17, more, true},
	} {
		t.Run(name, func(t *testing.T) {
			tried := &trial{
				row: row{writes: tc.more}, began: at(0), ended: at(10.5),
				writes: map[string]int{"room": tc.writes}, attempts: map[string]int{"room": tc.attempts},
			}
			if got := tried.written(); (len(got) > 0) != tc.broken {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHeirIsWrittenAgainOnlyIfAProcessEnded(t *testing.T) {
	heir := newRooms("heir", 1)[0]
	for restarts, broken := range map[int]bool{0: true, 1: false} {
		tried := &trial{
			restarts: restarts, survivors: &survivors{heir: heir}, writes: map[string]int{heir.object.Name: mostWrites + 1},
		}
		if got := tried.written(); (len(got) > 0) != broken {
			t.Errorf("%d restarts: got %v", restarts, got)
		}
	}
}

func TestWritesThatAreAskedFor(t *testing.T) {
	rooms := newRooms("room", 2)
	hit := func(appID uint32, room string) zimsim.Call {
		return zimsim.Call{AppID: appID, RoomID: room, Fault: zimsim.FaultCode}
	}
	tried := &trial{
		steady: rooms, began: at(0), ended: at(12), meddled: map[string]int{"room-000": 4},
		calls: testbed.Journal{
			hit(testbed.AppID, "room-000"), hit(testbed.AppID, "room-000"), hit(testbed.AppID, "room-001"), hit(1, "room-000"),
			{AppID: testbed.AppID, RoomID: "room-000"},
		},
	}
	rooms[0].asked = []time.Time{at(0), at(1), at(2)}
	for name, tc := range map[string]struct {
		count func(*trial, string) int
		want  int
	}{
		"hits":     {(*trial).writesOfHits, 5},
		"tries":    {(*trial).writesOfTries, 4},
		"meddling": {(*trial).writesOfMeddling, 4},
		"changes":  {(*trial).writesOfChanges, 5},
		"a freeze": {(*trial).writesOfFreeze, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.count(tried, "room-000"); got != tc.want {
				t.Errorf("got %d, want %d", got, tc.want)
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
	pending := func(reason string) metav1.Condition {
		return metav1.Condition{
			Type: zimv1alpha1.ReplacementPendingCondition, Status: metav1.ConditionTrue, Reason: reason,
		}
	}
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
		"its name waits": {func(r *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.waits, r.object.Spec.Name = true, "Name"
			o.Status.Conditions = append(o.Status.Conditions, pending(zimv1alpha1.ReasonRoomOccupied))
			return o, good, true
		}, ""},
		"its name waits for something else": {
			func(r *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
				r.waits = true
				o.Status.Conditions = append(o.Status.Conditions, pending(zimv1alpha1.ReasonZIMUnavailable))
				return o, good, true
			}, "not as declared, Ready=True , ReplacementPending=True ZIMUnavailable",
		},
		"its name should wait": {func(r *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.waits = true
			return o, good, true
		}, "not as declared, Ready=True "},
		"its name should not wait": {func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			o.Status.Conditions = append(o.Status.Conditions, pending(zimv1alpha1.ReasonRoomOccupied))
			return o, good, true
		}, "not as declared, Ready=True , ReplacementPending=True RoomOccupied"},
		"it should have kept its name": {func(r *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
			r.waits = true
			o.Status.Conditions = append(o.Status.Conditions, pending(zimv1alpha1.ReasonRoomOccupied))
			renamed := good
			renamed.Name = "Name"
			return o, renamed, true
		}, "the room has another name"},
		"retained, without a finalizer": {
			func(_ *room, o *zimv1alpha1.ZimRoom) (*zimv1alpha1.ZimRoom, zimsim.Room, bool) {
				o.Finalizers, o.Spec.DeletionPolicy = nil, zimv1alpha1.DeletionPolicyRetain
				return o, good, true
			}, "",
		},
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
	for _, code := range []int{
		1, 2, 3, 7, 51102, 100000005, 100000017, 660000002, 660300001, 660300015, 660700017, 8, 660600001,
	} {
		if !slices.Contains(all, code) {
			t.Errorf("%d is missing", code)
		}
	}
	if slices.Contains(all, 660600003) || slices.Contains(all, heldBack) {
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
