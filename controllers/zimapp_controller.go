package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// ClientFactory builds the client of an app; limiter is nil for the probe of a ZimApp that ZIM has not
// accepted.
type ClientFactory func(endpoint string, appID uint32, serverSecret string, limiter *zim.Limiter) (*zim.Client, error)

// ZimAppReconciler keeps the registry of apps true to the ZimApps, their Secrets, and what ZIM thinks of them.
type ZimAppReconciler struct {
	client.Client
	// secretReader reads Secrets by name from the API server: they are never cached.
	secretReader client.Reader
	recorder     events.EventRecorder
	clock        clock.PassiveClock
	newClient    ClientFactory
	endpoints    EndpointPolicy
	registry     *appRegistry
	probes       *probeLine
	pressure     *quotaPressure
}

// +kubebuilder:rbac:groups=zim.zego.im,resources=zimapps,verbs=list;watch;patch
// +kubebuilder:rbac:groups=zim.zego.im,resources=zimapps/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch

// countInterval is how often the ZimRooms are counted that hold up the deletion of a ZimApp.
const countInterval = 10 * time.Second

// appPass is one run of Reconcile for one ZimApp.
type appPass struct {
	name types.NamespacedName
	// object is the working copy, base what the API server has.
	object, base *zimv1alpha1.ZimApp
	// secretVersion is the resourceVersion of the Secret; empty if it was not read.
	secretVersion string
	serverSecret  string
	// inLine is true if ZIM is to be asked, and the pass found no place to do so: the ZimApp will be woken.
	inLine bool
}

// Reconcile makes one pass over a ZimApp.
func (r *ZimAppReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	p := &appPass{name: request.NamespacedName}
	defer r.leaveProbes(p)

	object := &zimv1alpha1.ZimApp{}
	if err := r.Get(ctx, request.NamespacedName, object); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.registry.remove(request.NamespacedName)
			r.pressure.forget(request.NamespacedName)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	p.object, p.base = object, object.DeepCopy()
	users, err := r.ensureFinalizer(ctx, p)
	if err != nil {
		return reconcile.Result{}, err
	}
	found, err := r.ensureAccepted(ctx, p)
	if err != nil {
		return reconcile.Result{}, err
	}
	if found.isUndecided() && p.object.DeletionTimestamp.IsZero() {
		return r.comeBack(p, found), nil // The conditions stay as they are.
	}
	if err := r.writeStatus(ctx, p, found, users); err != nil {
		return reconcile.Result{}, err
	}
	return r.comeBack(p, found), nil
}

// ensureFinalizer holds a ZimApp as long as a ZimRoom was confirmed with it: without it the rooms could not be
// destroyed any more. It returns these ZimRooms.
func (r *ZimAppReconciler) ensureFinalizer(ctx context.Context, p *appPass) ([]zimv1alpha1.ZimRoom, error) {
	var users zimv1alpha1.ZimRoomList
	pinned := client.MatchingFields{roomPinnedAppIndex: p.name.String()}
	if err := r.List(ctx, &users, pinned, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the ZimRooms of ZimApp %s: %w", p.name, err)
	}
	wanted := len(users.Items) > 0
	if controllerutil.ContainsFinalizer(p.object, zimv1alpha1.Finalizer) == wanted ||
		(wanted && !p.object.DeletionTimestamp.IsZero()) {
		return users.Items, nil
	}
	changed := p.base.DeepCopy()
	if wanted {
		controllerutil.AddFinalizer(changed, zimv1alpha1.Finalizer)
	} else {
		controllerutil.RemoveFinalizer(changed, zimv1alpha1.Finalizer)
	}
	lock := client.MergeFromWithOptions(p.base, client.MergeFromWithOptimisticLock{})
	if err := r.Patch(ctx, changed, lock); err != nil {
		return nil, fmt.Errorf("writing the finalizer: %w", err)
	}
	p.object, p.base = changed, changed.DeepCopy()
	return users.Items, nil
}

