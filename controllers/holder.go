package controllers

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// findHolder returns the ZimRoom that has the room: the oldest of those that name it in the account. It is the given one
// unless there is an older one.
func (r *ZimRoomReconciler) findHolder(
	ctx context.Context, room *zimv1alpha1.ZimRoom, account zim.Account,
) (*zimv1alpha1.ZimRoom, error) {
	var sameID zimv1alpha1.ZimRoomList
	if err := r.List(ctx, &sameID, client.MatchingFields{roomIDIndex: room.Spec.ID}); err != nil {
		return nil, fmt.Errorf("listing ZimRooms with id %q: %w", room.Spec.ID, err)
	}
	holder := room
	for i := range sameID.Items {
		other := &sameID.Items[i]
		if other.UID == room.UID || !isOlder(other, holder) {
			continue
		}
		in, err := r.speaksFor(ctx, other, account)
		if err != nil {
			return nil, err
		}
		if in {
			holder = other
		}
	}
	return holder, nil
}

// speaksFor tells whether a ZimRoom's app has been accepted by ZIM for the account. One that has not been holds nothing and
// blocks nobody: anyone may write somebody else's AppID into a ZimApp.
func (r *ZimRoomReconciler) speaksFor(
	ctx context.Context, room *zimv1alpha1.ZimRoom, account zim.Account,
) (bool, error) {
	found, err := r.apps.resolve(ctx, room)
	if err != nil || found.name == (types.NamespacedName{}) {
		return false, err
	}
	if found.app != nil {
		return found.app.accepted && found.app.account == account, nil
	}
	if !found.unseen {
		return false, nil
	}
	return r.acceptedBefore(ctx, found.name, account)
}

// acceptedBefore judges a ZimApp over which this process has made no pass yet by its status.
func (r *ZimRoomReconciler) acceptedBefore(
	ctx context.Context, name types.NamespacedName, account zim.Account,
) (bool, error) {
	var object zimv1alpha1.ZimApp
	if err := r.Get(ctx, name, &object); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	found, err := zim.AccountAt(object.Spec.Endpoint, uint32(object.Spec.AppID)) //nolint:gosec // The CRD bounds it.
	if err != nil {
		return false, nil //nolint:nilerr // An endpoint that is none belongs to no account.
	}
	accepted := object.Status.AcceptedSecretVersion != "" && object.Status.ObservedGeneration == object.Generation
	return accepted && found == account, nil
}

// isOlder orders ZimRooms by creation, then by namespace and name, so that every pass comes to the same holder.
func isOlder(a, b *zimv1alpha1.ZimRoom) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	if a.Namespace != b.Namespace {
		return strings.Compare(a.Namespace, b.Namespace) < 0
	}
	return a.Name < b.Name
}

// duplicateMessage names the holder only to those who could see it anyway.
func duplicateMessage(room, holder *zimv1alpha1.ZimRoom) string {
	if holder.Namespace == room.Namespace {
		return fmt.Sprintf("ZimRoom %s has this room already: delete one of the two, or choose another id.", holder.Name)
	}
	return "A ZimRoom of another namespace has this room already: choose another id."
}
