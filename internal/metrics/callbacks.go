package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/zim-operator/zim-operator/internal/callback"
)

// CallbackCounter counts the callbacks that were received. There is one series for each outcome, from the start.
type CallbackCounter struct {
	callbacks *prometheus.CounterVec
}

// NewCallbackCounter returns a counter that is registered.
func NewCallbackCounter(registerer prometheus.Registerer) *CallbackCounter {
	counter := &CallbackCounter{callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "zim_operator_callbacks_total",
		Help: "Requests that the receiver of ZIM's server callbacks got, by what became of them.",
	}, []string{labelOutcome})}
	for _, outcome := range callback.Outcomes {
		counter.callbacks.WithLabelValues(string(outcome))
	}
	registerer.MustRegister(counter.callbacks)
	return counter
}

// Count counts one callback.
func (c *CallbackCounter) Count(outcome callback.Outcome) {
	c.callbacks.WithLabelValues(string(outcome)).Inc()
}
