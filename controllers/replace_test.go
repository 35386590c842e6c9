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

var _ = Describe("Another name or delay", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	liveName := func() string {
		live, _ := w.simulator.Room(testAppID, "Room1")
		return live.Name
	}
	enter := func() {
		GinkgoHelper()
		Expect(w.simulator.Enter(testAppID, "Room1", "somebody")).To(Succeed())
	}
	leave := func() {
		GinkgoHelper()
		Expect(w.simulator.Leave(testAppID, "Room1", "somebody")).To(Succeed())
	}

	It("replaces an empty room at once, with its attributes", func(ctx context.Context) {
		room := w.applied(ctx)
		w.eventReasons()
		w.simulator.ResetCalls()
		w.rename(ctx, room)
		Expect(w.calls()).To(Equal([]string{
			"CreateRoom", "QueryRoomAttribute", "QueryRoomUserList", "DestroyRoom", "CreateRoom",
		}))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Name).To(Equal("Renamed"))
		Expect(live.Attributes).To(HaveLen(2))
		got := w.get(ctx, room)
		Expect(got).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			haveNoCondition("ReplacementPending"), haveNoCondition("Reconciling")))
		Expect(got.Status.Room.Name).To(Equal("Renamed"))
		Expect(got.Status.Room.Recreations).To(BeZero(), "it was not found missing")
		Expect(w.eventReasons()).To(Equal([]string{"RoomReplaced"}))
	})

	It("replaces a room for its delay too", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, withDelay(time.Minute))
		w.pass(ctx, room)
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.DestroyDelay).To(Equal(time.Minute))
	})

	It("waits while somebody is in the room, and looks at least every five minutes", func(ctx context.Context) {
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Interval = &metav1.Duration{Duration: 24 * time.Hour}
		})
		enter()
		Expect(w.rename(ctx, room).RequeueAfter).To(BeNumerically("<=", 5*time.Minute))
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			bePending(zimv1alpha1.ReasonRoomOccupied)))
		Expect(liveName()).To(Equal("RoomName1"))

		By("costing no write while nothing changes")
		w.writes.Store(0)
		w.verify(ctx, room)
		Expect(w.writes.Load()).To(BeZero())

		By("the last member leaving")
		leave()
		w.verify(ctx, room)
		Expect(liveName()).To(Equal("Renamed"))
		Expect(w.get(ctx, room)).To(haveNoCondition("ReplacementPending"))
	})

	It("is looked at again even with interval 0s, and after a restart", func(ctx context.Context) {
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{} })
		enter()
		w.rename(ctx, room)
		leave()
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.verify(ctx, room)
		Expect(liveName()).To(Equal("Renamed"))
	})

	It("is dropped when the manifest goes back to what the room has", func(ctx context.Context) {
		room := w.applied(ctx)
		enter()
		w.rename(ctx, room)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "RoomName1" })
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(haveNoCondition("ReplacementPending"))
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
	})

	It("with Always puts out whoever is in the room", func(ctx context.Context) {
		room := w.applied(ctx, withReplacePolicy(zimv1alpha1.ReplacePolicyAlways))
		enter()
		w.simulator.ResetCalls()
		w.rename(ctx, room)
		Expect(liveName()).To(Equal("Renamed"))
		Expect(w.calls()).NotTo(ContainElement("QueryRoomUserList"))
	})

	It("makes a room that was adopted one's own", func(ctx context.Context) {
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
		room := w.applyAndPass(ctx)
		Expect(w.simulator.Leave(testAppID, "Room1", "zimsim-client")).To(Succeed())
		w.rename(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("destroys nothing when the answer that the room is empty is older than a second", func(ctx context.Context) {
		room := w.applied(ctx)
		w.slowAnswers("QueryRoomUserList", 1100*time.Millisecond)
		wait := w.rename(ctx, room).RequeueAfter
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			bePending(zimv1alpha1.ReasonZIMUnavailable)))
		Expect(wait).To(BeNumerically("~", time.Second, 200*time.Millisecond))

		w.slowAnswers("QueryRoomUserList", 900*time.Millisecond)
		w.advance(wait)
		w.pass(ctx, room)
		Expect(liveName()).To(Equal("Renamed"))
	})

	It("destroys nothing once the operator is being stopped, as when it lost its lease", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
		stopping, stop := context.WithCancel(ctx)
		w.onCall = func(action string) {
			if action == "QueryRoomUserList" {
				stop()
			}
		}
		_, _ = w.operator.Rooms.Reconcile(stopping, request(room.Namespace, room.Name))
		Expect(w.calls()).To(ContainElement("QueryRoomUserList"))
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
		Expect(liveName()).To(Equal("RoomName1"))
	})

	DescribeTable("leaves the room Ready and says why it waits when ZIM does not play along",
		func(ctx context.Context, fault zimsim.Fault, reason string) {
			room := w.applied(ctx)
			w.inject(fault)
			wait := w.rename(ctx, room).RequeueAfter
			Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), bePending(reason)))
			Expect(liveName()).To(Equal("RoomName1"))
			w.simulator.ClearFaults()
			w.advance(wait)
			w.pass(ctx, room)
			Expect(liveName()).To(Equal("Renamed"))
			Expect(w.get(ctx, room)).To(haveNoCondition("ReplacementPending"))
		},
		Entry("the look is throttled", zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "QueryRoomUserList"},
			zimv1alpha1.ReasonRateLimited),
		Entry("the look is not answered", zimsim.Fault{Kind: zimsim.FaultHTML, Action: "QueryRoomUserList"},
			zimv1alpha1.ReasonZIMUnavailable),
		Entry("the destruction is throttled", zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300006, Action: "DestroyRoom"},
			zimv1alpha1.ReasonRateLimited),
	)

	It("creates a room that vanished before the look as it is declared", func(ctx context.Context) {
		room := w.applied(ctx)
		w.advance(10 * time.Second)
		w.onCall = func(action string) {
			defer GinkgoRecover()
			if action == "QueryRoomUserList" {
				Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
			}
		}
		w.rename(ctx, room)
		Expect(liveName()).To(Equal("Renamed"))
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
	})

	Context("when CreateRoom fails after DestroyRoom", func() {
		var room *zimv1alpha1.ZimRoom

		BeforeEach(func(ctx context.Context) {
			room = w.applied(ctx)
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Skip: 1})
			w.rename(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonReplacing))
			w.simulator.ClearFaults()
		})

		It("comes back by itself", func(ctx context.Context) {
			w.advance(w.pass(ctx, room).RequeueAfter)
			w.pass(ctx, room)
			got := w.get(ctx, room)
			Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(got.Status.Room.Recreations).To(BeZero())
			Expect(got.Status.Room.Name).To(Equal("Renamed"))
		})

		It("comes back after a restart", func(ctx context.Context) {
			w.restartOperator()
			w.reconcileApp(ctx, w.namespace)
			w.pass(ctx, room)
			got := w.get(ctx, room)
			Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(got.Status.Room.Recreations).To(BeZero())
		})
	})

	It("asks three times for a room that ZIM has not let go of, then takes it for somebody else's", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300014, Action: "CreateRoom", Skip: 1, Times: 4})
		wait := w.rename(ctx, room).RequeueAfter
		for _, base := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonReplacing))
			Expect(wait).To(BeNumerically("~", base, base/5))
			Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).
				To(Or(Succeed(), MatchError(ContainSubstring("exists"))))
			w.advance(wait)
			wait = w.pass(ctx, room).RequeueAfter
		}
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomAdopted))
		Expect(got.Status.Room.CreatedTime).To(BeNil())
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(HaveLen(2), "its attributes are brought to what is declared")
	})

	It("is not lost with the answer to DestroyRoom", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "DestroyRoom", Times: 1})
		w.advance(w.rename(ctx, room).RequeueAfter)
		Expect(w.get(ctx, room)).To(beReconciling(zimv1alpha1.ReasonZIMUnavailable))
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), haveNoCondition("Reconciling")))
		Expect(got.Status.Room.Recreations).To(BeZero())
		Expect(liveName()).To(Equal("Renamed"))
	})
})

// slowAnswers lets the clock go on while ZIM answers an action.
func (w *world) slowAnswers(action string, by time.Duration) {
	w.onCall = func(called string) {
		if called == action {
			w.advance(by)
		}
	}
}
