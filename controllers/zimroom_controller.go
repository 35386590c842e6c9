package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// ZimRoomReconciler keeps the rooms that ZimRooms declare.
type ZimRoomReconciler struct {
	client.Client
	// liveReader reads from the API server, not from the cache.
	liveReader client.Reader
	recorder   events.EventRecorder
	observer   Observer
	clock      clock.PassiveClock
	// verifyInterval is how often a room without spec.interval is verified.
	verifyInterval time.Duration
	// started is when this process began to look: with its first pass, which a standby makes when it becomes the leader.
	started time.Time
	begin   sync.Once

	apps     *appResolver
	registry *appRegistry
	calls    *callMemory
	gate     *gate
	workload *workload
	quota    *roomQuota
	memories *memories
	// visible are the watched namespaces that this process could look into at some time.
	visible sync.Map
}

// +kubebuilder:rbac:groups=zim.zego.im,resources=zimrooms,verbs=list;watch;patch
// +kubebuilder:rbac:groups=zim.zego.im,resources=zimrooms/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// writeTimeout bounds the writing of status, counted apart from the pass.
const writeTimeout = 5 * time.Second

// pass is one run of Reconcile for one ZimRoom.
type pass struct {
	clock   clock.PassiveClock
	request reconcile.Request
	// room is the working copy: the pass writes its findings into its status. base is what the API server has.
	room, base *zimv1alpha1.ZimRoom
	memory     *roomMemory
	visit      *visit
	// app and caller are set once the ZimApp was found usable.
	app    *app
	caller *caller

	// missing: ZIM said that the confirmed room is gone, and it is not back.
	missing bool
	// created: status.room is what CreateRoom made, in this pass or in one whose status could not be written.
	created bool
	// maybeCreated is what a CreateRoom without an answer may have made just before.
	maybeCreated *lostCreate
	// news, replacedByOthers and attributesMended are findings that deserve an event.
	news                               news
	replacedByOthers, attributesMended bool
}

// Reconcile makes one pass over a ZimRoom.
func (r *ZimRoomReconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	r.begin.Do(func() { r.started = r.clock.Now() })
	visit := r.gate.enter(request)
	defer visit.leave()
	result, err := r.reconcile(ctx, request, visit)
	if err != nil {
		visit.stay()
	}
	return result, err
}

func (r *ZimRoomReconciler) reconcile(
	ctx context.Context, request reconcile.Request, visit *visit,
) (reconcile.Result, error) {
	written, cached := r.memories.lastWritten(request.NamespacedName), &zimv1alpha1.ZimRoom{}
	if err := r.Get(ctx, request.NamespacedName, cached, client.UnsafeDisableDeepCopy); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.workload.change(r.memories.forget(request.NamespacedName), demand{})
			r.quota.leave(request)
		}
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	p := r.newPass(request, newest(cached, written), visit)
	if !p.room.DeletionTimestamp.IsZero() {
		r.ask(p, demand{})
		p.memory.due.Store(nil)
		r.quota.leave(p.request)
		return r.reconcileDelete(ctx, p)
	}
	if p.room.Spec.Suspend {
		return r.finish(ctx, p, suspendedOutcome())
	}
	return r.reconcileNormal(ctx, p)
}

func (r *ZimRoomReconciler) newPass(request reconcile.Request, base *zimv1alpha1.ZimRoom, visit *visit) *pass {
	memory, isNew := r.memories.of(request.NamespacedName, base.UID)
	room := base.DeepCopy() // What the cache returns is the cache's own.
	p := &pass{
		clock:   r.clock,
		request: request,
		room:    room,
		base:    base,
		memory:  memory,
		visit:   visit,
		missing: isKnownMissing(room),
	}
	if isNew {
		memory.callback = r.callbackSeenBefore(room)
	}
	if isNew && readyReason(room) == zimv1alpha1.ReasonReplacing {
		memory.replacement = &replacement{certain: true} // Begun before a restart.
	}
	if kept := memory.unwritten; kept != nil && !p.isReplacing() {
		p.created, p.missing, p.news = true, false, kept.news
		room.Status.Room, room.Status.AppRef = kept.room.DeepCopy(), kept.appRef
	}
	if p.isReplacing() {
		room.Status.Room = nil // Should it still be there: what was destroyed is confirmed no more.
	}
	return p
}

