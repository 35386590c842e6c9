// Package metrics exposes what the operator does as Prometheus metrics, through controller-runtime's registry. What
// happens is counted by an Observer; how things stand is read anew for each scrape (see state.go). Every series names
// something that exists: an account, a ZimApp or a lane; those of an account go with its last ZimApp.
package metrics

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// Names of labels.
const (
	labelRealm  = "realm"
	labelAppID  = "app_id"
	labelAction = "action"
	labelClass  = "class"
	labelCode   = "code"
	labelLane   = "lane"
	labelCause  = "cause"

	labelOutcome = "outcome"
)

// Causes of a recreation.
const (
	causeExpired   = "expired"
	causeDestroyed = "destroyed"
)

// Observer counts calls to ZIM, and what comes of passes over ZimRooms. It implements zim.Observer and
// controllers.Observer. It is safe for concurrent use.
type Observer struct {
	calls       *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	turnWaits   *prometheus.HistogramVec
	lineWaits   *prometheus.HistogramVec
	recreations *prometheus.CounterVec
}

var _ zim.Observer = (*Observer)(nil)

// NewObserver returns an observer whose metrics are registered.
func NewObserver(registerer prometheus.Registerer) *Observer {
	account := []string{labelRealm, labelAppID}
	observer := &Observer{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zim_operator_api_calls_total",
			Help: "Calls sent to ZIM, by class and return code of the answer.",
		}, []string{labelRealm, labelAppID, labelAction, labelClass, labelCode}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "zim_operator_api_call_duration_seconds",
			Help:    "Time from sending a call to ZIM to the end of its answer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{labelAction}),
		turnWaits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "zim_operator_api_turn_wait_seconds",
			Help:    "Time that a call waited for its turn, inside a pass. Passes wait in line before.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, account),
		lineWaits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "zim_operator_line_wait_seconds",
			Help:    "Time that a ZimRoom waited in its account's line before its pass could call ZIM, by lane.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600},
		}, []string{labelRealm, labelAppID, labelLane}),
		recreations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zim_operator_room_recreations_total",
			Help: "Rooms that were found missing and created again: expired when they may have died of emptiness, destroyed " +
				"when they were too young for that.",
		}, append(account, labelCause)),
	}
	registerer.MustRegister(observer.calls, observer.durations, observer.turnWaits, observer.lineWaits,
		observer.recreations)
	return observer
}

// ObserveCall implements zim.Observer.
func (o *Observer) ObserveCall(_ context.Context, call zim.Call) {
	realm, appID := labelsOf(call.Account)
	o.calls.WithLabelValues(realm, appID, string(call.Action), string(call.Class), codeLabel(call)).Inc()
	o.durations.WithLabelValues(string(call.Action)).Observe(call.Duration.Seconds())
	o.turnWaits.WithLabelValues(realm, appID).Observe(call.Waited.Seconds())
}

// ObserveTurn implements controllers.Observer.
func (o *Observer) ObserveTurn(account zim.Account, lane string, waited time.Duration) {
	realm, appID := labelsOf(account)
	o.lineWaits.WithLabelValues(realm, appID, lane).Observe(waited.Seconds())
	for _, cause := range []string{causeExpired, causeDestroyed} {
		o.recreations.WithLabelValues(realm, appID, cause) // A counter that begins with 1 hides the first from rate().
	}
}

// ObserveRecreation implements controllers.Observer.
func (o *Observer) ObserveRecreation(account zim.Account, destroyed bool) {
	realm, appID := labelsOf(account)
	cause := causeExpired
	if destroyed {
		cause = causeDestroyed
	}
	o.recreations.WithLabelValues(realm, appID, cause).Inc()
}

// Forget implements controllers.Observer: it drops the series of an account.
func (o *Observer) Forget(account zim.Account) {
	realm, appID := labelsOf(account)
	labels := prometheus.Labels{labelRealm: realm, labelAppID: appID}
	o.calls.DeletePartialMatch(labels)
	o.turnWaits.DeletePartialMatch(labels)
	o.lineWaits.DeletePartialMatch(labels)
	o.recreations.DeletePartialMatch(labels)
}

func labelsOf(account zim.Account) (realm, appID string) {
	return account.Realm, strconv.FormatUint(uint64(account.AppID), 10)
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
