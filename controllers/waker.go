package controllers

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// waker puts objects into a controller's queue for reasons that are no events of the API server: a place became free,
// an app was accepted. It is safe for concurrent use; what is woken before the controller starts waits for it.
type waker struct {
	mu      sync.Mutex
	queue   workqueue.TypedRateLimitingInterface[reconcile.Request]
	pending map[reconcile.Request]struct{}
}

var _ source.Source = (*waker)(nil)

func newWaker() *waker {
	return &waker{pending: map[reconcile.Request]struct{}{}}
}

// Start implements source.Source.
func (w *waker) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	for request := range w.pending {
		queue.Add(request)
	}
	w.pending = nil
	return nil
}

// wake asks for a pass over each object now.
func (w *waker) wake(requests ...reconcile.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, request := range requests {
		if w.queue == nil {
			w.pending[request] = struct{}{}
			continue
		}
		w.queue.Add(request)
	}
}
