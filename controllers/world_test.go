package controllers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	testAppID  = 1234567890
	testSecret = "0123456789abcdef0123456789abcdef"
	testUser   = "User1"

	verifyInterval = 10 * time.Minute
)

// world is what one spec plays in: a namespace, a simulator, a clock, and an operator whose passes the spec runs
// itself.
type world struct {
	namespace string
	clock     *clocktesting.FakePassiveClock
	simulator *zimsim.Simulator
	server    *httptest.Server
	operator  *controllers.Controllers
	options   controllers.Options
	recorder  *events.FakeRecorder
	// onCall, if set, runs when ZIM has received a call of an action, before it answers. Set it between passes only.
	onCall func(action string)
	// wrapTransport, if set, stands before the connections of a running manager.
	wrapTransport func(http.RoundTripper) http.RoundTripper
	// logger, if set, is that of a running manager, instead of the suite's.
	logger logr.Logger
	// patience is how long a running manager waits for an answer of ZIM. Zero: hangTimeout.
	patience time.Duration
	// writeError, if set, lets the operator's writes to Kubernetes fail.
	writeError func() error
	// writes counts what the operator writes to Kubernetes.
	writes *atomic.Int64
}

// newWorld makes a world with an accepted ZimApp "default".
func newWorld(ctx context.Context) *world {
	GinkgoHelper()
	w := newEmptyWorld(ctx)
	w.createApp(ctx, w.namespace)
	return w
}

// newEmptyWorld makes a world without a ZimApp.
func newEmptyWorld(ctx context.Context) *world {
	GinkgoHelper()
	// Whole seconds, as the API server keeps creation times; not far from its clock, which stamps deletions.
	w := &world{clock: clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second)), writes: &atomic.Int64{}}
	w.namespace = createNamespace(ctx, nil)
	w.simulator = zimsim.New(zimsim.Options{
		Now: w.clock.Now,
		Apps: []zimsim.App{{
			// The clock stands still while a spec makes calls, so the limit of a second would hit all of them.
			AppID: testAppID, ServerSecret: testSecret, CallsPerSecond: -1,
		}},
	})
	w.server = httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if w.onCall != nil {
			w.onCall(request.URL.Query().Get("Action"))
		}
		w.simulator.API().ServeHTTP(response, request)
	}))
	DeferCleanup(w.server.Close)
	w.recorder = events.NewFakeRecorder(1000)
	w.options = controllers.Options{
		Client:                  indexedClient(ctx, w.writer(), operatorNamespace),
		LiveReader:              apiServer,
		Recorder:                w.recorder,
		NewClient:               w.newClient,
		OperatorNamespace:       operatorNamespace,
		Endpoints:               controllers.EndpointPolicy{AllowInsecure: true},
		VerifyInterval:          verifyInterval,
		MaxConcurrentReconciles: 10,
		Clock:                   w.clock,
	}
	w.restartOperator()
	return w
}

// operatorNamespace does not exist unless a spec creates it; names of the others are generated.
const operatorNamespace = "zim-operator-system"

// restartOperator forgets everything that the operator held in memory.
func (w *world) restartOperator() {
	w.operator = controllers.New(w.options)
}

func (w *world) newClient(
	endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter,
) (*zim.Client, error) {
	httpClient := zim.NewHTTPClient()
	httpClient.Timeout = callTimeout
	return zim.NewClient(zim.Config{
		Endpoint: endpoint, AppID: appID, ServerSecret: serverSecret, HTTPClient: httpClient, Limiter: limiter,
		Now: w.clock.Now, Observer: controllers.CallLog{},
	})
}

// callTimeout stands for the ten seconds of the real client, so that the specs about hanging servers are quick.
const callTimeout = 300 * time.Millisecond

func createNamespace(ctx context.Context, labels map[string]string) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels}}
	Expect(apiServer.Create(ctx, namespace)).To(Succeed())
	DeferCleanup(clean, namespace.Name)
	return namespace.Name
}

