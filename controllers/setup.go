package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/callback"
)

// passTimeout bounds one pass: some calls of ten seconds each, and waiting for their turns.
const passTimeout = 90 * time.Second

// Options are what the controllers need beyond the manager. Unless said otherwise a field is required.
type Options struct {
	// Client reads ZimApps, ZimRooms and metadata of namespaces from the cache, and writes.
	Client client.Client
	// LeaderClient does the same for the reconcilers, and may refuse to write when another replica leads. Nil: Client.
	LeaderClient client.Client
	// LiveReader reads from the API server: Secrets, and ZimRooms where the cache may be too old.
	LiveReader client.Reader
	// Recorder takes events.
	Recorder events.EventRecorder
	// NewClient builds clients of ZIM.
	NewClient ClientFactory
	// OperatorNamespace holds the ZimApp that rooms without any other may use.
	OperatorNamespace string
	// Endpoints says which endpoints a ZimApp may name. Zero: those of the vendor.
	Endpoints EndpointPolicy
	// WatchedNamespaces are those that the cache sees. Empty: all.
	WatchedNamespaces []string
	// VerifyInterval is how often a room without spec.interval is verified; 0: never.
	VerifyInterval time.Duration
	// MaxConcurrentReconciles is the number of workers for ZimRooms, and of those for ZimApps. Zero: 1.
	MaxConcurrentReconciles int
	// Clock tells the time. Nil: the real one.
	Clock clock.PassiveClock
	// Observer learns what the passes come to. Nil: nobody does.
	Observer Observer
}

// Controllers are the reconcilers of both kinds, and what they share.
type Controllers struct {
	// Apps reconciles ZimApps.
	Apps *ZimAppReconciler
	// Rooms reconciles ZimRooms.
	Rooms *ZimRoomReconciler

	options             Options
	wakeApps, wakeRooms *waker
	pressure            *quotaPressure
	callbacks           *callbackNotebook
}

// New builds the reconcilers. The client's cache needs the indexes of SetupIndexes.
func New(options Options) *Controllers {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Observer == nil {
		options.Observer = noObserver{}
	}
	callbacks := newCallbackNotebook(options) // These are noted on every replica.
	if options.LeaderClient != nil {
		options.Client = options.LeaderClient
	}
	if len(options.WatchedNamespaces) > 0 {
		options.Client = liveNamespaces{Client: options.Client, live: options.LiveReader}
	}
	c := &Controllers{options: options, wakeApps: newWaker(), wakeRooms: newWaker(), callbacks: callbacks}
	registry := newAppRegistry(c.appChanged, c.wakeApps.wake)
	registry.gone = options.Observer.Forget
	load := newWorkload()
	c.pressure = newQuotaPressure(options.Clock, registry, load)
	recorder := newThriftyRecorder(options.Recorder)
	c.Apps = &ZimAppReconciler{
		Client:       options.Client,
		secretReader: quietReader{options.LiveReader},
		recorder:     recorder,
		clock:        options.Clock,
		newClient:    options.NewClient,
		endpoints:    options.Endpoints,
		registry:     registry,
		probes:       newProbeLine(options.MaxConcurrentReconciles, c.wakeApps.wake),
		pressure:     c.pressure,
	}
	c.Rooms = &ZimRoomReconciler{
		Client:         options.Client,
		liveReader:     options.LiveReader,
		recorder:       recorder,
		observer:       options.Observer,
		clock:          options.Clock,
		verifyInterval: options.VerifyInterval,
		apps: &appResolver{
			reader: options.Client, liveReader: options.LiveReader, registry: registry,
			operatorNamespace: options.OperatorNamespace, watched: options.WatchedNamespaces,
		},
		registry: registry,
		calls:    newCallMemory(options.Clock),
		workload: load,
		gate:     newGate(max(1, options.MaxConcurrentReconciles), c.wakeRooms.wake, registry.pace),
		quota:    newRoomQuota(c.wakeRooms.wake),
		memories: newMemories(),
	}
	c.Rooms.gate.observer = options.Observer
	return c
}

// SetupWithManager registers both controllers, and has the cache filled with what they watch.
func (c *Controllers) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	if err := c.setupApps(manager); err != nil {
		return fmt.Errorf("setting up the ZimApp controller: %w", err)
	}
	if err := c.setupRooms(manager); err != nil {
		return fmt.Errorf("setting up the ZimRoom controller: %w", err)
	}
	if err := c.fillCaches(ctx, manager.GetCache()); err != nil {
		return fmt.Errorf("setting up the cache: %w", err)
	}
	return manager.Add(ctrlmanager.RunnableFunc(func(ctx context.Context) error {
		c.pressure.watch(ctx, func(name types.NamespacedName) {
			c.wakeApps.wake(reconcile.Request{NamespacedName: name})
		})
		return nil
	}))
}

// Callbacks is where a receiver of ZIM's server callbacks leaves its hints, on any replica: they become annotations of
// ZimRooms, which the replica that works sees.
func (c *Controllers) Callbacks() callback.Notebook { return c.callbacks }

// fillCaches asks for all that the controllers watch. They ask themselves when they begin to work: a replica that waits
// for the lease would not know until then whether it can, and would have to read everything first.
func (c *Controllers) fillCaches(ctx context.Context, informers cache.Cache) error {
	kinds := []client.Object{&zimv1alpha1.ZimApp{}, &zimv1alpha1.ZimRoom{}, metadataOf("Secret")}
	if len(c.options.WatchedNamespaces) == 0 {
		kinds = append(kinds, metadataOf("Namespace"))
	}
	for _, kind := range kinds {
		if _, err := informers.GetInformer(ctx, kind, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	return nil
}

func metadataOf(kind string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	return object
}

func (c *Controllers) setupApps(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		For(&zimv1alpha1.ZimApp{}, builder.WithPredicates(appChangedByOthers())).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.appsOfSecret),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&zimv1alpha1.ZimRoom{}, c.heldApps()).
		WatchesRawSource(c.wakeApps).
		WithOptions(c.controllerOptions()).
		Complete(c.Apps)
}

func (c *Controllers) setupRooms(manager ctrl.Manager) error {
	rooms := ctrl.NewControllerManagedBy(manager).
		For(&zimv1alpha1.ZimRoom{}, builder.WithPredicates(roomChanged())).
		Watches(&zimv1alpha1.ZimRoom{}, c.siblings()).
		WatchesRawSource(c.wakeRooms).
		WithOptions(c.controllerOptions())
	if len(c.options.WatchedNamespaces) > 0 {
		return rooms.WatchesRawSource(c.pollNamespaces()).Complete(c.Rooms)
	}
	return rooms.WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(c.roomsOfNamespace),
		builder.WithPredicates(namespaceChanged())).Complete(c.Rooms)
}

func (c *Controllers) controllerOptions() controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: c.options.MaxConcurrentReconciles,
		ReconciliationTimeout:   passTimeout,
		RateLimiter:             kubernetesBackoff(),
		// The priority queue puts what is there at the start behind everything that comes later, for ever if need be. All
		// order that matters is made by the gate; passes without a call take less than a millisecond.
		UsePriorityQueue: new(false),
	}
}

// kubernetesBackoff is for passes that fail at the API server; waiting for ZIM is planned by the passes themselves.
func kubernetesBackoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, time.Minute)
}
