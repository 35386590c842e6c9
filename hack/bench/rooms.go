package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
)

// applyWorkers is how many rooms are applied at a time: enough for the API server to be the bottleneck.
const applyWorkers = 8

// newRoom returns a ZimRoom whose room has its name.
func newRoom(name string, changes ...func(*zimv1alpha1.ZimRoomSpec)) *zimv1alpha1.ZimRoom {
	room := &zimv1alpha1.ZimRoom{Spec: zimv1alpha1.ZimRoomSpec{ID: name}}
	room.Namespace, room.Name = namespace, name
	for _, change := range changes {
		change(&room.Spec)
	}
	return room
}

// newRooms returns so many ZimRooms whose names begin alike.
func newRooms(prefix string, count int, changes ...func(*zimv1alpha1.ZimRoomSpec)) []*zimv1alpha1.ZimRoom {
	rooms := make([]*zimv1alpha1.ZimRoom, 0, count)
	for i := range count {
		rooms = append(rooms, newRoom(fmt.Sprintf("%s-%05d", prefix, i), changes...))
	}
	return rooms
}

func withInterval(interval time.Duration) func(*zimv1alpha1.ZimRoomSpec) {
	return func(spec *zimv1alpha1.ZimRoomSpec) { spec.Interval = &metav1.Duration{Duration: interval} }
}

func withDelay(delay time.Duration) func(*zimv1alpha1.ZimRoomSpec) {
	return func(spec *zimv1alpha1.ZimRoomSpec) { spec.DestroyDelay = &metav1.Duration{Duration: delay} }
}

func withPolicy(policy zimv1alpha1.DeletionPolicy) func(*zimv1alpha1.ZimRoomSpec) {
	return func(spec *zimv1alpha1.ZimRoomSpec) { spec.DeletionPolicy = policy }
}

// apply creates ZimRooms as fast as the API server takes them.
func (w *world) apply(ctx context.Context, rooms []*zimv1alpha1.ZimRoom) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(applyWorkers)
	for _, room := range rooms {
		group.Go(func() error { return w.kube.Create(ctx, room) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("creating ZimRooms: %w", err)
	}
	return nil
}

// fill creates ZimRooms and waits until all are Ready.
func (w *world) fill(ctx context.Context, rooms []*zimv1alpha1.ZimRoom, limit time.Duration) error {
	if err := w.apply(ctx, rooms); err != nil {
		return err
	}
	return w.awaitReady(ctx, rooms, limit)
}

// awaitReady waits until the watch has seen every one of the rooms Ready.
func (w *world) awaitReady(ctx context.Context, rooms []*zimv1alpha1.ZimRoom, limit time.Duration) error {
	err := testbed.Await(ctx, limit, func(context.Context) (bool, error) { return w.watch.AreReady(rooms), nil })
	if errors.Is(err, testbed.ErrTooLate) {
		return fmt.Errorf("%d of %d rooms were Ready after %s; the end of the manager's log:\n%s",
			w.watch.CountReady(rooms), len(rooms), limit, w.managerLog())
	}
	return err
}

// remove deletes a ZimRoom and doesn't wait until it is gone.
func (w *world) remove(ctx context.Context, room *zimv1alpha1.ZimRoom) error {
	if err := client.IgnoreNotFound(w.kube.Delete(ctx, room)); err != nil {
		return fmt.Errorf("deleting a ZimRoom: %w", err)
	}
	return nil
}
