package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// interval is how often rooms are verified: so often that each fault hits verifications too.
const interval = 5 * time.Second

// room is a ZimRoom as it was declared last, and when what was done to it.
type room struct {
	object *zimv1alpha1.ZimRoom
	appID  uint32
	// asked are the moments of changes, each of which asks for a pass; replaced those of the changes which ask for the
	// end of the live room too.
	asked    []time.Time
	replaced []time.Time
	deleted  time.Time
	// mayStay: the live room may outlive the ZimRoom. A CreateRoom whose answer nobody lived to write down is no reason to
	// destroy anything: every doubt is decided against that.
	mayStay bool
	// mayBeAdopted: others may have created the live room, or ZIM said so.
	mayBeAdopted bool
	// anyName: ZIM said that the live room was gone while it was not, and cannot be asked for its name.
	anyName bool
	// waits: somebody is in the room, so it keeps the name it has, which is none.
	waits bool
}

// newRooms returns so many rooms whose names begin alike.
func newRooms(prefix string, count int) []*room {
	rooms := make([]*room, 0, count)
	for i := range count {
		object := &zimv1alpha1.ZimRoom{Spec: zimv1alpha1.ZimRoomSpec{
			ID:         fmt.Sprintf("%s-%03d", prefix, i),
			Interval:   &metav1.Duration{Duration: interval},
			Attributes: []zimv1alpha1.RoomAttribute{{Key: "topic", Value: "first"}},
			// Also what others have created meanwhile: otherwise nobody would know what is left over.
			DeletionPolicy: zimv1alpha1.DeletionPolicyDelete,
		}}
		object.Namespace, object.Name = namespace, object.Spec.ID
		rooms = append(rooms, &room{object: object, appID: testbed.AppID})
	}
	return rooms
}

// liveName is the name that the live room is to have.
func (r *room) liveName() string {
	if r.waits {
		return ""
	}
	return r.object.Spec.Name
}

// isDeclared tells whether the ZimRoom is to exist.
func (r *room) isDeclared() bool { return r.deleted.IsZero() }

// create declares rooms.
func (w *world) create(ctx context.Context, rooms ...*room) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, r := range rooms {
		group.Go(func() error {
			r.asked = append(r.asked, time.Now())
			return w.kube.Create(ctx, r.object)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("creating ZimRooms: %w", err)
	}
	return nil
}

// edit changes a room's attributes, and its name if one is given.
func (w *world) edit(ctx context.Context, r *room, value, name string) error {
	now := time.Now()
	r.asked = append(r.asked, now)
	patch := fmt.Sprintf(`{"spec":{"attributes":[{"key":"topic","value":%q}]}}`, value)
	if name != "" {
		r.replaced = append(r.replaced, now)
		patch = fmt.Sprintf(`{"spec":{"name":%q,"attributes":[{"key":"topic","value":%q}]}}`, name, value)
	}
	if err := w.kube.Patch(ctx, r.object, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("editing a ZimRoom: %w", err)
	}
	return nil
}

// remove deletes ZimRooms and does not wait until they are gone.
func (w *world) remove(ctx context.Context, rooms ...*room) error {
	for _, r := range rooms {
		if !r.isDeclared() {
			continue
		}
		r.deleted = time.Now()
		if err := client.IgnoreNotFound(w.kube.Delete(ctx, r.object)); err != nil {
			return fmt.Errorf("deleting a ZimRoom: %w", err)
		}
	}
	return nil
}

// isConfirmed tells whether the operator has written down that the live room is there.
func (w *world) isConfirmed(ctx context.Context, r *room) (bool, error) {
	object := &zimv1alpha1.ZimRoom{}
	if err := w.kube.Get(ctx, client.ObjectKeyFromObject(r.object), object); err != nil {
		return false, fmt.Errorf("reading a ZimRoom: %w", err)
	}
	return object.Status.Room != nil, nil
}

// vanish destroys a live room, as others may.
func (w *world) vanish(ctx context.Context, r *room) error {
	r.asked = append(r.asked, time.Now())
	err := w.simulator.Destroy(ctx, r.appID, r.object.Spec.ID)
	if err != nil && strings.Contains(err.Error(), "no such room") {
		return nil // It has just been replaced.
	}
	return err
}

// live returns the rooms of accounts, by id.
func (w *world) live(ctx context.Context, rooms []*room) (map[string]zimsim.Room, error) {
	all, accounts := map[string]zimsim.Room{}, map[uint32]bool{}
	for _, r := range rooms {
		accounts[r.appID] = true
	}
	for appID := range accounts {
		var list []zimsim.Room
		if err := w.simulator.Do(ctx, http.MethodGet, "/rooms", testbed.OfApp(appID), nil, &list); err != nil {
			return nil, err
		}
		for i := range list {
			all[list[i].ID] = list[i]
		}
	}
	return all, nil
}

// objects returns all ZimRooms as the API server has them, by name.
func (w *world) objects(ctx context.Context) (map[string]*zimv1alpha1.ZimRoom, error) {
	list := &zimv1alpha1.ZimRoomList{}
	if err := w.kube.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing ZimRooms: %w", err)
	}
	present := map[string]*zimv1alpha1.ZimRoom{}
	for i := range list.Items {
		present[list.Items[i].Name] = &list.Items[i]
	}
	return present, nil
}

