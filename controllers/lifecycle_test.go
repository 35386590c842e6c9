package controllers_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	// soon is how long the running operator may take for what it does at once. Generous: the machine may be busy.
	soon = 20 * time.Second
	// hangTimeout stands for the ten seconds after which a call to a hanging endpoint ends.
	hangTimeout = 2 * time.Second
	// quiet is how long nothing may happen for it to count as nothing.
	quiet = time.Second
)

// These specs run the manager, with the real clock, caches and queues.
var _ = Describe("The running operator", func() {
	var w *world

	BeforeEach(func(ctx context.Context) {
		w = newLiveWorld(ctx)
		w.startManager(ctx)
	})

	ready := func(ctx context.Context, room *zimv1alpha1.ZimRoom) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
	}
	gone := func(ctx context.Context, object client.Object) {
		GinkgoHelper()
		Eventually(func() error {
			err := apiServer.Get(ctx, client.ObjectKeyFromObject(object), object)
			return client.IgnoreNotFound(err)
		}).WithContext(ctx).WithTimeout(soon).Should(Succeed())
		Eventually(func() bool {
			return apiServer.Get(ctx, client.ObjectKeyFromObject(object), object) != nil
		}).WithContext(ctx).WithTimeout(soon).Should(BeTrue())
	}
	prepareApp := func(ctx context.Context) {
		GinkgoHelper()
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace, atVendorRate)
	}

	It("takes a room from apply through edit to its end", func(ctx context.Context) {
		prepareApp(ctx)
		room := w.apply(ctx)
		ready(ctx, room)
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "edited" })
		Eventually(func() map[string]zimsim.Attribute {
			live, _ := w.simulator.Room(testAppID, "Room1")
			return live.Attributes
		}).WithTimeout(soon).Should(HaveKeyWithValue("k1", HaveField("Value", "edited")))
		Eventually(func() bool { return kubectlWaits(ctx, room) }).WithTimeout(soon).Should(BeTrue())
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		gone(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(BeEmpty())
	})

	It("comes to rest: no call and no write without a reason", func(ctx context.Context) {
		prepareApp(ctx)
		room := w.apply(ctx)
		ready(ctx, room)
		calls, version := len(w.simulator.Calls()), w.get(ctx, room).ResourceVersion
		Consistently(func(g Gomega) {
			g.Expect(w.simulator.Calls()).To(HaveLen(calls))
			g.Expect(w.get(ctx, room).ResourceVersion).To(Equal(version))
		}).WithTimeout(quiet).Should(Succeed())
	})

	It("is woken by what a room waits for: the ZimApp, its Secret, a namespace's label", func(ctx context.Context) {
		room := w.apply(ctx)
		elsewhere := createNamespace(ctx, nil)
		foreign := w.apply(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Namespace, room.Spec.ID = elsewhere, "Room2"
			room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: w.namespace, Name: "default"}
		})
		reason := func(ctx context.Context, room *zimv1alpha1.ZimRoom) func() string {
			return func() string {
				found := meta.FindStatusCondition(w.get(ctx, room).Status.Conditions, "Ready")
				if found == nil {
					return ""
				}
				return found.Reason
			}
		}
		Eventually(reason(ctx, room)).WithTimeout(soon).Should(Equal(zimv1alpha1.ReasonAppNotFound))
		Eventually(reason(ctx, foreign)).WithTimeout(soon).Should(Equal(zimv1alpha1.ReasonAppNotAllowed))
		w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) {
			app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{
				From:     zimv1alpha1.NamespacesFromSelector,
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"rooms": "yes"}},
			}
		})
		Eventually(reason(ctx, room)).WithTimeout(soon).Should(Equal(zimv1alpha1.ReasonAppNotReady))
		w.createSecret(ctx, w.namespace, testSecret)
		ready(ctx, room)
		Expect(reason(ctx, foreign)()).To(Equal(zimv1alpha1.ReasonAppNotAllowed))
		namespace := &corev1.Namespace{}
		Expect(apiServer.Get(ctx, client.ObjectKey{Name: elsewhere}, namespace)).To(Succeed())
		namespace.Labels["rooms"] = "yes"
		Expect(apiServer.Update(ctx, namespace)).To(Succeed())
		ready(ctx, foreign)
	})

	It("gives the room to a waiting ZimRoom when the holder goes", func(ctx context.Context) {
		prepareApp(ctx)
		first := w.apply(ctx, named("a-first"))
		ready(ctx, first)
		second := w.apply(ctx, named("b-second"))
		Eventually(func() *zimv1alpha1.ZimRoom { return w.get(ctx, second) }).WithTimeout(soon).
			Should(beStalled(zimv1alpha1.ReasonDuplicateRoomID))
		Expect(apiServer.Delete(ctx, first)).To(Succeed())
		gone(ctx, first)
		ready(ctx, second)
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
	})

	It("lets a room go that waits for a Secret, once the ZimApp is deleted too", func(ctx context.Context) {
		prepareApp(ctx)
		room := w.apply(ctx)
		ready(ctx, room)
		w.deleteSecret(ctx)
		Eventually(func() *zimv1alpha1.ZimApp { return w.app(ctx) }).WithTimeout(soon).
			Should(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonSecretNotFound))
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		Eventually(func() string { return readyOf(w.get(ctx, room).Status.Conditions).Reason }).WithTimeout(soon).
			Should(Equal(zimv1alpha1.ReasonSecretNotFound))
		Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
		gone(ctx, room)
	})

	It("thaws the rooms of an app whose wrong Secret was mended", func(ctx context.Context) {
		w.createSecret(ctx, w.namespace, "ffffffffffffffffffffffffffffffff")
		w.createAppObject(ctx, w.namespace)
		room := w.apply(ctx)
		Eventually(func() *zimv1alpha1.ZimApp { return w.app(ctx) }).WithTimeout(soon).
			Should(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected))
		w.setSecret(ctx, testSecret)
		ready(ctx, room)
	})

	It("takes a rotated secret with one call, and leaves the rooms alone", func(ctx context.Context) {
		prepareApp(ctx)
		for i := range 10 {
			ready(ctx, w.apply(ctx, named(fmt.Sprintf("room-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("room-%d", i)
			}))
		}
		w.simulator.ResetCalls()
		w.simulator.SetApp(zimsim.App{AppID: testAppID, ServerSecret: "ffffffffffffffffffffffffffffffff"})
		w.setSecret(ctx, "ffffffffffffffffffffffffffffffff")
		accepted := func(g Gomega) {
			secret := &corev1.Secret{}
			g.Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "zim"}, secret)).To(Succeed())
			g.Expect(w.app(ctx).Status.AcceptedSecretVersion).To(Equal(secret.ResourceVersion))
		}
		Eventually(accepted).WithTimeout(soon).Should(Succeed())
		Consistently(func() []zimsim.Call { return w.simulator.Calls() }).WithTimeout(quiet).
			Should(ConsistOf(HaveField("Action", "UserRegister")))
	})

	It("serves an app that comes while the endpoint of another hangs", func(ctx context.Context) {
		stuck := newLiveWorld(ctx)
		stuck.inject(zimsim.Fault{Kind: zimsim.FaultHang})
		for range 3 {
			namespace := createNamespace(ctx, nil)
			stuck.createSecret(ctx, namespace, testSecret)
			stuck.createAppObject(ctx, namespace, atVendorRate)
		}
		Eventually(stuck.simulator.Calls).WithTimeout(soon).ShouldNot(BeEmpty())
		begin := time.Now()
		prepareApp(ctx)
		Eventually(func() *zimv1alpha1.ZimApp { return w.app(ctx) }).WithTimeout(2*hangTimeout).
			Should(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted), "%s", time.Since(begin))
	})

	It("recovers from frequency limits by itself", func(ctx context.Context) {
		prepareApp(ctx)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Times: 2})
		room := w.apply(ctx)
		ready(ctx, room)
	})

	It("creates 100 rooms under the quota without one limit answer, each its own", func(ctx context.Context) {
		prepareApp(ctx)
		for i := range 100 {
			w.apply(ctx, named(fmt.Sprintf("room-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("room-%d", i)
			})
		}
		var rooms zimv1alpha1.ZimRoomList
		Eventually(func(g Gomega) {
			g.Expect(apiServer.List(ctx, &rooms, client.InNamespace(w.namespace))).To(Succeed())
			for i := range rooms.Items {
				g.Expect(&rooms.Items[i]).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			}
		}).WithTimeout(3 * soon).WithPolling(500 * time.Millisecond).Should(Succeed())
		for _, call := range w.simulator.Calls() {
			Expect(call.Code).To(BeZero(), "%+v", call)
		}
		Expect(w.calls()).To(HaveLen(100))
	})

	It("replaces rooms under the quota without one limit answer", func(ctx context.Context) {
		prepareApp(ctx)
		var rooms []*zimv1alpha1.ZimRoom
		for i := range 15 {
			rooms = append(rooms, w.apply(ctx, named(fmt.Sprintf("room-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("room-%d", i)
			}))
		}
		for _, room := range rooms {
			ready(ctx, room)
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
		}
		Eventually(func() []zimsim.Room { return w.simulator.Rooms(testAppID) }).WithTimeout(3 * soon).
			Should(And(HaveLen(len(rooms)), HaveEach(HaveField("Name", "Renamed"))))
		Expect(w.simulator.Calls()).NotTo(ContainElement(HaveField("Code", 660300005)))
	})

	It("serves other accounts while the endpoint of one hangs", func(ctx context.Context) {
		prepareApp(ctx)
		stuck := newLiveWorld(ctx)
		stuck.createSecret(ctx, stuck.namespace, testSecret)
		stuck.createAppObject(ctx, stuck.namespace, atVendorRate)
		Eventually(func() *zimv1alpha1.ZimApp { return stuck.app(ctx) }).WithTimeout(soon).
			Should(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
		stuck.inject(zimsim.Fault{Kind: zimsim.FaultHang})
		for i := range 30 {
			stuck.apply(ctx, named(fmt.Sprintf("room-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("room-%d", i)
			})
		}
		room := w.apply(ctx)
		ready(ctx, room)
		Expect(stuck.simulator.Rooms(testAppID)).To(BeEmpty())
	})

	It("ends a namespace with rooms, app and Secret by itself", func(ctx context.Context) {
		prepareApp(ctx)
		room := w.apply(ctx)
		ready(ctx, room)
		// The API server of the tests has no namespace controller: do what it would.
		Expect(apiServer.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})).To(Succeed())
		w.deleteSecret(ctx)
		Expect(apiServer.Delete(ctx, w.app(ctx))).To(Succeed())
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		gone(ctx, room)
		gone(ctx, &zimv1alpha1.ZimApp{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "default"}})
	})
})

