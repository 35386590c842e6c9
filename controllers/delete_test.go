package controllers_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("Deleting a ZimRoom", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	del := func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
		GinkgoHelper()
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.simulator.ResetCalls()
		w.eventReasons()
	}
	liveRooms := func() []zimsim.Room { return w.simulator.Rooms(testAppID) }

	DescribeTable("follows the deletion policy",
		func(ctx context.Context, policy zimv1alpha1.DeletionPolicy, adopted, destroyed bool) {
			if adopted {
				Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
			}
			room := w.apply(ctx, withPolicy(policy))
			w.pass(ctx, room)
			del(ctx, room)
			if !w.isGone(ctx, room) {
				w.pass(ctx, room)
			}
			Expect(w.isGone(ctx, room)).To(BeTrue())
			if destroyed {
				Expect(liveRooms()).To(BeEmpty())
				Expect(w.eventReasons()).To(Equal([]string{"RoomDestroyed"}))
			} else {
				Expect(liveRooms()).To(HaveLen(1))
				Expect(w.calls()).To(BeEmpty())
			}
		},
		Entry("unset, created: destroyed", zimv1alpha1.DeletionPolicy(""), false, true),
		Entry("unset, adopted: left", zimv1alpha1.DeletionPolicy(""), true, false),
		Entry("Delete, created: destroyed", zimv1alpha1.DeletionPolicyDelete, false, true),
		Entry("Delete, adopted: destroyed", zimv1alpha1.DeletionPolicyDelete, true, true),
		Entry("Retain, created: left", zimv1alpha1.DeletionPolicyRetain, false, false),
		Entry("Retain, adopted: left", zimv1alpha1.DeletionPolicyRetain, true, false),
	)

	It("asks the API server once who takes the room over, when the turn to destroy it has come", func(ctx context.Context) {
		reader := &countingReader{Client: apiServer}
		w.options.LiveReader = reader
		w.restartOperator()
		w.editApp(ctx, onePlace)
		room := w.applied(ctx)
		inside := w.apply(ctx, named("inside"), withID("Room2"))
		del(ctx, room)
		w.onCall = func(string) {
			defer GinkgoRecover()
			w.onCall = nil
			w.pass(ctx, room)
			Expect(reader.lists.Load()).To(BeZero(), "it stands in line")
		}
		w.pass(ctx, inside)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(reader.lists.Load()).To(BeEquivalentTo(1))
	})

	It("destroys no room that a ZimRoom takes over which the cache does not have yet", func(ctx context.Context) {
		heirs := &hiding{Client: w.options.Client, name: "heir"}
		w.options.Client = heirs
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		room := w.applied(ctx)
		heir := w.apply(ctx, named("heir"))
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
		Expect(w.get(ctx, heir).Status.Room).NotTo(BeNil())
	})

	It("sends nothing while nobody can tell who takes the room over, and holds up no other room", func(ctx context.Context) {
		reader := &countingReader{Client: apiServer, err: errors.New("not now")}
		w.options.LiveReader = reader
		w.restartOperator()
		w.editApp(ctx, onePlace)
		room := w.applied(ctx)
		del(ctx, room)
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(err).To(MatchError(ContainSubstring("not now")))
		Expect(w.calls()).To(BeEmpty())
		w.applied(ctx, named("other"), withID("Room2"))
		reader.err = nil
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(liveRooms()).To(HaveLen(1))
	})

	It("sends nothing for a room that was never confirmed", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "CreateRoom"})
		room := w.apply(ctx)
		w.pass(ctx, room)
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
	})

	It("drops the finalizer when the policy is changed to Retain", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.DeletionPolicy = zimv1alpha1.DeletionPolicyRetain })
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Finalizers).To(BeEmpty())
	})

	It("keeps the finalizers of others", func(ctx context.Context) {
		room := w.apply(ctx, func(room *zimv1alpha1.ZimRoom) { room.Finalizers = []string{"example.com/theirs"} })
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Finalizers).To(ConsistOf("example.com/theirs", zimv1alpha1.Finalizer))
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Finalizers).To(ConsistOf("example.com/theirs"))
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Finalizers = nil })
	})

	It("takes a room that is gone already for destroyed", func(ctx context.Context) {
		room := w.applied(ctx)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
	})

	It("beats suspend", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		w.pass(ctx, room)
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(liveRooms()).To(BeEmpty())
	})

	It("is tried again while ZIM does not answer, and given up after a day", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "DestroyRoom"})
		del(ctx, room)
		first := w.pass(ctx, room).RequeueAfter
		Expect(first).To(BeNumerically("~", time.Second, 200*time.Millisecond))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonDeleting))
		w.pass(ctx, room)
		Expect(w.calls()).To(HaveLen(1), "the wait is not over")
		w.advance(first)
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically(">", first))

		w.advance(24*time.Hour + time.Minute) // The API server's clock stamped the deletion.
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.eventReasons()).To(ContainElement("RoomLeftBehind"))
	})

	It("waits ten minutes for a Secret that is gone", func(ctx context.Context) {
		room := w.applied(ctx)
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		del(ctx, room)
		w.clock.SetTime(w.get(ctx, room).DeletionTimestamp.Time) // By the API server's clock.
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(10 * time.Minute))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonSecretNotFound))

		By("the Secret coming back in time")
		w.createSecret(ctx, w.namespace, testSecret)
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(liveRooms()).To(BeEmpty())
	})

	It("leaves the room behind when the Secret does not come back", func(ctx context.Context) {
		room := w.applied(ctx)
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		del(ctx, room)
		w.advance(w.pass(ctx, room).RequeueAfter + time.Minute)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.eventReasons()).To(ContainElement("RoomLeftBehind"))
		Expect(w.calls()).To(BeEmpty())
	})

	It("waits ten minutes for a ZimApp that is gone", func(ctx context.Context) {
		room := w.applied(ctx)
		Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
		_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "default"))
		Expect(err).NotTo(HaveOccurred())
		del(ctx, room)
		w.clock.SetTime(w.get(ctx, room).DeletionTimestamp.Time)
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(10 * time.Minute))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAppNotFound))
		w.advance(10 * time.Minute)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
	})

	It("waits a day for a secret that ZIM refuses, and goes on as soon as it is mended", func(ctx context.Context) {
		room := w.applied(ctx)
		w.setSecret(ctx, "ffffffffffffffffffffffffffffffff")
		w.reconcileApp(ctx, w.namespace)
		del(ctx, room)
		w.clock.SetTime(w.get(ctx, room).DeletionTimestamp.Time)
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(24 * time.Hour))
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonCredentialsRejected))
		Expect(w.calls()).To(BeEmpty())
		w.setSecret(ctx, testSecret)
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(liveRooms()).To(BeEmpty())
	})

	It("needs no manifest that ZIM accepts", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000002, Action: "CreateRoom"})
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes = nil })
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beStalled(zimv1alpha1.ReasonInvalidParameter))
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(liveRooms()).To(BeEmpty())
	})

	It("does not wait for the Secret of a ZimApp that is being deleted too", func(ctx context.Context) {
		room := w.applied(ctx)
		w.reconcileApp(ctx, w.namespace) // It carries the finalizer from now on.
		w.deleteSecret(ctx)
		Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
		w.reconcileApp(ctx, w.namespace)
		del(ctx, room)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		w.reconcileApp(ctx, w.namespace)
		err := apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "default"}, &zimv1alpha1.ZimApp{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue())
	})

	It("does not wait for a Secret in a namespace that is being deleted", func(ctx context.Context) {
		room := w.applied(ctx)
		w.deleteSecret(ctx)
		w.reconcileApp(ctx, w.namespace)
		del(ctx, room)
		Expect(apiServer.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.eventReasons()).To(ContainElement("RoomLeftBehind"))
	})

	It("makes no call for a ZimApp that does not allow the namespace any more", func(ctx context.Context) {
		other := createNamespace(ctx, nil)
		app := w.app(ctx)
		app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		w.reconcileApp(ctx, w.namespace)
		room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Namespace = other
			room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: w.namespace, Name: "default"}
		})
		app = w.app(ctx)
		app.Spec.AllowedNamespaces.From = zimv1alpha1.NamespacesFromSame
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		w.reconcileApp(ctx, w.namespace)
		del(ctx, room)
		w.advance(w.pass(ctx, room).RequeueAfter + time.Minute)
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
	})
})
