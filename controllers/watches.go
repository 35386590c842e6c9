package controllers

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// isAnother tells whether an update is about another object than before: one that was deleted and applied anew while
// the watch had a gap.
func isAnother(e event.UpdateEvent) bool { return e.ObjectOld.GetUID() != e.ObjectNew.GetUID() }

// roomChanged lets through what a pass may have to act on. The operator's own status patches, and the informer's
// resync, do not wake anything.
func roomChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			const requested, callback = zimv1alpha1.ReconcileRequestedAtAnnotation, zimv1alpha1.CallbackReceivedAtAnnotation
			before, after := e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()
			return isAnother(e) || e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
				before[requested] != after[requested] || before[callback] != after[callback] ||
				e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
		},
	}
}

// appChangedByOthers lets through what a pass over a ZimApp may have to act on. A finalizer that went by mistake is to
// come back.
func appChangedByOthers() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			return isAnother(e) || !slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers())
		},
	})
}

// namespaceChanged lets through what allowedNamespaces and deletions look at.
func namespaceChanged() predicate.Predicate {
	return predicate.And(
		predicate.Or(predicate.LabelChangedPredicate{}, predicate.Funcs{
			UpdateFunc: func(e event.UpdateEvent) bool {
				return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
			},
		}),
		predicate.Funcs{
			CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
			DeleteFunc: func(event.DeleteEvent) bool { return false },
		},
	)
}

// appsOfSecret returns the ZimApps that name a Secret.
func (c *Controllers) appsOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var apps zimv1alpha1.ZimAppList
	err := c.options.Client.List(ctx, &apps, client.InNamespace(secret.GetNamespace()),
		client.MatchingFields{appSecretIndex: secret.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the ZimApps of a Secret")
	}
	var requests []reconcile.Request
	for i := range apps.Items {
		requests = append(requests, requestFor(&apps.Items[i]))
	}
	return requests
}

// heldApps asks for a pass over a ZimApp when its finalizer is to come or to go: with the first ZimRoom that was
// confirmed with it, and with the last. The others cost no pass.
func (c *Controllers) heldApps() handler.EventHandler {
	gone := func(ctx context.Context, room client.Object, queue requestQueue) {
		pin := pinOf(room)
		if pin == nil || !c.isHeld(ctx, *pin) {
			return
		}
		if len(c.listRooms(ctx, client.MatchingFields{roomPinnedAppIndex: pin.String()}, client.Limit(1))) == 0 {
			queue.Add(reconcile.Request{NamespacedName: *pin})
		}
	}
	return handler.Funcs{
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue requestQueue) {
			before, after := pinOf(e.ObjectOld), pinOf(e.ObjectNew)
			if before == nil && after != nil && !c.isHeld(ctx, *after) {
				queue.Add(reconcile.Request{NamespacedName: *after})
			}
			if isAnother(e) {
				gone(ctx, e.ObjectOld, queue)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue requestQueue) { gone(ctx, e.Object, queue) },
	}
}

// requestQueue is what event handlers add to.
type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// pinOf returns the ZimApp with which a ZimRoom was confirmed; nil if it was not.
func pinOf(object client.Object) *types.NamespacedName {
	pinned := object.(*zimv1alpha1.ZimRoom).Status.AppRef
	if pinned == nil {
		return nil
	}
	return &types.NamespacedName{Namespace: pinned.Namespace, Name: pinned.Name}
}

// isHeld tells whether a ZimApp has the finalizer.
func (c *Controllers) isHeld(ctx context.Context, name types.NamespacedName) bool {
	var app zimv1alpha1.ZimApp
	if err := c.options.Client.Get(ctx, name, &app, client.UnsafeDisableDeepCopy); err != nil {
		return false // The pass over it, if it is there, finds out.
	}
	return controllerutil.ContainsFinalizer(&app, zimv1alpha1.Finalizer)
}

// siblings asks for passes over the other ZimRooms that name a room when another of them may become its holder. It also
// notes that the cache has a newer version of a ZimRoom: one handler for both, because every event passes through a
// queue and a goroutine of each.
func (c *Controllers) siblings() handler.EventHandler {
	ask := func(ctx context.Context, object client.Object, queue requestQueue) {
		for _, sibling := range c.siblingsOfRoom(ctx, object) {
			queue.Add(sibling)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, queue requestQueue) {
			if !e.IsInInitialList {
				ask(ctx, e.Object, queue)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, queue requestQueue) {
			before, after := e.ObjectOld.(*zimv1alpha1.ZimRoom), e.ObjectNew.(*zimv1alpha1.ZimRoom)
			c.Rooms.cacheChanged(after)
			if isAnother(e) {
				ask(ctx, before, queue) // It may have named another room.
			}
			if isAnother(e) || hasLetGo(before) != hasLetGo(after) { // The finalizer of others may hold it longer.
				ask(ctx, after, queue)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue requestQueue) {
			ask(ctx, e.Object, queue)
		},
	}
}

// siblingsOfRoom returns the other ZimRooms that name the same room.
func (c *Controllers) siblingsOfRoom(ctx context.Context, object client.Object) []reconcile.Request {
	room := object.(*zimv1alpha1.ZimRoom)
	var requests []reconcile.Request
	for _, other := range c.listRooms(ctx, client.MatchingFields{roomIDIndex: room.Spec.ID}) {
		if other.UID != room.UID {
			requests = append(requests, requestFor(&other))
		}
	}
	return requests
}

// roomsOfNamespace returns the ZimRooms of a namespace that depend on its labels, or are being deleted, and those
// that wait for their rooms.
func (c *Controllers) roomsOfNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, room := range c.listRooms(ctx, client.InNamespace(namespace.GetName())) {
		candidates := appCandidates(&room, c.options.OperatorNamespace)
		last := candidates[len(candidates)-1] // The only one that can be of another namespace.
		if last.Namespace != room.Namespace || !room.DeletionTimestamp.IsZero() {
			requests = append(requests, requestFor(&room))
			requests = append(requests, c.siblingsOfRoom(ctx, &room)...)
		}
	}
	return requests
}

// appChanged wakes the ZimRooms of a ZimApp, and those that wait for rooms which these hold, or held.
func (c *Controllers) appChanged(name types.NamespacedName, claims bool) {
	ctx := context.Background()
	for _, room := range c.listRooms(ctx, client.MatchingFields{roomAppIndex: name.String()}) {
		c.wakeRooms.wake(requestFor(&room))
		if claims {
			c.wakeRooms.wake(c.siblingsOfRoom(ctx, &room)...)
		}
	}
}

// listRooms lists ZimRooms from the cache. They are not to be changed: they are those of the cache.
func (c *Controllers) listRooms(ctx context.Context, options ...client.ListOption) []zimv1alpha1.ZimRoom {
	var rooms zimv1alpha1.ZimRoomList
	if err := c.options.Client.List(ctx, &rooms, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list ZimRooms")
	}
	return rooms.Items
}

func requestFor(object client.Object) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}
