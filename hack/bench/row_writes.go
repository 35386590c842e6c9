package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
)

// measureWrites counts what the operator writes for a room, at the API server.
func (b *bench) measureWrites(ctx context.Context, _ int) (result outcome, err error) {
	err = b.inWorld(ctx, withoutQuota, func(ctx context.Context, w *world) error {
		retain := newRooms("retained", b.writes, withPolicy(zimv1alpha1.DeletionPolicyRetain))
		plain := newRooms("room", b.writes)
		for _, kind := range []struct {
			what   string
			rooms  []*zimv1alpha1.ZimRoom
			target float64
		}{
			{"new room", plain, 2},
			{"new room, deletionPolicy Retain", retain, 1},
		} {
			added, err := w.writesDuring(ctx, func() error { return w.fill(ctx, kind.rooms, time.Minute) })
			if err != nil {
				return err
			}
			result.addWrites(kind.what, added, len(kind.rooms), atMost(kind.target))
		}
		added, err := w.writesDuring(ctx, func() error { return w.edit(ctx, plain) })
		if err != nil {
			return err
		}
		result.addWrites("edited attribute", added, len(plain), nil)
		added, err = w.writesDuring(ctx, func() error { return w.removeAll(ctx, plain) })
		if err != nil {
			return err
		}
		result.addWrites("deleted room", added, len(plain), nil)
		return nil
	})
	return result, err
}

// writesDuring returns what was written to ZimRooms while f ran, and shortly after.
func (w *world) writesDuring(ctx context.Context, f func() error) (int, error) {
	const settle = 500 * time.Millisecond
	before, err := w.apiServer.writes(ctx)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	if err := testbed.Sleep(ctx, settle); err != nil {
		return 0, err
	}
	after, err := w.apiServer.writes(ctx)
	return after.since(before).total(zimRooms), err
}

func (o *outcome) addWrites(what string, writes, rooms int, target *target) {
	o.add("Kubernetes writes: "+what, "", float64(writes)/float64(rooms), target)
}

// edit gives rooms an attribute, and waits until they have it.
func (w *world) edit(ctx context.Context, rooms []*zimv1alpha1.ZimRoom) error {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"attributes":[{"key":"topic","value":"new"}]}}`))
	for _, room := range rooms {
		if err := w.kube.Patch(ctx, room, patch); err != nil {
			return fmt.Errorf("editing a ZimRoom: %w", err)
		}
	}
	return testbed.Await(ctx, time.Minute, func(context.Context) (bool, error) {
		return w.watch.CountConfirmed(rooms) == len(rooms), nil
	})
}

// removeAll deletes rooms and waits until they are gone.
func (w *world) removeAll(ctx context.Context, rooms []*zimv1alpha1.ZimRoom) error {
	for _, room := range rooms {
		if err := w.remove(ctx, room); err != nil {
			return err
		}
	}
	return testbed.Await(ctx, time.Minute, func(ctx context.Context) (bool, error) {
		for _, room := range rooms {
			err := w.kube.Get(ctx, client.ObjectKeyFromObject(room), &zimv1alpha1.ZimRoom{})
			if client.IgnoreNotFound(err) != nil || err == nil {
				return false, client.IgnoreNotFound(err)
			}
		}
		return true, nil
	})
}
