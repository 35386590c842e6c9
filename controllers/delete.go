package controllers

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// waitForApp is how long a deletion waits for a ZimApp or Secret that is gone: a mistake can be mended meanwhile.
	waitForApp = 10 * time.Minute

	// waitForZIM is how long a deletion goes on asking ZIM to destroy the room.
	waitForZIM = 24 * time.Hour
)

// reconcileDelete lets a ZimRoom go: its room is handed over, destroyed, or left to itself. A room that is left
// behind dies by itself, a room that is destroyed wrongly is an outage; so every doubt is decided against
// DestroyRoom.
func (r *ZimRoomReconciler) reconcileDelete(ctx context.Context, p *pass) (reconcile.Result, error) {
	if !controllerutil.ContainsFinalizer(p.room, zimv1alpha1.Finalizer) {
		return reconcile.Result{}, nil
	}
	if p.room.Status.Room == nil || p.memory.gone {
		return r.letGo(ctx, p)
	}
	found, err := r.apps.resolve(ctx, p.room)
	if err != nil {
		return reconcile.Result{}, err
	}
	if found.unseen {
		return reconcile.Result{}, nil // The pass over the ZimApp wakes this room.
	}
	if result, ok := r.standInLine(ctx, p, found); !ok {
		return result, nil
	}
	switch successor, err := r.findSuccessor(ctx, p.room, found); {
	case errors.Is(err, errUnseenApp): // The pass over that ZimApp wakes this room.
		return reconcile.Result{RequeueAfter: max(0, waitForApp-r.clock.Since(p.room.DeletionTimestamp.Time))}, nil
	case errors.Is(err, errBlind) && mustDestroy(p.room):
		return r.leaveBehind(ctx, p)
	case err != nil && !errors.Is(err, errBlind):
		return r.leaveUnserved(p, err)
	case successor != nil:
		return r.handOver(ctx, p, successor)
	case !mustDestroy(p.room):
		return r.letGo(ctx, p)
	}
	if found.obstacle != nil {
		return r.waitToDestroy(ctx, p, found)
	}
	return r.destroy(ctx, p)
}

// mustDestroy tells whether the deletion policy asks for the end of a confirmed room.
func mustDestroy(room *zimv1alpha1.ZimRoom) bool {
	switch room.Spec.DeletionPolicy {
	case zimv1alpha1.DeletionPolicyDelete:
		return true
	case zimv1alpha1.DeletionPolicyRetain:
		return false
	default:
		return room.Status.Room.Origin == zimv1alpha1.RoomOriginCreated
	}
}

// standInLine gets a place for a room that is to be destroyed as far as the cache knows: so the API server is asked who
// takes it over when that may decide, and once. If not ok, the pass ends with the result.
func (r *ZimRoomReconciler) standInLine(ctx context.Context, p *pass, found resolution) (reconcile.Result, bool) {
	if found.obstacle != nil {
		return reconcile.Result{}, true
	}
	r.useApp(p, found.app)
	if !mustDestroy(p.room) || r.knowsSuccessor(ctx, p.room, p.app.account) {
		return reconcile.Result{}, true
	}
	return r.enterToDestroy(p)
}

// enterToDestroy gets a place for DestroyRoom, unless the last try is too recent. If not ok, the pass ends with the
// result.
func (r *ZimRoomReconciler) enterToDestroy(p *pass) (result reconcile.Result, ok bool) {
	now := r.clock.Now()
	if (p.memory.destroyTried && now.Before(p.memory.nextLook)) || now.Before(p.memory.coolUntil) {
		return r.comeBackLater(p), false
	}
	return reconcile.Result{}, p.visit.admit(p.app.account, errand{lane: laneDeletion})
}

// destroy sends DestroyRoom when it may. That nobody takes the room over was found out just before.
func (r *ZimRoomReconciler) destroy(ctx context.Context, p *pass) (reconcile.Result, error) {
	if wait, ok := r.enterToDestroy(p); !ok {
		return wait, nil
	}
	p.memory.destroyTried, p.memory.refusals = true, 0
	err := p.caller.call(ctx, zim.ActionDestroyRoom, func(ctx context.Context, client *zim.Client) error {
		return client.DestroyRoom(ctx, p.room.Spec.ID)
	})
	p.visit.leave()
	if err != nil {
		return r.retryDestroy(ctx, p, causeOf(err))
	}
	ctrl.LoggerFrom(ctx).Info("Destroyed the room", "roomID", p.room.Spec.ID)
	p.memory.gone = true // Should the finalizer not go at once, nothing is sent a second time.
	r.quota.free(p.app.account)
	r.emit(p.room, corev1.EventTypeNormal, eventRoomDestroyed, actionDelete)
	return r.letGo(ctx, p)
}

// retryDestroy comes back for a room that ZIM did not destroy, for a day.
func (r *ZimRoomReconciler) retryDestroy(ctx context.Context, p *pass, why cause) (reconcile.Result, error) {
	if r.clock.Since(p.room.DeletionTimestamp.Time) >= waitForZIM {
		return r.leaveBehind(ctx, p)
	}
	why.reason = zimv1alpha1.ReasonDeleting
	if why.retry == nil {
		why.retry = &transientBackoff
	}
	return r.finish(ctx, p, deletingOutcome(why))
}

// waitToDestroy waits for a ZimApp that can't be used: not at all where it can't come back, for a while where it is
// gone, and for a day where ZIM refuses it.
func (r *ZimRoomReconciler) waitToDestroy(ctx context.Context, p *pass, found resolution) (reconcile.Result, error) {
	wait := waitForZIM
	if isAppGone(found) {
		final, err := r.isGoneForGood(ctx, p, found)
		if err != nil {
			return reconcile.Result{}, err
		}
		if final {
			return r.leaveBehind(ctx, p)
		}
		wait = waitForApp
	}
	left := wait - r.clock.Since(p.room.DeletionTimestamp.Time)
	if left <= 0 {
		return r.leaveBehind(ctx, p)
	}
	why := causeOfObstacle(found.obstacle)
	if found.app != nil {
		why.reason = found.app.refusalReason()
	}
	if _, err := r.finish(ctx, p, deletingOutcome(why)); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: left}, nil // Or when the ZimApp changes.
}

// isAppGone tells whether the credentials are out of reach, as against refused by ZIM.
func isAppGone(found resolution) bool {
	if found.app == nil {
		return true
	}
	reason := found.app.refusalReason()
	return reason == zimv1alpha1.ReasonSecretNotFound || reason == zimv1alpha1.ReasonInvalidSecret
}

// isGoneForGood tells whether the namespace of the room or the ZimApp is being deleted: then nobody brings a Secret
// back.
func (r *ZimRoomReconciler) isGoneForGood(ctx context.Context, p *pass, found resolution) (bool, error) {
	if found.deleting {
		return true, nil
	}
	namespace, err := namespaceMetadata(ctx, r, p.room.Namespace)
	if err != nil {
		return false, err
	}
	return !namespace.DeletionTimestamp.IsZero(), nil
}

func (r *ZimRoomReconciler) leaveBehind(ctx context.Context, p *pass) (reconcile.Result, error) {
	ctrl.LoggerFrom(ctx).Info("Left the room behind", "roomID", p.room.Spec.ID)
	r.emit(p.room, corev1.EventTypeWarning, eventRoomLeftBehind, actionDelete)
	return r.letGo(ctx, p)
}

// letGo drops the finalizer.
func (r *ZimRoomReconciler) letGo(ctx context.Context, p *pass) (reconcile.Result, error) {
	return reconcile.Result{}, client.IgnoreNotFound(r.writeFinalizer(ctx, p, false))
}