// isReplacing tells whether the operator has destroyed the room to create it anew, and it is not back.
func (p *pass) isReplacing() bool {
	return p.memory.replacement != nil && p.memory.replacement.certain
}

// reconcileNormal goes through what must be true before ZIM may be asked, and asks.
func (r *ZimRoomReconciler) reconcileNormal(ctx context.Context, p *pass) (reconcile.Result, error) {
	found, err := r.apps.resolve(ctx, p.room)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case found.obstacle != nil:
		return r.finish(ctx, p, outcomeOf(r.situation(p), causeOfObstacle(found.obstacle)))
	case found.unseen:
		return reconcile.Result{}, nil // The pass over the ZimApp wakes this room.
	case p.room.Spec.FromUserID != "" && found.name.Namespace != p.room.Namespace:
		return r.finish(ctx, p, outcomeOf(r.situation(p), causeForeignUser))
	}
	r.useApp(p, found.app)

	holder, err := r.findHolder(ctx, p.room, p.app.account)
	if errors.Is(err, errUnseenApp) {
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if holder.UID != p.room.UID {
		// It carries the finalizer while it waits: one that is added while its deletion is under way can get lost.
		if err := r.ensureFinalizer(ctx, p); err != nil {
			return reconcile.Result{}, err
		}
		return r.finish(ctx, p, duplicateOutcome(duplicateMessage(p.room, holder)))
	}
	why, due := r.isDue(p)
	if !due {
		return r.comeBackLater(p), nil
	}
	if !p.visit.admit(p.app.account, why) {
		return r.waitInLine(ctx, p, why)
	}
	if err := r.ensureFinalizer(ctx, p); err != nil {
		return r.leaveUnserved(p, err)
	}
	p.memory.refusals = 0
	return r.callZIM(ctx, p)
}

// comeBackLater ends a pass that has no reason to call ZIM now.
func (r *ZimRoomReconciler) comeBackLater(p *pass) reconcile.Result {
	if r.clock.Now().Before(p.memory.coolUntil) {
		p.visit.stay()
	}
	return r.comeBack(p)
}

// leaveUnserved ends a pass that got its place and could not call ZIM, because Kubernetes refused something.
func (r *ZimRoomReconciler) leaveUnserved(p *pass, err error) (reconcile.Result, error) {
	p.visit.leaveUnserved()
	p.memory.noteRefusal(r.clock.Now())
	return reconcile.Result{}, err
}

func (r *ZimRoomReconciler) useApp(p *pass, found *app) {
	p.app, p.memory.account = found, found.account
	p.caller = &caller{app: found, user: p.operatorUser(), registry: r.registry, memory: r.calls, gate: r.gate}
}

// operatorUser is the user in whose name calls for the room are made.
func (p *pass) operatorUser() string {
	if p.room.Spec.FromUserID != "" {
		return p.room.Spec.FromUserID
	}
	return p.app.fromUserID
}

// callZIM brings the room to what is declared, and writes down how far it came.
func (r *ZimRoomReconciler) callZIM(ctx context.Context, p *pass) (reconcile.Result, error) {
	at := r.situation(p)
	p.memory.tried = p.attempt()
	p.memory.lookAfterCallback(p.room, r.clock.Now())
	r.quota.take(p.request)
	waits, err := p.ensureDeclared(ctx)
	p.visit.leave()
	at.missing, at.replacing = p.missing, p.isReplacing()
	at.current = at.current && p.memory.replacement == nil // A DestroyRoom without an answer leaves nothing as it was.
	if p.room.Status.Room != nil {
		p.room.Status.AppRef = &zimv1alpha1.ResolvedAppReference{
			Namespace: p.app.name.Namespace, Name: p.app.name.Name,
		}
	}
	if err != nil {
		if errors.Is(err, errStillThere) {
			p.memory.failures = p.memory.replacement.returns - 1 // These tries have a count of their own.
		}
		if zim.ClassOf(err) == zim.ClassRoomQuota {
			r.quota.wait(p.app.account, p.request)
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			return r.finish(ctx, p, outcome{silent: true}) // The operator is being stopped: that says nothing about ZIM.
		}
		return r.finish(ctx, p, outcomeOf(at, causeOf(err)))
	}
	return r.finish(ctx, p, confirmedOutcome(p.room.Status.Room.Origin, waits))
}

