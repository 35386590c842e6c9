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
	// pressureDelay is how long ZIM must have been refusing calls before intervals are stretched and QuotaPressure says
	// so: a single refusal is over in half of that.
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

// shownPressure is the QuotaPressure of a ZimApp; with a zero verdict it has none.
type shownPressure struct {
	uid     types.UID
	verdict verdict
	// since is when it last changed, as far as this process knows; zero if it did not.
	since time.Time
}

func newQuotaPressure(passive clock.PassiveClock, registry *appRegistry, load *workload) *quotaPressure {
	return &quotaPressure{
		clock: passive, registry: registry, workload: load, shown: map[types.NamespacedName]shownPressure{},
	}
}

// judge returns what QuotaPressure of an account's apps should say; zero: nothing.
func (q *quotaPressure) judge(account zim.Account) verdict {
	pace, now := q.registry.pace(account), q.clock.Now()
	return pressureVerdict(isRefusing(pace, now), q.workload.stretch(account, steadyRate(pace, now)))
}

// pressureVerdict is what QuotaPressure says when ZIM refuses calls, and of how far intervals are stretched.
func pressureVerdict(refused bool, stretch float64) verdict {
	const below = "ZIM takes fewer calls a second than spec.requestsPerSecond: " +
		"other clients use the AppID, or it allows less. "
	stretched := fmt.Sprintf("ZimRooms are verified at up to %.0f times their intervals, to leave half of the quota to "+
		"others: lengthen intervals, or have the quota raised.", math.Ceil(stretch))
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

// update brings QuotaPressure of a ZimApp up to date, unless it changed too recently: then it stays as it was decided.
func (q *quotaPressure) update(object *zimv1alpha1.ZimApp, found *app) {
	now := q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	shown := q.shown[found.name]
	if shown.uid != object.UID {
		shown = pressureOf(object, now) // From before a restart.
	}
	if wanted := q.wanted(found); wanted != shown.verdict && now.Sub(shown.since) >= pressureInterval {
		shown.verdict, shown.since = wanted, now
	}
	q.shown[found.name] = shown
	// Also if nothing was decided now: what was may not have been written.
	var condition *verdict
	if shown.verdict != (verdict{}) {
		condition = &shown.verdict
	}
	setOrRemove(&object.Status.Conditions, zimv1alpha1.QuotaPressureCondition, condition, object.Generation, now)
}

// wanted is what the QuotaPressure of an app should say. An app that ZIM has not accepted has no part in the account.
func (q *quotaPressure) wanted(found *app) verdict {
	if !found.accepted {
		return verdict{}
	}
	return q.judge(found.account)
}

// pressureOf returns what a ZimApp shows that this process has not judged yet. It is kept for a while, however old:
// after a restart nobody knows yet what the rooms ask for, nor what ZIM takes.
func pressureOf(object *zimv1alpha1.ZimApp, now time.Time) shownPressure {
	shown := shownPressure{uid: object.UID}
	if c := meta.FindStatusCondition(object.Status.Conditions, zimv1alpha1.QuotaPressureCondition); c != nil {
		shown.verdict, shown.since = verdict{c.Status, c.Reason, c.Message}, now
	}
	return shown
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
