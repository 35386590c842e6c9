package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("A ZimApp", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newEmptyWorld(ctx) })

	setSecret := func(ctx context.Context, data map[string][]byte) {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "zim"}, secret)).To(Succeed())
		secret.Data = data
		Expect(apiServer.Update(ctx, secret)).To(Succeed())
	}

	It("is accepted with one call, which registers the operator user", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		app := w.app(ctx)
		Expect(app).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted),
			haveNoCondition("Reconciling"), haveNoCondition("Stalled")))
		Expect(app.Status.ObservedGeneration).To(Equal(app.Generation))
		var secret corev1.Secret
		Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "zim"}, &secret)).To(Succeed())
		Expect(app.Status.AcceptedSecretVersion).To(Equal(secret.ResourceVersion))
		Expect(w.simulator.Calls()).To(HaveLen(1))
		Expect(w.simulator.Users(testAppID)).To(ConsistOf(HaveField("ID", testUser)))
		Expect(w.eventReasons()).To(Equal([]string{zimv1alpha1.ReasonAccepted}))
	})

	It("costs nothing on the next pass, nor on the first after a restart", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		w.writes.Store(0)
		Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeZero())
		w.restartOperator()
		Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeZero())
		Expect(w.simulator.Calls()).To(BeEmpty())
		Expect(w.writes.Load()).To(BeZero())
	})

	DescribeTable("says what is wrong with its Secret without a call, and recovers by itself",
		func(ctx context.Context, data map[string][]byte, reason, message string) {
			if data != nil {
				w.createSecret(ctx, w.namespace, "")
				setSecret(ctx, data)
			}
			w.createAppObject(ctx, w.namespace)
			Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeZero(), "the Secret wakes it")
			app := w.app(ctx)
			Expect(app).To(And(beReady(metav1.ConditionFalse, reason), beReconciling(reason)))
			Expect(readyOf(app.Status.Conditions).Message).To(ContainSubstring(message))
			Expect(w.simulator.Calls()).To(BeEmpty())

			room := w.apply(ctx)
			Expect(w.pass(ctx, room).RequeueAfter).To(BeZero())
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotReady))
			Expect(readyOf(w.get(ctx, room).Status.Conditions).Message).To(ContainSubstring(reason))

			if data == nil {
				w.createSecret(ctx, w.namespace, testSecret)
			} else {
				setSecret(ctx, map[string][]byte{"serverSecret": []byte(testSecret)})
			}
			w.reconcileApp(ctx, w.namespace)
			Expect(w.app(ctx)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		},
		Entry("no Secret", nil, zimv1alpha1.ReasonSecretNotFound, "zim does not exist"),
		Entry("no key", map[string][]byte{"other": []byte("x")}, zimv1alpha1.ReasonInvalidSecret, "lacks the key serverSecret"),
		Entry("empty", map[string][]byte{"serverSecret": {}}, zimv1alpha1.ReasonInvalidSecret, "empty"),
		Entry("padded", map[string][]byte{"serverSecret": []byte(testSecret + "\n")}, zimv1alpha1.ReasonInvalidSecret,
			"white space"),
	)

	DescribeTable("says why ZIM does not accept it, probes with backoff, and recovers by itself",
		func(ctx context.Context, fault zimsim.Fault, status metav1.ConditionStatus, reason string) {
			fault.Action = "UserRegister"
			w.inject(fault)
			w.createSecret(ctx, w.namespace, testSecret)
			w.createAppObject(ctx, w.namespace)
			wait := w.reconcileApp(ctx, w.namespace).RequeueAfter
			Expect(wait).To(BeNumerically("~", 5*time.Second, time.Second))
			Expect(w.app(ctx)).To(And(beReady(status, reason), beReconciling(reason)))
			Expect(w.app(ctx).Status.AcceptedSecretVersion).To(BeEmpty())

			By("not probing before the wait is over")
			w.simulator.ResetCalls()
			Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(Equal(wait))
			Expect(w.simulator.Calls()).To(BeEmpty())

			By("waiting longer each time, up to five minutes")
			for _, base := range []int{10, 20, 40, 80, 160, 300, 300} {
				w.advance(wait)
				wait = w.reconcileApp(ctx, w.namespace).RequeueAfter
				Expect(wait).To(BeNumerically("~", seconds(base), seconds(base)/5))
			}
			w.simulator.ClearFaults()
			w.advance(wait)
			w.reconcileApp(ctx, w.namespace)
			Expect(w.app(ctx)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
		},
		entryForCode(100000005, metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected),
		entryForCode(3, metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected),
		entryForCode(100000004, metav1.ConditionFalse, zimv1alpha1.ReasonClockSkew),
		entryForCode(100000017, metav1.ConditionFalse, zimv1alpha1.ReasonServiceNotEnabled),
		entryForCode(100000001, metav1.ConditionFalse, zimv1alpha1.ReasonAppRejected),
		entryForCode(100000010, metav1.ConditionFalse, zimv1alpha1.ReasonAppRejected),
		entryForCode(100000011, metav1.ConditionFalse, zimv1alpha1.ReasonAppRejected),
		entryForCode(100000016, metav1.ConditionFalse, zimv1alpha1.ReasonAppRejected),
		entryForCode(100000014, metav1.ConditionFalse, zimv1alpha1.ReasonClientError),
		entryForCode(660000012, metav1.ConditionFalse, zimv1alpha1.ReasonOperatorRejected),
		entryForCode(660700001, metav1.ConditionUnknown, zimv1alpha1.ReasonRateLimited),
		entryForCode(987654321, metav1.ConditionUnknown, zimv1alpha1.ReasonZIMUnavailable),
		Entry("no answer", zimsim.Fault{Kind: zimsim.FaultCutBefore}, metav1.ConditionUnknown,
			zimv1alpha1.ReasonZIMUnavailable),
	)

	It("takes a changed Secret at once, though the next probe is minutes away", func(ctx context.Context) {
		w.createSecret(ctx, w.namespace, "ffffffffffffffffffffffffffffffff")
		w.createAppObject(ctx, w.namespace)
		Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).NotTo(BeZero())
		Expect(w.app(ctx)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected))
		w.setSecret(ctx, testSecret)
		Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeZero())
		Expect(w.app(ctx)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
	})

	It("leaves confirmed rooms untouched while its Secret is wrong, and makes no call for them", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		room := w.applied(ctx)
		before := w.get(ctx, room)
		w.setSecret(ctx, "ffffffffffffffffffffffffffffffff")
		w.reconcileApp(ctx, w.namespace)
		Expect(w.app(ctx)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected))
		w.simulator.ResetCalls()
		w.advance(2 * verifyInterval)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(w.calls()).To(BeEmpty())
	})

	It("freezes all its rooms when ZIM refuses a call for one, and thaws them with one probe", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		one := w.apply(ctx, named("one"))
		two := w.apply(ctx, named("two"), func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = "Room2" })
		w.simulator.SetApp(zimsim.App{
			AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: -1, ServiceDisabled: true,
		})
		w.simulator.ResetCalls()
		w.pass(ctx, one)
		w.pass(ctx, two)
		Expect(w.calls()).To(HaveLen(1))
		Expect(w.get(ctx, two)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotReady))
		wait := w.reconcileApp(ctx, w.namespace).RequeueAfter
		Expect(wait).To(BeNumerically("~", 5*time.Second, time.Second))
		Expect(w.app(ctx)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonServiceNotEnabled))

		w.simulator.SetApp(zimsim.App{AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: -1})
		w.advance(wait)
		w.reconcileApp(ctx, w.namespace)
		w.pass(ctx, one)
		w.pass(ctx, two)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(2))
	})

	Context("that is to be probed while others are", func() {
		var (
			answer chan struct{}
			inCall atomic.Int64
		)

		BeforeEach(func() {
			answer = make(chan struct{})
			inCall.Store(0)
			w.options.NewClient = patientClient
			w.restartOperator()
		})
		// during runs something while the endpoint hangs in a pass over the ZimApp default.
		during := func(ctx context.Context, run func()) {
			GinkgoHelper()
			w.onCall = func(string) {
				inCall.Add(1)
				<-answer
			}
			var passes sync.WaitGroup
			passes.Go(func() {
				defer GinkgoRecover()
				w.reconcileApp(ctx, w.namespace)
			})
			defer passes.Wait()
			defer close(answer)
			Eventually(inCall.Load).WithTimeout(soon).Should(BeEquivalentTo(1))
			run()
		}
		other := func(app *zimv1alpha1.ZimApp) { app.Name = "other" }
		ofOther := func(room *zimv1alpha1.ZimRoom) {
			room.Name, room.Spec.ID = "of-other", "of-other"
			room.Spec.AppRef = &zimv1alpha1.AppReference{Name: "other"}
		}
		reconcileOther := func(ctx context.Context) *zimv1alpha1.ZimApp {
			GinkgoHelper()
			result, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "other"))
			Expect(err).NotTo(HaveOccurred())
			Expect(result.RequeueAfter).To(BeZero(), "it is woken")
			app := &zimv1alpha1.ZimApp{}
			Expect(apiServer.Get(ctx, request(w.namespace, "other").NamespacedName, app)).To(Succeed())
			return app
		}

		It("waits without a worker and a word, and so do its rooms", func(ctx context.Context) {
			w.createSecret(ctx, w.namespace, testSecret)
			w.createAppObject(ctx, w.namespace)
			w.createAppObject(ctx, w.namespace, other)
			room := w.apply(ctx, ofOther)
			during(ctx, func() {
				for range 2 {
					Expect(reconcileOther(ctx).Status.Conditions).To(BeEmpty())
					w.pass(ctx, room)
					Expect(w.get(ctx, room).Status.Conditions).To(BeEmpty())
				}
				Expect(inCall.Load()).To(BeEquivalentTo(1))
			})
			w.onCall = nil
			Expect(reconcileOther(ctx)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		})

		It("goes on meanwhile with what ZIM has accepted", func(ctx context.Context) {
			w.createApp(ctx, w.namespace)
			w.createAppObject(ctx, w.namespace, other)
			waiting := reconcileOther(ctx)
			room := w.apply(ctx, ofOther)
			edit := func(app *zimv1alpha1.ZimApp) {
				app.Spec.FromUserID = "User2"
				Expect(apiServer.Update(ctx, app)).To(Succeed())
			}
			edit(w.app(ctx))
			edit(waiting)
			during(ctx, func() {
				Expect(reconcileOther(ctx).Status).To(Equal(waiting.Status))
				w.onCall = nil
				w.pass(ctx, room)
				Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			})
			Expect(reconcileOther(ctx).Status.ObservedGeneration).To(BeEquivalentTo(2))
			Expect(w.simulator.Users(testAppID)).To(ConsistOf(HaveField("ID", testUser), HaveField("ID", "User2")))
		})

		It("makes no room in the account that it leaves", func(ctx context.Context) {
			w.createApp(ctx, w.namespace)
			w.createAppObject(ctx, w.namespace, other)
			moved := reconcileOther(ctx)
			elsewhere := newEmptyWorld(ctx)
			for _, app := range []*zimv1alpha1.ZimApp{w.app(ctx), moved} {
				app.Spec.Endpoint = elsewhere.server.URL
				Expect(apiServer.Update(ctx, app)).To(Succeed())
			}
			elsewhere.onCall = func(string) {
				inCall.Add(1)
				<-answer
			}
			room := w.apply(ctx, ofOther)
			during(ctx, func() {
				reconcileOther(ctx)
				w.pass(ctx, room)
			})
			Expect(w.calls()).To(BeEmpty())
			Expect(w.get(ctx, room).Status.Conditions).To(BeEmpty())
		})

		// inheriting makes a room of an accepted ZimApp, and an heir of "other", and deletes the first one's ZimRoom.
		inheriting := func(ctx context.Context) (giver, heir *zimv1alpha1.ZimRoom) {
			GinkgoHelper()
			w.createSecret(ctx, w.namespace, testSecret)
			w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Name = "owner" })
			_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "owner"))
			Expect(err).NotTo(HaveOccurred())
			giver = w.applied(ctx, func(room *zimv1alpha1.ZimRoom) {
				room.Spec.AppRef = &zimv1alpha1.AppReference{Name: "owner"}
			})
			w.createAppObject(ctx, w.namespace)
			w.createAppObject(ctx, w.namespace, other)
			heir = w.applyYounger(ctx, giver, ofOther, withID(giver.Spec.ID))
			Expect(apiServer.Delete(ctx, giver)).To(Succeed())
			return giver, heir
		}

		It("may take over a room, which is not destroyed before that is known", func(ctx context.Context) {
			giver, heir := inheriting(ctx)
			during(ctx, func() {
				reconcileOther(ctx)
				Expect(w.pass(ctx, giver).RequeueAfter).To(BeNumerically("~", 10*time.Minute, 10*time.Second))
				Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
			})
			w.onCall = nil
			reconcileOther(ctx)
			w.pass(ctx, giver)
			w.pass(ctx, heir)
			Expect(w.isGone(ctx, giver)).To(BeTrue())
			Expect(w.get(ctx, heir).Status.Room.Origin).To(Equal(zimv1alpha1.RoomOriginCreated))
		})

		It("holds up the end of a room for ten minutes only", func(ctx context.Context) {
			giver, _ := inheriting(ctx)
			during(ctx, func() {
				reconcileOther(ctx)
				w.onCall = nil
				w.advance(w.pass(ctx, giver).RequeueAfter + time.Second)
				Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
				w.pass(ctx, giver)
			})
			Expect(w.calls()).To(ContainElement("DestroyRoom"))
		})

		It("does not keep the room of others from them", func(ctx context.Context) {
			w.createSecret(ctx, w.namespace, testSecret)
			w.createAppObject(ctx, w.namespace, other)
			stranger := w.apply(ctx, ofOther)
			w.createAppObject(ctx, w.namespace)
			owner := createNamespace(ctx, nil)
			w.createApp(ctx, owner)
			room := w.applyYounger(ctx, stranger, func(room *zimv1alpha1.ZimRoom) {
				room.Namespace, room.Spec.ID = owner, stranger.Spec.ID
			})
			during(ctx, func() {
				reconcileOther(ctx)
				w.onCall = nil
				w.pass(ctx, room)
			})
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		})
	})

	It("keeps its conditions when it may not ask at present, and asks again in a moment", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		before := w.app(ctx)
		w.options.NewClient = clientWithoutTurn
		w.restartOperator()
		w.setSecret(ctx, "ffffffffffffffffffffffffffffffff")
		Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeNumerically("~", time.Second, time.Second/5))
		Expect(w.app(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
	})

	Context("whose endpoint the manager does not admit", func() {
		DescribeTable("is stalled, and no call is made",
			func(ctx context.Context, policy controllers.EndpointPolicy, endpoint, message string) {
				w.options.Endpoints = policy
				w.restartOperator()
				w.createSecret(ctx, w.namespace, testSecret)
				w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) {
					if endpoint != "" {
						app.Spec.Endpoint = endpoint
					}
				})
				Expect(w.reconcileApp(ctx, w.namespace).RequeueAfter).To(BeZero())
				Expect(w.app(ctx)).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonInvalidEndpoint),
					beStalled(zimv1alpha1.ReasonInvalidEndpoint)))
				Expect(readyOf(w.app(ctx).Status.Conditions).Message).To(ContainSubstring(message))
				Expect(w.simulator.Calls()).To(BeEmpty())
			},
			Entry("http", controllers.EndpointPolicy{}, "", "--allow-insecure-endpoints"),
			Entry("another host", controllers.EndpointPolicy{AllowedHosts: []string{"zim.example.com"}},
				"https://zim.example.org", "--allowed-endpoint-hosts=zim.example.org"),
			Entry("a host that only looks like the vendor's", controllers.EndpointPolicy{},
				"https://evilzego.im", "evilzego.im"),
		)

		It("works again once the endpoint is mended", func(ctx context.Context) {
			w.createSecret(ctx, w.namespace, testSecret)
			w.options.Endpoints = controllers.EndpointPolicy{}
			w.restartOperator()
			w.createAppObject(ctx, w.namespace)
			w.reconcileApp(ctx, w.namespace)
			w.options.Endpoints = controllers.EndpointPolicy{AllowInsecure: true}
			w.restartOperator()
			w.reconcileApp(ctx, w.namespace)
			Expect(w.app(ctx)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted),
				haveNoCondition("Stalled")))
		})
	})

	It("stays while rooms use it, says which, and goes with the last", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		room := w.applied(ctx)
		w.reconcileApp(ctx, w.namespace)
		Expect(w.app(ctx).Finalizers).To(ConsistOf(zimv1alpha1.Finalizer))
		Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
		w.reconcileApp(ctx, w.namespace)
		app := w.app(ctx)
		Expect(app).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonInUse))
		Expect(readyOf(app.Status.Conditions).Message).To(And(
			ContainSubstring("1 ZimRoom"), ContainSubstring("room1")))

		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty(), "its rooms could still be destroyed")
		w.reconcileApp(ctx, w.namespace)
		err := apiServer.Get(ctx, client.ObjectKeyFromObject(app), app)
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		Expect(err).To(HaveOccurred())
	})
})