// ensureAccepted finds out whether ZIM accepts the app, and records it in the registry. ZIM is asked only if
// something changed since it last said so, or if the next probe of a refused app is due. An app that has to wait for
// that is undecided: what was known of it holds, unless it was of another account.
func (r *ZimAppReconciler) ensureAccepted(ctx context.Context, p *appPass) (*app, error) {
	next, known := r.begin(p)
	refusal, err := r.readCredentials(ctx, p, next)
	if err != nil {
		return nil, err
	}
	same := known != nil && known.credentials == next.credentials && !known.isUndecided()
	if same {
		next.failures = known.failures
	}
	switch {
	case refusal != nil:
		next.refusal = refusal
	case same && known.refusal == nil, known == nil && wasAccepted(p):
		err = r.accept(p, next, known)
	case same && r.clock.Now().Before(known.nextProbe):
		next.refusal, next.nextProbe = known.refusal, known.nextProbe
		next.client = known.client
	default:
		err = r.probe(ctx, p, next)
	}
	if err != nil {
		return nil, err
	}
	if !next.isUndecided() || known == nil || known.account != next.account {
		r.registry.put(next)
	}
	return next, nil
}

// begin makes the new entry of the registry out of the ZimApp and of what was known. An app that ZIM has accepted
// goes on to speak for its account while its Secret is missing or wrong; not so in another realm.
func (r *ZimAppReconciler) begin(p *appPass) (next, known *app) {
	spec, status := &p.object.Spec, &p.object.Status
	account, err := zim.AccountAt(endpointOf(p.object), uint32(spec.AppID)) //nolint:gosec // The CRD bounds it.
	if err != nil {
		account = zim.Account{} // An endpoint that is none: readCredentials says so.
	}
	known = r.registry.get(p.name)
	if known != nil && known.uid != p.object.UID {
		known = nil
	}
	next = &app{
		name: p.name, uid: p.object.UID, account: account, fromUserID: spec.FromUserID, rate: int(spec.RequestsPerSecond),
		deleting: !p.object.DeletionTimestamp.IsZero(),
	}
	if known != nil {
		next.accepted = known.accepted && known.account == account
	} else {
		next.accepted = status.AcceptedSecretVersion != "" && status.ObservedGeneration == p.object.Generation
	}
	if !next.accepted {
		status.AcceptedSecretVersion = ""
	}
	return next, known
}

// wasAccepted tells whether, according to status, ZIM has accepted what is there now: then a start makes no call.
func wasAccepted(p *appPass) bool {
	ready := meta.FindStatusCondition(p.object.Status.Conditions, zimv1alpha1.ReadyCondition)
	return ready != nil && (ready.Status == metav1.ConditionTrue || ready.Reason == zimv1alpha1.ReasonInUse) &&
		ready.ObservedGeneration == p.object.Generation && p.object.Status.AcceptedSecretVersion == p.secretVersion
}

// probe asks ZIM by registering the operator user, which rooms need anyway. An app that speaks for its account waits
// for a turn; another one goes past the account's limiter, because it has no part in the account. Without a place or a
// turn the app stays undecided.
func (r *ZimAppReconciler) probe(ctx context.Context, p *appPass, next *app) error {
	p.inLine = !r.probes.enter(probe{
		request: p.request(), accepted: next.accepted, account: next.account, endpoint: endpointOf(p.object),
	})
	if p.inLine {
		return nil
	}
	var limiter *zim.Limiter
	if next.accepted {
		limiter = r.registry.limiter(next.account, next.rate)
	}
	prober, err := r.newClient(endpointOf(p.object), next.account.AppID, p.serverSecret, limiter)
	if err != nil {
		return fmt.Errorf("building the client of ZimApp %s: %w", p.name, err)
	}
	err = prober.UserRegister(ctx, next.fromUserID)
	if err == nil {
		return r.accept(p, next, nil)
	}
	failed, ok := errors.AsType[*zim.Error](err)
	if !ok {
		return err
	}
	if failed.Failure == zim.FailureNoTurn {
		return nil
	}
	ready := appVerdictOf(failed)
	next.refusal = &ready
	next.failures++
	next.nextProbe = r.clock.Now().Add(probeBackoff.delay(next.failures))
	return nil
}

// leaveProbes gives back what the pass had or no longer needs of the line of probes, unless it was turned away there.
func (r *ZimAppReconciler) leaveProbes(p *appPass) {
	if !p.inLine {
		r.probes.leave(p.request())
	}
}

