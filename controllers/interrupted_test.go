package controllers_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// theirs is a room that others create under the id of the ZimRoom.
var theirs = zimsim.Room{ID: "Room1", Name: "theirs", DestroyDelay: time.Hour}

var _ = Describe("A replacement that is interrupted", func() {
	var (
		w    *world
		room *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		room = w.applied(ctx)
	})

	// failedCreate begins a replacement whose CreateRoom meets a fault.
	failedCreate := func(ctx context.Context, fault zimsim.Fault) time.Duration {
		GinkgoHelper()
		fault.Action, fault.Skip, fault.Times = "CreateRoom", 1, 1
		w.inject(fault)
		return w.rename(ctx, room).RequeueAfter
	}
	throttled := zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005}
	settle := func(ctx context.Context, wait time.Duration) *zimv1alpha1.ZimRoom {
		GinkgoHelper()
		for range 6 {
			w.advance(wait)
			wait = w.pass(ctx, room).RequeueAfter
		}
		return w.get(ctx, room)
	}
	It("by a clean stop, of a room that was as declared but occupied, is finished by the next operator",
		func(ctx context.Context) {
			Expect(w.simulator.Enter(testAppID, "Room1", "alice")).To(Succeed())
			wait := w.rename(ctx, room).RequeueAfter
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(w.simulator.Leave(testAppID, "Room1", "alice")).To(Succeed())
			stopping, stop := context.WithCancel(ctx)
			w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "CreateRoom", Skip: 1, Times: 1})
			destroyed := false
			w.onCall = func(action string) {
				destroyed = destroyed || action == "DestroyRoom"
				if destroyed && action == "CreateRoom" {
					stop()
				}
			}
			w.advance(wait)
			_, err := w.operator.Rooms.Reconcile(stopping, request(room.Namespace, room.Name))
			Expect(err).NotTo(HaveOccurred())
			Expect(stopping.Err()).To(HaveOccurred())
			w.onCall = nil
			w.restartOperator()
			w.reconcileApp(ctx, w.namespace)
			w.pass(ctx, room)
			got := w.get(ctx, room)
			Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(got.Status.Room.Name).To(Equal("Renamed"))
			Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
		})

	// othersCreateBefore lets others create the room just before the operator's nth CreateRoom.
	othersCreateBefore := func(n int) {
		w.onCall = func(action string) {
			if action != "CreateRoom" {
				return
			}
			if n--; n == 0 {
				_ = w.simulator.CreateRoom(testAppID, theirs)
			}
		}
	}
	failedWrite := func(ctx context.Context) {
		GinkgoHelper()
		w.writeError = func() error { return errors.New("the API server is away") }
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(err).To(HaveOccurred())
		w.writeError = nil
	}

	It("by a lost answer to CreateRoom ends with a room of the operator's own", func(ctx context.Context) {
		got := settle(ctx, failedCreate(ctx, zimsim.Fault{Kind: zimsim.FaultCutAfter}))
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		Expect(got.Status.Room.CreatedTime).NotTo(BeNil())
		Expect(got.Status.Room.Recreations).To(BeZero())
	})

	It("by a status that could not be written ends with a room of the operator's own", func(ctx context.Context) {
		w.advance(failedCreate(ctx, throttled))
		failedWrite(ctx)
		got := settle(ctx, time.Second)
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		Expect(got.Status.Room.Recreations).To(BeZero())
	})

	It("after its end, by a status that could not be written, counts as a replacement", func(ctx context.Context) {
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
		failedWrite(ctx)
		w.advance(2 * time.Second)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeZero())
		Expect(w.get(ctx, room).Status.Room.Name).To(Equal("Renamed"))
	})

	It("confirms nothing: the room that was destroyed is not in status", func(ctx context.Context) {
		failedCreate(ctx, throttled)
		Expect(w.get(ctx, room).Status.Room).To(BeNil())
	})

	It("confirms nothing even if that could not be written", func(ctx context.Context) {
		throttled.Action, throttled.Skip, throttled.Times = "CreateRoom", 1, 1
		w.inject(throttled)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
		failedWrite(ctx)
		Expect(w.simulator.CreateRoom(testAppID, theirs)).To(Succeed())
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
	})

	It("by deletion does not destroy what others created meanwhile", func(ctx context.Context) {
		othersCreateBefore(2)
		w.rename(ctx, room)
		w.onCall = nil
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
	})

	It("by suspend and a restart does not destroy what others created meanwhile", func(ctx context.Context) {
		failedCreate(ctx, throttled)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		w.pass(ctx, room)
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		Expect(w.simulator.CreateRoom(testAppID, theirs)).To(Succeed())
		Expect(w.simulator.Leave(testAppID, "Room1", "zimsim-client")).To(Succeed())
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = false })
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
		Expect(w.get(ctx, room).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginAdopted))
	})

	It("by the room quota says that it is being replaced", func(ctx context.Context) {
		failedCreate(ctx, zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015})
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonReplacing),
			beReconciling(zimv1alpha1.ReasonRoomQuotaExceeded)))
	})

	It("by a lost answer to DestroyRoom and a restart is gone on with", func(ctx context.Context) {
		Expect(w.simulator.Enter(testAppID, "Room1", "somebody")).To(Succeed())
		w.rename(ctx, room)
		Expect(w.simulator.Leave(testAppID, "Room1", "somebody")).To(Succeed())
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "DestroyRoom", Times: 1})
		w.verify(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).NotTo(BeEmpty())
	})

	It("leaves no trace in the count of later re-creations", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "DestroyRoom", Times: 1})
		w.advance(w.rename(ctx, room).RequeueAfter)
		w.pass(ctx, room) // It was still there, and is replaced now.
		Expect(w.get(ctx, room).Status.Room.Name).To(Equal("Renamed"))
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.verify(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
	})

	It("is asked about three times each time, however often it happens", func(ctx context.Context) {
		for _, name := range []string{"once", "twice"} {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300014, Action: "CreateRoom", Skip: 1, Times: 3})
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = name })
			wait := w.pass(ctx, room).RequeueAfter
			Expect(wait).To(BeNumerically("~", time.Second, 200*time.Millisecond))
			got := settle(ctx, wait)
			Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
			Expect(got.Status.Room.Name).To(Equal(name))
		}
	})
})

