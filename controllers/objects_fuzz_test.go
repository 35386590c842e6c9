package controllers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/callback"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	fuzzNamespace = "tenant"
	fuzzSecret    = "0123456789abcdef0123456789abcdef"
	fuzzAppID     = 1234567890
)

// objectSeeds are pairs of a ZimRoom and a ZimApp. The CRDs refuse some of them; but they can be of another version.
var objectSeeds = [][2]string{
	{
		`{"spec":{"id":"Room1","name":"R","destroyDelay":"1h","attributes":[{"key":"k","value":"v","autoDelete":true}]}}`,
		`{"spec":{"appID":1234567890,"fromUserID":"op","serverSecretRef":{"name":"zim","key":"serverSecret"},"requestsPerSecond":20}}`,
	},
	{
		`{"metadata":{"annotations":{"zim.zego.im/callback-received-at":"2000-01-01T00:00:00Z"},"generation":2},
		"spec":{"id":"Room1"},"status":{"observedGeneration":1,"appRef":{"namespace":"tenant","name":"default"},
		"conditions":[{"type":"Ready","status":"True","reason":"RoomCreated","observedGeneration":2}],
		"room":{"id":"Room1","appID":1234567890,"realm":"zego.im","origin":"Created","destroyDelay":"0s"}}}`,
		`{"spec":{"appID":1234567890,"fromUserID":"op","serverSecretRef":{"name":"zim","key":"serverSecret"}},
		"status":{"acceptedSecretVersion":"1"}}`,
	},
	{
		`{"metadata":{"deletionTimestamp":"2000-01-01T00:00:00Z"},"spec":{"id":"","destroyDelay":"-1h","interval":"1ns"},
		"status":{"room":{"createdTime":"1677-09-21T00:12:43.000000Z","appID":-1},"conditions":[{},{}]}}`,
		`{"metadata":{"deletionTimestamp":"2000-01-01T00:00:00Z"},"spec":{"appID":-1,"endpoint":"::","requestsPerSecond":-1}}`,
	},
	{
		`{"spec":{"id":"\u0000","name":"\ud800","appRef":{"name":"../default","namespace":"tenant"},"interval":"2540400h"}}`,
		`{"spec":{"endpoint":"https://zim-api.zego.im:0","allowedNamespaces":{"from":"Selector","selector":{"matchExpressions":[{}]}}}}`,
	},
	{`{}`, `{}`},
	{`{"status":{"room":{}}}`, `{"status":{"conditions":[{"type":"Ready"}]},"spec":{"requestsPerSecond":10000}}`},
}

// FuzzObjects gives the operator whatever JSON can be decoded as its kinds, valid by the CRDs or not. Nothing panics:
// neither what the cache runs, where a panic would end the process, nor the passes; and no status shows the secret.
func FuzzObjects(f *testing.F) {
	for _, seed := range objectSeeds {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, roomText, appText []byte) {
		room, app := &zimv1alpha1.ZimRoom{}, &zimv1alpha1.ZimApp{}
		if json.Unmarshal(roomText, room) != nil || json.Unmarshal(appText, app) != nil {
			return
		}
		identify(&room.ObjectMeta, "room")
		identify(&app.ObjectMeta, zimv1alpha1.DefaultAppName)
		runCacheSide(t, room, app)
		synctest.Test(t, func(t *testing.T) { runPasses(t, room, app) })
	})
}

// identify gives an object what the API server vouches for.
func identify(meta *metav1.ObjectMeta, name string) {
	meta.Name, meta.Namespace, meta.UID, meta.ResourceVersion = name, fuzzNamespace, types.UID(name), ""
	if meta.DeletionTimestamp != nil {
		meta.Finalizers = []string{zimv1alpha1.Finalizer}
	}
}

// fuzzIndexes collects indexes.
type fuzzIndexes []fuzzIndex

type fuzzIndex struct {
	object client.Object
	field  string
	keys   client.IndexerFunc
}

func (i *fuzzIndexes) IndexField(_ context.Context, object client.Object, field string, keys client.IndexerFunc) error {
	*i = append(*i, fuzzIndex{object, field, keys})
	return nil
}

func collectIndexes(t *testing.T) fuzzIndexes {
	t.Helper()
	var indexes fuzzIndexes
	if err := SetupIndexes(t.Context(), &indexes, "operator"); err != nil {
		t.Fatal(err)
	}
	return indexes
}

// newFakeKubernetes returns a client that has the objects, and finds them by the cache's indexes.
func newFakeKubernetes(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{zimv1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&zimv1alpha1.ZimRoom{}, &zimv1alpha1.ZimApp{})
	for _, index := range collectIndexes(t) {
		builder = builder.WithIndex(index.object, index.field, index.keys)
	}
	return builder.Build()
}

// runCacheSide runs what the cache calls for each object: transform, indexes, predicates, event handlers.
func runCacheSide(t *testing.T, room *zimv1alpha1.ZimRoom, app *zimv1alpha1.ZimApp) {
	t.Helper()
	for _, object := range []client.Object{room.DeepCopy(), app.DeepCopy()} {
		if _, err := StripForCache(object); err != nil {
			t.Error(err)
		}
	}
	for _, index := range collectIndexes(t) {
		if _, isRoom := index.object.(*zimv1alpha1.ZimRoom); isRoom {
			index.keys(room)
		} else {
			index.keys(app)
		}
	}
	for _, update := range []event.UpdateEvent{
		{ObjectOld: room, ObjectNew: &zimv1alpha1.ZimRoom{}}, {ObjectOld: &zimv1alpha1.ZimRoom{}, ObjectNew: room},
	} {
		roomChanged().Update(update)
		pinOf(update.ObjectOld)
	}
	appChangedByOthers().Update(event.UpdateEvent{ObjectOld: app, ObjectNew: &zimv1alpha1.ZimApp{}})
}

