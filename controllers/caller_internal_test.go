package controllers

import (
	"errors"
	"testing"

	"k8s.io/utils/clock"
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
