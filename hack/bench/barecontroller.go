package main

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
)

// bareReconciler does nothing for a ZimRoom but the operator's two patches, alike in content.
type bareReconciler struct{ client.Client }

// Reconcile adds the finalizer and calls the room Ready.
func (r bareReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	room := &zimv1alpha1.ZimRoom{}
	if err := r.Get(ctx, request.NamespacedName, room); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	base, now := room.DeepCopy(), metav1.NowMicro()
	if controllerutil.AddFinalizer(room, zimv1alpha1.Finalizer) {
		if err := r.Patch(ctx, room, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})); err != nil {
			return reconcile.Result{}, err
		}
	}
	base = room.DeepCopy()
	room.Status.ObservedGeneration = room.Generation
	room.Status.AppRef = &zimv1alpha1.ResolvedAppReference{Namespace: namespace, Name: zimv1alpha1.DefaultAppName}
	room.Status.Room = &zimv1alpha1.RoomStatus{
		ID: room.Spec.ID, AppID: testbed.AppID, Realm: "127.0.0.1:443", Origin: zimv1alpha1.RoomOriginCreated,
		DestroyDelay: metav1.Duration{Duration: 3 * time.Hour}, CreatedTime: &now,
	}
	meta.SetStatusCondition(&room.Status.Conditions, metav1.Condition{
		Type: zimv1alpha1.ReadyCondition, Status: metav1.ConditionTrue, ObservedGeneration: room.Generation,
		Reason: zimv1alpha1.ReasonRoomCreated, Message: "The room exists.",
	})
	return reconcile.Result{}, r.Status().Patch(ctx, room,
		client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
}

// runBareController is a process of its own, with the settings that the manager has by default.
func runBareController() error {
	ctrl.SetLogger(zap.New())
	scheme := runtime.NewScheme()
	utilruntime.Must(zimv1alpha1.AddToScheme(scheme))
	manager, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).
		For(&zimv1alpha1.ZimRoom{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 10}).Complete(bareReconciler{manager.GetClient()})
	if err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}
