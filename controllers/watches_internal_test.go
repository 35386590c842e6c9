package controllers

import (
	"context"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"

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
		"another of that name":   {func(room *zimv1alpha1.ZimRoom) { room.UID = "another" }, true},
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

// roomOf returns a ZimRoom that names a room.
func roomOf(name, id string, changes ...func(*zimv1alpha1.ZimRoom)) *zimv1alpha1.ZimRoom {
	room := &zimv1alpha1.ZimRoom{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, UID: types.UID(name + "-uid")}}
	room.Spec.ID = id
	for _, change := range changes {
		change(room)
	}
	return room
}

// asked returns the names of what a handler asks for when something happens.
func asked(ctx context.Context, h handler.EventHandler, happens happening) (names []string) {
	queue := workqueue.NewTypedRateLimitingQueue(kubernetesBackoff())
	defer queue.ShutDown()
	happens(ctx, h, queue)
	for queue.Len() > 0 {
		request, _ := queue.Get()
		names = append(names, request.Name)
	}
	slices.Sort(names)
	return names
}

// happening hands an event to a handler.
type happening func(ctx context.Context, h handler.EventHandler, queue requestQueue)

func updateOf(before, after client.Object) happening {
	return func(ctx context.Context, h handler.EventHandler, queue requestQueue) {
		h.Update(ctx, event.UpdateEvent{ObjectOld: before, ObjectNew: after}, queue)
	}
}

func TestSiblings(t *testing.T) {
	deleting := func(finalizers ...string) func(*zimv1alpha1.ZimRoom) {
		return func(room *zimv1alpha1.ZimRoom) {
			room.DeletionTimestamp, room.Finalizers = new(metav1.Now()), finalizers
		}
	}
	another := func(room *zimv1alpha1.ZimRoom) { room.UID = "another" }
	room := roomOf("one", "Room1")
	created := func(initial bool) happening {
		return func(ctx context.Context, h handler.EventHandler, queue requestQueue) {
			h.Create(ctx, event.CreateEvent{Object: room, IsInInitialList: initial}, queue)
		}
	}
	gone := func(ctx context.Context, h handler.EventHandler, queue requestQueue) {
		h.Delete(ctx, event.DeleteEvent{Object: room}, queue)
	}
	for name, tc := range map[string]struct {
		cached  *zimv1alpha1.ZimRoom
		happens happening
		want    []string
	}{
		"a new one":               {room, created(false), []string{"two"}},
		"one in the initial list": {room, created(true), nil},
		"one that is gone":        {nil, gone, []string{"two"}},
		"a status": {room, updateOf(room, roomOf("one", "Room1", func(room *zimv1alpha1.ZimRoom) {
			room.Status.ObservedGeneration = 1
		})), nil},
		"one being deleted":   {room, updateOf(room, roomOf("one", "Room1", deleting(zimv1alpha1.Finalizer))), nil},
		"one that has let go": {room, updateOf(room, roomOf("one", "Room1", deleting("theirs"))), []string{"two"}},
		"another of that name": {
			roomOf("one", "Room1", another), updateOf(room, roomOf("one", "Room1", another)), []string{"one", "two"},
		},
		"another of that name, of another room": {
			roomOf("one", "Room2", another), updateOf(room, roomOf("one", "Room2", another)), []string{"three", "two"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			kubernetes := newFakeKubernetes(t, roomOf("two", "Room1"), roomOf("three", "Room2"))
			if tc.cached != nil {
				if err := kubernetes.Create(t.Context(), tc.cached.DeepCopy()); err != nil {
					t.Fatal(err)
				}
			}
			operator := New(Options{Client: kubernetes, LiveReader: kubernetes})
			if got := asked(t.Context(), operator.siblings(), tc.happens); !slices.Equal(got, tc.want) {
				t.Errorf("asked for %v, want %v", got, tc.want)
			}
		})
	}
}

// What the operator wrote is forgotten when an event shows that the cache has it.
func TestSiblingsDropWhatTheCacheHas(t *testing.T) {
	kubernetes := newFakeKubernetes(t)
	operator := New(Options{Client: kubernetes, LiveReader: kubernetes})
	written := roomOf("one", "Room1", func(room *zimv1alpha1.ZimRoom) { room.ResourceVersion = "2" })
	memory, _ := operator.Rooms.memories.of(client.ObjectKeyFromObject(written), written.UID)
	memory.written.Store(written)
	asked(t.Context(), operator.siblings(), updateOf(roomOf("one", "Room1"), written))
	if memory.written.Load() != nil {
		t.Error("it was kept")
	}
}

// A ZimApp loses its finalizer with its last ZimRoom, also if that was applied anew while nobody watched.
func TestHeldAppsAfterAGapInTheWatch(t *testing.T) {
	app := &zimv1alpha1.ZimApp{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: "default", Finalizers: []string{zimv1alpha1.Finalizer},
	}}
	before := roomOf("one", "Room1", func(room *zimv1alpha1.ZimRoom) {
		room.Status.AppRef = &zimv1alpha1.ResolvedAppReference{Namespace: "team", Name: "default"}
	})
	after := roomOf("one", "Room1", func(room *zimv1alpha1.ZimRoom) { room.UID = "another" })
	kubernetes := newFakeKubernetes(t, app, after)
	operator := New(Options{Client: kubernetes, LiveReader: kubernetes})
	got := asked(t.Context(), operator.heldApps(), updateOf(before, after))
	if !slices.Equal(got, []string{"default"}) {
		t.Errorf("asked for %v", got)
	}
}

func TestAppChangedByOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*zimv1alpha1.ZimApp)
		want   bool
	}{
		"a resync":             {func(*zimv1alpha1.ZimApp) {}, false},
		"a status":             {func(app *zimv1alpha1.ZimApp) { app.Status.ObservedGeneration = 1 }, false},
		"an edit":              {func(app *zimv1alpha1.ZimApp) { app.Generation++ }, true},
		"a finalizer":          {func(app *zimv1alpha1.ZimApp) { app.Finalizers = []string{zimv1alpha1.Finalizer} }, true},
		"another of that name": {func(app *zimv1alpha1.ZimApp) { app.UID = "another" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := &zimv1alpha1.ZimApp{}
			after := before.DeepCopy()
			tc.change(after)
			if got := appChangedByOthers().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}