var _ = Describe("What waits for something else", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	It("does not keep a room from being looked at when it may have died", func(ctx context.Context) {
		room := w.applied(ctx, withDelay(10*time.Second))
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000028, Action: "QueryRoomUserList"})
		Expect(w.rename(ctx, room).RequeueAfter).To(BeNumerically("<=", 11*time.Second))

		w.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "bad", SubCode: 1})
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "bad", Value: "x"}}
		})
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically("<=", 11*time.Second))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAttributesRejected))
	})

	It("is not forgotten by a restart, with interval 0s", func(ctx context.Context) {
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{} })
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "QueryRoomUserList", Times: 1})
		w.rename(ctx, room)
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(5 * time.Minute))
	})

	It("does not make rooms Unverified when a standby becomes the leader", func(ctx context.Context) {
		room := w.applied(ctx)
		w.restartOperator() // It stands by.
		w.advance(5 * time.Hour)
		w.reconcileApp(ctx, w.namespace) // It leads.
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Times: 1})
		w.verify(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})
})

var _ = Describe("A room that is handed over to a ZimRoom with an app of its own", func() {
	It("belongs to that app from then on", func(ctx context.Context) {
		w := newWorld(ctx)
		room := w.applied(ctx)
		elsewhere := createNamespace(ctx, nil)
		w.createApp(ctx, elsewhere)
		heir := w.applyYounger(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Namespace = elsewhere })
		w.pass(ctx, heir)
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		w.pass(ctx, heir)
		got := w.get(ctx, heir)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got.Status.AppRef.Namespace).To(Equal(elsewhere))
	})
})
