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

var _ = Describe("Attributes", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	live := func() map[string]zimsim.Attribute {
		room, _ := w.simulator.Room(testAppID, "Room1")
		return room.Attributes
	}
	declare := func(attributes ...zimv1alpha1.RoomAttribute) func(*zimv1alpha1.ZimRoom) {
		return func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes = attributes }
	}

	DescribeTable("are as declared after the room was empty, whether ZIM keeps them meanwhile or not",
		func(ctx context.Context, keep bool) {
			switches := zimsim.DefaultSwitches()
			switches.KeepAttributesWhileEmpty = keep
			switches.KeepAttributesOfNeverEntered = keep
			w.simulator.SetSwitches(switches)
			room := w.applied(ctx)
			Expect(w.simulator.Enter(testAppID, "Room1", "somebody")).To(Succeed())
			Expect(w.simulator.Leave(testAppID, "Room1", "somebody")).To(Succeed())
			Expect(live()).To(HaveLen(map[bool]int{true: 2, false: 0}[keep]))
			w.verify(ctx, room)
			Expect(live()).To(HaveLen(2))
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeZero())
		},
		Entry("kept", true),
		Entry("not kept", false),
	)

	DescribeTable("are as declared whether or not the timer of an empty room starts at its creation",
		func(ctx context.Context, atCreation bool) {
			switches := zimsim.DefaultSwitches()
			switches.TimerStartsAtCreation = atCreation
			w.simulator.SetSwitches(switches)
			room := w.applied(ctx, withDelay(10*time.Second))
			w.verify(ctx, room)
			Expect(live()).To(HaveLen(2))
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(map[bool]int{true: 1, false: 0}[atCreation]))
		},
		Entry("at creation", true),
		Entry("when the last leaves", false),
	)

	It("are refused with Code 0 too, and the others are set", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "bad", SubCode: 660000002})
		w.edit(ctx, room, declare(
			zimv1alpha1.RoomAttribute{Key: "bad", Value: "x"}, zimv1alpha1.RoomAttribute{Key: "good", Value: "y"}))
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAttributesRejected))
		Expect(readyOf(got.Status.Conditions).Message).To(
			Equal("ZIM refused attributes: bad (660000002, parameter is missing or illegal). Change or remove them."))
		Expect(got.Status.Room.Attributes).To(ConsistOf(HaveField("Key", "good")))
		Expect(live()).To(And(HaveKey("good"), Not(HaveKey("bad"))))
	})

	It("keep their claim on a key whose removal ZIM refused", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultRefuseKey, Key: "k2", SubCode: 1, Times: 1})
		w.edit(ctx, room, declare(zimv1alpha1.RoomAttribute{Key: "k1", Value: "v1"}))
		wait := w.pass(ctx, room).RequeueAfter
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAttributesRejected))
		w.advance(wait)
		w.pass(ctx, room)
		Expect(live()).NotTo(HaveKey("k2"))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("are removed even if the answer to their setting got lost", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "ModifyRoomAttribute", Times: 1})
		w.edit(ctx, room, declare(zimv1alpha1.RoomAttribute{Key: "lost", Value: "x"}))
		w.pass(ctx, room)
		Expect(live()).To(HaveKey("lost"))
		w.edit(ctx, room, declare())
		w.pass(ctx, room)
		Expect(live()).To(BeEmpty())
		Expect(w.get(ctx, room).Status.Room.Attributes).To(BeEmpty())
	})

	It("tell that others created the room again, also if that could not be written at once", func(ctx context.Context) {
		room := w.applied(ctx)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.writeError = func() error { return errors.New("the API server is away") }
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(err).To(HaveOccurred())
		w.writeError = nil
		w.advance(2 * time.Second)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginAdopted))
	})

	It("tell when others created the room again: it is theirs from then on", func(ctx context.Context) {
		room := w.applied(ctx)
		w.eventReasons()
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", Name: "theirs", DestroyDelay: time.Hour})).To(Succeed())
		w.verify(ctx, room)
		got := w.get(ctx, room)
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginAdopted))
		Expect(got.Status.Room.CreatedTime).To(BeNil())
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomAdopted))
		Expect(w.eventReasons()).To(ContainElement("RoomReplacedByOthers"))
		Expect(live()).To(HaveLen(2))

		By("its deletion, which leaves it to them")
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("rest for an hour when the plan does not offer to ask for them, and rooms go on", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000028, Action: "QueryRoomAttribute"})
		w.verify(ctx, room)
		w.simulator.ResetCalls()
		w.verify(ctx, room)
		Expect(w.calls()).To(Equal([]string{"CreateRoom"}))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		w.simulator.ClearFaults()
		w.advance(time.Hour)
		w.simulator.ResetCalls()
		w.verify(ctx, room)
		Expect(w.calls()).To(ContainElement("QueryRoomAttribute"))
	})

	DescribeTable("and quota: a room that exists is Ready in whatever order ZIM checks",
		func(ctx context.Context, quotaFirst bool) {
			switches := zimsim.DefaultSwitches()
			switches.QuotaBeforeExistence = quotaFirst
			w.simulator.SetSwitches(switches)
			room := w.applied(ctx)
			w.simulator.SetApp(zimsim.App{AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: -1, MaxRooms: 1})
			w.verify(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(live()).To(HaveLen(2))
		},
		Entry("existence first", false),
		Entry("quota first", true),
	)
})
