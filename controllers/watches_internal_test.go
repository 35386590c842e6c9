package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// What a pass has nothing to do about wakes none: each room that becomes Ready would otherwise cost another pass or two,
// and each resync of the cache one for every room.
func TestRoomChanged(t *testing.T) {
	annotate := func(key string) func(*zimv1alpha1.ZimRoom) {
		return func(room *zimv1alpha1.ZimRoom) { room.Annotations = map[string]string{key: "now"} }
	}
	for name, tc := range map[string]struct {
		change func(*zimv1alpha1.ZimRoom)
		want   bool
	}{
		"a resync": {func(*zimv1alpha1.ZimRoom) {}, false},
		"a status patch": {func(room *zimv1alpha1.ZimRoom) {
			room.ResourceVersion = "2"
			room.Status.Room = &zimv1alpha1.RoomStatus{ID: "Room1"}
		}, false},
		"a finalizer":            {func(room *zimv1alpha1.ZimRoom) { room.Finalizers = []string{zimv1alpha1.Finalizer} }, false},
		"a label":                {func(room *zimv1alpha1.ZimRoom) { room.Labels = map[string]string{"k": "v"} }, false},
		"an annotation":          {annotate("example.com/theirs"), false},
		"a request to look":      {annotate(zimv1alpha1.ReconcileRequestedAtAnnotation), true},
		"the note of a callback": {annotate(zimv1alpha1.CallbackReceivedAtAnnotation), true},
		"an edit":                {func(room *zimv1alpha1.ZimRoom) { room.Generation++ }, true},
		"a deletion":             {func(room *zimv1alpha1.ZimRoom) { room.DeletionTimestamp = new(metav1.Now()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := &zimv1alpha1.ZimRoom{}
			before.Generation, before.ResourceVersion = 1, "1"
			after := before.DeepCopy()
			tc.change(after)
			if got := roomChanged().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
