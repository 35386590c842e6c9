package startup

import (
	"context"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
)

// NewInformer makes the informers of a manager that watches chosen namespaces. One that was never allowed to look
// counts as filled, and goes on trying, silently, about a minute apart at most: a namespace that is forbidden, or was
// deleted together with the manager's Role in it, holds up neither the others nor readiness, and comes in when it can.
// One that was allowed once keeps what it has seen.
func NewInformer(
	inner toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers,
) toolscache.SharedIndexInformer {
	source, seen := toolscache.ToListerWatcherWithContext(inner), &atomic.Bool{}
	informer := toolscache.NewSharedIndexInformer(&toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := source.ListWithContext(ctx, options)
			if apierrors.IsForbidden(err) && !seen.Load() {
				return &metav1.List{}, nil // The watch that follows is refused too, and asked for again.
			}
			seen.CompareAndSwap(false, err == nil)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			stream, err := source.WatchWithContext(ctx, options)
			seen.CompareAndSwap(false, err == nil)
			return stream, err
		},
	}, object, resync, indexers)
	// It fails only for an informer that runs already.
	_ = informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, reflector *toolscache.Reflector, err error) {
		if !apierrors.IsForbidden(err) || seen.Load() {
			toolscache.DefaultWatchErrorHandler(ctx, reflector, err)
		}
	})
	return informer
}