// runPasses lets an operator work on both, as they are, then edited, then deleted.
func runPasses(t *testing.T, room *zimv1alpha1.ZimRoom, app *zimv1alpha1.ZimApp) {
	t.Helper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: fuzzNamespace, Name: "zim"},
		Data:       map[string][]byte{"serverSecret": []byte(fuzzSecret)},
	}
	kubernetes := newFakeKubernetes(t, room, app, secret)
	operator := New(Options{
		Client: kubernetes, LiveReader: kubernetes, Recorder: events.NewFakeRecorder(1000), NewClient: simulatedClients(),
		OperatorNamespace: "operator", VerifyInterval: time.Minute, MaxConcurrentReconciles: 10,
	})
	pass := func() {
		passOver(t, operator.Apps, app)
		passOver(t, operator.Rooms, room)
		passOver(t, operator.Rooms, room)
		runBesidePasses(t, operator, room, app)
		showNoSecret(t, kubernetes)
	}
	pass()
	editAll(t, kubernetes, room, app)
	pass()
	for _, object := range []client.Object{room, app} {
		if err := kubernetes.Delete(t.Context(), object); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	pass()
}

// editAll edits both objects as users may, whatever they held before.
func editAll(t *testing.T, kubernetes client.Client, room *zimv1alpha1.ZimRoom, app *zimv1alpha1.ZimApp) {
	t.Helper()
	edit := func(object client.Object, change func()) {
		if err := kubernetes.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			return // Without a finalizer an object that is being deleted is gone.
		}
		change()
		object.SetGeneration(object.GetGeneration() + 1)
		if err := kubernetes.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	edit(room, func() {
		room.Spec.Name += "x"
		room.Spec.Suspend = !room.Spec.Suspend
		room.Spec.Attributes = append(room.Spec.Attributes, zimv1alpha1.RoomAttribute{Key: "edited"})
	})
	edit(app, func() { app.Spec.RequestsPerSecond++ })
}

// runBesidePasses runs what works on objects outside of passes, where a panic would end the process: the maps and
// handlers of watches, the notebook of callbacks, the state for metrics.
func runBesidePasses(t *testing.T, operator *Controllers, room *zimv1alpha1.ZimRoom, app *zimv1alpha1.ZimApp) {
	t.Helper()
	ctx := t.Context()
	queue := workqueue.NewTypedRateLimitingQueue(kubernetesBackoff())
	defer queue.ShutDown()
	operator.roomsOfNamespace(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fuzzNamespace}})
	operator.appsOfSecret(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fuzzNamespace, Name: "zim"}})
	operator.appChanged(client.ObjectKeyFromObject(app), true)
	for _, update := range []event.UpdateEvent{
		{ObjectOld: room, ObjectNew: &zimv1alpha1.ZimRoom{}}, {ObjectOld: &zimv1alpha1.ZimRoom{}, ObjectNew: room},
	} {
		operator.heldApps().Update(ctx, update, queue)
		operator.siblings().Update(ctx, update, queue)
	}
	operator.siblings().Create(ctx, event.CreateEvent{Object: room}, queue)
	operator.siblings().Delete(ctx, event.DeleteEvent{Object: room}, queue)
	operator.heldApps().Delete(ctx, event.DeleteEvent{Object: room}, queue)

	signers, _ := operator.Callbacks().Signers(ctx, uint32(app.Spec.AppID))
	accounts := []callback.Account{{Realm: "zego.im", AppID: fuzzAppID}}
	for _, signer := range signers {
		accounts = append(accounts, signer.Account)
	}
	if live := room.Status.Room; live != nil {
		accounts = append(accounts, callback.Account{Realm: live.Realm, AppID: uint32(live.AppID)})
	}
	for _, account := range accounts {
		for _, what := range []callback.Event{callback.RoomDestroyed, callback.RoomLeft} {
			// Its errors are answers of the API server.
			_, _ = operator.Callbacks().Note(ctx, callback.Hint{Account: account, Event: what, RoomIDs: []string{room.Spec.ID}})
		}
	}
	operator.State()
}

// passOver runs one pass. Its errors are the business of the queue.
func passOver(t *testing.T, reconciler reconcile.Reconciler, object client.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), passTimeout)
	defer cancel()
	_, _ = reconciler.Reconcile(ctx, requestFor(object))
}

// simulatedClients returns clients of a simulator that need no sockets.
func simulatedClients() ClientFactory {
	simulator := zimsim.New(zimsim.Options{Apps: []zimsim.App{{AppID: fuzzAppID, ServerSecret: fuzzSecret, CallsPerSecond: -1}}})
	transport := handlerTransport{simulator.API()}
	return func(endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter) (*zim.Client, error) {
		return zim.NewClient(zim.Config{
			Endpoint: endpoint, AppID: appID, ServerSecret: serverSecret, Limiter: limiter,
			HTTPClient: &http.Client{Transport: transport},
		})
	}
}

// handlerTransport sends requests to a handler.
type handlerTransport struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (h handlerTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body == nil {
		request.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	h.handler.ServeHTTP(answer, request)
	return answer.Result(), nil
}

func showNoSecret(t *testing.T, reader client.Reader) {
	t.Helper()
	var rooms zimv1alpha1.ZimRoomList
	var apps zimv1alpha1.ZimAppList
	for _, list := range []client.ObjectList{&rooms, &apps} {
		if err := reader.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal([]any{rooms, apps})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), fuzzSecret) {
		t.Errorf("the secret shows: %s", text)
	}
}
