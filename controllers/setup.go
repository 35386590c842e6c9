package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// passTimeout bounds one pass: some calls of ten seconds each, and waiting for their turns.
const passTimeout = 90 * time.Second

// Options are what the controllers need beyond the manager. Unless said otherwise a field is required.
type Options struct {
	// Client reads ZimApps, ZimRooms and metadata of namespaces from the cache, and writes.
	Client client.Client
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
	// VerifyInterval is how often a room without spec.interval is verified; 0: never.
	VerifyInterval time.Duration
	// MaxConcurrentReconciles is the number of workers for ZimRooms. Zero: 1.
	MaxConcurrentReconciles int
	// Clock tells the time. Nil: the real one.
	Clock clock.PassiveClock
}

// Controllers are the reconcilers of both kinds, and what they share.
type Controllers struct {
	// Apps reconciles ZimApps.
	Apps *ZimAppReconciler
	// Rooms reconciles ZimRooms.
	Rooms *ZimRoomReconciler

	options             Options
	wakeApps, wakeRooms *waker
}

// New builds the reconcilers. The client's cache needs the indexes of SetupIndexes.
func New(options Options) *Controllers {
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	c := &Controllers{options: options, wakeApps: newWaker(), wakeRooms: newWaker()}
	registry := newAppRegistry(c.appChanged, c.wakeApps.wake)
	c.Apps = &ZimAppReconciler{
		Client:       options.Client,
		secretReader: options.LiveReader,
		recorder:     options.Recorder,
		clock:        options.Clock,
		newClient:    options.NewClient,
		endpoints:    options.Endpoints,
		registry:     registry,
	}
	c.Rooms = &ZimRoomReconciler{
		Client:         options.Client,
		liveReader:     options.LiveReader,
		recorder:       options.Recorder,
		clock:          options.Clock,
		verifyInterval: options.VerifyInterval,
		apps: &appResolver{
			reader: options.Client, registry: registry, operatorNamespace: options.OperatorNamespace,
		},
		registry: registry,
		calls:    newCallMemory(options.Clock),
		gate:     newGate(max(1, options.MaxConcurrentReconciles), c.wakeRooms.wake),
		quota:    newRoomQuota(c.wakeRooms.wake),
		memories: newMemories(),
	}
	return c
}

// SetupWithManager registers both controllers.
func (c *Controllers) SetupWithManager(manager ctrl.Manager) error {
	if err := c.setupApps(manager); err != nil {
		return fmt.Errorf("setting up the ZimApp controller: %w", err)
	}
	if err := c.setupRooms(manager); err != nil {
		return fmt.Errorf("setting up the ZimRoom controller: %w", err)
	}
	return nil
}

func (c *Controllers) setupApps(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		For(&zimv1alpha1.ZimApp{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.appsOfSecret),
			builder.WithPredicates(predicate.ResourceVersionChangedPredicate{})).
		Watches(&zimv1alpha1.ZimRoom{}, handler.EnqueueRequestsFromMapFunc(pinnedAppOfRoom),
			builder.WithPredicates(pinChanged())).
		WatchesRawSource(c.wakeApps).
		WithOptions(controller.Options{ReconciliationTimeout: passTimeout, RateLimiter: kubernetesBackoff()}).
		Complete(c.Apps)
}

func (c *Controllers) setupRooms(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		For(&zimv1alpha1.ZimRoom{}, builder.WithPredicates(roomChanged())).
		Watches(&zimv1alpha1.ZimRoom{}, handler.EnqueueRequestsFromMapFunc(c.siblingsOfRoom),
			builder.WithPredicates(claimChanged())).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(c.roomsOfNamespace),
			builder.WithPredicates(namespaceChanged())).
		WatchesRawSource(c.wakeRooms).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: c.options.MaxConcurrentReconciles,
			ReconciliationTimeout:   passTimeout,
			RateLimiter:             kubernetesBackoff(),
		}).
		Complete(c.Rooms)
}

// kubernetesBackoff is for passes that fail at the API server; waiting for ZIM is planned by the passes themselves.
func kubernetesBackoff() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, time.Minute)
}