var _ = Describe("An operator that is restarted", func() {
	It("goes on with what it had begun, and leaves the rest alone", func(ctx context.Context) {
		w := newLiveWorld(ctx)
		stop := w.startManager(ctx)
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace, atVendorRate)
		for i := range 40 {
			w.apply(ctx, named(fmt.Sprintf("room-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("room-%d", i)
			})
		}
		Eventually(func() int { return len(w.simulator.Rooms(testAppID)) }).WithTimeout(soon).Should(BeNumerically(">", 5))
		stop()
		w.startManager(ctx)
		Eventually(func(g Gomega) {
			var rooms zimv1alpha1.ZimRoomList
			g.Expect(apiServer.List(ctx, &rooms, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(rooms.Items).To(HaveLen(40))
			for i := range rooms.Items {
				g.Expect(rooms.Items[i].Status.Conditions).To(ContainElement(And(
					HaveField("Type", "Ready"), HaveField("Status", metav1.ConditionTrue))))
			}
		}).WithTimeout(soon).WithPolling(200 * time.Millisecond).Should(Succeed())
		for _, room := range w.simulator.Rooms(testAppID) {
			Expect(room.Incarnation).To(Equal(1), room.ID)
		}
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
	})
})

// newLiveWorld makes a world whose simulator has the real clock, and counts calls as the vendor does, with a little
// room for machines that are busy with other tests: whether the limit is kept to the call is for the bench.
func newLiveWorld(ctx context.Context) *world {
	GinkgoHelper()
	w := &world{namespace: createNamespace(ctx, nil)}
	w.simulator = zimsim.New(zimsim.Options{
		Apps: []zimsim.App{{AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: 24}},
	})
	w.server = httptest.NewServer(w.simulator.API())
	DeferCleanup(func() {
		w.simulator.ClearFaults()
		w.server.CloseClientConnections()
		w.server.Close()
	})
	return w
}

// atVendorRate allows a ZimApp what ZIM allows.
func atVendorRate(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 20 }

// startManager runs the operator until the spec ends, or until the returned function is called.
func (w *world) startManager(ctx context.Context) (stop func()) {
	GinkgoHelper()
	skipNameValidation := true // Specs run one after the other in one process.
	manager, err := ctrl.NewManager(asOperator(ctx), ctrl.Options{
		Scheme:     apiServer.Scheme(),
		Logger:     w.logger,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: &skipNameValidation},
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Cache:      cache.Options{DefaultTransform: controllers.StripForCache},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(controllers.SetupIndexes(ctx, manager.GetFieldIndexer(), operatorNamespace)).To(Succeed())
	httpClient := zim.NewHTTPClient()
	httpClient.Timeout = cmp.Or(w.patience, hangTimeout)
	if w.wrapTransport != nil {
		httpClient.Transport = w.wrapTransport(httpClient.Transport)
	}
	w.operator = controllers.New(controllers.Options{
		Client:     manager.GetClient(),
		LiveReader: manager.GetAPIReader(),
		Recorder:   manager.GetEventRecorder("zim-operator"),
		NewClient: func(
			endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter,
		) (*zim.Client, error) {
			return zim.NewClient(zim.Config{
				Endpoint: endpoint, AppID: appID, ServerSecret: serverSecret, HTTPClient: httpClient, Limiter: limiter,
				Observer: controllers.CallLog{},
			})
		},
		OperatorNamespace:       operatorNamespace,
		Endpoints:               controllers.EndpointPolicy{AllowInsecure: true},
		VerifyInterval:          verifyInterval,
		MaxConcurrentReconciles: 10,
	})
	Expect(w.operator.SetupWithManager(ctx, manager)).To(Succeed())

	running, cancel := context.WithCancel(context.WithoutCancel(ctx)) // It outlives the node that starts it.
	stopped := make(chan error, 1)
	go func() { stopped <- manager.Start(running) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		Eventually(stopped).WithTimeout(soon).Should(Receive(BeNil()))
	}
	DeferCleanup(stop)
	return stop
}
