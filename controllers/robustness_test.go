package controllers_test

import (
	"context"
	"errors"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("A write to Kubernetes that fails", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	// failNth lets the operator's nth write from now on fail, and no other.
	failNth := func(n int) {
		w.writeError = func() error {
			if n--; n == 0 {
				return errors.New("the API server is away")
			}
			return nil
		}
	}
	failedPass := func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
		GinkgoHelper()
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(err).To(HaveOccurred())
	}

	It("before the first call prevents the call", func(ctx context.Context) {
		room := w.apply(ctx)
		failNth(1) // The finalizer.
		failedPass(ctx, room)
		Expect(w.calls()).To(BeEmpty())
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("before the first call is tried again later each time, whatever else wakes the ZimRoom", func(ctx context.Context) {
		room := w.apply(ctx)
		w.writes.Store(0)
		w.writeError = func() error { return errors.New("forbidden") }
		for wait := 100 * time.Millisecond; wait < 10*time.Second; wait *= 2 {
			failedPass(ctx, room)
			w.advance(wait - time.Millisecond)
			left := w.pass(ctx, room).RequeueAfter
			Expect(left).To(BeNumerically(">", 0), "after %s", wait)
			w.advance(left)
		}
		Expect(w.writes.Load()).To(BeEquivalentTo(7))
	})

	It("is not made for a call that the operator's own end cut short", func(ctx context.Context) {
		room := w.apply(ctx)
		stopping, stop := context.WithCancel(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultHang, Action: "CreateRoom"})
		w.onCall = func(string) { stop() }
		_, err := w.operator.Rooms.Reconcile(stopping, request(room.Namespace, room.Name))
		Expect(err).NotTo(HaveOccurred())
		Eventually(w.calls).Should(Equal([]string{"CreateRoom"}), "the simulator writes it down after the operator has left")
		Expect(w.get(ctx, room).Status.Conditions).To(BeEmpty())
	})

	It("after CreateRoom does not make the room somebody else's", func(ctx context.Context) {
		room := w.apply(ctx)
		failNth(2) // The status.
		failedPass(ctx, room)
		w.simulator.ResetCalls()
		Expect(w.pass(ctx, room).RequeueAfter).To(And(BeNumerically(">=", time.Second), BeNumerically("<=", 1200*time.Millisecond)))
		Expect(w.calls()).To(BeEmpty(), "no room is called twice within a second")
		w.advance(2 * time.Second)
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
	})

	DescribeTable("again and again does not destroy the room again that was just renamed",
		func(ctx context.Context, policy zimv1alpha1.ReplacePolicy) {
			room := w.applied(ctx, func(room *zimv1alpha1.ZimRoom) { room.Spec.ReplacePolicy = policy })
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
			w.simulator.ResetCalls()
			w.writeError = func() error { return errors.New("forbidden") }
			for range 20 {
				failedPass(ctx, room)
				w.advance(80 * time.Second) // It is tried again after a minute and a fifth at most.
			}
			w.writeError = nil
			w.pass(ctx, room)
			destroyed := slices.DeleteFunc(w.calls(), func(action string) bool { return action != "DestroyRoom" })
			Expect(destroyed).To(HaveLen(1))
			got := w.get(ctx, room)
			Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(got.Status.Room.Name).To(Equal("Renamed"))
			Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
			Expect(got.Status.Room.Recreations).To(BeZero())
		},
		Entry("if empty", zimv1alpha1.ReplacePolicyWhenEmpty),
		Entry("always", zimv1alpha1.ReplacePolicyAlways),
	)

	It("again and again does not make a room somebody else's whose CreateRoom had no answer", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "CreateRoom", Times: 1})
		room := w.applyAndPass(ctx)
		w.writeError = func() error { return errors.New("forbidden") }
		for range 5 {
			w.advance(80 * time.Second)
			failedPass(ctx, room)
		}
		w.writeError = nil
		w.advance(80 * time.Second)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
	})

	Describe("after CreateRoom is made up for by what the operator remembers", func() {
		away := func() error { return errors.New("the API server is away") }
		created := func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
			GinkgoHelper()
			got := w.get(ctx, room)
			Expect(got).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		}
		destructions := func() []string {
			return slices.DeleteFunc(w.calls(), func(action string) bool { return action != "DestroyRoom" })
		}

		It("when the next call has no answer", func(ctx context.Context) {
			room := w.applied(ctx, withReplacePolicy(zimv1alpha1.ReplacePolicyAlways))
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
			w.writeError = away
			failedPass(ctx, room)
			w.writeError = nil
			w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "CreateRoom", Times: 1})
			w.advance(2 * time.Second)
			w.advance(w.pass(ctx, room).RequeueAfter)
			w.pass(ctx, room)
			created(ctx, room)
			Expect(destructions()).To(HaveLen(1))
		})

		DescribeTable("however long ZIM is away then", func(ctx context.Context, rename bool) {
			room := w.apply(ctx, withReplacePolicy(zimv1alpha1.ReplacePolicyAlways))
			if rename {
				w.pass(ctx, room)
				w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
			}
			failNth(map[bool]int{true: 1, false: 2}[rename])
			failedPass(ctx, room)
			w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})
			w.advance(2 * time.Second)
			for range 5 {
				w.advance(max(time.Minute, w.pass(ctx, room).RequeueAfter))
			}
			w.simulator.ClearFaults()
			w.advance(w.pass(ctx, room).RequeueAfter)
			w.pass(ctx, room)
			created(ctx, room)
			Expect(destructions()).To(HaveLen(map[bool]int{true: 1, false: 0}[rename]))
		}, Entry("for a new room", false), Entry("for a renamed one", true))

		It("when the ZimRoom is deleted before anything was written: the room goes too", func(ctx context.Context) {
			room := w.apply(ctx)
			failNth(2)
			failedPass(ctx, room)
			Expect(apiServer.Delete(ctx, room)).To(Succeed())
			w.advance(2 * time.Second)
			w.pass(ctx, room)
			Expect(w.isGone(ctx, room)).To(BeTrue())
			Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
		})

		It("when it is suspended before anything was written: the event of the re-creation comes all the same",
			func(ctx context.Context) {
				room := w.applied(ctx)
				w.advance(w.pass(ctx, room).RequeueAfter)
				Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
				w.eventReasons()
				w.writeError = away
				failedPass(ctx, room)
				w.writeError = nil
				w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
				w.pass(ctx, room)
				Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
				Expect(w.eventReasons()).To(ContainElement("RoomRecreated"))
			})
	})

	It("after a re-creation is made up for soon", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "more" })
		w.pass(ctx, room)
		w.advance(w.pass(ctx, room).RequeueAfter)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		failNth(1)
		failedPass(ctx, room)
		w.advance(2 * time.Second)
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got.Status.Room.Recreations).To(BeEquivalentTo(1))
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
	})

	It("after DestroyRoom sends nothing twice, and the ZimRoom goes with the next pass", func(ctx context.Context) {
		room := w.applied(ctx)
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		failNth(1) // The finalizer.
		failedPass(ctx, room)
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", Name: "theirs", DestroyDelay: time.Hour})).To(Succeed())
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
	})
})

