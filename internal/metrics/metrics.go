// Package metrics exposes what the operator does as Prometheus metrics, through controller-runtime's registry:
//
//	zim_operator_api_calls_total{app_id, action, class, code}   calls sent to ZIM; code is "none" without one,
//	                                                            "undocumented" for one that the vendor's pages lack
//	zim_operator_api_call_duration_seconds{action}              from sending to the end of the answer; no wait for turns
//	zim_operator_api_turn_wait_seconds{app_id}                  from wanting to send a call to sending it
//
// and, for each account, what it may send, what it sends, how far intervals are stretched, and who waits: see
// accounts.go.
package metrics

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// Names of labels.
const (
	labelAppID  = "app_id"
	labelAction = "action"
	labelClass  = "class"
	labelCode   = "code"
	labelRealm  = "realm"
	labelLane   = "lane"
)

// CallObserver counts calls to ZIM. It implements zim.Observer.
type CallObserver struct {
	calls     *prometheus.CounterVec
	durations *prometheus.HistogramVec
	waits     *prometheus.HistogramVec
}

var _ zim.Observer = (*CallObserver)(nil)

// NewCallObserver returns an observer whose metrics are registered.
func NewCallObserver(registerer prometheus.Registerer) *CallObserver {
	observer := &CallObserver{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zim_operator_api_calls_total",
			Help: "Calls sent to ZIM, by class and return code of the answer.",
		}, []string{labelAppID, labelAction, labelClass, labelCode}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "zim_operator_api_call_duration_seconds",
			Help:    "Time from sending a call to ZIM to the end of its answer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{labelAction}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "zim_operator_api_turn_wait_seconds",
			Help:    "Time that a call waited for its turn, inside a pass. Passes wait in line before.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{labelAppID}),
	}
	registerer.MustRegister(observer.calls, observer.durations, observer.waits)
	return observer
}

// ObserveCall implements zim.Observer.
func (o *CallObserver) ObserveCall(_ context.Context, call zim.Call) {
	appID := strconv.FormatUint(uint64(call.Account.AppID), 10)
	o.calls.WithLabelValues(appID, string(call.Action), string(call.Class), codeLabel(call)).Inc()
	o.durations.WithLabelValues(string(call.Action)).Observe(call.Duration.Seconds())
	o.waits.WithLabelValues(appID).Observe(call.Waited.Seconds())
}

// codeLabel keeps the number of series bounded, whatever an odd server answers; the log has the code.
func codeLabel(call zim.Call) string {
	switch {
	case call.Failure != zim.FailureNone:
		return "none"
	case !call.Documented:
		return "undocumented"
	}
	return strconv.Itoa(int(call.Code))
}
