package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// errUnseenApp means that a ZimRoom may or may not name the room in this account: no pass over its ZimApp was made
// yet. That pass wakes whoever waits for it.
var errUnseenApp = errors.New("no pass over the ZimApp of another ZimRoom was made yet")

// findSuccessor returns the oldest other ZimRoom of the account that names the room and is not being deleted,
// suspended or not; nil if there is none. Candidates are read from the API server: rooms that are deleted together
// would otherwise hand their room to each other, and leave it behind.
func (r *ZimRoomReconciler) findSuccessor(
	ctx context.Context, room *zimv1alpha1.ZimRoom, found resolution,
) (*zimv1alpha1.ZimRoom, error) {
	if found.app == nil {
		return nil, nil // Nobody knows in which account the room lives.
	}
	sameID, err := r.listLive(ctx, room.Spec.ID)
	if err != nil {
		return nil, err
	}
	return r.successorAmong(ctx, sameID, room, found.app.account)
}

// knowsSuccessor tells whether the cache has a ZimRoom that may take over the room. That it has none means nothing: see
// findSuccessor.
func (r *ZimRoomReconciler) knowsSuccessor(ctx context.Context, room *zimv1alpha1.ZimRoom, account zim.Account) bool {
	var sameID zimv1alpha1.ZimRoomList
	byID := client.MatchingFields{roomIDIndex: room.Spec.ID}
	if err := r.List(ctx, &sameID, byID, client.UnsafeDisableDeepCopy); err != nil {
		return true
	}
	successor, err := r.successorAmong(ctx, sameID.Items, room, account)
	return err != nil || successor != nil
}

// successorAmong returns which of those that name the same room takes it over; nil if none does.
func (r *ZimRoomReconciler) successorAmong(
	ctx context.Context, sameID []zimv1alpha1.ZimRoom, room *zimv1alpha1.ZimRoom, account zim.Account,
) (*zimv1alpha1.ZimRoom, error) {
	var successor *zimv1alpha1.ZimRoom
	for i := range sameID {
		other := &sameID[i]
		if other.UID == room.UID || !other.DeletionTimestamp.IsZero() {
			continue
		}
		in, err := r.mayTakeOver(ctx, other, room, account)
		if err != nil {
			return nil, err
		}
		if in && (successor == nil || isOlder(other, successor)) {
			successor = other
		}
	}
	return successor, nil
}

// mayTakeOver tells whether another ZimRoom is one of the account in which a room lives. It fails with errUnseenApp
// while that one's ZimApp waits to be probed: the room is not destroyed before that is known, unless it takes longer
// than one would wait for a ZimApp that is gone.
func (r *ZimRoomReconciler) mayTakeOver(
	ctx context.Context, other, room *zimv1alpha1.ZimRoom, account zim.Account,
) (bool, error) {
	in, err := r.speaksFor(ctx, other, account)
	if in || err != nil {
		return in, err
	}
	found, err := r.apps.resolve(ctx, other)
	if err == nil && found.app != nil && found.app.isUndecided() && found.account == account &&
		r.clock.Since(room.DeletionTimestamp.Time) < waitForApp {
		return false, errUnseenApp
	}
	return false, err
}

// errBlind means that nobody can tell who may take over a room: one of the watched namespaces was refused to this
// process from its start on.
var errBlind = errors.New("a watched namespace is refused, and nothing is known of the ZimRooms there")

// listLive reads the ZimRooms of an id from the API server, in all namespaces that the operator watches.
func (r *ZimRoomReconciler) listLive(ctx context.Context, id string) ([]zimv1alpha1.ZimRoom, error) {
	namespaces := r.apps.watched
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	var rooms []zimv1alpha1.ZimRoom
	for _, namespace := range namespaces {
		var list zimv1alpha1.ZimRoomList
		err := r.liveReader.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{roomIDIndex: id})
		if apierrors.IsForbidden(err) && !r.remembers(ctx, namespace, id) {
			if _, seen := r.visible.Load(namespace); !seen {
				return nil, errBlind
			}
			continue // A watched namespace that was deleted, say: it may not hold up the others.
		}
		if err != nil {
			return nil, fmt.Errorf("listing ZimRooms with id %q: %w", id, err)
		}
		r.visible.Store(namespace, true)
		rooms = append(rooms, list.Items...)
	}
	return rooms, nil
}

// remembers tells whether the cache knows a ZimRoom in a namespace, which can't be read any more, that could take over
// the room of an id.
func (r *ZimRoomReconciler) remembers(ctx context.Context, namespace, id string) bool {
	var list zimv1alpha1.ZimRoomList
	err := r.List(ctx, &list, client.InNamespace(namespace), client.MatchingFields{roomIDIndex: id},
		client.UnsafeDisableDeepCopy)
	return err != nil || slices.ContainsFunc(list.Items, func(room zimv1alpha1.ZimRoom) bool {
		return room.DeletionTimestamp.IsZero()
	})
}

// handOver gives the room to its successor, together with what is known of it; then the finalizer goes. No call is
// made.
func (r *ZimRoomReconciler) handOver(
	ctx context.Context, p *pass, successor *zimv1alpha1.ZimRoom,
) (reconcile.Result, error) {
	heirName := client.ObjectKeyFromObject(successor)
	ctrl.LoggerFrom(ctx).Info("Handing the room over", "roomID", p.room.Spec.ID, "to", heirName)
	if err := r.prepareHeir(ctx, successor); err != nil {
		return reconcile.Result{}, fmt.Errorf("handing the room over to ZimRoom %s: %w", heirName, err)
	}
	heir := successor.DeepCopy()
	found, err := r.apps.resolve(ctx, heir)
	if err != nil {
		return reconcile.Result{}, err
	}
	inherit(heir, p.room, found.name)
	lock := client.MergeFromWithOptions(successor, client.MergeFromWithOptimisticLock{})
	if err := r.Status().Patch(ctx, heir, lock); err != nil {
		return reconcile.Result{}, fmt.Errorf("handing the room over to ZimRoom %s: %w", heirName, err)
	}
	r.emit(p.room, corev1.EventTypeNormal, eventHandedOver, actionDelete)
	return r.letGo(ctx, p)
}

// prepareHeir gives the heir the finalizer, which it lacks if no pass over it went so far.
func (r *ZimRoomReconciler) prepareHeir(ctx context.Context, heir *zimv1alpha1.ZimRoom) error {
	before := heir.DeepCopy()
	if heir.Spec.DeletionPolicy == zimv1alpha1.DeletionPolicyRetain ||
		!controllerutil.AddFinalizer(heir, zimv1alpha1.Finalizer) {
		return nil
	}
	return r.Patch(ctx, heir, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// inherit writes what is known of the room into the heir's status, and pins the heir's own app: it need not be
// allowed to use the giver's. Two that were created at the same moment may both have confirmed the room: then it is
// the operator's own if either created it.
func inherit(heir, giver *zimv1alpha1.ZimRoom, app types.NamespacedName) {
	if heir.Status.Room == nil || giver.Status.Room.Origin == zimv1alpha1.RoomOriginCreated {
		heir.Status.Room = giver.Status.Room.DeepCopy()
		heir.Status.AppRef = &zimv1alpha1.ResolvedAppReference{Namespace: app.Namespace, Name: app.Name}
	}
}
