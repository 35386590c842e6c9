package controllers

import (
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
)

func TestEventsAreDroppedInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := events.NewFakeRecorder(10000)
		recorder := newThriftyRecorder(sink)
		flood := func(eventType string) int {
			before := len(sink.Events)
			for range 1000 {
				recorder.Eventf(nil, nil, eventType, "Reason", "Action", "note")
			}
			return len(sink.Events) - before
		}
		if got := flood(corev1.EventTypeNormal); got != eventBurst {
			t.Errorf("%d of a flood of events were sent, want %d", got, eventBurst)
		}
		if got := flood(corev1.EventTypeWarning); got != eventBurst {
			t.Errorf("%d warnings were sent after a flood of others, want %d", got, eventBurst)
		}
		time.Sleep(2 * time.Second)
		if got := flood(corev1.EventTypeNormal); got != 2*eventsPerSecond {
			t.Errorf("%d events were sent two seconds later, want %d", got, 2*eventsPerSecond)
		}
	})
}
