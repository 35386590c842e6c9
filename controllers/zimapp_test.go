package controllers_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
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

func entryForCode(code int, status metav1.ConditionStatus, reason string) TableEntry {
	return Entry(fmt.Sprintf("%d is %s", code, reason),
		zimsim.Fault{Kind: zimsim.FaultCode, Code: code}, status, reason)
}
