// Package metrics exposes what the operator does as Prometheus metrics, through controller-runtime's registry:
//
//	zim_operator_api_calls_total{app_id, action, class, code}   calls sent to ZIM; code is "none" without a return code
//	zim_operator_api_call_duration_seconds{action}              from sending to the end of the answer; no wait for turns
//	zim_operator_api_undocumented_codes_total{action, code}     return codes that the vendor's pages do not have
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
)

// CallObserver counts calls to ZIM. It implements zim.Observer.
type CallObserver struct {
	calls        *prometheus.CounterVec
	durations    *prometheus.HistogramVec
	undocumented *prometheus.CounterVec
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
		undocumented: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zim_operator_api_undocumented_codes_total",
			Help: "Return codes of ZIM that its documentation does not have.",
		}, []string{labelAction, labelCode}),
	}
	registerer.MustRegister(observer.calls, observer.durations, observer.undocumented)
	return observer
}

// ObserveCall implements zim.Observer.
func (o *CallObserver) ObserveCall(_ context.Context, call zim.Call) {
	code := "none"
	if call.Failure == zim.FailureNone {
		code = strconv.Itoa(int(call.Code))
	}
	appID := strconv.FormatUint(uint64(call.Account.AppID), 10)
	o.calls.WithLabelValues(appID, string(call.Action), string(call.Class), code).Inc()
	o.durations.WithLabelValues(string(call.Action)).Observe(call.Duration.Seconds())
	if !call.Documented {
		o.undocumented.WithLabelValues(string(call.Action), code).Inc()
	}
}