// clean removes what a spec left in a namespace, finalizers or not, so that no other spec's operator works on it.
func clean(ctx context.Context, namespace string) {
	var rooms zimv1alpha1.ZimRoomList
	var apps zimv1alpha1.ZimAppList
	Expect(apiServer.List(ctx, &rooms, client.InNamespace(namespace))).To(Succeed())
	Expect(apiServer.List(ctx, &apps, client.InNamespace(namespace))).To(Succeed())
	var objects []client.Object
	for i := range rooms.Items {
		objects = append(objects, &rooms.Items[i])
	}
	for i := range apps.Items {
		objects = append(objects, &apps.Items[i])
	}
	for _, object := range objects {
		Expect(client.IgnoreNotFound(apiServer.Delete(ctx, object))).To(Succeed())
		noFinalizers := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
		Expect(client.IgnoreNotFound(apiServer.Patch(ctx, object, noFinalizers))).To(Succeed())
	}
}

// createSecret stores a server secret as Secret "zim".
func (w *world) createSecret(ctx context.Context, namespace, value string) {
	GinkgoHelper()
	Expect(apiServer.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "zim"},
		StringData: map[string]string{"serverSecret": value},
	})).To(Succeed())
}

// setSecret stores another server secret.
func (w *world) setSecret(ctx context.Context, value string) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "zim"}, secret)).To(Succeed())
	secret.Data = map[string][]byte{"serverSecret": []byte(value)}
	Expect(apiServer.Update(ctx, secret)).To(Succeed())
}

func (w *world) deleteSecret(ctx context.Context) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "zim"}}
	Expect(apiServer.Delete(ctx, secret)).To(Succeed())
}

// createApp makes Secret and ZimApp "default", and runs the pass in which ZIM accepts it.
func (w *world) createApp(ctx context.Context, namespace string, changes ...func(*zimv1alpha1.ZimApp)) {
	GinkgoHelper()
	w.createSecret(ctx, namespace, testSecret)
	w.createAppObject(ctx, namespace, changes...)
	w.reconcileApp(ctx, namespace)
}

func (w *world) createAppObject(ctx context.Context, namespace string, changes ...func(*zimv1alpha1.ZimApp)) {
	GinkgoHelper()
	app := &zimv1alpha1.ZimApp{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"},
		Spec: zimv1alpha1.ZimAppSpec{
			AppID:             testAppID,
			ServerSecretRef:   zimv1alpha1.SecretKeyReference{Name: "zim"},
			FromUserID:        testUser,
			Endpoint:          w.server.URL,
			RequestsPerSecond: 10000, // Pacing takes real time; it has its own tests.
		},
	}
	for _, change := range changes {
		change(app)
	}
	Expect(apiServer.Create(ctx, app)).To(Succeed())
}

func (w *world) reconcileApp(ctx context.Context, namespace string) reconcile.Result {
	GinkgoHelper()
	result, err := w.operator.Apps.Reconcile(ctx, request(namespace, "default"))
	Expect(err).NotTo(HaveOccurred())
	return result
}

func (w *world) app(ctx context.Context) *zimv1alpha1.ZimApp {
	GinkgoHelper()
	app := &zimv1alpha1.ZimApp{}
	Expect(apiServer.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "default"}, app)).To(Succeed())
	return app
}

// editApp changes the ZimApp as a user would, and runs the pass over it.
func (w *world) editApp(ctx context.Context, change func(*zimv1alpha1.ZimApp)) {
	GinkgoHelper()
	app := w.app(ctx)
	change(app)
	Expect(apiServer.Update(ctx, app)).To(Succeed())
	w.reconcileApp(ctx, w.namespace)
}