var _ = Describe("An edit that comes just before a status is written", func() {
	It("is not missed, though the cache has it before it has the status", func(ctx context.Context) {
		w := newWorld(ctx)
		cache := &behind{Client: w.options.Client}
		w.options.Client = cache
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		room := w.applied(ctx)
		setTo := func(value string) {
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = value })
		}
		setTo("first")
		w.writeError = func() error {
			if cache.has == nil {
				setTo("second")
				cache.has = w.get(ctx, room)
			}
			return nil
		}
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)[0].Attributes["k1"].Value).To(Equal("first"))
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)[0].Attributes["k1"].Value).To(Equal("second"))
	})
})

var _ = Describe("An object that is applied anew under the same name while its pass is in a call", func() {
	duringCall := func(w *world, action string, do func()) {
		w.onCall = func(got string) {
			if got == action {
				defer GinkgoRecover()
				w.onCall = nil
				do()
			}
		}
	}

	DescribeTable("does not get the status of the ZimRoom that was there before",
		func(ctx context.Context, confirmed bool) {
			w := newWorld(ctx)
			room := w.apply(ctx, withPolicy(zimv1alpha1.DeletionPolicyRetain))
			if confirmed {
				w.pass(ctx, room)
				w.advance(w.pass(ctx, room).RequeueAfter)
				w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660000002, Action: "CreateRoom", Times: 1})
			}
			var fresh *zimv1alpha1.ZimRoom
			duringCall(w, "CreateRoom", func() {
				Expect(apiServer.Delete(ctx, room)).To(Succeed())
				fresh = w.apply(ctx, withID("Room2"))
			})
			_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
			Expect(apierrors.IsConflict(err)).To(BeTrue(), "got %v", err)
			Expect(w.get(ctx, fresh).Status.Conditions).To(BeEmpty())
			w.pass(ctx, fresh)
			Expect(w.get(ctx, fresh).Status.Room.ID).To(Equal("Room2"))
		},
		Entry("whose room had been confirmed", true),
		Entry("whose room was just made", false),
	)

	It("is not asked for what another ZimApp allowed", func(ctx context.Context) {
		w := newWorld(ctx)
		Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
		w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Spec.FromUserID = "another" })
		room := w.applyAndPass(ctx)
		Expect(w.calls()).To(BeEmpty(), "the pass over the ZimApp wakes it")
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	It("is not accepted with what another ZimApp had", func(ctx context.Context) {
		w := newEmptyWorld(ctx)
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace)
		duringCall(w, "UserRegister", func() {
			Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
			w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Spec.AppID = 2 })
		})
		_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "default"))
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "got %v", err)
		Expect(w.app(ctx).Spec.AppID).To(BeEquivalentTo(2))
		Expect(w.app(ctx).Status.Conditions).To(BeEmpty())
	})
})

