package main

import (
	"time"

	"golang.org/x/time/rate"
	ctrl "sigs.k8s.io/controller-runtime"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/zim-operator/zim-operator/internal/callback"
	"github.com/zim-operator/zim-operator/internal/metrics"
)

// callbackLogInterval is how often a failure is logged: metrics count all of them.
const callbackLogInterval = time.Minute

// callbackServer receives ZIM's server callbacks. It runs on every replica: what it learns, all see.
func callbackServer(address string, notebook callback.Notebook) *callback.Server {
	log, counter := ctrl.Log.WithName("callbacks"), metrics.NewCallbackCounter(crmetrics.Registry)
	sometimes := rate.Sometimes{First: 1, Interval: callbackLogInterval}
	receiver := callback.New(callback.Config{
		Notebook: notebook,
		Observe: func(outcome callback.Outcome, err error) {
			counter.Count(outcome)
			if err != nil {
				sometimes.Do(func() { log.Error(err, "Could not deal with a callback") })
			}
			log.V(1).Info("Received a callback", "outcome", outcome)
		},
	})
	return &callback.Server{Address: address, Handler: receiver}
}
