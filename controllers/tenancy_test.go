package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("An operator user of a room's own", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	as := func(user string) func(*zimv1alpha1.ZimRoom) {
		return func(room *zimv1alpha1.ZimRoom) { room.Spec.FromUserID = user }
	}

	It("is registered on demand, once, and makes all calls for the room", func(ctx context.Context) {
		w.simulator.ResetCalls()
		first := w.applied(ctx, as("host"))
		w.applied(ctx, as("host"), named("room2"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Room2" })
		Expect(w.simulator.CallsOf(zimsim.CallFilter{Action: "UserRegister"})).To(HaveLen(1))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Creator).To(Equal("host"))

		w.simulator.ResetCalls()
		w.edit(ctx, first, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "new" })
		w.pass(ctx, first)
		Expect(w.simulator.Calls()).To(HaveEach(HaveField("FromUserID", "host")))
	})

	It("is refused outside the ZimApp's namespace, without a call, until it is removed", func(ctx context.Context) {
		elsewhere := createNamespace(ctx, nil)
		w.editApp(ctx, func(app *zimv1alpha1.ZimApp) {
			app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}
		})
		w.simulator.ResetCalls()
		room := w.applyAndPass(ctx, as("host"), func(room *zimv1alpha1.ZimRoom) {
			room.Namespace = elsewhere
			room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: w.namespace, Name: "default"}
		})
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonInvalidParameter),
			beStalled(zimv1alpha1.ReasonInvalidParameter)))
		Expect(readyOf(w.get(ctx, room).Status.Conditions).Message).To(ContainSubstring("fromUserID"))
		Expect(w.simulator.Calls()).To(BeEmpty())
		w.edit(ctx, room, as(""))
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})
})

var _ = Describe("A forged ZimApp, with somebody else's AppID and a wrong secret", func() {
	var (
		w      *world
		forger string
		owned  *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		forger = createNamespace(ctx, nil)
		w.createSecret(ctx, forger, "ffffffffffffffffffffffffffffffff")
		w.createAppObject(ctx, forger, func(app *zimv1alpha1.ZimApp) {
			app.Spec.RequestsPerSecond = 1
			app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}
		})
		w.reconcileApp(ctx, forger)
		owned = w.applied(ctx)
	})

	It("does not touch the owner's ZimApp or rooms", func(ctx context.Context) {
		before := w.get(ctx, owned).Status
		forged := w.applyAndPass(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Namespace = forger
			room.Spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "forged", Value: "x"}}
		})
		Expect(w.get(ctx, forged)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotReady))
		w.verify(ctx, owned)
		Expect(w.get(ctx, owned).Status).To(Equal(before))
		Expect(w.app(ctx)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Attributes).NotTo(HaveKey("forged"))
	})

	It("cannot hand over to, or take over from, the owner's rooms", func(ctx context.Context) {
		forged := w.apply(ctx, func(room *zimv1alpha1.ZimRoom) { room.Namespace = forger })
		w.simulator.ResetCalls()
		Expect(apiServer.Delete(ctx, owned)).To(Succeed())
		w.pass(ctx, owned)
		Expect(w.isGone(ctx, owned)).To(BeTrue())
		Expect(w.calls()).To(Equal([]string{"DestroyRoom"}))
		Expect(w.get(ctx, forged).Status.Room).To(BeNil())
	})

	It("does not become accepted by a moved endpoint", func(ctx context.Context) {
		other := newEmptyWorld(ctx) // A realm of the forger's own, which accepts everything he signs.
		other.simulator.SetApp(zimsim.App{
			AppID: testAppID, ServerSecret: "ffffffffffffffffffffffffffffffff", CallsPerSecond: -1,
		})
		app := &zimv1alpha1.ZimApp{}
		Expect(apiServer.Get(ctx, request(forger, "default").NamespacedName, app)).To(Succeed())
		app.Spec.Endpoint = other.server.URL
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		w.reconcileApp(ctx, forger)
		Expect(apiServer.Get(ctx, request(forger, "default").NamespacedName, app)).To(Succeed())
		Expect(app).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))

		app.Spec.Endpoint = w.server.URL
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		w.reconcileApp(ctx, forger)
		Expect(apiServer.Get(ctx, request(forger, "default").NamespacedName, app)).To(Succeed())
		Expect(app).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected))
		Expect(app.Status.AcceptedSecretVersion).To(BeEmpty())
		w.verify(ctx, owned)
		Expect(w.get(ctx, owned)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})
})

var _ = Describe("Several ZimApps of one account", func() {
	It("share its rooms, and the oldest ZimRoom of all has the room", func(ctx context.Context) {
		w := newWorld(ctx)
		first := w.applied(ctx, named("a-first"))
		elsewhere := createNamespace(ctx, nil)
		w.createApp(ctx, elsewhere)
		second := w.apply(ctx, func(room *zimv1alpha1.ZimRoom) { room.Namespace = elsewhere })
		w.pass(ctx, first)
		w.pass(ctx, second)
		holders := 0
		for _, room := range []*zimv1alpha1.ZimRoom{first, second} {
			if readyOf(w.get(ctx, room).Status.Conditions).Status == metav1.ConditionTrue {
				holders++
			}
		}
		Expect(holders).To(Equal(1))
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})
})