// waitInLine leaves a room in its account's line: the gate wakes it. Should nobody come to look at it for too long, it
// says so. A verification that waits when the room may have died comes again, as a repair.
func (r *ZimRoomReconciler) waitInLine(ctx context.Context, p *pass, why errand) (reconcile.Result, error) {
	at := r.situation(p)
	switch {
	case !at.confirmed || !at.current || at.missing:
		return reconcile.Result{}, nil
	case !at.unverified:
		next := r.unverifiedAt(p)
		if why.lane == laneVerification {
			next = earliest(next, r.expectedDeath(p, r.clock.Now()))
		}
		return r.comeBackAt(r.orToReplan(p, next)), nil
	}
	p.judge(outcomeOf(at, causeInLine))
	return reconcile.Result{}, r.save(ctx, p)
}

// finish writes an outcome, if it changes anything, and plans the next look.
func (r *ZimRoomReconciler) finish(ctx context.Context, p *pass, result outcome) (reconcile.Result, error) {
	p.judge(result)
	now := r.clock.Now()
	r.plan(p, result, now)
	if err := r.save(ctx, p); err != nil {
		p.memory.keepUnwritten(p, now)
		return reconcile.Result{}, err
	}
	p.memory.unwrittenTimes = 0
	switch {
	case result.retry != nil, result.answered, result.atSlot:
		return r.comeBack(p), nil
	case result.silent:
		return r.comeBackAt(r.unverifiedAt(p)), nil
	}
	return reconcile.Result{}, nil // Whatever changes the matter wakes this room.
}

// judge brings the conditions to an outcome.
func (p *pass) judge(result outcome) {
	now := p.clock.Now()
	if !result.silent {
		p.room.Status.ObservedGeneration = p.room.Generation
		setConditions(&p.room.Status.Conditions, result, p.room.Generation, now)
		setReplacementPending(p.room, result.pending, p.missing, now)
	}
	if text := requestedAt(p.room); result.handled && text != "" {
		p.room.Status.LastHandledReconcileAt = text
	}
}

// save writes the status, and tells of what changed.
func (r *ZimRoomReconciler) save(ctx context.Context, p *pass) error {
	if err := r.patchStatus(ctx, p); err != nil {
		return err
	}
	p.memory.unwritten = nil
	r.emitEvents(ctx, p)
	return nil
}

// patchStatus writes the status once, and not at all if nothing changed.
func (r *ZimRoomReconciler) patchStatus(ctx context.Context, p *pass) error {
	if equality.Semantic.DeepEqual(p.base.Status, p.room.Status) {
		return nil
	}
	// What ZIM has said is to be written even if the operator is being stopped: nobody could tell afterwards whose room
	// it is.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	written, err := r.sendStatus(ctx, p)
	if err != nil {
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("writing status: %w", err)
	}
	r.remember(ctx, p, written)
	return nil
}

// sendStatus patches the ZimRoom that the pass has read, and returns it as it is then. What ZIM said is true also if
// the manifest was edited meanwhile; but not of one that was applied anew under the same name, nor of one that was
// handed another's room: for these, the conflict is the answer.
func (r *ZimRoomReconciler) sendStatus(ctx context.Context, p *pass) (*zimv1alpha1.ZimRoom, error) {
	written, conflict := r.sendStatusOnto(ctx, p, p.base)
	if !apierrors.IsConflict(conflict) {
		return written, conflict
	}
	live, err := r.readLive(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case live == nil, live.UID != p.room.UID, !equality.Semantic.DeepEqual(live.Status.Room, p.base.Status.Room):
		return nil, conflict
	}
	return r.sendStatusOnto(ctx, p, live)
}

