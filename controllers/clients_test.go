package controllers_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
)

// writer returns a client that counts its writes, and fails when the spec wants it to.
func (w *world) writer() client.WithWatch {
	GinkgoHelper()
	plain, err := client.NewWithWatch(restConfig, client.Options{Scheme: apiServer.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return interceptor.NewClient(plain, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch,
			options ...client.PatchOption,
		) error {
			if err := w.beforeWrite(); err != nil {
				return err
			}
			return c.Patch(ctx, object, patch, options...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch,
			options ...client.SubResourcePatchOption,
		) error {
			if err := w.beforeWrite(); err != nil {
				return err
			}
			return c.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	})
}

func (w *world) beforeWrite() error {
	w.writes.Add(1)
	if w.writeError != nil {
		return w.writeError()
	}
	return nil
}

// indexedClient reads from the API server and has the indexes of a cache: a spec that runs passes itself must not
// wait for a cache to catch up.
func indexedClient(ctx context.Context, inner client.WithWatch, namespace string) client.Client {
	GinkgoHelper()
	indexes := indexer{}
	Expect(controllers.SetupIndexes(ctx, indexes, namespace)).To(Succeed())
	return interceptor.NewClient(inner, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			var all client.ListOptions
			all.ApplyOptions(options)
			selector := all.FieldSelector
			all.FieldSelector = nil
			if err := c.List(ctx, list, &all); err != nil || selector == nil {
				return err
			}
			return indexes.filter(list, selector.Requirements()[0])
		},
	})
}

// countingReader counts who asks the API server which ZimRooms there are, and refuses to tell with its error.
type countingReader struct {
	client.Client
	lists atomic.Int64
	err   error
}

func (r *countingReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	r.lists.Add(1)
	if r.err != nil {
		return r.err
	}
	return r.Client.List(ctx, list, options...)
}

// hiding is a cache that does not have a ZimRoom yet.
type hiding struct {
	client.Client
	name string
}

func (h *hiding) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if err := h.Client.List(ctx, list, options...); err != nil {
		return err
	}
	if rooms, ok := list.(*zimv1alpha1.ZimRoomList); ok {
		rooms.Items = slices.DeleteFunc(rooms.Items, func(room zimv1alpha1.ZimRoom) bool { return room.Name == h.name })
	}
	return nil
}

// behind is a cache that has an older version of a ZimRoom.
type behind struct {
	client.Client
	has *zimv1alpha1.ZimRoom
}

func (b *behind) Get(
	ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption,
) error {
	if room, ok := object.(*zimv1alpha1.ZimRoom); ok && b.has != nil && key == client.ObjectKeyFromObject(b.has) {
		b.has.DeepCopyInto(room)
		return nil
	}
	return b.Client.Get(ctx, key, object, options...)
}

// indexer collects the extraction functions of indexes.
type indexer map[string]client.IndexerFunc

func (i indexer) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i[fmt.Sprintf("%T/%s", object, field)] = extract
	return nil
}

func (i indexer) filter(list client.ObjectList, wanted fields.Requirement) error {
	items, err := meta.ExtractList(list)
	if err != nil {
		return err
	}
	var kept []runtime.Object
	for _, item := range items {
		extract := i[fmt.Sprintf("%T/%s", item, wanted.Field)]
		if extract == nil {
			return fmt.Errorf("no index %s of %T", wanted.Field, item)
		}
		if slices.Contains(extract(item.(client.Object)), wanted.Value) {
			kept = append(kept, item)
		}
	}
	return meta.SetList(list, kept)
}
