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

// answer is what ZIM does with CreateRoom, and what becomes of a new ZimRoom.
type answer struct {
	fault zimsim.Fault

	status metav1.ConditionStatus
	reason string
	// message is part of Ready's message.
	message string
	// next are the bounds of the time until the next look; both zero: there is none.
	nextFrom, nextTo time.Duration
	stalled          bool
}

var _ = Describe("What ZIM answers to CreateRoom", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	DescribeTable("shows in status and decides about the next look",
		func(ctx context.Context, tc answer) {
			if tc.fault.Kind != "" {
				tc.fault.Action = "CreateRoom"
				w.inject(tc.fault)
			}
			room := w.apply(ctx)
			result := w.pass(ctx, room)

			got := w.get(ctx, room)
			Expect(got).To(beReady(tc.status, tc.reason))
			Expect(readyOf(got.Status.Conditions).Message).To(ContainSubstring(tc.message))
			if tc.nextTo == 0 {
				Expect(result.RequeueAfter).To(BeZero())
			} else {
				Expect(result.RequeueAfter).To(And(BeNumerically(">=", tc.nextFrom), BeNumerically("<=", tc.nextTo)))
			}
			switch {
			case tc.status == metav1.ConditionTrue:
				Expect(got).To(And(haveNoCondition("Stalled"), haveNoCondition("Reconciling")))
			case tc.stalled:
				Expect(got).To(And(beStalled(tc.reason), haveNoCondition("Reconciling")))
			default:
				Expect(got).To(And(beReconciling(tc.reason), haveNoCondition("Stalled")))
			}
		},
		Entry("0", answer{
			status: metav1.ConditionTrue, reason: zimv1alpha1.ReasonRoomCreated,
			nextFrom: time.Second, nextTo: verifyInterval * 3 / 2,
		}),
		Entry("660000002, parameter error", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000002},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonInvalidParameter, message: "660000002", stalled: true,
			nextFrom: time.Nanosecond, nextTo: verifyInterval,
		}),
		Entry("660300001, no such room, which makes no sense", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300001},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonRoomMissing,
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("660300005, frequency limit", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonRateLimited,
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("660300006, frequency limit of the room", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300006},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonRateLimited,
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("HTTP status 429", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 429},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonRateLimited,
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("660300015, number of rooms above the limit", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonRoomQuotaExceeded,
			nextFrom: 48 * time.Second, nextTo: 72 * time.Second,
		}),
		Entry("a code that nobody knows", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 987654321},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable, message: "987654321",
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("no answer in time", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultHang},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable, message: "no answer in time",
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("a connection cut after the call was carried out", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCutAfter},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable, message: "connection failed",
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("HTML instead of JSON", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultHTML},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable, message: "not ZIM's JSON",
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("a body of 100 MB", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultHuge, Size: 100 << 20},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable, message: "too large",
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("an HTTP status of a server error", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: 502},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable, message: "502",
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("660500002, again after the registration of the operator user", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660500002},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonOperatorNotRegistered,
			nextFrom: time.Second, nextTo: 1200 * time.Millisecond,
		}),
		Entry("100000005, again with a fresh signature", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000005},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonAppNotReady,
		}),
		Entry("100000017, service not enabled", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017},
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonAppNotReady,
		}),
		Entry("660000028, not offered in the plan", answer{
			fault:  zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000028},
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonZIMUnavailable,
			nextFrom: 48 * time.Second, nextTo: 72 * time.Second,
		}),
	)

	It("660300014, room already exists, satisfies the ZimRoom", func(ctx context.Context) {
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
		room := w.apply(ctx)
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically(">", time.Second))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomAdopted))
	})

	It("waits longer after each frequency limit, up to a minute, and starts over after a success",
		func(ctx context.Context) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom"})
			room := w.apply(ctx)
			for _, base := range []int{1, 2, 4, 8, 16, 32, 60, 60} {
				wait := w.pass(ctx, room).RequeueAfter
				Expect(wait).To(BeNumerically("~", seconds(base), seconds(base)/5))
				w.advance(wait)
			}
			w.simulator.ClearFaults()
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))

			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom"})
			Expect(w.verify(ctx, room).RequeueAfter).To(BeNumerically("<=", 1200*time.Millisecond))
		})

	It("makes no call before the wait is over, whatever wakes the ZimRoom", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom"})
		room := w.apply(ctx)
		wait := w.pass(ctx, room).RequeueAfter
		w.simulator.ResetCalls()
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(wait))
		Expect(w.calls()).To(BeEmpty())
	})

	It("is not asked again about a manifest that it refused before its slot, unless the manifest or the ZimApp changes",
		func(ctx context.Context) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000002, Action: "CreateRoom", Times: 3})
			room := w.apply(ctx)
			w.pass(ctx, room)
			w.simulator.ResetCalls()
			w.pass(ctx, room)
			w.restartOperator()
			w.reconcileApp(ctx, w.namespace)
			w.pass(ctx, room)
			Expect(w.calls()).To(BeEmpty())

			By("a request to look again")
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
				room.Annotations = map[string]string{zimv1alpha1.ReconcileRequestedAtAnnotation: "1"}
			})
			w.pass(ctx, room)
			Expect(w.calls()).To(HaveLen(1))
			Expect(w.get(ctx, room).Status.LastHandledReconcileAt).To(Equal("1"))

			By("an edit of the ZimApp")
			app := w.app(ctx)
			app.Spec.RequestsPerSecond = 9999
			Expect(apiServer.Update(ctx, app)).To(Succeed())
			w.reconcileApp(ctx, w.namespace)
			w.pass(ctx, room)
			Expect(w.calls()).To(HaveLen(2))

			By("an edit of the manifest, which ZIM now takes")
			w.simulator.ClearFaults()
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes = nil })
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(w.get(ctx, room)).To(haveNoCondition("Stalled"))
		})

	It("is asked again in its slot about a manifest that it refused: it may have been wrong", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000002, Action: "CreateRoom"})
		w.verify(ctx, room)
		refused := w.get(ctx, room)
		Expect(refused).To(beStalled(zimv1alpha1.ReasonInvalidParameter))

		By("still wrong, also after a restart")
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.simulator.ResetCalls()
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		wait := w.pass(ctx, room).RequeueAfter
		Expect(wait).To(And(BeNumerically(">", 0), BeNumerically("<=", verifyInterval)))
		Expect(w.calls()).To(BeEmpty())
		w.advance(wait)
		wait = w.pass(ctx, room).RequeueAfter
		Expect(w.calls()).To(HaveLen(1))
		Expect(w.get(ctx, room).ResourceVersion).To(Equal(refused.ResourceVersion), "nothing new to write")

		By("right")
		w.simulator.ClearFaults()
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			haveNoCondition("Stalled")))
	})

	It("names the attributes that it refused, sets the others, and is asked again", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "bad", SubCode: 660300019})
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "bad", Value: "x"}, {Key: "good", Value: "y"}}
		})
		wait := w.pass(ctx, room).RequeueAfter
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAttributesRejected))
		Expect(got).To(beReconciling(zimv1alpha1.ReasonAttributesRejected))
		Expect(readyOf(got.Status.Conditions).Message).To(And(
			ContainSubstring("bad (660300019"), Not(ContainSubstring("good"))))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(And(HaveLen(1), HaveKey("good")))
		Expect(wait).To(BeNumerically("~", time.Minute, 12*time.Second))

		w.simulator.ClearFaults()
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	Context("when the account has as many rooms as it may", func() {
		var room *zimv1alpha1.ZimRoom

		BeforeEach(func(ctx context.Context) { room = w.applied(ctx) })

		It("leaves a room that exists Ready", func(ctx context.Context) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015, Action: "CreateRoom"})
			w.writes.Store(0)
			w.simulator.ResetCalls()
			w.verify(ctx, room)
			Expect(w.calls()).To(Equal([]string{"CreateRoom", "QueryRoomUserList", "QueryRoomAttribute"}))
			Expect(w.writes.Load()).To(BeZero())
		})

		It("says of a room that is gone that the quota keeps it away", func(ctx context.Context) {
			Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015, Action: "CreateRoom"})
			w.verify(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRoomQuotaExceeded))
		})

		It("creates a waiting room as soon as the operator destroyed another", func(ctx context.Context) {
			Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "third", DestroyDelay: time.Hour})).To(Succeed())
			w.simulator.SetApp(zimsim.App{AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: -1, MaxRooms: 2})
			waiting := w.apply(ctx, named("waiting"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "waiting" })
			w.pass(ctx, waiting)
			Expect(w.get(ctx, waiting)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRoomQuotaExceeded))

			Expect(apiServer.Delete(ctx, room)).To(Succeed())
			w.pass(ctx, room)
			w.pass(ctx, waiting) // The wait of a minute is not over.
			Expect(w.get(ctx, waiting)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		})

		suspend := func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		}
		refuseApp := func(ctx context.Context, _ *zimv1alpha1.ZimRoom) {
			w.deleteSecret(ctx)
			w.reconcileApp(ctx, w.namespace)
		}
		deleteHeld := func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
				room.Finalizers = append(room.Finalizers, "example.com/held")
			})
			Expect(apiServer.Delete(ctx, room)).To(Succeed())
		}

		DescribeTable("creates the next waiting room when the first does not try any more, because it",
			func(ctx context.Context, change func(context.Context, *zimv1alpha1.ZimRoom), isCalled bool) {
				other := createNamespace(ctx, nil) // With another ZimApp of the account.
				w.createApp(ctx, other)
				w.simulator.SetApp(zimsim.App{AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: -1, MaxRooms: 1})
				first := w.applyAndPass(ctx, named("first"), withID("first"))
				next := w.applyAndPass(ctx, named("next"), withID("next"), func(room *zimv1alpha1.ZimRoom) {
					room.Namespace = other
				})
				destroy := func() {
					Expect(apiServer.Delete(ctx, room)).To(Succeed())
					w.pass(ctx, room)
				}
				if isCalled {
					destroy()
				}
				change(ctx, first)
				w.pass(ctx, first)
				if !isCalled {
					destroy()
				}
				w.pass(ctx, next) // The wait of a minute is not over.
				Expect(w.get(ctx, next)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			},
			Entry("was suspended", suspend, false),
			Entry("was suspended when it had been called", suspend, true),
			Entry("has a ZimApp that is refused", refuseApp, true),
			Entry("was deleted, and others hold it", deleteHeld, true),
		)
	})
})
