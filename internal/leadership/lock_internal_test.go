package leadership

import (
	"testing"
	"time"

	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// While the machine is suspended, or its pause as a virtual one lasts, only one of the clocks goes on.
func TestTheClockThatSaysLongerCounts(t *testing.T) {
	const validity = time.Hour
	for name, tc := range map[string]struct {
		steady, wall time.Duration // Since the renewal.
		leads        bool
	}{
		"both say that it was just now":  {0, 0, true},
		"the machine was suspended":      {0, validity, false},
		"the wall clock was set back":    {validity, -validity, false},
		"the wall clock was a bit wrong": {0, -validity, true},
	} {
		t.Run(name, func(t *testing.T) {
			lock, at := NewLock(validity), now()
			lock.Interface = &resourcelock.LeaseLock{}
			lock.set(moment{steady: at.steady.Add(-tc.steady), wall: at.wall.Add(-tc.wall)})
			if err := lock.Check(); (err == nil) != tc.leads {
				t.Errorf("got %v, want %v", err, tc.leads)
			}
		})
	}
}