func (p *appPass) request() reconcile.Request {
	return reconcile.Request{NamespacedName: p.name}
}

// accept records that ZIM takes the credentials. The client is kept if they are those from before.
func (r *ZimAppReconciler) accept(p *appPass, next, known *app) (err error) {
	if known != nil && known.client != nil {
		next.client = known.client
	} else {
		limiter := r.registry.limiter(next.account, next.rate)
		next.client, err = r.newClient(endpointOf(p.object), next.account.AppID, p.serverSecret, limiter)
	}
	if err != nil {
		return fmt.Errorf("building the client of ZimApp %s: %w", p.name, err)
	}
	next.accepted = true
	p.object.Status.AcceptedSecretVersion = p.secretVersion
	return nil
}

// writeStatus patches the status once, and not at all if nothing changed.
func (r *ZimAppReconciler) writeStatus(
	ctx context.Context, p *appPass, found *app, users []zimv1alpha1.ZimRoom,
) error {
	result := acceptedOutcome()
	switch {
	case !p.object.DeletionTimestamp.IsZero():
		result = inUseOutcome(p.object, users)
	case found.refusal != nil:
		result = appOutcomeOf(*found.refusal)
	}
	p.object.Status.ObservedGeneration = p.object.Generation
	setConditions(&p.object.Status.Conditions, result, p.object.Generation, r.clock.Now())
	r.pressure.update(p.object, found)
	if equality.Semantic.DeepEqual(p.base.Status, p.object.Status) {
		return nil
	}
	// With a lock: should another ZimApp have been applied under the same name meanwhile, this is not true of it.
	patch := client.MergeFromWithOptions(p.base, client.MergeFromWithOptimisticLock{})
	if err := r.Status().Patch(ctx, p.object.DeepCopy(), patch); err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("writing status: %w", err)
	}
	if reason, changed := readyTransition(p.base.Status.Conditions, p.object.Status.Conditions); changed {
		status, _ := readyLabels(p.object.Status.Conditions)
		was := ""
		if ready := meta.FindStatusCondition(p.base.Status.Conditions, zimv1alpha1.ReadyCondition); ready != nil {
			was = ready.Reason
		}
		ctrl.LoggerFrom(ctx).Info("Changed Ready", "status", status, "reason", reason, "was", was)
		r.recorder.Eventf(p.object, nil, eventTypeOf(p.object.Status.Conditions), reason, actionReconcile,
			eventNotes[reason])
	}
	logConditions(ctrl.LoggerFrom(ctx), p.base.Status.Conditions, p.object.Status.Conditions)
	return nil
}

// comeBack asks for a pass when the next probe is due, or to count again who still uses a ZimApp that is being deleted.
// What the user must mend, and a place among the probes, wake the ZimApp by themselves.
func (r *ZimAppReconciler) comeBack(p *appPass, found *app) reconcile.Result {
	switch {
	case !p.object.DeletionTimestamp.IsZero():
		return reconcile.Result{RequeueAfter: countInterval}
	case found.isUndecided() && !p.inLine:
		return reconcile.Result{RequeueAfter: transientBackoff.delay(1)} // It got no turn.
	case found.refusal == nil, found.nextProbe.IsZero():
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(found.nextProbe.Sub(r.clock.Now()), time.Millisecond)}
}

// inUseOutcome says what the deletion of a ZimApp waits for. ZimRooms of other namespaces are counted, not named.
func inUseOutcome(object *zimv1alpha1.ZimApp, users []zimv1alpha1.ZimRoom) outcome {
	const namesShown = 5
	var names []string
	for i := range users {
		if users[i].Namespace == object.Namespace {
			names = append(names, users[i].Name)
		}
	}
	slices.Sort(names)
	message := fmt.Sprintf("%d ZimRooms use this ZimApp: delete them first.", len(users))
	if len(names) > 0 {
		message += " Among them: " + strings.Join(names[:min(len(names), namesShown)], ", ") + "."
	}
	return outcome{ready: &verdict{status: keepStatus, reason: zimv1alpha1.ReasonInUse, message: message}}
}
