package controllers_test

import (
	"context"
	"errors"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// onePlace allows a ZimApp so few calls a second that one pass at a time makes calls.
func onePlace(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 2 }

var _ = Describe("Calls of one account", func() {
	var w *world

	BeforeEach(func(ctx context.Context) {
		w = newEmptyWorld(ctx)
		w.createApp(ctx, w.namespace, onePlace)
	})

	id := func(id string) func(*zimv1alpha1.ZimRoom) {
		return func(room *zimv1alpha1.ZimRoom) {
			room.Name, room.Spec.ID, room.Spec.Attributes = id, id, nil
			room.Spec.Interval = &metav1.Duration{Duration: time.Hour}
		}
	}
	// during runs something while the call of a pass is under way, so that whoever comes has to stand in line.
	during := func(ctx context.Context, room *zimv1alpha1.ZimRoom, run func()) {
		GinkgoHelper()
		ran := false
		w.onCall = func(string) {
			defer GinkgoRecover()
			if !ran {
				ran = true
				run()
			}
		}
		w.pass(ctx, room)
		w.onCall = nil
		Expect(ran).To(BeTrue(), "no call was made")
	}
	// called returns the rooms of the calls so far, in their order.
	called := func() (ids []string) {
		for _, call := range w.simulator.Calls() {
			ids = append(ids, call.RoomID)
		}
		return slices.Compact(ids)
	}

	It("go in the order deletion, people, repair, verification, whoever came first", func(ctx context.Context) {
		verified := w.applied(ctx, id("verified"), withDelay(3*time.Hour))
		dead := w.applied(ctx, id("dead"), withDelay(time.Minute))
		deleted, edited := w.applied(ctx, id("deleted")), w.applied(ctx, id("edited"))
		asked := w.applied(ctx, id("asked"), withDelay(3*time.Hour))
		failed := w.apply(ctx, id("failed"))
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000003, Action: "CreateRoom", Times: 1})
		w.pass(ctx, failed)
		w.advance(2 * time.Hour)
		Expect(apiServer.Delete(ctx, deleted)).To(Succeed())
		w.edit(ctx, edited, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "k", Value: "v"}}
		})
		w.edit(ctx, asked, func(room *zimv1alpha1.ZimRoom) {
			room.Annotations = map[string]string{zimv1alpha1.ReconcileRequestedAtAnnotation: "now"}
		})
		fresh := w.apply(ctx, id("fresh"))
		inside := w.apply(ctx, id("inside"))
		all := []*zimv1alpha1.ZimRoom{verified, dead, failed, edited, fresh, asked, deleted}

		w.simulator.ResetCalls()
		during(ctx, inside, func() {
			for _, room := range all {
				w.pass(ctx, room)
			}
			Expect(called()).To(BeEmpty())
		})
		for range all {
			for _, room := range all { // The gate decides who may.
				if !w.isGone(ctx, room) {
					w.pass(ctx, room)
				}
			}
		}
		Expect(called()).To(Equal([]string{"inside", "deleted", "edited", "fresh", "asked", "dead", "failed", "verified"}))
	})

	It("keep their order when something asks again for a room in line", func(ctx context.Context) {
		first, second := w.apply(ctx, id("first")), w.apply(ctx, id("second"))
		w.simulator.ResetCalls()
		during(ctx, w.apply(ctx, id("inside")), func() {
			w.pass(ctx, first)
			w.pass(ctx, second)
			w.edit(ctx, first, func(room *zimv1alpha1.ZimRoom) { room.Spec.DeletionPolicy = "Retain" })
			w.pass(ctx, first)
		})
		w.pass(ctx, second)
		Expect(called()).To(Equal([]string{"inside"}))
		w.pass(ctx, first)
		w.pass(ctx, second)
		Expect(called()).To(Equal([]string{"inside", "first", "second"}))
	})

	It("keep their order when the finalizer could not be written", func(ctx context.Context) {
		first, second, third := w.apply(ctx, id("first")), w.apply(ctx, id("second")), w.apply(ctx, id("third"))
		w.simulator.ResetCalls()
		during(ctx, w.apply(ctx, id("inside")), func() {
			w.pass(ctx, first)
			w.pass(ctx, second)
			w.pass(ctx, third)
		})
		w.writeError = func() error {
			w.writeError = nil
			return errors.New("not now")
		}
		_, err := w.operator.Rooms.Reconcile(ctx, request(first.Namespace, first.Name))
		Expect(err).To(MatchError(ContainSubstring("writing the finalizer")))
		w.advance(w.pass(ctx, first).RequeueAfter) // It comes too soon, and keeps its right.
		w.pass(ctx, first)
		w.pass(ctx, second)
		w.pass(ctx, first)
		w.pass(ctx, third)
		Expect(called()).To(Equal([]string{"inside", "second", "first", "third"}))
	})

	It("wait in line without a write or a call, and without a worker", func(ctx context.Context) {
		waiting := w.apply(ctx, id("waiting"))
		during(ctx, w.apply(ctx, id("inside")), func() {
			writes := w.writes.Load()
			Expect(w.pass(ctx, waiting).RequeueAfter).To(BeZero(), "the gate wakes it")
			Expect(w.writes.Load()).To(Equal(writes))
		})
		Expect(w.get(ctx, waiting).Finalizers).To(BeEmpty(), "it comes just before the first call")
	})

	It("that nobody comes to make for too long leave a room Unverified, and still in line", func(ctx context.Context) {
		room := w.applied(ctx, id("waiting"), withDelay(3*time.Hour))
		w.advance(w.pass(ctx, room).RequeueAfter)
		during(ctx, w.apply(ctx, id("inside")), func() {
			wait := w.pass(ctx, room).RequeueAfter
			Expect(wait).To(BeNumerically(">", time.Hour), "three intervals since the last look")
			w.advance(wait)
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonUnverified),
				beReconciling(zimv1alpha1.ReasonRateLimited)))
		})
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(called()).To(Equal([]string{"waiting"}))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("move up to repair when the room may have died while it waited to be verified", func(ctx context.Context) {
		room := w.applied(ctx, id("waiting"), withDelay(100*time.Minute)) // Its slot comes before that.
		earlier := w.applied(ctx, id("earlier"), withDelay(3*time.Hour))
		w.advance(95 * time.Minute) // Both slots have come.
		w.simulator.ResetCalls()
		during(ctx, w.apply(ctx, id("inside")), func() {
			w.pass(ctx, earlier)
			wait := w.pass(ctx, room).RequeueAfter
			Expect(wait).To(Equal(5*time.Minute + deathMargin))
			w.advance(wait)
			Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically(">", time.Hour), "three intervals since its creation")
		})
		w.pass(ctx, earlier)
		w.pass(ctx, room)
		w.pass(ctx, earlier)
		Expect(called()).To(Equal([]string{"inside", "waiting", "earlier"}))
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
	})

	DescribeTable("are not waited for any more by a room in line that is", func(ctx context.Context,
		change func(context.Context, *zimv1alpha1.ZimRoom),
	) {
		room := w.applied(ctx, id("waiting"), withDelay(3*time.Hour), withPolicy("Retain"))
		w.advance(95 * time.Minute)
		inLine := func() map[string]int { return w.operator.State().Accounts[0].Waiting }
		during(ctx, w.apply(ctx, id("inside")), func() {
			w.pass(ctx, room)
			Expect(inLine()).To(HaveKeyWithValue("verification", 1))
			change(ctx, room)
			w.pass(ctx, room)
			Expect(inLine()).To(HaveKeyWithValue("verification", 0))
		})
	},
		Entry("suspended", func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		}),
		Entry("deleted without DestroyRoom", func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
			Expect(apiServer.Delete(ctx, room)).To(Succeed())
		}),
		Entry("of a ZimApp that is refused", func(ctx context.Context, _ *zimv1alpha1.ZimRoom) {
			w.deleteSecret(ctx)
			w.reconcileApp(ctx, w.namespace)
		}),
	)

	It("for rooms that an outage left Unverified are verifications, those for missing ones repairs, also after a restart",
		func(ctx context.Context) {
			unverified, missing := w.applied(ctx, id("unverified")), w.applied(ctx, id("missing"))
			w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "CreateRoom", Times: 2})
			w.advance(4 * time.Hour)
			w.pass(ctx, unverified)
			Expect(w.get(ctx, unverified)).To(beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonUnverified))
			w.simulator.ClearFaults()
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015, Action: "CreateRoom", Times: 1})
			w.pass(ctx, missing)
			Expect(w.get(ctx, missing)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRoomQuotaExceeded))
			w.advance(15 * time.Minute)
			w.restartOperator()
			w.reconcileApp(ctx, w.namespace)
			w.simulator.ResetCalls()
			fresh := w.apply(ctx, id("fresh"))
			all := []*zimv1alpha1.ZimRoom{unverified, missing, fresh}
			during(ctx, w.apply(ctx, id("inside")), func() {
				for _, room := range all {
					w.pass(ctx, room)
				}
			})
			for range all {
				for _, room := range all {
					w.pass(ctx, room)
				}
			}
			Expect(called()).To(Equal([]string{"inside", "fresh", "missing", "unverified"}))
		})

	It("do not wait for what others write to Kubernetes after theirs", func(ctx context.Context) {
		first, second := w.apply(ctx, id("first")), w.apply(ctx, id("second"))
		deleted := w.applied(ctx, id("deleted"))
		Expect(apiServer.Delete(ctx, deleted)).To(Succeed())
		w.simulator.ResetCalls()
		// whileWriting runs something when a pass writes down what its calls have found out.
		whileWriting := func(run func()) {
			w.onCall = func(string) {
				w.onCall = nil
				w.writeError = func() error {
					w.writeError = nil
					run()
					return nil
				}
			}
		}
		whileWriting(func() { w.pass(ctx, second) })
		w.pass(ctx, first)
		Expect(called()).To(Equal([]string{"first", "second"}))
		third := w.apply(ctx, id("third"))
		whileWriting(func() { w.pass(ctx, third) })
		w.pass(ctx, deleted)
		Expect(called()).To(Equal([]string{"first", "second", "deleted", "third"}))
	})

	It("do not wait for those of another account", func(ctx context.Context) {
		other := newWorld(ctx)
		other.operator = w.operator
		other.reconcileApp(ctx, other.namespace)
		room := other.apply(ctx)
		during(ctx, w.apply(ctx, id("inside")), func() {
			other.pass(ctx, room)
			Expect(other.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		})
	})
})

