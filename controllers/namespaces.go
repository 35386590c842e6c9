package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// namespacePeriod is how often an operator that watches chosen namespaces looks at each.
const namespacePeriod = 10 * time.Second

// pollNamespaces stands in for a watch where only chosen namespaces are watched: a Role allows to get its own
// namespace, and nothing below a ClusterRole allows to watch one.
func (c *Controllers) pollNamespaces() source.Source {
	return source.Func(func(
		ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
	) error {
		looks := map[string]namespaceLook{}
		go wait.UntilWithContext(ctx, func(ctx context.Context) {
			for _, name := range c.options.WatchedNamespaces {
				before := looks[name]
				looks[name] = c.lookAtNamespace(ctx, name, before)
				if hasNamespaceChanged(before.seen, looks[name].seen) {
					for _, request := range c.roomsOfNamespace(ctx, looks[name].seen) {
						queue.Add(request)
					}
				}
			}
		}, namespacePeriod)
		return nil
	})
}

// namespaceLook is what the last look at a namespace showed.
type namespaceLook struct {
	// seen is the namespace when it was last seen; nil if it never was.
	seen *metav1.PartialObjectMetadata
	// failed is true if the last look failed.
	failed bool
}

// lookAtNamespace reads a namespace. Of several failures in a row the first is told.
func (c *Controllers) lookAtNamespace(ctx context.Context, name string, before namespaceLook) namespaceLook {
	found, err := namespaceMetadata(ctx, c.options.LiveReader, name)
	if err == nil {
		c.Rooms.visible.Store(name, true)
		return namespaceLook{seen: found}
	}
	if !before.failed {
		ctrl.LoggerFrom(ctx).Error(err, "Could not look at a namespace", "namespace", name)
	}
	return namespaceLook{seen: before.seen, failed: true}
}

// hasNamespaceChanged tells whether what allowedNamespaces and deletions look at is another. The first look is no
// change.
func hasNamespaceChanged(before, after *metav1.PartialObjectMetadata) bool {
	if before == nil || after == nil {
		return false
	}
	return !equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
		before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero()
}

// liveNamespaces is a client that reads metadata, which the operator reads of namespaces only, from the API server. Its
// cache would watch all namespaces for them.
type liveNamespaces struct {
	client.Client
	live client.Reader
}

// Get implements client.Reader.
func (c liveNamespaces) Get(
	ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption,
) error {
	if _, ok := object.(*metav1.PartialObjectMetadata); ok {
		return c.live.Get(ctx, key, object, options...)
	}
	return c.Client.Get(ctx, key, object, options...)
}