// roomChanged lets through what a pass may have to act on. The operator's own status patches, and the informer's resync, do
// not wake anything.
func roomChanged() predicate.Predicate {
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			annotation := zimv1alpha1.ReconcileRequestedAtAnnotation
			return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
				e.ObjectOld.GetAnnotations()[annotation] != e.ObjectNew.GetAnnotations()[annotation] ||
				e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
		},
	}
}

// claimChanged lets through what can make another ZimRoom the holder of a room.
func claimChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
		UpdateFunc: func(event.UpdateEvent) bool { return false },
	}
}

// pinChanged lets through what changes which ZimApp is in use.
func pinChanged() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false }, // The first pass over each ZimApp counts them all.
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, after := e.ObjectOld.(*zimv1alpha1.ZimRoom), e.ObjectNew.(*zimv1alpha1.ZimRoom)
			return (before.Status.AppRef == nil) != (after.Status.AppRef == nil)
		},
	}
}

// namespaceChanged lets through what allowedNamespaces and deletions look at.
func namespaceChanged() predicate.Predicate {
	return predicate.And(
		predicate.Or(predicate.LabelChangedPredicate{}, predicate.Funcs{
			UpdateFunc: func(e event.UpdateEvent) bool {
				return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
			},
		}),
		predicate.Funcs{
			CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList },
			DeleteFunc: func(event.DeleteEvent) bool { return false },
		},
	)
}

// appsOfSecret returns the ZimApps that name a Secret.
func (c *Controllers) appsOfSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var apps zimv1alpha1.ZimAppList
	err := c.options.Client.List(ctx, &apps, client.InNamespace(secret.GetNamespace()),
		client.MatchingFields{appSecretIndex: secret.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list the ZimApps of a Secret")
	}
	var requests []reconcile.Request
	for i := range apps.Items {
		requests = append(requests, requestFor(&apps.Items[i]))
	}
	return requests
}

// pinnedAppOfRoom returns the ZimApp with which a ZimRoom was confirmed.
func pinnedAppOfRoom(_ context.Context, object client.Object) []reconcile.Request {
	pinned := object.(*zimv1alpha1.ZimRoom).Status.AppRef
	if pinned == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pinned.Namespace, Name: pinned.Name}}}
}

// siblingsOfRoom returns the other ZimRooms that name the same room.
func (c *Controllers) siblingsOfRoom(ctx context.Context, object client.Object) []reconcile.Request {
	room := object.(*zimv1alpha1.ZimRoom)
	var requests []reconcile.Request
	for _, other := range c.listRooms(ctx, client.MatchingFields{roomIDIndex: room.Spec.ID}) {
		if other.UID != room.UID {
			requests = append(requests, requestFor(&other))
		}
	}
	return requests
}

// roomsOfNamespace returns the ZimRooms of a namespace that depend on its labels, or are being deleted.
func (c *Controllers) roomsOfNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, room := range c.listRooms(ctx, client.InNamespace(namespace.GetName())) {
		candidates := appCandidates(&room, c.options.OperatorNamespace)
		last := candidates[len(candidates)-1] // The only one that can be of another namespace.
		if last.Namespace != room.Namespace || !room.DeletionTimestamp.IsZero() {
			requests = append(requests, requestFor(&room))
		}
	}
	return requests
}

// appChanged wakes the ZimRooms of a ZimApp, and those that wait for rooms which these hold, or held.
func (c *Controllers) appChanged(name types.NamespacedName, claims bool) {
	ctx := context.Background()
	for _, room := range c.listRooms(ctx, client.MatchingFields{roomAppIndex: name.String()}) {
		c.wakeRooms.wake(requestFor(&room))
		if claims {
			c.wakeRooms.wake(c.siblingsOfRoom(ctx, &room)...)
		}
	}
}

// listRooms lists ZimRooms from the cache.
func (c *Controllers) listRooms(ctx context.Context, options ...client.ListOption) []zimv1alpha1.ZimRoom {
	var rooms zimv1alpha1.ZimRoomList
	if err := c.options.Client.List(ctx, &rooms, options...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Could not list ZimRooms")
	}
	return rooms.Items
}

func requestFor(object client.Object) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}
