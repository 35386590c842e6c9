package controllers

import (
	"errors"
	"strconv"
	"testing"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// Only calls that ZIM let hang cost their account places, and only an answer gives them back.
func TestGateLearnsOfCallsWithoutAnAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want int
	}{
		"success":           {nil, 0},
		"refusal":           {&zim.Error{Class: zim.ClassInvalid, Code: 660000002}, 0},
		"broken connection": {&zim.Error{Class: zim.ClassTransient, Failure: zim.FailureConnection}, 0},
		"no answer in time": {&zim.Error{Class: zim.ClassTransient, Failure: zim.FailureTimeout}, 3},
		"never sent":        {&zim.Error{Class: zim.ClassTransient, Failure: zim.FailureNoTurn}, 2},
		"given up":          {&zim.Error{Class: zim.ClassTransient, Failure: zim.FailureCancelled}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			entrance := newGate(10, func(...reconcile.Request) {}, atRate(20))
			entrance.enter(requestNamed("room")).admit(oneAccount, errand{})
			entrance.noteAnswer(oneAccount, false)
			entrance.noteAnswer(oneAccount, false)
			c := &caller{
				app: &app{account: oneAccount}, registry: newTestRegistry(), memory: newCallMemory(clock.RealClock{}),
				gate: entrance,
			}
			if err := c.note(t.Context(), tc.err); !errors.Is(err, tc.err) {
				t.Errorf("got %v", err)
			}
			if got := entrance.lines[oneAccount].timeouts; got != tc.want {
				t.Errorf("%d calls without an answer, want %d", got, tc.want)
			}
		})
	}
}

// Anyone may think of many operator users: what counts no more is dropped.
func TestCallMemoryDropsWhatIsOver(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(testTime())
	memory := newCallMemory(now)
	for user := range 100 {
		memory.noteRegistered(accountUser{oneAccount, strconv.Itoa(user)})
		memory.holdBack(zim.Account{AppID: uint32(user)}, zim.ActionDestroyRoom)
	}
	now.SetTime(testTime().Add(notOfferedPause))
	memory.noteRegistered(accountUser{oneAccount, "last"})
	memory.holdBack(oneAccount, zim.ActionDestroyRoom)
	if !memory.isRegistered(accountUser{oneAccount, "last"}) || !memory.isHeldBack(oneAccount, zim.ActionDestroyRoom) {
		t.Error("what was noted last is not known")
	}
	if users, actions := len(memory.registered), len(memory.notOffered); users != 1 || actions != 1 {
		t.Errorf("%d users and %d actions are kept, want those noted last", users, actions)
	}
}