// patientClient builds clients that wait long for an answer.
func patientClient(endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter) (*zim.Client, error) {
	httpClient := zim.NewHTTPClient()
	httpClient.Timeout = 3 * soon
	return zim.NewClient(zim.Config{
		Endpoint: endpoint, AppID: appID, ServerSecret: serverSecret, HTTPClient: httpClient, Limiter: limiter,
	})
}

// clientWithoutTurn builds clients whose calls never leave.
func clientWithoutTurn(endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter) (*zim.Client, error) {
	return zim.NewClient(zim.Config{
		Endpoint: endpoint, AppID: appID, ServerSecret: serverSecret, HTTPClient: zim.NewHTTPClient(), Limiter: limiter,
		MayCall: func() error { return errors.New("not now") },
	})
}

// These run the manager, under the quota.
var _ = Describe("Many ZimApps of one account", func() {
	DescribeTable("are probed within the quota while rooms are being created",
		func(ctx context.Context, change func(context.Context, *world, []*zimv1alpha1.ZimApp)) {
			const many, rooms = 12, 60
			w := newLiveWorld(ctx)
			w.startManager(ctx)
			w.createSecret(ctx, w.namespace, testSecret)
			w.createAppObject(ctx, w.namespace, atVendorRate)
			for i := range many {
				w.createAppObject(ctx, w.namespace, atVendorRate, func(app *zimv1alpha1.ZimApp) {
					app.Name = fmt.Sprintf("other-%d", i)
				})
			}
			apps := w.acceptedApps(ctx, many+1)
			for i := range rooms {
				w.apply(ctx, func(room *zimv1alpha1.ZimRoom) {
					room.Name, room.Spec.ID, room.Spec.Attributes = fmt.Sprintf("room-%d", i), fmt.Sprintf("room-%d", i), nil
				})
			}
			Eventually(func() int { return len(w.simulator.Rooms(testAppID)) }).WithTimeout(soon).
				Should(BeNumerically(">=", rooms/2))
			w.simulator.ResetCalls()
			change(ctx, w, apps)
			w.acceptedApps(ctx, many+1)
			Eventually(func() []zimsim.Room { return w.simulator.Rooms(testAppID) }).WithTimeout(soon).
				Should(HaveLen(rooms))
			Expect(w.simulator.CallsOf(zimsim.CallFilter{Action: "UserRegister"})).To(HaveLen(many + 1))
			Expect(w.simulator.Calls()).NotTo(ContainElement(HaveField("Code", BeElementOf(limitCodes))))
			Expect(busiestSecond(w.simulator.Calls())).To(BeNumerically("<=", 24))
		},
		Entry("after their Secret was rotated", func(ctx context.Context, w *world, _ []*zimv1alpha1.ZimApp) {
			w.simulator.SetApp(zimsim.App{
				AppID: testAppID, ServerSecret: "ffffffffffffffffffffffffffffffff", CallsPerSecond: 24,
			})
			w.setSecret(ctx, "ffffffffffffffffffffffffffffffff")
		}),
		Entry("after they were given another user", func(ctx context.Context, _ *world, apps []*zimv1alpha1.ZimApp) {
			for _, app := range apps {
				before := app.DeepCopy()
				app.Spec.FromUserID = "User2"
				Expect(apiServer.Patch(ctx, app, client.MergeFrom(before))).To(Succeed())
			}
		}),
	)
})