// sendStatusOnto patches a version of the ZimRoom.
func (r *ZimRoomReconciler) sendStatusOnto(
	ctx context.Context, p *pass, version *zimv1alpha1.ZimRoom,
) (*zimv1alpha1.ZimRoom, error) {
	answer := answerTo(p.room)
	patch := statusPatch{before: p.base.Status, after: p.room.Status, lock: version.ResourceVersion}
	if err := r.Status().Patch(ctx, answer, patch); err != nil {
		return nil, err
	}
	written := version.DeepCopy()
	written.ObjectMeta, written.Status = answer.ObjectMeta, *p.room.Status.DeepCopy()
	return written, nil
}

// readLive reads the ZimRoom of a pass from the API server; nil if there is none.
func (r *ZimRoomReconciler) readLive(ctx context.Context, p *pass) (*zimv1alpha1.ZimRoom, error) {
	var live zimv1alpha1.ZimRoomList
	err := r.liveReader.List(ctx, &live, client.InNamespace(p.request.Namespace), byName(p.request.Name))
	if err != nil || len(live.Items) == 0 {
		return nil, err
	}
	return &live.Items[0], nil
}

// remember keeps what was written, unless the cache has it already.
func (r *ZimRoomReconciler) remember(ctx context.Context, p *pass, written *zimv1alpha1.ZimRoom) {
	p.memory.written.Store(written)
	cached := &zimv1alpha1.ZimRoom{}
	if err := r.Get(ctx, p.request.NamespacedName, cached, client.UnsafeDisableDeepCopy); err == nil {
		p.memory.dropWritten(cached)
	}
}

// cacheChanged drops what was remembered because the cache lacked it.
func (r *ZimRoomReconciler) cacheChanged(cached *zimv1alpha1.ZimRoom) {
	if memory := r.memories.get(client.ObjectKeyFromObject(cached)); memory != nil && memory.uid == cached.UID {
		memory.dropWritten(cached)
	}
}

// ensureFinalizer adds the finalizer, or removes it where the room is to be retained: such a ZimRoom must never be
// stuck.
func (r *ZimRoomReconciler) ensureFinalizer(ctx context.Context, p *pass) error {
	wanted := p.room.Spec.DeletionPolicy != zimv1alpha1.DeletionPolicyRetain
	if controllerutil.ContainsFinalizer(p.room, zimv1alpha1.Finalizer) == wanted {
		return nil
	}
	return r.writeFinalizer(ctx, p, wanted)
}

// writeFinalizer patches with an optimistic lock: a merge patch replaces the list, and others may have put theirs in
// it.
func (r *ZimRoomReconciler) writeFinalizer(ctx context.Context, p *pass, wanted bool) error {
	changed := p.base.DeepCopy()
	if wanted {
		controllerutil.AddFinalizer(changed, zimv1alpha1.Finalizer)
	} else {
		controllerutil.RemoveFinalizer(changed, zimv1alpha1.Finalizer)
	}
	patch := finalizerPatch{finalizers: changed.Finalizers, lock: p.base.ResourceVersion}
	answer := answerTo(p.room)
	if err := r.Patch(ctx, answer, patch); err != nil {
		return fmt.Errorf("writing the finalizer: %w", err)
	}
	changed.ObjectMeta = answer.ObjectMeta // The rest is as it was: the lock says so.
	r.remember(ctx, p, changed)
	p.room.ObjectMeta, p.base = *changed.ObjectMeta.DeepCopy(), changed
	return nil
}

// situation is that before the pass. A room that was just handed over is confirmed, but its Ready still speaks of
// another one having it: it is judged like a new one.
func (r *ZimRoomReconciler) situation(p *pass) situation {
	reason := readyReason(p.room)
	unverifiedAt := r.unverifiedAt(p)
	return situation{
		confirmed:  p.room.Status.Room != nil && reason != "" && reason != zimv1alpha1.ReasonDuplicateRoomID,
		missing:    p.missing,
		replacing:  p.isReplacing(),
		unverified: !unverifiedAt.IsZero() && !r.clock.Now().Before(unverifiedAt),
		current:    isCurrent(p.room),
	}
}

func (p *pass) attempt() attempt {
	requested := requestedAt(p.room)
	if requested == "" {
		requested = p.memory.tried.requestedAt // Removing the annotation asks for nothing.
	}
	return attempt{generation: p.room.Generation, requestedAt: requested, appRevision: p.app.revision}
}
