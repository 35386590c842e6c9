package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/metrics"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// Observer learns, for metrics, what passes over ZimRooms come to. It must be safe for concurrent use.
type Observer interface {
	// ObserveTurn learns that the turn of a ZimRoom has come, and how long it waited in its lane.
	ObserveTurn(account zim.Account, lane string, waited time.Duration)
	// ObserveRecreation learns that a missing room was created again. It was destroyed if it was too young to have died of
	// emptiness.
	ObserveRecreation(account zim.Account, destroyed bool)
	// Forget learns that no ZimApp names an account any more.
	Forget(account zim.Account)
}

type noObserver struct{}

func (noObserver) ObserveTurn(zim.Account, string, time.Duration) {}
func (noObserver) ObserveRecreation(zim.Account, bool)            {}
func (noObserver) Forget(zim.Account)                             {}

// stateTimeout bounds the reading of the cache, which fails only while it is being filled.
const stateTimeout = 5 * time.Second

// State returns how things stand, for metrics. ZimApps and ZimRooms are counted in the cache.
func (c *Controllers) State() metrics.State {
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	state := metrics.State{Accounts: c.accounts()}
	var apps zimv1alpha1.ZimAppList
	var rooms zimv1alpha1.ZimRoomList
	if c.options.Client.List(ctx, &apps, client.UnsafeDisableDeepCopy) != nil ||
		c.options.Client.List(ctx, &rooms, client.UnsafeDisableDeepCopy) != nil {
		return state // The next scrape has them.
	}
	known := map[types.NamespacedName]bool{}
	for i := range apps.Items {
		known[client.ObjectKeyFromObject(&apps.Items[i])] = true
		state.Apps = append(state.Apps, appState(&apps.Items[i]))
	}
	state.Rooms = map[metrics.RoomGroup]int{}
	for i := range rooms.Items {
		state.Rooms[c.groupOf(&rooms.Items[i], known)]++
	}
	return state
}

// accounts returns how the quota of each account is used at present.
func (c *Controllers) accounts() []metrics.Account {
	now := c.options.Clock.Now()
	oldestDue := c.Rooms.memories.oldestDue(now)
	var accounts []metrics.Account
	for account, pace := range c.Rooms.registry.paces() {
		waiting := map[string]int{}
		for lane, count := range c.Rooms.gate.counts(account) {
			waiting[laneNames[lane]] = count
		}
		asked, _ := c.Rooms.workload.asked(account)
		accounts = append(accounts, metrics.Account{
			Account: account, Pace: pace, Waiting: waiting, VerificationAsked: asked, OldestDue: oldestDue[account],
			Stretch: c.Rooms.workload.stretch(account, steadyRate(pace, now)),
		})
	}
	return accounts
}

func appState(app *zimv1alpha1.ZimApp) metrics.App {
	ready, reason := readyLabels(app.Status.Conditions)
	return metrics.App{
		Namespace: app.Namespace, Name: app.Name, AppID: app.Spec.AppID,
		Ready: ready == metav1.ConditionTrue, Reason: reason,
	}
}

// groupOf returns with which other ZimRooms one is counted. Names of ZimApps that do not exist are left out: anybody
// can make up as many as there are ZimRooms.
func (c *Controllers) groupOf(room *zimv1alpha1.ZimRoom, known map[types.NamespacedName]bool) metrics.RoomGroup {
	ready, reason := roomLabels(room)
	group := metrics.RoomGroup{Ready: string(ready), Reason: reason}
	for _, candidate := range appCandidates(room, c.options.OperatorNamespace) {
		if known[candidate] {
			group.AppNamespace, group.App = candidate.Namespace, candidate.Name
			break
		}
	}
	return group
}

// reasonNew stands for the reason of an object that no pass has judged yet as it is now.
const reasonNew = "New"

// roomLabels are those of Ready, if it speaks of what is declared now. An edit that has not come to ZIM leaves Ready as
// it was: then the reason is why.
func roomLabels(room *zimv1alpha1.ZimRoom) (metav1.ConditionStatus, string) {
	ready := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.ReadyCondition)
	if ready == nil || room.Spec.Suspend || ready.ObservedGeneration == room.Generation {
		return readyLabels(room.Status.Conditions)
	}
	reconciling := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.ReconcilingCondition)
	if reconciling == nil || room.Status.ObservedGeneration != room.Generation {
		return metav1.ConditionUnknown, reasonNew
	}
	return metav1.ConditionUnknown, reconciling.Reason
}

func readyLabels(conditions []metav1.Condition) (metav1.ConditionStatus, string) {
	ready := meta.FindStatusCondition(conditions, zimv1alpha1.ReadyCondition)
	if ready == nil {
		return metav1.ConditionUnknown, reasonNew
	}
	return ready.Status, ready.Reason
}
