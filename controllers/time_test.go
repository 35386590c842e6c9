package controllers_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// deathMargin is how long after its predicted death a room is looked at.
const deathMargin = 150 * time.Millisecond

var _ = Describe("A room that nobody enters", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	seldom := func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{Duration: 24 * time.Hour} }

	It("is looked at just after its death, and is back with no slot having come", func(ctx context.Context) {
		room := w.applied(ctx, withDelay(10*time.Second), seldom)
		for life := range 3 {
			Expect(w.pass(ctx, room).RequeueAfter).To(Equal(10*time.Second + deathMargin))
			w.verify(ctx, room)
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(life + 1))
			Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
		}
	})

	It("that was entered after all is looked at three times, and then in its slot", func(ctx context.Context) {
		room := w.applied(ctx, withDelay(10*time.Second), seldom)
		Expect(w.simulator.Enter(testAppID, "Room1", "somebody")).To(Succeed())
		w.simulator.ResetCalls()
		Expect(w.verify(ctx, room).RequeueAfter).To(Equal(2 * time.Second))
		Expect(w.verify(ctx, room).RequeueAfter).To(Equal(8 * time.Second))
		Expect(w.verify(ctx, room).RequeueAfter).To(BeNumerically(">", time.Minute))
		Expect(w.calls()).To(HaveLen(6), "CreateRoom and QueryRoomAttribute each time")
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeZero())
	})

	It("is not predicted to die with interval 0s", func(ctx context.Context) {
		room := w.applied(ctx, withDelay(10*time.Second), func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Interval = &metav1.Duration{}
		})
		Expect(w.pass(ctx, room).RequeueAfter).To(BeZero())
	})

	It("is not predicted to die with a delay below 5 s: it would be created without end", func(ctx context.Context) {
		room := w.applied(ctx, withDelay(4*time.Second), seldom)
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically(">", time.Minute))
	})

	It("is looked at after a restart, if its death is not an interval back", func(ctx context.Context) {
		room := w.applied(ctx, withDelay(10*time.Second))
		w.advance(time.Minute)
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))

		w.advance(10*time.Second + verifyInterval + time.Second)
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.calls()).To(BeEmpty(), "its slot sees to it")
	})

	It("is created again in its next slot only when it vanishes within five seconds, unless somebody asks",
		func(ctx context.Context) {
			room := w.applied(ctx)
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300001, Action: "QueryRoomAttribute"})
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "new" })
			w.simulator.ResetCalls()
			wait := w.pass(ctx, room).RequeueAfter
			Expect(w.calls()).To(Equal([]string{"CreateRoom", "QueryRoomAttribute"}))
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRoomMissing))
			w.pass(ctx, room)
			Expect(w.calls()).To(HaveLen(2))
			Expect(wait).To(BeNumerically("<=", verifyInterval))

			w.simulator.ClearFaults()
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
				room.Annotations = map[string]string{zimv1alpha1.ReconcileRequestedAtAnnotation: "now"}
			})
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		})
})

var _ = Describe("A room at which nobody can look", func() {
	var (
		w    *world
		room *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		room = w.applied(ctx)
	})

	It("stays Ready for three intervals, then is Unverified, and Ready again when somebody can", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
		begin := w.clock.Now()
		for w.clock.Since(begin) < 3*verifyInterval {
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), "%s", w.clock.Since(begin))
			w.advance(w.pass(ctx, room).RequeueAfter)
		}
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonUnverified))
		w.simulator.ClearFaults()
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			haveNoCondition("Reconciling")))
	})

	It("is Unverified too while its app is frozen, without a call", func(ctx context.Context) {
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonUnverified))
		Expect(w.calls()).To(BeEmpty())
	})

	It("counts from the start of the operator", func(ctx context.Context) {
		w.advance(24 * time.Hour)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.verify(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("takes at least ten minutes, however short its interval", func(ctx context.Context) {
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{Duration: time.Second} })
		w.pass(ctx, room)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
		w.advance(9 * time.Minute)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		w.advance(2 * time.Minute)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonUnverified))
	})

	It("is never Unverified with interval 0s", func(ctx context.Context) {
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{} })
		w.pass(ctx, room)
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		w.advance(48 * time.Hour)
		Expect(w.pass(ctx, room).RequeueAfter).To(BeZero())
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})
})
