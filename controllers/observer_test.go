package controllers_test

import (
	"context"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/metrics"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// observed is an Observer that keeps what it learns.
type observed struct {
	mu          sync.Mutex
	turns       map[string]int // By lane.
	recreations map[bool]int   // By whether the room was destroyed.
	forgotten   []zim.Account
}

func (o *observed) ObserveTurn(_ zim.Account, lane string, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turns[lane]++
}

func (o *observed) ObserveRecreation(_ zim.Account, destroyed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recreations[destroyed]++
}

func (o *observed) Forget(account zim.Account) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgotten = append(o.forgotten, account)
}

func (w *world) observe() *observed {
	seen := &observed{turns: map[string]int{}, recreations: map[bool]int{}}
	w.options.Observer = seen
	w.restartOperator()
	return seen
}

var _ = Describe("What metrics tell", func() {
	// roomsIn returns the groups of this spec's ZimApps: the API server has ZimRooms of other specs too.
	roomsIn := func(w *world) map[metrics.RoomGroup]int {
		groups := map[metrics.RoomGroup]int{}
		for group, count := range w.operator.State().Rooms {
			if group.AppNamespace == w.namespace {
				groups[group] = count
			}
		}
		return groups
	}

	It("counts ZimRooms by ZimApp and Ready, and forgets those that go", func(ctx context.Context) {
		w := newWorld(ctx)
		first := w.applied(ctx, named("a-first"))
		w.applyAndPass(ctx, named("b-second"))
		w.apply(ctx, named("c-third"))
		group := func(ready, reason string) metrics.RoomGroup {
			return metrics.RoomGroup{AppNamespace: w.namespace, App: "default", Ready: ready, Reason: reason}
		}
		Expect(roomsIn(w)).To(Equal(map[metrics.RoomGroup]int{
			group("True", zimv1alpha1.ReasonRoomCreated): 1, group("False", zimv1alpha1.ReasonDuplicateRoomID): 1,
			group("Unknown", "New"): 1,
		}))
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first) // The second takes over.
		Expect(roomsIn(w)).NotTo(HaveKey(group("True", zimv1alpha1.ReasonRoomCreated)))
	})

	It("counts a ZimRoom whose edit has not come to ZIM by what keeps it", func(ctx context.Context) {
		w := newWorld(ctx)
		room := w.applied(ctx)
		count := func(ready, reason string) types.GomegaMatcher {
			return Equal(map[metrics.RoomGroup]int{
				{AppNamespace: w.namespace, App: "default", Ready: ready, Reason: reason}: 1,
			})
		}
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005})
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "new" })
		Expect(roomsIn(w)).To(count("Unknown", "New"))
		w.pass(ctx, room)
		Expect(roomsIn(w)).To(count("Unknown", zimv1alpha1.ReasonRateLimited))
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		w.pass(ctx, room)
		Expect(roomsIn(w)).To(count("True", zimv1alpha1.ReasonSuspended))
	})

	It("has no name of a ZimApp that does not exist", func(ctx context.Context) {
		w := newWorld(ctx)
		w.apply(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.AppRef = &zimv1alpha1.AppReference{Name: "made-up"}
		})
		for group := range w.operator.State().Rooms {
			Expect(group.App).NotTo(Equal("made-up"))
		}
		Expect(w.operator.State().Rooms).To(HaveKey(metrics.RoomGroup{Ready: "Unknown", Reason: "New"}))
	})

	It("says which ZimApps are Ready", func(ctx context.Context) {
		w := newWorld(ctx)
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		Expect(w.operator.State().Apps).To(ContainElement(metrics.App{
			Namespace: w.namespace, Name: "default", AppID: testAppID, Reason: zimv1alpha1.ReasonSecretNotFound,
		}))
	})

	It("says for how long the oldest verification is due, until ZIM answers", func(ctx context.Context) {
		w := newWorld(ctx)
		room := w.applied(ctx)
		due := func() time.Duration { return w.operator.State().Accounts[0].OldestDue }
		Expect(due()).To(BeZero())
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
		w.advance(w.pass(ctx, room).RequeueAfter + time.Minute)
		Expect(due()).To(BeNumerically("~", time.Minute, time.Second))
		w.pass(ctx, room) // In vain.
		w.advance(time.Minute)
		Expect(due()).To(BeNumerically("~", 2*time.Minute, time.Second))

		By("being frozen, which no call tells of")
		w.simulator.ClearFaults()
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		w.advance(time.Hour)
		Expect(due()).To(BeNumerically("~", 62*time.Minute, time.Second))

		By("coming back")
		w.createSecret(ctx, w.namespace, testSecret)
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(due()).To(BeZero())
	})

	It("knows of no due verification of a ZimRoom that is suspended", func(ctx context.Context) {
		w := newWorld(ctx)
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		w.pass(ctx, room)
		w.advance(24 * time.Hour)
		Expect(w.operator.State().Accounts[0].OldestDue).To(BeZero())
	})

	It("knows of no due verification of a ZimRoom that waits in line for its end", func(ctx context.Context) {
		w := newWorld(ctx)
		w.options.MaxConcurrentReconciles = 1 // One place in calls.
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		first, second := w.applied(ctx), w.applied(ctx, named("second"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Room2" })
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		Expect(apiServer.Delete(ctx, second)).To(Succeed())
		looked := false
		w.onCall = func(action string) {
			defer GinkgoRecover()
			if action == "DestroyRoom" && !looked {
				looked = true
				w.pass(ctx, second)
				w.advance(24 * time.Hour)
				Expect(w.operator.State().Accounts[0].Waiting).To(HaveKeyWithValue("deletion", 1))
				Expect(w.operator.State().Accounts[0].OldestDue).To(BeZero())
			}
		}
		w.pass(ctx, first)
		Expect(looked).To(BeTrue())
	})

	It("tells rooms that were destroyed from those that died of emptiness", func(ctx context.Context) {
		w := newWorld(ctx)
		seen := w.observe()
		w.reconcileApp(ctx, w.namespace)
		room := w.applied(ctx)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.verify(ctx, room)
		Expect(seen.recreations).To(Equal(map[bool]int{true: 1}))
		w.advance(2 * time.Hour) // Its delay is one.
		w.pass(ctx, room)
		Expect(seen.recreations).To(Equal(map[bool]int{true: 1, false: 1}))
		Expect(seen.turns).To(HaveKeyWithValue("people", 1))
		Expect(seen.turns).To(HaveKeyWithValue("verification", 1))
		Expect(seen.turns).To(HaveKeyWithValue("repair", 1))
	})

	It("has nothing of an account that was forgotten, though a ZimRoom still waits in line there", func(ctx context.Context) {
		w := newEmptyWorld(ctx)
		seen := w.observe()
		w.createApp(ctx, w.namespace, onePlace)
		inside, waiting := w.apply(ctx), w.apply(ctx, named("waiting"), withID("Waiting"))
		w.onCall = func(string) {
			defer GinkgoRecover()
			w.onCall = nil
			w.pass(ctx, waiting)
			Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed()) // No ZimRoom was confirmed with it.
			w.reconcileApp(ctx, w.namespace)
			Expect(seen.forgotten).To(HaveLen(1))
		}
		w.pass(ctx, inside)
		Expect(seen.forgotten).To(HaveLen(1))
		Expect(seen.turns).To(Equal(map[string]int{"people": 1}), "that of the room inside, before")
		w.pass(ctx, waiting)
		Expect(w.get(ctx, waiting)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotFound), "it was woken")
	})

	It("forgets an account with its last ZimApp", func(ctx context.Context) {
		w := newWorld(ctx)
		seen := w.observe()
		w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Name = "other" })
		for _, name := range []string{"default", "other"} {
			_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, name))
			Expect(err).NotTo(HaveOccurred())
		}
		for i, name := range []string{"default", "other"} {
			Expect(seen.forgotten).To(BeEmpty())
			app := &zimv1alpha1.ZimApp{}
			Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, app)).To(Succeed())
			Expect(apiServer.Delete(ctx, app)).To(Succeed())
			_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, name))
			Expect(err).NotTo(HaveOccurred())
			Expect(seen.forgotten).To(HaveLen(i))
		}
		Expect(seen.forgotten[0].AppID).To(BeEquivalentTo(testAppID))
	})
})
