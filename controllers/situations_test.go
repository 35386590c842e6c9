package controllers_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// situation is a row of the table of situations: how a room comes into it, and what the tools that wait for rooms see.
type situation struct {
	// enter brings a room into the situation.
	enter func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom
	// ready, reconciling and stalled match the conditions; nil: the condition is absent.
	ready, reconciling, stalled types.GomegaMatcher
	// kstatus is the verdict of kstatus; waits tells whether `kubectl wait --for=condition=Ready` is satisfied.
	kstatus status.Status
	waits   bool
	// untouched: Ready is for the generation before, as a whole.
	untouched bool
	// health names the object of the same situation in config/argocd, for which a test says what Argo CD makes of it.
	health string
}

var _ = Describe("A situation", func() {
	DescribeTable("reads right for people and tools",
		func(ctx context.Context, tc situation) {
			w := newWorld(ctx)
			room := tc.enter(ctx, w)
			got := w.get(ctx, room)
			Expect(got).To(matchOr(tc.ready, zimv1alpha1.ReadyCondition))
			Expect(got).To(matchOr(tc.reconciling, zimv1alpha1.ReconcilingCondition))
			Expect(got).To(matchOr(tc.stalled, zimv1alpha1.StalledCondition))
			if tc.untouched {
				Expect(readyOf(got.Status.Conditions).ObservedGeneration).To(Equal(got.Generation - 1))
			}
			Expect(kstatusOf(ctx, room)).To(Equal(tc.kstatus))
			Expect(kubectlWaits(ctx, room)).To(Equal(tc.waits), "kubectl wait")
			Expect(shapeOf(got)).To(Equal(shapeOf(healthExample(tc.health))))
		},
		Entry("just applied", situation{
			enter:  func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom { return w.apply(ctx) },
			health: "progressing_justApplied", kstatus: status.InProgressStatus,
		}),
		Entry("confirmed, created", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom { return w.applied(ctx) },
			ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), health: "healthy_created", kstatus: status.CurrentStatus, waits: true,
		}),
		Entry("confirmed, adopted", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
				return w.applyAndPass(ctx)
			},
			ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomAdopted), health: "healthy_adopted", kstatus: status.CurrentStatus, waits: true,
		}),
		verificationFails("throttled", func(_ context.Context, w *world) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005})
		}),
		verificationFails("unanswered", func(_ context.Context, w *world) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
		}),
		verificationFails("of a frozen app", func(_ context.Context, w *world) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017})
		}),
		verificationFails("of an app that is gone", func(ctx context.Context, w *world) {
			Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
			_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "default"))
			Expect(err).NotTo(HaveOccurred())
		}),
		editPending("throttled", zimv1alpha1.ReasonRateLimited, func(_ context.Context, w *world) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005})
		}),
		editPending("unanswered", zimv1alpha1.ReasonZIMUnavailable, func(_ context.Context, w *world) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "ModifyRoomAttribute"})
		}),
		editPending("with a frozen app", zimv1alpha1.ReasonAppNotReady, func(_ context.Context, w *world) {
			w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017})
		}),
		neverConfirmed("throttled", metav1.ConditionFalse, zimv1alpha1.ReasonRateLimited,
			func(_ context.Context, w *world) { w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005}) }),
		neverConfirmed("without a usable answer", metav1.ConditionUnknown, zimv1alpha1.ReasonZIMUnavailable,
			func(_ context.Context, w *world) { w.inject(zimsim.Fault{Kind: zimsim.FaultHTML}) }),
		neverConfirmed("and its app is not ready", metav1.ConditionFalse, zimv1alpha1.ReasonAppNotReady,
			func(_ context.Context, w *world) { w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017}) }),
		neverConfirmed("and its app is missing", metav1.ConditionFalse, zimv1alpha1.ReasonAppNotFound,
			func(ctx context.Context, w *world) { Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed()) }),
		neverConfirmed("and its operator user is not registered", metav1.ConditionFalse,
			zimv1alpha1.ReasonOperatorNotRegistered,
			func(_ context.Context, w *world) { w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660500002}) }),
		neverConfirmed("because of the room quota", metav1.ConditionFalse, zimv1alpha1.ReasonRoomQuotaExceeded,
			func(_ context.Context, w *world) { w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015}) }),
		Entry("never confirmed, in a namespace that its app does not allow", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				elsewhere := createNamespace(ctx, nil)
				return w.applyAndPass(ctx, func(room *zimv1alpha1.ZimRoom) {
					room.Namespace = elsewhere
					room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: w.namespace, Name: "default"}
				})
			},
			ready:       beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotAllowed),
			reconciling: beReconciling(zimv1alpha1.ReasonAppNotAllowed), health: "progressing_appNotAllowed", kstatus: status.InProgressStatus,
		}),
		Entry("known to be missing", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				// It goes between the two calls of a verification, and CreateRoom is throttled then.
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300001, Action: "QueryRoomAttribute", Times: 1})
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Skip: 1})
				w.verify(ctx, room)
				return room
			},
			ready:       beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRoomMissing),
			reconciling: beReconciling(zimv1alpha1.ReasonRateLimited), health: "progressing_roomMissing", kstatus: status.InProgressStatus,
		}),
		Entry("known to be missing, and kept away by the room quota", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300015, Action: "CreateRoom"})
				w.verify(ctx, room)
				return room
			},
			ready:       beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRoomQuotaExceeded),
			reconciling: beReconciling(zimv1alpha1.ReasonRoomQuotaExceeded), health: "progressing_roomQuotaExceeded", kstatus: status.InProgressStatus,
		}),
		Entry("ZIM refused an attribute", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				Expect(w.simulator.DeleteAttribute(testAppID, "Room1", "k1")).To(Succeed())
				w.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "k1", SubCode: 660000002})
				w.verify(ctx, room)
				return room
			},
			ready:       beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAttributesRejected),
			reconciling: beReconciling(zimv1alpha1.ReasonAttributesRejected), health: "progressing_attributesRejected", kstatus: status.InProgressStatus,
		}),
		Entry("ZIM refused the manifest", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000002})
				return w.applyAndPass(ctx)
			},
			ready:   beReady(metav1.ConditionFalse, zimv1alpha1.ReasonInvalidParameter),
			stalled: beStalled(zimv1alpha1.ReasonInvalidParameter), health: "degraded_invalidParameter", kstatus: status.FailedStatus,
		}),
		Entry("duplicate", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				w.applied(ctx, named("a-first"))
				return w.applyAndPass(ctx, named("b-second"))
			},
			ready:   beReady(metav1.ConditionFalse, zimv1alpha1.ReasonDuplicateRoomID),
			stalled: beStalled(zimv1alpha1.ReasonDuplicateRoomID), health: "degraded_duplicateRoomID", kstatus: status.FailedStatus,
		}),
		Entry("name or delay wait, by policy", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx, withReplacePolicy(zimv1alpha1.ReplacePolicyNever))
				w.rename(ctx, room)
				Expect(w.get(ctx, room)).To(bePending(zimv1alpha1.ReasonPolicyNever))
				return room
			},
			ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), health: "healthy_replacementPendingPolicy", kstatus: status.CurrentStatus, waits: true,
		}),
		Entry("name or delay wait, because somebody is in the room", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				Expect(w.simulator.Enter(testAppID, "Room1", "somebody")).To(Succeed())
				w.rename(ctx, room)
				Expect(w.get(ctx, room)).To(bePending(zimv1alpha1.ReasonRoomOccupied))
				return room
			},
			ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), health: "healthy_replacementPendingOccupied", kstatus: status.CurrentStatus, waits: true,
		}),
		Entry("destroyed by us, not back yet", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Skip: 1})
				w.rename(ctx, room)
				Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
				return room
			},
			ready:       beReady(metav1.ConditionFalse, zimv1alpha1.ReasonReplacing),
			reconciling: beReconciling(zimv1alpha1.ReasonRateLimited), health: "progressing_replacing", kstatus: status.InProgressStatus,
		}),
		Entry("not verified for three intervals", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
				w.advance(3 * verifyInterval)
				w.pass(ctx, room)
				return room
			},
			ready:       beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonUnverified),
			reconciling: beReconciling(zimv1alpha1.ReasonZIMUnavailable), health: "progressing_unverified", kstatus: status.InProgressStatus,
		}),
		Entry("suspended", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
				w.pass(ctx, room)
				return room
			},
			ready:  beReady(metav1.ConditionTrue, zimv1alpha1.ReasonSuspended),
			health: "suspended_confirmed", kstatus: status.CurrentStatus, untouched: true,
		}),
		Entry("resumed, and throttled", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
				w.pass(ctx, room)
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005})
				w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = false })
				w.pass(ctx, room)
				return room
			},
			ready:       beReady(metav1.ConditionTrue, zimv1alpha1.ReasonSuspended),
			reconciling: beReconciling(zimv1alpha1.ReasonRateLimited), health: "progressing_resumeNotInZIM",
			kstatus: status.InProgressStatus,
		}),
		Entry("suspended, never confirmed", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				return w.applyAndPass(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
			},
			ready:  beReady(metav1.ConditionFalse, zimv1alpha1.ReasonSuspended),
			health: "suspended_neverConfirmed", kstatus: status.InProgressStatus,
		}),
		Entry("being deleted, and ZIM does not answer", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
				Expect(apiServer.Delete(ctx, room)).To(Succeed())
				w.pass(ctx, room)
				return room
			},
			ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonDeleting), health: "progressing_deleting", kstatus: status.TerminatingStatus,
			untouched: true,
		}),
		Entry("being deleted, and the Secret is gone", situation{
			enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
				room := w.applied(ctx)
				w.deleteSecret(ctx)
				w.reconcileApp(ctx, w.namespace)
				Expect(apiServer.Delete(ctx, room)).To(Succeed())
				w.pass(ctx, room)
				return room
			},
			ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonSecretNotFound), health: "progressing_deletingSecretGone", kstatus: status.TerminatingStatus,
			untouched: true,
		}),
	)
})

