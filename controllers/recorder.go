package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	// eventsPerSecond is as many as somebody may read. Each event is a write to Kubernetes, as large as those that matter.
	eventsPerSecond = 1
	// eventBurst is how many may come at once: those of all that people apply together, in most cases.
	eventBurst = 50
)

// thriftyRecorder drops events that come faster than anybody reads them. Conditions and metrics tell everything that
// events do. Warnings have a budget of their own.
type thriftyRecorder struct {
	events.EventRecorder
	normal, warning flowcontrol.PassiveRateLimiter
}

func newThriftyRecorder(recorder events.EventRecorder) events.EventRecorder {
	return &thriftyRecorder{
		EventRecorder: recorder,
		normal:        flowcontrol.NewTokenBucketPassiveRateLimiter(eventsPerSecond, eventBurst),
		warning:       flowcontrol.NewTokenBucketPassiveRateLimiter(eventsPerSecond, eventBurst),
	}
}

// Eventf implements events.EventRecorder.
func (r *thriftyRecorder) Eventf(
	regarding, related runtime.Object, eventType, reason, action, note string, args ...any,
) {
	budget := r.normal
	if eventType == corev1.EventTypeWarning {
		budget = r.warning
	}
	if budget.TryAccept() {
		r.EventRecorder.Eventf(regarding, related, eventType, reason, action, note, args...)
	}
}