var _ = Describe("What ZIM said during an edit", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	// duringWrite does something once, just before the next write.
	duringWrite := func(do func()) {
		w.writeError = func() error {
			w.writeError = nil
			do()
			return nil
		}
	}
	label := func(room *zimv1alpha1.ZimRoom) { room.Labels = map[string]string{"team": "a"} }

	It("about a new room is written", func(ctx context.Context) {
		room := w.apply(ctx, withPolicy(zimv1alpha1.DeletionPolicyRetain))
		duringWrite(func() { w.edit(ctx, room, label) })
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		Expect(w.get(ctx, room).Labels).To(HaveKey("team"))
		Expect(w.calls()).To(Equal([]string{"CreateRoom"}))
	})

	It("is not written over what another ZimRoom handed over", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "more" })
		duringWrite(func() {
			heir := w.get(ctx, room)
			heir.Status.Room.Name = "handed over"
			Expect(apiServer.Status().Update(ctx, heir)).To(Succeed())
		})
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "got %v", err)
		Expect(w.get(ctx, room).Status.Room.Name).To(Equal("handed over"))
	})
})

var _ = Describe("A room that is handed over just before a status of its heir is written", func() {
	It("is not taken for somebody else's, though the cache does not have that yet", func(ctx context.Context) {
		w := newWorld(ctx)
		giver := w.applied(ctx)
		heir := w.applyYounger(ctx, giver, named("heir"))
		w.pass(ctx, heir)
		cache := &behind{Client: w.options.Client, has: w.get(ctx, heir)}
		w.options.Client = cache
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.edit(ctx, heir, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "more" })
		cache.has = w.get(ctx, heir)
		handedOver := false
		w.writeError = func() error {
			if !handedOver {
				handedOver = true
				Expect(apiServer.Delete(ctx, giver)).To(Succeed())
				w.pass(ctx, giver)
			}
			return nil
		}
		_, err := w.operator.Rooms.Reconcile(ctx, request(heir.Namespace, heir.Name))
		Expect(apierrors.IsConflict(err)).To(BeTrue())
		cache.has = nil
		w.advance(2 * time.Second)
		w.pass(ctx, heir)
		Expect(w.get(ctx, heir).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
	})
})