// verificationFails is a row in which nothing is known to be wrong: nothing is written.
func verificationFails(how string, breakIt func(context.Context, *world)) TableEntry {
	return Entry("confirmed, verification "+how, situation{
		enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
			room := w.applied(ctx)
			before := w.get(ctx, room)
			w.pass(ctx, room)
			breakIt(ctx, w)
			w.writes.Store(0)
			w.advance(2 * verifyInterval)
			w.pass(ctx, room)
			Expect(w.writes.Load()).To(BeZero())
			Expect(w.get(ctx, room).Status).To(Equal(before.Status))
			return room
		},
		ready: beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), health: "healthy_created", kstatus: status.CurrentStatus, waits: true,
	})
}

// editPending is a row in which an edit has not come to ZIM: Ready stays what it was for the generation before.
func editPending(how, reason string, breakIt func(context.Context, *world)) TableEntry {
	return Entry("edit "+how, situation{
		enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
			room := w.applied(ctx)
			breakIt(ctx, w)
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "new" })
			w.pass(ctx, room)
			return room
		},
		ready:       beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
		reconciling: beReconciling(reason), health: "progressing_editNotInZIM", kstatus: status.InProgressStatus, untouched: true,
	})
}

// neverConfirmed is a row of a room that ZIM has not confirmed yet.
func neverConfirmed(
	how string, ready metav1.ConditionStatus, reason string, breakIt func(context.Context, *world),
) TableEntry {
	return Entry("never confirmed: "+how, situation{
		enter: func(ctx context.Context, w *world) *zimv1alpha1.ZimRoom {
			breakIt(ctx, w)
			return w.applyAndPass(ctx)
		},
		ready: beReady(ready, reason), reconciling: beReconciling(reason), health: neverConfirmedExamples[reason],
		kstatus: status.InProgressStatus,
	})
}

