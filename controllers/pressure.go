package controllers

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// pressureDelay is how long ZIM must have been refusing calls before QuotaPressure says so: a single refusal is over
	// in half of that.
	pressureDelay = time.Minute

	// pressureInterval is how often QuotaPressure changes at most.
	pressureInterval = 10 * time.Minute

	// pressureWatchInterval is how often somebody looks whether it should.
	pressureWatchInterval = 15 * time.Second
)

// quotaPressure judges whether the rooms of an account ask for more than its quota gives, and remembers what the
// ZimApps say about it. It is safe for concurrent use.
type quotaPressure struct {
	clock    clock.PassiveClock
	registry *appRegistry
	workload *workload

	mu    sync.Mutex
	shown map[types.NamespacedName]shownPressure
}

// shownPressure is the QuotaPressure of a ZimApp; zero if it has none.
type shownPressure struct {
	verdict verdict
	// since is when it last changed; zero if nobody knows.
	since time.Time
}

func newQuotaPressure(passive clock.PassiveClock, registry *appRegistry, load *workload) *quotaPressure {
	return &quotaPressure{
		clock: passive, registry: registry, workload: load, shown: map[types.NamespacedName]shownPressure{},
	}
}

// judge returns what QuotaPressure of an account's apps should say; zero: nothing.
func (q *quotaPressure) judge(account zim.Account) verdict {
	pace := q.registry.pace(account)
	refused := !pace.BelowSince.IsZero() && q.clock.Since(pace.BelowSince) >= pressureDelay
	return pressureVerdict(refused, q.workload.stretch(account, pace.Present))
}

// pressureVerdict is what QuotaPressure says when ZIM refuses calls, and of how far intervals are stretched.
func pressureVerdict(refused bool, stretch float64) verdict {
	const below = "ZIM takes fewer calls a second than spec.requestsPerSecond: " +
		"other clients use the AppID, or it allows less. "
	stretched := fmt.Sprintf("ZimRooms are verified at up to %.0f times their intervals, to leave half of the quota to others: "+
		"lengthen intervals, or have the quota raised.", math.Ceil(stretch))
	switch {
	case refused && stretch > 1:
		return verdict{metav1.ConditionTrue, zimv1alpha1.ReasonBelowRequestedRate, below + stretched}
	case refused:
		return verdict{metav1.ConditionTrue, zimv1alpha1.ReasonBelowRequestedRate, below + "Calls go out more slowly."}
	case stretch > 1:
		return verdict{metav1.ConditionTrue, zimv1alpha1.ReasonIntervalsStretched, stretched}
	}
	return verdict{}
}

// update brings QuotaPressure of a ZimApp up to date, unless it changed too recently.
func (q *quotaPressure) update(object *zimv1alpha1.ZimApp, found *app) {
	conditions := &object.Status.Conditions
	now := q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	shown, known := q.shown[found.name]
	if !known {
		shown = pressureOf(*conditions) // From before a restart.
	}
	if wanted := q.wanted(found); wanted != shown.verdict && now.Sub(shown.since) >= pressureInterval {
		shown = shownPressure{verdict: wanted, since: now}
		if wanted == (verdict{}) {
			meta.RemoveStatusCondition(conditions, zimv1alpha1.QuotaPressureCondition)
		} else {
			setCondition(conditions, zimv1alpha1.QuotaPressureCondition, wanted, object.Generation, now)
		}
	}
	q.shown[found.name] = shown
}

// wanted is what the QuotaPressure of an app should say. An app that ZIM has not accepted has no part in the account.
func (q *quotaPressure) wanted(found *app) verdict {
	if !found.accepted {
		return verdict{}
	}
	return q.judge(found.account)
}

func pressureOf(conditions []metav1.Condition) shownPressure {
	condition := meta.FindStatusCondition(conditions, zimv1alpha1.QuotaPressureCondition)
	if condition == nil {
		return shownPressure{}
	}
	return shownPressure{
		verdict: verdict{condition.Status, condition.Reason, condition.Message},
		since:   condition.LastTransitionTime.Time,
	}
}

// forget drops what is known of a ZimApp that is gone.
func (q *quotaPressure) forget(name types.NamespacedName) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.shown, name)
}

// outdated returns the ZimApps whose QuotaPressure is to be changed.
func (q *quotaPressure) outdated() []types.NamespacedName {
	now := q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []types.NamespacedName
	for name, shown := range q.shown {
		found := q.registry.get(name)
		if found != nil && q.wanted(found) != shown.verdict && now.Sub(shown.since) >= pressureInterval {
			names = append(names, name)
		}
	}
	return names
}

// watch calls for passes over the ZimApps whose QuotaPressure is to be changed, until the context ends.
func (q *quotaPressure) watch(ctx context.Context, wake func(types.NamespacedName)) {
	wait.UntilWithContext(ctx, func(context.Context) {
		for _, name := range q.outdated() {
			wake(name)
		}
	}, pressureWatchInterval)
}