var _ = Describe("Lost answers", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	It("of a re-creation do not make the room somebody else's", func(ctx context.Context) {
		room := w.applied(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "more" })
		w.pass(ctx, room)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutAfter, Action: "CreateRoom", Times: 1})
		w.advance(w.verify(ctx, room).RequeueAfter)
		w.eventReasons()
		w.pass(ctx, room)
		got := w.get(ctx, room)
		Expect(got.Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		Expect(got.Status.Room.Recreations).To(BeEquivalentTo(1))
		Expect(w.eventReasons()).To(Equal([]string{"RoomRecreated"}))
	})

	It("explain a room for two minutes only: later it is somebody else's", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCutBefore, Action: "CreateRoom", Times: 1})
		room := w.applyAndPass(ctx)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		w.pass(ctx, room)
		w.advance(48 * time.Hour)
		Expect(w.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = false })
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginAdopted))
	})
})

var _ = Describe("A ZimApp that changes under its rooms", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newWorld(ctx) })

	It("brings a pending edit to ZIM as soon as it thaws by itself", func(ctx context.Context) {
		room := w.applied(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017, Times: 1})
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "new" })
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReconciling(zimv1alpha1.ReasonAppNotReady))
		w.advance(w.reconcileApp(ctx, w.namespace).RequeueAfter)
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(haveNoCondition("Reconciling"))
	})

	It("is probed less and less often when ZIM takes its probes and refuses its rooms", func(ctx context.Context) {
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017, Action: "CreateRoom"})
		room := w.apply(ctx)
		for _, base := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
			w.pass(ctx, room)
			wait := w.reconcileApp(ctx, w.namespace).RequeueAfter
			Expect(wait).To(BeNumerically("~", base, base/5))
			w.advance(wait)
			w.reconcileApp(ctx, w.namespace)
		}

		By("starting over after a call for a room succeeded")
		w.simulator.ClearFaults()
		w.pass(ctx, room)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 100000017, Action: "CreateRoom"})
		w.verify(ctx, room)
		Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeNumerically("<=", 6*time.Second))
	})

	It("sends nothing to another service when its endpoint moves there", func(ctx context.Context) {
		room := w.applied(ctx)
		other := newEmptyWorld(ctx)
		Expect(other.simulator.CreateRoom(testAppID, zimsim.Room{ID: "Room1", DestroyDelay: time.Hour})).To(Succeed())
		w.editApp(ctx, func(app *zimv1alpha1.ZimApp) { app.Spec.Endpoint = other.server.URL })
		w.verify(ctx, room)
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(other.calls()).To(BeEmpty())
		Expect(other.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("does not cost a waiting ZimRoom its room when it was edited while no operator ran", func(ctx context.Context) {
		first := w.applied(ctx, named("a-first"))
		elsewhere := createNamespace(ctx, nil)
		w.createApp(ctx, elsewhere)
		second := w.applyYounger(ctx, first, func(room *zimv1alpha1.ZimRoom) { room.Namespace = elsewhere })
		w.pass(ctx, second)
		Expect(w.get(ctx, second)).To(beStalled(zimv1alpha1.ReasonDuplicateRoomID))

		app := &zimv1alpha1.ZimApp{}
		Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: elsewhere, Name: "default"}, app)).To(Succeed())
		app.Spec.RequestsPerSecond = 9000
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		w.pass(ctx, first)
		Expect(w.isGone(ctx, first)).To(BeFalse(), "it waits for the pass over the other ZimApp")
		w.reconcileApp(ctx, elsewhere)
		w.pass(ctx, first)
		Expect(w.isGone(ctx, first)).To(BeTrue())
		Expect(w.calls()).To(BeEmpty())
		Expect(w.get(ctx, second).Status.Room).NotTo(BeNil())
	})
})

var _ = Describe("Removing the annotation that asked for a look", func() {
	It("asks for nothing", func(ctx context.Context) {
		w := newWorld(ctx)
		room := w.applied(ctx)
		annotate := func(annotations map[string]string) {
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Annotations = annotations })
		}
		annotate(map[string]string{zimv1alpha1.ReconcileRequestedAtAnnotation: "x"})
		w.pass(ctx, room)
		w.simulator.ResetCalls()
		w.writes.Store(0)
		annotate(nil)
		w.pass(ctx, room)
		Expect(w.calls()).To(BeEmpty())
		w.verify(ctx, room)
		Expect(w.writes.Load()).To(BeZero())
	})
})