// astray returns what is not as declared, in Kubernetes or at ZIM: one line for each room.
func (w *world) astray(ctx context.Context, rooms []*room) ([]string, error) {
	present, err := w.objects(ctx)
	if err != nil {
		return nil, err
	}
	live, err := w.live(ctx, rooms)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, r := range rooms {
		room, exists := live[r.object.Spec.ID]
		if what := r.compare(present[r.object.Name], room, exists); what != "" {
			lines = append(lines, r.object.Name+": "+what)
		}
	}
	return lines, nil
}

// compare says what is not as declared; empty if all is.
func (r *room) compare(object *zimv1alpha1.ZimRoom, live zimsim.Room, exists bool) string {
	switch {
	case !r.isDeclared():
		return r.compareGone(object, exists)
	case object == nil:
		return "the ZimRoom is gone"
	}
	ready := testbed.FindCondition(object.Status.Conditions, zimv1alpha1.ReadyCondition)
	switch {
	case ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != object.Generation,
		pendingReason(object) != r.pendingReason():
		return "not as declared" + states(object)
	case !exists:
		return "there is no room"
	case live.Name != r.liveName() && !r.anyName:
		return "the room has another name"
	}
	for _, attribute := range r.object.Spec.Attributes {
		if live.Attributes[attribute.Key].Value != attribute.Value {
			return "the room has other attributes"
		}
	}
	retain := object.Spec.DeletionPolicy == zimv1alpha1.DeletionPolicyRetain
	if !retain && !slices.Contains(object.Finalizers, zimv1alpha1.Finalizer) {
		return "no finalizer"
	}
	return ""
}

// pendingReason is why the declared name has to wait; empty: it does not.
func pendingReason(object *zimv1alpha1.ZimRoom) string {
	pending := testbed.FindCondition(object.Status.Conditions, zimv1alpha1.ReplacementPendingCondition)
	if pending == nil || pending.Status != metav1.ConditionTrue {
		return ""
	}
	return pending.Reason
}

// pendingReason is what the function of this name is to return.
func (r *room) pendingReason() string {
	if r.waits {
		return zimv1alpha1.ReasonRoomOccupied
	}
	return ""
}

// compareGone is compare for a room that is not to exist.
func (r *room) compareGone(object *zimv1alpha1.ZimRoom, exists bool) string {
	switch {
	case object != nil:
		return "the ZimRoom is still there" + states(object)
	case exists && !r.mayStay:
		return "the room is still there"
	}
	return ""
}

// states shows the conditions of an object.
func states(object *zimv1alpha1.ZimRoom) string {
	var text strings.Builder
	for _, condition := range object.Status.Conditions {
		fmt.Fprintf(&text, ", %s=%s %s", condition.Type, condition.Status, condition.Reason)
	}
	return text.String()
}

// errAstray is for rooms that do not get where they should be.
var errAstray = errors.New("did not converge")

// converge waits until all rooms are as declared, and returns how long that took.
func (w *world) converge(ctx context.Context, rooms []*room, limit time.Duration) (time.Duration, error) {
	begin := time.Now()
	var lines []string
	err := testbed.Poll(ctx, limit, 200*time.Millisecond, func(ctx context.Context) (yes bool, err error) {
		lines, err = w.astray(ctx, rooms)
		return err == nil && len(lines) == 0, ignoreUnavailable(err)
	})
	if errors.Is(err, testbed.ErrTooLate) {
		return time.Since(begin), fmt.Errorf("%w in %s: %d of %d rooms, among them %s", errAstray, limit, len(lines),
			len(rooms), strings.Join(lines[:min(3, len(lines))], "; "))
	}
	return time.Since(begin), err
}

func ignoreUnavailable(err error) error {
	if apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) {
		return nil
	}
	return err
}
