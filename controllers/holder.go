package controllers

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// findHolder returns the ZimRoom that has the room: the oldest of those that name it in the account. It is the given
// one unless there is an older one.
func (r *ZimRoomReconciler) findHolder(
	ctx context.Context, room *zimv1alpha1.ZimRoom, account zim.Account,
) (*zimv1alpha1.ZimRoom, error) {
	var sameID zimv1alpha1.ZimRoomList
	byID := client.MatchingFields{roomIDIndex: room.Spec.ID}
	if err := r.List(ctx, &sameID, byID, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ZimRooms with id %q: %w", room.Spec.ID, err)
	}
	holder := room
	for i := range sameID.Items {
		other := &sameID.Items[i]
		if other.UID == room.UID || !isOlder(other, holder) || hasLetGo(other) {
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

// hasLetGo tells whether a ZimRoom is being deleted and has done with its room; the finalizer of others may hold it
// longer.
func hasLetGo(room *zimv1alpha1.ZimRoom) bool {
	return !room.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(room, zimv1alpha1.Finalizer)
}

// speaksFor tells whether a ZimRoom's app has been accepted by ZIM for the account. One that has not been holds
// nothing and blocks nobody: anyone may write somebody else's AppID into a ZimApp. It fails with errUnseenApp while
// nobody can tell.
func (r *ZimRoomReconciler) speaksFor(
	ctx context.Context, room *zimv1alpha1.ZimRoom, account zim.Account,
) (bool, error) {
	found, err := r.apps.resolve(ctx, room)
	switch {
	case err != nil:
		return false, err
	case found.app != nil:
		return found.app.accepted && found.app.account == account, nil
	case found.unseen && (found.account == account || found.account == zim.Account{}):
		return false, errUnseenApp
	}
	return false, nil
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