var _ = Describe("An operator of some namespaces only", func() {
	It("neither waits for the others nor uses their ZimApps", func(ctx context.Context) {
		w := newWorld(ctx)
		elsewhere := createNamespace(ctx, nil)
		w.options.WatchedNamespaces = []string{w.namespace}
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)

		borrowed := w.applyAndPass(ctx, named("borrowed"), func(room *zimv1alpha1.ZimRoom) {
			room.Spec.ID = "Room2"
			room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: elsewhere, Name: "default"}
		})
		Expect(w.get(ctx, borrowed)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotAllowed))

		w.apply(ctx, func(room *zimv1alpha1.ZimRoom) { room.Namespace = elsewhere })
		room := w.applied(ctx)
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
	})
})

// One watched namespace is refused to the operator: it was deleted, say, and the operator's Role in it with it.
var _ = Describe("An operator that may not look into a watched namespace", func() {
	var (
		w       *world
		refused string
		reader  *refusing
		room    *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		refused = createNamespace(ctx, nil)
		w.options.WatchedNamespaces = []string{refused, w.namespace}
		reader = &refusing{Client: apiServer, namespace: refused}
		w.options.LiveReader = reader
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		room = w.applied(ctx)
	})

	It("leaves rooms of the others behind: a ZimRoom there may name them", func(ctx context.Context) {
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
		Expect(w.eventReasons()).To(ContainElement("RoomLeftBehind"))
	})

	It("destroys rooms of the others if it could look before, and knows of no ZimRoom there", func(ctx context.Context) {
		reader.namespace = ""
		other := w.applied(ctx, named("other"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Room2" })
		Expect(apiServer.Delete(ctx, other)).To(Succeed())
		w.pass(ctx, other)
		reader.namespace = refused
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
	})

	It("makes no room in another account for a ZimRoom whose ZimApp it may not see yet", func(ctx context.Context) {
		w.options.OperatorNamespace = w.namespace
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.editApp(ctx, func(app *zimv1alpha1.ZimApp) {
			app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}
		})
		w.reconcileApp(ctx, w.namespace)
		tenant := w.apply(ctx, named("tenant"), func(room *zimv1alpha1.ZimRoom) {
			room.Namespace, room.Spec.ID = refused, "Room2"
		})
		_, err := w.operator.Rooms.Reconcile(ctx, request(tenant.Namespace, tenant.Name))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))

		By("finding out that it has none")
		reader.namespace = ""
		w.pass(ctx, tenant)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(2))
	})

	It("destroys no room that a ZimRoom there, seen before, may take over", func(ctx context.Context) {
		reader.namespace = ""
		other := w.applied(ctx, named("other"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Room2" })
		Expect(apiServer.Delete(ctx, other)).To(Succeed())
		w.pass(ctx, other)
		reader.namespace = refused
		heir := w.apply(ctx, func(heir *zimv1alpha1.ZimRoom) { heir.Namespace = refused })
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		_, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))

		By("letting it go, once nothing there can")
		heir.Finalizers = []string{"example.com/held"}
		Expect(apiServer.Update(ctx, heir)).To(Succeed())
		Expect(apiServer.Delete(ctx, heir)).To(Succeed())
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
	})

	It("takes a Secret that it may not read for gone, if the namespace is being deleted", func(ctx context.Context) {
		w.options.LiveReader = &refusing{Client: apiServer, namespace: w.namespace}
		w.restartOperator()
		_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "default"))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(apiServer.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
		w.reconcileApp(ctx, w.namespace)
		Expect(w.app(ctx)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonSecretNotFound))
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.isGone(ctx, room)).To(BeTrue())
	})
})

// refusing reads for an account that has no rights in one namespace.
type refusing struct {
	client.Client
	namespace string
}

func (r *refusing) refuse(namespace string) error {
	if namespace != r.namespace {
		return nil
	}
	return apierrors.NewForbidden(schema.GroupResource{}, "", errors.New("no Role in "+namespace))
}

func (r *refusing) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	var all client.ListOptions
	all.ApplyOptions(options)
	if err := r.refuse(all.Namespace); err != nil {
		return err
	}
	return r.Client.List(ctx, list, options...)
}

func (r *refusing) Get(
	ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption,
) error {
	if err := r.refuse(key.Namespace); err != nil {
		return err
	}
	return r.Client.Get(ctx, key, object, options...)
}
