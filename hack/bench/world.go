package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// plan says how a world is to be.
type plan struct {
	// callsPerSecond is the quota that the simulator enforces; negative: none.
	callsPerSecond int
	// latency and jitter delay the simulator's answers.
	latency, jitter time.Duration
	// requestsPerSecond is that of the ZimApp. 0: there is no ZimApp.
	requestsPerSecond int32
	// managerArgs are flags besides those that every manager gets.
	managerArgs []string
	// bare: the bare controller runs instead of the manager.
	bare bool
}

// The plans that most rows begin with.
var (
	atQuota = plan{
		callsPerSecond: 20, requestsPerSecond: 20, latency: 30 * time.Millisecond, jitter: 20 * time.Millisecond,
	}
	withoutQuota   = plan{callsPerSecond: -1, requestsPerSecond: 10000}
	bareController = plan{callsPerSecond: -1, bare: true}
)

// world is a control plane, a simulator and a manager, all fresh, so that no row disturbs another.
type world struct {
	*bench
	plan       plan
	dir        string
	kubeconfig string
	processes  []*testbed.Process
	failed     context.CancelCauseFunc
	kube       client.Client
	apiServer  *apiServer
	simulator  *testbed.Simulator
	manager    *testbed.Process
	watch      *testbed.Watch
}

// inWorld builds a world, runs f in it and stops everything.
func (b *bench) inWorld(ctx context.Context, plan plan, f func(context.Context, *world) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dir, err := os.MkdirTemp(b.dir, "world-")
	if err != nil {
		return fmt.Errorf("making a directory for logs: %w", err)
	}
	w := &world{bench: b, plan: plan, dir: dir, failed: cancel}
	defer func() {
		if cause := context.Cause(ctx); cause != nil {
			err = cause // Whatever failed, failed because of it.
		}
		cancel(nil) // First the watch, then what it watches.
		for _, p := range slices.Backward(w.processes) {
			p.Stop()
		}
	}()
	if err := w.build(ctx); err != nil {
		return fmt.Errorf("building the world: %w", err)
	}
	return f(ctx, w)
}

func (w *world) start(ctx context.Context, c testbed.Child) (*testbed.Process, error) {
	p, err := w.running.Start(ctx, w.dir, c, w.failed)
	if err == nil {
		w.processes = append(w.processes, p)
	}
	return p, err
}

func (w *world) build(ctx context.Context) error {
	w.kubeconfig = filepath.Join(w.dir, "kubeconfig")
	config, err := testbed.StartControlPlane(ctx, w.start, w.dir, w.kubeconfig, w.self, commandControlPlane)
	if err != nil {
		return err
	}
	w.simulator, err = testbed.StartSimulator(ctx, w.start, testbed.SimulatorOptions{
		Path: w.options.simulator, CallsPerSecond: w.plan.callsPerSecond, Latency: w.plan.latency, Jitter: w.plan.jitter,
	})
	if err != nil {
		return err
	}
	if err := w.connect(ctx, config); err != nil {
		return err
	}
	if err := w.startManager(ctx); err != nil || w.plan.requestsPerSecond == 0 {
		return err
	}
	return w.createApp(ctx)
}

// connect builds the clients of the API server.
func (w *world) connect(ctx context.Context, config *rest.Config) error {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(zimv1alpha1.AddToScheme(scheme))
	w.apiServer = &apiServer{url: config.Host, own: writes{}}
	config.Wrap(w.apiServer.countOwn)
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	w.apiServer.client = httpClient
	if w.kube, err = client.New(config, client.Options{Scheme: scheme, HTTPClient: httpClient}); err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	w.watch, err = testbed.StartWatch(ctx, config, scheme)
	return err
}

// startManager starts the manager, or what stands in for it. Of two flags with the same name the later one counts.
func (w *world) startManager(ctx context.Context, more ...string) (err error) {
	c := testbed.Child{
		Name: "manager", Path: w.options.manager,
		Args: slices.Concat(
			[]string{"--allow-insecure-endpoints", "--health-probe-bind-address=0"}, w.plan.managerArgs, more),
		Environment: []string{"KUBECONFIG=" + w.kubeconfig},
	}
	if w.plan.bare {
		c.Path, c.Args = w.self, []string{commandBareController}
	}
	w.manager, err = w.start(ctx, c)
	return err
}

const (
	namespace  = "default"
	secretName = "zim"
	secretKey  = "serverSecret"
)

// createApp creates the ZimApp and waits until it is Ready.
func (w *world) createApp(ctx context.Context) error {
	const limit = time.Minute
	secret := &corev1.Secret{StringData: map[string]string{secretKey: testbed.ServerSecret}}
	secret.Namespace, secret.Name = namespace, secretName
	app := &zimv1alpha1.ZimApp{Spec: zimv1alpha1.ZimAppSpec{
		AppID:             testbed.AppID,
		ServerSecretRef:   zimv1alpha1.SecretKeyReference{Name: secretName, Key: secretKey},
		FromUserID:        testbed.OperatorUser,
		Endpoint:          w.simulator.API,
		RequestsPerSecond: w.plan.requestsPerSecond,
	}}
	app.Namespace, app.Name = namespace, zimv1alpha1.DefaultAppName
	if err := errors.Join(w.kube.Create(ctx, secret), w.kube.Create(ctx, app)); err != nil {
		return fmt.Errorf("creating the ZimApp: %w", err)
	}
	err := testbed.Await(ctx, limit, func(ctx context.Context) (bool, error) {
		err := w.kube.Get(ctx, client.ObjectKeyFromObject(app), app)
		return testbed.IsTrue(app.Status.Conditions, zimv1alpha1.ReadyCondition), err
	})
	if err != nil {
		return fmt.Errorf("waiting for the ZimApp: %w", err)
	}
	return nil
}

// limitCalls sets a quota. The operator is told before it is enforced, so that nothing above it is under way.
func (w *world) limitCalls(ctx context.Context, callsPerSecond int32) error {
	app := &zimv1alpha1.ZimApp{}
	key := client.ObjectKey{Namespace: namespace, Name: zimv1alpha1.DefaultAppName}
	if err := w.kube.Get(ctx, key, app); err != nil {
		return fmt.Errorf("reading the ZimApp: %w", err)
	}
	before := app.DeepCopy()
	app.Spec.RequestsPerSecond = callsPerSecond
	if err := w.kube.Patch(ctx, app, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("changing the ZimApp: %w", err)
	}
	if err := testbed.Sleep(ctx, time.Second); err != nil {
		return err
	}
	return w.simulator.SetQuota(ctx, testbed.AppID, int(callsPerSecond))
}

// rotateSecret has the account get another ServerSecret, at ZIM and then in Kubernetes.
func (w *world) rotateSecret(ctx context.Context) error {
	const fresh = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	err := w.simulator.SetApp(ctx, zimsim.App{
		AppID: testbed.AppID, ServerSecret: fresh, CallsPerSecond: int(atQuota.requestsPerSecond),
	})
	if err != nil {
		return err
	}
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = namespace, secretName
	patch := fmt.Appendf(nil, `{"stringData":{%q:%q}}`, secretKey, fresh)
	return w.kube.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch))
}

// managerLog returns what the manager has said; for errors.
func (w *world) managerLog() string {
	return strings.TrimSpace(testbed.Tail(filepath.Join(w.dir, "manager.log")))
}