var _ = Describe("A frequency limit of one room", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	It("is waited for, whatever happens to the ZimRoom meanwhile", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300006, Action: "CreateRoom", Times: 1})
		room := w.applyAndPass(ctx)
		w.simulator.ResetCalls()
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "edited" })
		wait := w.pass(ctx, room).RequeueAfter
		Expect(wait).To(BeNumerically("~", time.Second, 300*time.Millisecond))
		Expect(w.calls()).To(BeEmpty())
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.calls()).To(Equal([]string{"CreateRoom"}))
	})

	It("of a replacement is waited for too", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300006, Action: "DestroyRoom", Times: 1})
		w.rename(ctx, room)
		w.simulator.ResetCalls()
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "edited" })
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically(">", 500*time.Millisecond))
		Expect(w.calls()).To(BeEmpty())
	})

	It("is waited for without haste when the status could not be written", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300006, Action: "CreateRoom", Times: 1})
		w.onCall = func(string) { w.writeError = func() error { return errors.New("not now") } }
		room := w.apply(ctx)
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(err).To(HaveOccurred())
		w.onCall, w.writeError = nil, nil
		w.simulator.ResetCalls()
		wait := w.pass(ctx, room).RequeueAfter
		Expect(wait).To(BeNumerically(">", 500*time.Millisecond))
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("holds up a deletion too, and no other room", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300006, Action: "ModifyRoomAttribute", Times: 1})
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "edited" })
		w.pass(ctx, room)
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.simulator.ResetCalls()
		wait := w.pass(ctx, room).RequeueAfter
		Expect(wait).To(BeNumerically(">", 0))
		w.applied(ctx, named("other"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Other" })
		Expect(w.calls()).To(Equal([]string{"CreateRoom"}))
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.calls()).To(ContainElement("DestroyRoom"))
		Expect(w.isGone(ctx, room)).To(BeTrue())
	})
})