// newRoom returns the ZimRoom of the vendor's example: named room1, with id Room1.
func (w *world) newRoom(changes ...func(*zimv1alpha1.ZimRoom)) *zimv1alpha1.ZimRoom {
	room := &zimv1alpha1.ZimRoom{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "room1"},
		Spec: zimv1alpha1.ZimRoomSpec{
			ID:           "Room1",
			Name:         "RoomName1",
			DestroyDelay: &metav1.Duration{Duration: time.Hour},
			Attributes: []zimv1alpha1.RoomAttribute{
				{Key: "k1", Value: "v1"},
				{Key: "k2", Value: "v2"},
			},
		},
	}
	for _, change := range changes {
		change(room)
	}
	return room
}

func named(name string) func(*zimv1alpha1.ZimRoom) {
	return func(room *zimv1alpha1.ZimRoom) { room.Name = name }
}

func withID(id string) func(*zimv1alpha1.ZimRoom) {
	return func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = id }
}

func withPolicy(policy zimv1alpha1.DeletionPolicy) func(*zimv1alpha1.ZimRoom) {
	return func(room *zimv1alpha1.ZimRoom) { room.Spec.DeletionPolicy = policy }
}

func withReplacePolicy(policy zimv1alpha1.ReplacePolicy) func(*zimv1alpha1.ZimRoom) {
	return func(room *zimv1alpha1.ZimRoom) { room.Spec.ReplacePolicy = policy }
}

func withDelay(delay time.Duration) func(*zimv1alpha1.ZimRoom) {
	return func(room *zimv1alpha1.ZimRoom) { room.Spec.DestroyDelay = &metav1.Duration{Duration: delay} }
}

// rename gives a ZimRoom another name, and runs one pass.
func (w *world) rename(ctx context.Context, room *zimv1alpha1.ZimRoom) reconcile.Result {
	GinkgoHelper()
	w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Name = "Renamed" })
	return w.pass(ctx, room)
}

// apply creates a ZimRoom, and removes it in the end whatever the operator does about it.
func (w *world) apply(ctx context.Context, changes ...func(*zimv1alpha1.ZimRoom)) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	room := w.newRoom(changes...)
	Expect(apiServer.Create(ctx, room)).To(Succeed())
	return room
}

// edit changes a ZimRoom as a user would.
func (w *world) edit(ctx context.Context, room *zimv1alpha1.ZimRoom, change func(*zimv1alpha1.ZimRoom)) {
	GinkgoHelper()
	current := w.get(ctx, room)
	before := current.DeepCopy()
	change(current)
	Expect(apiServer.Patch(ctx, current, client.MergeFrom(before))).To(Succeed())
}

// pass runs one pass over a ZimRoom, which must not fail.
func (w *world) pass(ctx context.Context, room *zimv1alpha1.ZimRoom) reconcile.Result {
	GinkgoHelper()
	result, err := w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
	Expect(err).NotTo(HaveOccurred())
	return result
}

// applied makes a ZimRoom and runs the pass that makes it Ready.
func (w *world) applied(ctx context.Context, changes ...func(*zimv1alpha1.ZimRoom)) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	room := w.apply(ctx, changes...)
	w.pass(ctx, room)
	Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	return room
}

// applyYounger makes a ZimRoom that is younger than another: within one second, names would decide. Its own is
// generated.
func (w *world) applyYounger(
	ctx context.Context, than *zimv1alpha1.ZimRoom, changes ...func(*zimv1alpha1.ZimRoom),
) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	var room *zimv1alpha1.ZimRoom
	Eventually(func(g Gomega) {
		room = w.newRoom(changes...)
		room.Name, room.GenerateName = "", "younger-"
		g.Expect(apiServer.Create(ctx, room, client.DryRunAll)).To(Succeed())
		g.Expect(room.CreationTimestamp.Time).To(BeTemporally(">", than.CreationTimestamp.Time))
	}).WithPolling(100 * time.Millisecond).WithTimeout(5 * time.Second).Should(Succeed())
	room = w.newRoom(changes...)
	room.Name, room.GenerateName = "", "younger-"
	Expect(apiServer.Create(ctx, room)).To(Succeed())
	return room
}

