package testbed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// sighting is what was seen of a ZimRoom.
type sighting struct {
	// ready is when it was first seen Ready; zero: never.
	ready time.Time
	// confirmed is the generation that was Ready when it was last seen; 0: it was not.
	confirmed int64
	// failed is the first reason for which it was seen failed; empty: never.
	failed string
}

// Watch remembers what a watch of all ZimRooms has shown.
type Watch struct {
	mu    sync.Mutex
	rooms map[string]sighting
	total int // Rooms that were ever Ready.
}

// StartWatch returns when the watch has begun.
func StartWatch(ctx context.Context, config *rest.Config, scheme *runtime.Scheme) (*Watch, error) {
	informers, err := cache.New(config, cache.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("watching ZimRooms: %w", err)
	}
	informer, err := informers.GetInformer(ctx, &zimv1alpha1.ZimRoom{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watching ZimRooms: %w", err)
	}
	w := &Watch{rooms: map[string]sighting{}}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    w.see,
		UpdateFunc: func(_, object any) { w.see(object) },
	})
	if err != nil {
		return nil, fmt.Errorf("watching ZimRooms: %w", err)
	}
	go func() { _ = informers.Start(ctx) }() // It fails only if it is started twice.
	if !informers.WaitForCacheSync(ctx) {
		return nil, fmt.Errorf("watching ZimRooms: %w", context.Cause(ctx))
	}
	return w, nil
}

func (w *Watch) see(object any) {
	now := time.Now()
	room, ok := object.(*zimv1alpha1.ZimRoom)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.rooms[room.Name]
	ready := FindCondition(room.Status.Conditions, zimv1alpha1.ReadyCondition)
	isReady := ready != nil && ready.Status == metav1.ConditionTrue
	if isReady && seen.ready.IsZero() {
		seen.ready = now
		w.total++
	}
	seen.confirmed = 0
	if isReady {
		seen.confirmed = ready.ObservedGeneration
	}
	if seen.failed == "" {
		seen.failed = failure(room, ready)
	}
	w.rooms[room.Name] = seen
}

// failure is the reason for which a room failed; empty unless it did. One that waits for its turn has not failed.
func failure(room *zimv1alpha1.ZimRoom, ready *metav1.Condition) string {
	switch {
	case IsTrue(room.Status.Conditions, zimv1alpha1.StalledCondition):
		return zimv1alpha1.StalledCondition
	case ready == nil || ready.Status != metav1.ConditionFalse || ready.Reason == zimv1alpha1.ReasonRateLimited:
		return ""
	}
	return ready.Reason
}

// FindCondition returns the condition of a kind; nil if there is none.
func FindCondition(conditions []metav1.Condition, kind string) *metav1.Condition {
	return meta.FindStatusCondition(conditions, kind)
}

// AreReady tells whether every one of the rooms was seen Ready.
func (w *Watch) AreReady(rooms []*zimv1alpha1.ZimRoom) bool {
	w.mu.Lock()
	enough := w.total >= len(rooms)
	w.mu.Unlock()
	return enough && w.CountReady(rooms) == len(rooms)
}

// CountReady returns how many of the rooms were ever seen Ready.
func (w *Watch) CountReady(rooms []*zimv1alpha1.ZimRoom) int {
	return len(w.ReadyTimes(rooms))
}

// ReadyTimes returns when each of the rooms was first seen Ready; nothing for those that were not.
func (w *Watch) ReadyTimes(rooms []*zimv1alpha1.ZimRoom) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := make([]time.Time, 0, len(rooms))
	for _, room := range rooms {
		if seen := w.rooms[room.Name]; !seen.ready.IsZero() {
			times = append(times, seen.ready)
		}
	}
	return times
}

// CountFailed returns how many of the rooms were ever seen failed.
func (w *Watch) CountFailed(rooms []*zimv1alpha1.ZimRoom) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	failed := 0
	for _, room := range rooms {
		if w.rooms[room.Name].failed != "" {
			failed++
		}
	}
	return failed
}

// CountConfirmed returns how many of the rooms were Ready when they were last seen, in the generation that they have
// here.
func (w *Watch) CountConfirmed(rooms []*zimv1alpha1.ZimRoom) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	confirmed := 0
	for _, room := range rooms {
		if w.rooms[room.Name].confirmed >= room.Generation {
			confirmed++
		}
	}
	return confirmed
}

// IsTrue tells whether there is a condition of a kind, and it is True.
func IsTrue(conditions []metav1.Condition, kind string) bool {
	return meta.IsStatusConditionTrue(conditions, kind)
}
