package controllers_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("A ZimRoom", func() {
	var w *world

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		w.simulator.ResetCalls()
	})

	It("becomes a room", func(ctx context.Context) {
		room := w.apply(ctx)
		w.pass(ctx, room)

		live, exists := w.simulator.Room(testAppID, "Room1")
		Expect(exists).To(BeTrue())
		Expect(live.Name).To(Equal("RoomName1"))
		Expect(live.DestroyDelay).To(Equal(time.Hour))
		Expect(live.Creator).To(Equal(testUser))
		Expect(live.Attributes).To(HaveKeyWithValue("k1", HaveField("Value", "v1")))

		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got.Status.ObservedGeneration).To(Equal(got.Generation))
		Expect(got.Status.AppRef).To(Equal(&zimv1alpha1.ResolvedAppReference{Namespace: w.namespace, Name: "default"}))
		Expect(got.Status.Room.ID).To(Equal("Room1"))
		Expect(got.Status.Room.AppID).To(BeEquivalentTo(testAppID))
		Expect(got.Status.Room.Name).To(Equal("RoomName1"))
		Expect(got.Status.Room.DestroyDelay.Duration).To(Equal(time.Hour))
		Expect(got.Status.Room.CreatedTime.Time).To(BeTemporally("==", w.clock.Now()))
		Expect(got.Status.Room.Recreations).To(BeZero())
		Expect(got.Status.Room.Attributes).To(HaveLen(2))
		Expect(got.Finalizers).To(ConsistOf(zimv1alpha1.Finalizer))
		Expect(w.eventReasons()).To(ContainElement(zimv1alpha1.ReasonRoomCreated))
	})

	It("is created with the documented call, for the sample that is the vendor's example", func(ctx context.Context) {
		sample := filepath.Join("..", "config", "samples", "zim_v1alpha1_zimroom.yaml")
		Expect(kubectlSucceeds(ctx, "apply", "--namespace", w.namespace, "-f", sample)).To(BeTrue())
		w.pass(ctx, w.newRoom())
		calls := w.simulator.CallsOf(zimsim.CallFilter{Action: "CreateRoom"})
		Expect(calls).To(HaveLen(1))
		documented, err := os.ReadFile(filepath.Join("..", "internal", "zim", "testdata", "create_room.json"))
		Expect(err).NotTo(HaveOccurred())
		Expect(calls[0].Body).To(MatchJSON(documented))
		Expect(calls[0].Method).To(Equal(http.MethodPost))
	})

	It("costs two writes and one call", func(ctx context.Context) {
		room := w.apply(ctx)
		w.writes.Store(0)
		w.pass(ctx, room)
		Expect(w.writes.Load()).To(BeEquivalentTo(2))
		Expect(w.calls()).To(Equal([]string{"CreateRoom"}))
	})

	It("costs one write with deletionPolicy Retain, which needs no finalizer", func(ctx context.Context) {
		room := w.apply(ctx, withPolicy(zimv1alpha1.DeletionPolicyRetain))
		w.writes.Store(0)
		w.pass(ctx, room)
		Expect(w.writes.Load()).To(BeEquivalentTo(1))
		Expect(w.get(ctx, room).Finalizers).To(BeEmpty())
	})

	It("costs nothing while nothing changes and its slot has not come", func(ctx context.Context) {
		room := w.applied(ctx)
		w.writes.Store(0)
		w.simulator.ResetCalls()
		version := w.get(ctx, room).ResourceVersion

		result := w.pass(ctx, room)
		Expect(result.RequeueAfter).To(And(BeNumerically(">", 0), BeNumerically("<=", verifyInterval*3/2)))
		Expect(w.writes.Load()).To(BeZero())
		Expect(w.calls()).To(BeEmpty())
		Expect(w.get(ctx, room).ResourceVersion).To(Equal(version))
	})

	It("costs nothing after a restart of the operator", func(ctx context.Context) {
		room := w.applied(ctx)
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.writes.Store(0)
		w.simulator.ResetCalls()
		Expect(w.pass(ctx, room).RequeueAfter).To(And(BeNumerically(">", 0), BeNumerically("<=", verifyInterval)))
		Expect(w.writes.Load()).To(BeZero())
		Expect(w.simulator.Calls()).To(BeEmpty())
	})

	It("is verified in its slot, without a write", func(ctx context.Context) {
		room := w.applied(ctx)
		w.writes.Store(0)
		w.simulator.ResetCalls()
		next := w.verify(ctx, room)
		Expect(w.calls()).To(Equal([]string{"CreateRoom", "QueryRoomAttribute"}))
		Expect(w.writes.Load()).To(BeZero())
		Expect(next.RequeueAfter).To(Equal(verifyInterval), "slots lie one interval apart")
	})

	It("is never verified with interval 0s", func(ctx context.Context) {
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{} })
		Expect(w.pass(ctx, room).RequeueAfter).To(BeZero())
		w.simulator.ResetCalls()
		w.advance(48 * time.Hour)
		w.pass(ctx, room)
		Expect(w.calls()).To(BeEmpty())
	})

	It("is verified as often as its interval says", func(ctx context.Context) {
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Interval = &metav1.Duration{Duration: time.Minute}
		})
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically("<=", 90*time.Second))
		Expect(w.verify(ctx, room).RequeueAfter).To(Equal(time.Minute))
	})

	It("sends three hours where no delay is declared: ZIM's default would end an empty room at once",
		func(ctx context.Context) {
			room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.DestroyDelay = nil })
			live, _ := w.simulator.Room(testAppID, "Room1")
			Expect(live.DestroyDelay).To(Equal(3 * time.Hour))
			Expect(w.get(ctx, room).Status.Room.DestroyDelay.Duration).To(Equal(3 * time.Hour))
		})

	It("comes back after others destroyed the room", func(ctx context.Context) {
		room := w.applied(ctx)
		before := w.get(ctx, room)
		w.eventReasons()
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.verify(ctx, room)

		live, exists := w.simulator.Room(testAppID, "Room1")
		Expect(exists).To(BeTrue())
		Expect(live.Attributes).To(HaveKeyWithValue("k2", HaveField("Value", "v2")))
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got.Status.Room.Recreations).To(BeEquivalentTo(1))
		Expect(got.Status.Room.CreatedTime.Time).To(BeTemporally(">", before.Status.Room.CreatedTime.Time))
		Expect(w.eventReasons()).To(Equal([]string{"RoomRecreated"}))
	})

	It("comes back after ZIM let the empty room die", func(ctx context.Context) {
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.DestroyDelay = &metav1.Duration{Duration: time.Second}
		})
		w.verify(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
	})

	It("takes over a room that was there first, and sets its attributes", func(ctx context.Context) {
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", Name: "theirs"})).To(Succeed())
		Expect(w.simulator.Enter(testAppID, "Room1", "somebody")).To(Succeed())
		Expect(w.simulator.SetAttribute(testAppID, "Room1", "k1", "old")).To(Succeed())
		Expect(w.simulator.SetAttribute(testAppID, "Room1", "theirs", "stays")).To(Succeed())
		room := w.apply(ctx)
		w.pass(ctx, room)

		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomAdopted))
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginAdopted))
		Expect(got.Status.Room.CreatedTime).To(BeNil())
		Expect(got).To(haveNoCondition(zimv1alpha1.ReplacementPendingCondition))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(And(
			HaveKeyWithValue("k1", HaveField("Value", "v1")),
			HaveKeyWithValue("k2", HaveField("Value", "v2")),
			HaveKeyWithValue("theirs", HaveField("Value", "stays")),
		))
	})

	It("calls a room that it had to create again its own", func(ctx context.Context) {
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
		room := w.apply(ctx)
		w.pass(ctx, room)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.verify(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("brings an edit of its attributes to ZIM at once", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
			room.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "k1", Value: "new"}, {Key: "k3", Value: "v3"}}
		})
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.calls()).To(Equal([]string{"CreateRoom", "QueryRoomAttribute", "ModifyRoomAttribute"}))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(HaveLen(2))
		Expect(live.Attributes).To(And(
			HaveKeyWithValue("k1", HaveField("Value", "new")), HaveKeyWithValue("k3", HaveField("Value", "v3"))))
		got := w.get(ctx, room)
		Expect(readyOf(got.Status.Conditions).ObservedGeneration).To(Equal(got.Generation))
	})

	It("mends attributes that others changed or removed, and leaves theirs alone", func(ctx context.Context) {
		room := w.applied(ctx)
		w.eventReasons()
		Expect(w.simulator.SetAttribute(testAppID, "Room1", "k1", "drift")).To(Succeed())
		Expect(w.simulator.DeleteAttribute(testAppID, "Room1", "k2")).To(Succeed())
		Expect(w.simulator.SetAttribute(testAppID, "Room1", "theirs", "stays")).To(Succeed())
		w.writes.Store(0)
		w.verify(ctx, room)
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(And(
			HaveKeyWithValue("k1", HaveField("Value", "v1")),
			HaveKeyWithValue("k2", HaveField("Value", "v2")),
			HaveKeyWithValue("theirs", HaveField("Value", "stays")),
		))
		Expect(w.writes.Load()).To(BeZero(), "status is as it was")
		Expect(w.eventReasons()).To(Equal([]string{"AttributesRestored"}))
	})

	It("leaves an autoDelete attribute that vanished alone until its declaration changes", func(ctx context.Context) {
		auto := func(value string) []zimv1alpha1.RoomAttribute {
			return []zimv1alpha1.RoomAttribute{{Key: "auto", Value: value, AutoDelete: true}}
		}
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes = auto("v") })
		Expect(w.simulator.DeleteAttribute(testAppID, "Room1", "auto")).To(Succeed())
		w.verify(ctx, room)
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(BeEmpty())

		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes = auto("w") })
		w.pass(ctx, room)
		live, _ = w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).To(HaveKeyWithValue("auto", And(HaveField("Value", "w"), HaveField("AutoDelete", true))))
	})

	It("shows that an edit of name or delay waits with replacePolicy Never", func(ctx context.Context) {
		room := w.applied(ctx, withReplacePolicy(zimv1alpha1.ReplacePolicyNever))
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Another" })
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got).To(haveCondition("ReplacementPending", metav1.ConditionTrue, zimv1alpha1.ReasonPolicyNever))
		Expect(got.Status.Room.Name).To(Equal("RoomName1"))
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))

		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.verify(ctx, room)
		got = w.get(ctx, room)
		Expect(got).To(haveNoCondition("ReplacementPending"))
		Expect(got.Status.Room.Name).To(Equal("Another"))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Name).To(Equal("Another"))
	})

	It("is looked at when the annotation asks for it, and says when that was done", func(ctx context.Context) {
		room := w.applied(ctx)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
			room.Annotations = map[string]string{zimv1alpha1.ReconcileRequestedAtAnnotation: "now, please"}
		})
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got.Status.LastHandledReconcileAt).To(Equal("now, please"))
		Expect(got.Status.Room.Recreations).To(BeEquivalentTo(1))

		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.calls()).To(BeEmpty(), "the request is handled")
	})

	It("takes over the room of a CreateRoom whose answer got lost as its own", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "CreateRoom", Times: 1})
		room := w.apply(ctx)
		w.advance(w.pass(ctx, room).RequeueAfter)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionUnknown, zimv1alpha1.ReasonZIMUnavailable))
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
	})

	It("registers the operator user if ZIM does not know it", func(ctx context.Context) {
		Expect(w.simulator.UnregisterUser(testAppID, testUser)).To(Succeed())
		w.applied(ctx)
		Expect(w.simulator.Users(testAppID)).To(ContainElement(HaveField("ID", testUser)))
	})
})