// applyAndPass makes a ZimRoom and runs one pass.
func (w *world) applyAndPass(ctx context.Context, changes ...func(*zimv1alpha1.ZimRoom)) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	room := w.apply(ctx, changes...)
	w.pass(ctx, room)
	return room
}

// advance moves the clock.
func (w *world) advance(by time.Duration) {
	w.clock.SetTime(w.clock.Now().Add(by))
}

// verify moves the clock past the room's next slot, and runs the pass that is due then.
func (w *world) verify(ctx context.Context, room *zimv1alpha1.ZimRoom) reconcile.Result {
	GinkgoHelper()
	w.advance(w.pass(ctx, room).RequeueAfter)
	return w.pass(ctx, room)
}

func (w *world) get(ctx context.Context, room *zimv1alpha1.ZimRoom) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	current := &zimv1alpha1.ZimRoom{}
	Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(room), current)).To(Succeed())
	return current
}

func (w *world) isGone(ctx context.Context, room *zimv1alpha1.ZimRoom) bool {
	GinkgoHelper()
	err := apiServer.Get(ctx, client.ObjectKeyFromObject(room), &zimv1alpha1.ZimRoom{})
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return err != nil
}

// calls returns the actions of the calls that ZIM received, registrations of the operator user left out.
func (w *world) calls() []string {
	var actions []string
	for _, call := range w.simulator.Calls() {
		if call.Action != string(zim.ActionUserRegister) {
			actions = append(actions, call.Action)
		}
	}
	return actions
}

// inject makes ZIM fail.
func (w *world) inject(fault zimsim.Fault) {
	GinkgoHelper()
	_, err := w.simulator.Inject(fault)
	Expect(err).NotTo(HaveOccurred())
}

// eventReasons returns the reasons of the events so far, and forgets them.
func (w *world) eventReasons() []string {
	var reasons []string
	for {
		select {
		case text := <-w.recorder.Events:
			reasons = append(reasons, strings.Fields(text)[1])
		default:
			return reasons
		}
	}
}

// kstatus returns what kstatus makes of the object in the API server.
func kstatusOf(ctx context.Context, object client.Object) status.Status {
	GinkgoHelper()
	current := &unstructured.Unstructured{}
	current.SetGroupVersionKind(zimv1alpha1.GroupVersion.WithKind("ZimRoom"))
	Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(object), current)).To(Succeed())
	result, err := status.Compute(current)
	Expect(err).NotTo(HaveOccurred())
	return result.Status
}

// kubectlWaits tells whether `kubectl wait --for=condition=Ready` is satisfied with the object as it is now.
func kubectlWaits(ctx context.Context, object client.Object) bool {
	GinkgoHelper()
	return kubectlSucceeds(ctx, "wait", "--namespace", object.GetNamespace(), "--for=condition=Ready", "--timeout=0s",
		"zimroom/"+object.GetName())
}

func kubectlSucceeds(ctx context.Context, arguments ...string) bool {
	GinkgoHelper()
	command := exec.CommandContext(ctx, kubectlPath, append([]string{"--kubeconfig", kubeconfigPath}, arguments...)...)
	output, err := command.CombinedOutput()
	AddReportEntry("kubectl", string(output), ReportEntryVisibilityFailureOrVerbose)
	_, exited := err.(*exec.ExitError) //nolint:errorlint // It is never wrapped.
	Expect(err == nil || exited).To(BeTrue(), "kubectl did not run: %v", err)
	return err == nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

func request(namespace, name string) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: namespace, Name: name}}
}

func readyOf(conditions []metav1.Condition) *metav1.Condition {
	return meta.FindStatusCondition(conditions, zimv1alpha1.ReadyCondition)
}