var neverConfirmedExamples = map[string]string{
	zimv1alpha1.ReasonRateLimited:           "progressing_throttled",
	zimv1alpha1.ReasonZIMUnavailable:        "progressing_unavailable",
	zimv1alpha1.ReasonAppNotReady:           "progressing_appNotReady",
	zimv1alpha1.ReasonAppNotFound:           "progressing_appNotFound",
	zimv1alpha1.ReasonOperatorNotRegistered: "progressing_operatorNotRegistered",
	zimv1alpha1.ReasonRoomQuotaExceeded:     "progressing_roomQuotaExceeded",
}

// healthExample reads an object for which config/argocd has a test.
func healthExample(name string) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	text, err := os.ReadFile("../config/argocd/resource_customizations/zim.zego.im/ZimRoom/testdata/" + name + ".yaml")
	Expect(err).NotTo(HaveOccurred())
	room := &zimv1alpha1.ZimRoom{}
	Expect(yaml.UnmarshalStrict(text, room)).To(Succeed())
	return room
}

// shapeOf is all of an object that health.lua looks at, but for messages and for why it is Reconciling.
func shapeOf(room *zimv1alpha1.ZimRoom) []string {
	shape := []string{
		fmt.Sprintf("observed %t", room.Status.ObservedGeneration == room.Generation),
		fmt.Sprintf("deleted %t", !room.DeletionTimestamp.IsZero()),
	}
	for _, c := range room.Status.Conditions {
		if c.Type == zimv1alpha1.ReconcilingCondition {
			c.Reason = ""
		}
		shape = append(shape, fmt.Sprintf("%s %s %s %t", c.Type, c.Status, c.Reason, c.ObservedGeneration == room.Generation))
	}
	slices.Sort(shape)
	return shape
}

// matchOr returns the matcher, or one for the absence of the condition.
func matchOr(matcher types.GomegaMatcher, conditionType string) types.GomegaMatcher {
	if matcher == nil {
		return haveNoCondition(conditionType)
	}
	return matcher
}

var _ = Describe("A suspended ZimRoom", func() {
	It("costs one write and no call, and is looked at when it goes on", func(ctx context.Context) {
		w := newWorld(ctx)
		room := w.applied(ctx)
		w.simulator.ResetCalls()
		w.writes.Store(0)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		for range 2 {
			Expect(w.pass(ctx, room).RequeueAfter).To(BeZero())
			w.advance(2 * verifyInterval)
		}
		Expect(w.writes.Load()).To(BeEquivalentTo(1))
		Expect(w.calls()).To(BeEmpty())

		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = false })
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got.Status.Room.Recreations).To(BeEquivalentTo(1))
	})
})
