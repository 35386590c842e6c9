package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("Two ZimRooms with one room", func() {
	var (
		w             *world
		first, second *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		// Of two created in the same second the name decides.
		first = w.applied(ctx, named("a-first"))
		second = w.apply(ctx, named("b-second"), withPolicy(zimv1alpha1.DeletionPolicyDelete))
		w.simulator.ResetCalls()
		w.pass(ctx, second)
	})

	It("leave the room to the older one; the other calls nobody and says why", func(ctx context.Context) {
		got := w.get(ctx, second)
		Expect(got).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonDuplicateRoomID),
			beStalled(zimv1alpha1.ReasonDuplicateRoomID)))
		Expect(readyOf(got.Status.Conditions).Message).To(ContainSubstring("a-first"))
		Expect(got.Finalizers).To(ConsistOf(zimv1alpha1.Finalizer))
		Expect(got.Status.Room).To(BeNil())
		Expect(w.calls()).To(BeEmpty())
	})

	It("do not tell a namespace what is in another", func(ctx context.Context) {
		app := w.app(ctx)
		app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		w.reconcileApp(ctx, w.namespace)
		elsewhere := createNamespace(ctx, nil)
		foreign := w.applyYounger(ctx, first, func(room *zimv1alpha1.ZimRoom) {
			room.Namespace = elsewhere
			room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: w.namespace, Name: "default"}
		})
		w.pass(ctx, foreign)
		got := w.get(ctx, foreign)
		Expect(got).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonDuplicateRoomID))
		Expect(readyOf(got.Status.Conditions).Message).NotTo(Or(
			ContainSubstring("a-first"), ContainSubstring(w.namespace)))
	})

	It("hand the room over when the holder is deleted, without a call", func(ctx context.Context) {
		before := w.get(ctx, first).Status.Room
		w.eventReasons()
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first)
		Expect(w.isGone(ctx, first)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
		Expect(w.get(ctx, second).Status.Room).To(Equal(before), "the successor knows what it has got")
		Expect(w.eventReasons()).To(ContainElement("RoomHandedOver"))

		w.pass(ctx, second)
		got := w.get(ctx, second)
		Expect(got).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated), haveNoCondition("Stalled")))
		Expect(got.Status.Room.CreatedTime).To(Equal(before.CreatedTime))
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
	})

	It("say what the successor waits for, if it can't be confirmed at once", func(ctx context.Context) {
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005})
		w.pass(ctx, second)
		Expect(w.get(ctx, second)).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonRateLimited),
			haveNoCondition("Stalled")))
	})

	It("hand it over to a suspended one too, which makes no call", func(ctx context.Context) {
		w.edit(ctx, second, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		w.pass(ctx, second)
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first)
		w.pass(ctx, second)
		Expect(w.get(ctx, second).Status.Room).NotTo(BeNil())
		Expect(w.calls()).To(BeEmpty())
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("end without a call when the waiting one is deleted", func(ctx context.Context) {
		Expect(apiServer.Delete(ctx, second)).To(Succeed())
		w.pass(ctx, second)
		Expect(w.isGone(ctx, second)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	DescribeTable("let the room go when both are deleted together, whichever pass comes first",
		func(ctx context.Context, order func() []*zimv1alpha1.ZimRoom) {
			Expect(apiServer.Delete(ctx, first)).To(Succeed())
			Expect(apiServer.Delete(ctx, second)).To(Succeed())
			for _, room := range order() {
				w.pass(ctx, room)
			}
			Expect(w.isGone(ctx, first) && w.isGone(ctx, second)).To(BeTrue())
			Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
		},
		Entry("the holder's", func() []*zimv1alpha1.ZimRoom { return []*zimv1alpha1.ZimRoom{first, second} }),
		Entry("the waiting one's", func() []*zimv1alpha1.ZimRoom { return []*zimv1alpha1.ZimRoom{second, first} }),
	)

	It("give the heir the finalizer, even if no pass over it went before", func(ctx context.Context) {
		third := w.apply(ctx, named("c-third"), func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		Expect(apiServer.Delete(ctx, second)).To(Succeed())
		w.pass(ctx, second)
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first)
		Expect(w.get(ctx, third).Finalizers).To(ConsistOf(zimv1alpha1.Finalizer))
		Expect(apiServer.Delete(ctx, third)).To(Succeed())
		w.pass(ctx, third)
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty(), "it was the operator's own")
	})

	It("let the other one work while the finalizer of others holds a deleted holder", func(ctx context.Context) {
		w.edit(ctx, first, func(room *zimv1alpha1.ZimRoom) { room.Finalizers = append(room.Finalizers, "example.com/theirs") })
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first)
		Expect(w.isGone(ctx, first)).To(BeFalse())
		w.pass(ctx, second)
		Expect(w.get(ctx, second)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("that were created at the same moment change Ready twice at most, and the room stays the operator's own",
		func(ctx context.Context) {
			twin := w.apply(ctx, named("b-later"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "twins" })
			w.pass(ctx, twin)
			// The older by name, which the first pass did not see yet.
			older := w.apply(ctx, named("a-earlier"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "twins" })
			if !older.CreationTimestamp.Equal(&twin.CreationTimestamp) {
				older, twin = twin, older
			}
			w.eventReasons()
			for range 3 {
				w.pass(ctx, older)
				w.pass(ctx, twin)
			}
			Expect(len(w.eventReasons())).To(BeNumerically("<=", 2), "one for each")
			Expect(w.get(ctx, twin)).To(beStalled(zimv1alpha1.ReasonDuplicateRoomID))
			Expect(apiServer.Delete(ctx, twin)).To(Succeed())
			w.pass(ctx, twin)
			Expect(apiServer.Delete(ctx, older)).To(Succeed())
			w.pass(ctx, older)
			Expect(w.simulator.Rooms(testAppID)).NotTo(ContainElement(HaveField("ID", "twins")))
		})

	It("are no duplicates in different accounts", func(ctx context.Context) {
		other := newWorld(ctx)
		room := other.applied(ctx)
		Expect(other.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
		Expect(other.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("do not let an app that ZIM never accepted hold a room of the account", func(ctx context.Context) {
		forger := newEmptyWorld(ctx)
		forger.server.Close()
		forger.server = w.server
		forger.createSecret(ctx, forger.namespace, "ffffffffffffffffffffffffffffffff")
		forger.createAppObject(ctx, forger.namespace)
		w.reconcileApp(ctx, forger.namespace)

		By("a ZimRoom that would be the holder by its age")
		forged := w.apply(ctx, named("forged"), func(room *zimv1alpha1.ZimRoom) {
			room.Namespace = forger.namespace
			room.Spec.ID = "Room2"
		})
		w.pass(ctx, forged)
		Expect(w.get(ctx, forged)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotReady))
		owned := w.applied(ctx, named("z-owned"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Room2" })
		Expect(w.get(ctx, owned)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))

		By("its deletion")
		w.simulator.ResetCalls()
		Expect(apiServer.Delete(ctx, forged)).To(Succeed())
		w.pass(ctx, forged)
		Expect(w.calls()).To(BeEmpty())
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(2))
	})
})
