package controllers_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// refusal says who refuses an endpoint.
type refusal bool

const (
	byCRD      refusal = true
	byOperator refusal = false
)

// What somebody can do who may write ZimRooms, ZimApps and Secrets of one namespace, against those of others. More is in
// tenancy_test.go (forged ZimApps), reference_test.go (references), duplicates_test.go (rooms of others) and
// callbacks_test.go (forged callbacks).
var _ = Describe("A tenant", func() {
	var (
		w      *world
		tenant string
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		w.applied(ctx)
		tenant = createNamespace(ctx, nil)
	})
	It("cannot sign with a Secret of another namespace", func(ctx context.Context) {
		app := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"appID": int64(testAppID), "fromUserID": testUser, "endpoint": w.server.URL,
			"serverSecretRef":   map[string]any{"name": "zim", "namespace": w.namespace},
			"callbackSecretRef": map[string]any{"name": "zim", "namespace": w.namespace},
		}}}
		app.SetGroupVersionKind(zimv1alpha1.GroupVersion.WithKind("ZimApp"))
		app.SetNamespace(tenant)
		app.SetName("default")
		Expect(apiServer.Create(ctx, app)).To(Succeed()) // The API server drops fields that it does not know.
		w.simulator.ResetCalls()
		w.reconcileApp(ctx, tenant)
		stored := &zimv1alpha1.ZimApp{}
		Expect(apiServer.Get(ctx, request(tenant, "default").NamespacedName, stored)).To(Succeed())
		Expect(stored).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonSecretNotFound))
		Expect(w.simulator.Calls()).To(BeEmpty())
	})

	It("takes nothing of a quota that it was not given", func(ctx context.Context) {
		w.createSecret(ctx, tenant, "ffffffffffffffffffffffffffffffff")
		w.createAppObject(ctx, tenant, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 1 })
		w.reconcileApp(ctx, tenant)
		for range 20 {
			w.applyAndPass(ctx, func(room *zimv1alpha1.ZimRoom) {
				room.Namespace, room.Name, room.GenerateName = tenant, "", "greedy-"
			})
		}
		Expect(w.calls()).To(Equal([]string{"CreateRoom"})) // The owner's.
		accounts := w.operator.State().Accounts
		Expect(accounts).To(HaveLen(1))
		Expect(accounts[0].Pace.Allowed).To(Equal(10000))
		Expect(accounts[0].Waiting).To(HaveEach(BeZero()))
	})

	DescribeTable("cannot make the operator call an address of its choice",
		func(ctx context.Context, endpoint string, refusedBy refusal) {
			w.options.Endpoints = controllers.EndpointPolicy{AllowedHosts: []string{"zim.example.com:8443"}}
			w.restartOperator()
			w.createSecret(ctx, tenant, testSecret)
			app := &zimv1alpha1.ZimApp{
				ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "default"},
				Spec: zimv1alpha1.ZimAppSpec{
					AppID: testAppID, ServerSecretRef: zimv1alpha1.SecretKeyReference{Name: "zim"}, FromUserID: testUser,
					Endpoint: endpoint,
				},
			}
			err := apiServer.Create(ctx, app)
			if refusedBy == byCRD {
				Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
				return
			}
			Expect(err).NotTo(HaveOccurred())
			w.options.NewClient = nil // It would panic.
			w.restartOperator()
			w.reconcileApp(ctx, tenant)
			Expect(apiServer.Get(ctx, request(tenant, "default").NamespacedName, app)).To(Succeed())
			Expect(app).To(beStalled(zimv1alpha1.ReasonInvalidEndpoint))
		},
		Entry("this machine", "https://127.0.0.1", byOperator),
		Entry("this machine, in IPv6", "https://[::1]:443", byOperator),
		Entry("this machine, mapped", "https://[::ffff:127.0.0.1]", byOperator),
		Entry("the cloud's metadata", "http://169.254.169.254", byOperator),
		Entry("the API server", "https://kubernetes.default.svc", byOperator),
		Entry("the vendor's name as a user", "https://zim-api.zego.im@example.org", byCRD),
		Entry("the vendor's name as a part", "https://zego.im.example.org", byOperator),
		Entry("the vendor's name as an end", "https://notzego.im", byOperator),
		Entry("the vendor's name after a #", "https://example.org#.zego.im", byCRD),
		Entry("the vendor's name after a ?", "https://example.org?.zego.im", byCRD),
		Entry("the vendor's name after a \\", `https://example.org\.zego.im`, byCRD),
		Entry("the vendor's name, encoded", "https://example.org%2F.zego.im", byCRD),
		Entry("letters that look like the vendor's", "https://zim-api.zeg\u043e.im", byOperator),
		Entry("the vendor over http", "http://zim-api.zego.im", byOperator),
		Entry("another port of a host that is admitted with one", "https://zim.example.com:22", byOperator),
		Entry("no host", "https://:443", byCRD),
		Entry("a file", "file:///etc/passwd", byCRD),
	)
})

// These run the manager.
var _ = Describe("ZimApps whose endpoint hangs", func() {
	const many = 40 // More than there are workers.

	It("hold up no ZimApps of others, neither new ones nor, after a restart, accepted ones", func(ctx context.Context) {
		w := newLiveWorld(ctx)
		w.patience = 3 * soon
		stop := w.startManager(ctx)
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace, atVendorRate)
		accepted := func(ctx context.Context, namespace string) {
			GinkgoHelper()
			Eventually(func(g Gomega) {
				app := &zimv1alpha1.ZimApp{}
				g.Expect(apiServer.Get(ctx, request(namespace, "default").NamespacedName, app)).To(Succeed())
				g.Expect(app).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
			}).WithTimeout(soon).Should(Succeed())
		}
		accepted(ctx, w.namespace)
		stop()

		tenant := newLiveWorld(ctx)
		tenant.inject(zimsim.Fault{Kind: zimsim.FaultHang})
		tenant.createSecret(ctx, tenant.namespace, testSecret)
		for i := range many {
			tenant.simulator.SetApp(zimsim.App{AppID: uint32(i + 1), ServerSecret: testSecret})
			tenant.createAppObject(ctx, tenant.namespace, func(app *zimv1alpha1.ZimApp) {
				app.Name, app.Spec.AppID = fmt.Sprintf("app-%d", i), int64(i+1)
			})
		}
		w.startManager(ctx)
		Eventually(tenant.simulator.Calls).WithTimeout(soon).ShouldNot(BeEmpty())
		room := w.apply(ctx)
		Eventually(func() *zimv1alpha1.ZimRoom { return w.get(ctx, room) }).WithTimeout(soon).
			Should(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		newcomer := createNamespace(ctx, nil)
		w.createSecret(ctx, newcomer, testSecret)
		w.createAppObject(ctx, newcomer, atVendorRate)
		accepted(ctx, newcomer)
		Expect(tenant.simulator.Calls()).To(HaveLen(1))
	})
})