// limitCodes are what ZIM answers when the quota is used up.
var limitCodes = []int{660300005, 660700001, 7}

// acceptedApps waits until ZIM has accepted so many ZimApps of the namespace as they are now, with the present Secret.
func (w *world) acceptedApps(ctx context.Context, count int) []*zimv1alpha1.ZimApp {
	GinkgoHelper()
	var accepted []*zimv1alpha1.ZimApp
	Eventually(func(g Gomega) {
		var apps zimv1alpha1.ZimAppList
		g.Expect(apiServer.List(ctx, &apps, client.InNamespace(w.namespace))).To(Succeed())
		g.Expect(apps.Items).To(HaveLen(count))
		secret := &corev1.Secret{}
		g.Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "zim"}, secret)).To(Succeed())
		accepted = nil
		for i := range apps.Items {
			app := &apps.Items[i]
			g.Expect(app).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
			g.Expect(app.Status.ObservedGeneration).To(Equal(app.Generation))
			g.Expect(app.Status.AcceptedSecretVersion).To(Equal(secret.ResourceVersion))
			accepted = append(accepted, app)
		}
	}).WithContext(ctx).WithTimeout(3 * soon).WithPolling(100 * time.Millisecond).Should(Succeed())
	return accepted
}

// busiestSecond returns how many calls came at most within a second.
func busiestSecond(calls []zimsim.Call) int {
	most, first := 0, 0
	for i := range calls {
		for calls[i].Time.Sub(calls[first].Time) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func entryForCode(code int, status metav1.ConditionStatus, reason string) TableEntry {
	return Entry(fmt.Sprintf("%d is %s", code, reason),
		zimsim.Fault{Kind: zimsim.FaultCode, Code: code}, status, reason)
}
