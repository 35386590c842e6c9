package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// appResolver finds the ZimApp of a ZimRoom. Its answers come from the cache; but where only chosen namespaces are
// watched, the cache may lack what it was not allowed to list so far: what it lacks is looked for at the API server.
type appResolver struct {
	reader, liveReader client.Reader

	registry          *appRegistry
	operatorNamespace string
	// watched are the namespaces that the operator sees; empty: all.
	watched []string
}

// resolution is the ZimApp of a ZimRoom, or what is in the way.
type resolution struct {
	name types.NamespacedName
	// app is set if the ZimRoom may use it and a pass over it was made; it need not be usable.
	app *app
	// account is what the ZimApp says it belongs to, accepted or not.
	account zim.Account
	// deleting is true if the ZimApp is being deleted.
	deleting bool
	// unseen is true if the ZimApp exists but no pass of this process has found out yet whether it can be used. Its
	// account may be unknown then, if no pass was made at all.
	unseen bool
	// obstacle says why the app can't be used; nil if it can.
	obstacle *obstacle
}

// obstacle is a reason for a condition, and the message that says what to do.
type obstacle struct {
	reason  string
	message string
}

// resolve finds the ZimApp: the one that the room was confirmed with; else spec.appRef; else "default" of the room's
// namespace; else "default" of the operator's.
func (r *appResolver) resolve(ctx context.Context, room *zimv1alpha1.ZimRoom) (resolution, error) {
	candidates := appCandidates(room, r.operatorNamespace)
	found := resolution{name: candidates[0]}
	if len(candidates) == 1 {
		return r.lookUp(ctx, room, found)
	}
	for _, candidate := range candidates {
		found, err := r.lookUp(ctx, room, resolution{name: candidate})
		if err != nil || found.obstacle == nil || !isMissing(found.obstacle) {
			return found, err
		}
	}
	found.obstacle = &obstacle{
		reason: zimv1alpha1.ReasonAppNotFound,
		message: fmt.Sprintf("No ZimApp %q in this namespace, and none in %s that allows it: create one, or set spec.appRef.",
			zimv1alpha1.DefaultAppName, r.operatorNamespace),
	}
	return found, nil
}

// isMissing tells whether the next candidate is to be tried. A default app of the operator's namespace that does not
// allow the room's is as good as none.
func isMissing(o *obstacle) bool {
	return o.reason == zimv1alpha1.ReasonAppNotFound || o.reason == zimv1alpha1.ReasonAppNotAllowed
}

// lookUp judges one ZimApp for a room.
func (r *appResolver) lookUp(ctx context.Context, room *zimv1alpha1.ZimRoom, found resolution) (resolution, error) {
	foreign := found.name.Namespace != room.Namespace
	if len(r.watched) > 0 && !slices.Contains(r.watched, found.name.Namespace) {
		found.obstacle = notAllowed(found.name) // As good as not allowed: its owner's operator is another one.
		return found, nil
	}
	object, err := r.find(ctx, found.name)
	switch {
	case errors.Is(err, errUnseenApp):
		found.unseen = true
		return found, nil
	case apierrors.IsNotFound(err):
		found.obstacle = notFound(found.name, foreign)
		return found, nil
	case err != nil:
		return found, fmt.Errorf("getting ZimApp %s: %w", found.name, err)
	}
	found.deleting = !object.DeletionTimestamp.IsZero()
	if foreign {
		allowed, err := r.allows(ctx, object, room.Namespace)
		if err != nil {
			return found, err
		}
		if !allowed {
			found.obstacle = notAllowed(found.name)
			return found, nil
		}
	}
	found.account, err = zim.AccountAt(endpointOf(object), uint32(object.Spec.AppID)) //nolint:gosec // The CRD bounds it.
	if home, confirmed := homeOf(room); err == nil && confirmed && home != found.account {
		found.obstacle = &obstacle{
			reason: zimv1alpha1.ReasonAppNotFound,
			message: fmt.Sprintf("ZimApp %s is of account %s now, but the room lives in %s: apply the ZimRoom anew to move it.",
				found.name, found.account, home),
		}
		return found, nil
	}
	found.app = r.registry.of(object)
	found.unseen = found.app == nil || found.app.isUndecided()
	if found.app != nil && found.app.refusal != nil {
		found.obstacle = &obstacle{
			reason: zimv1alpha1.ReasonAppNotReady,
			message: fmt.Sprintf("ZimApp %s is not ready (%s): see its conditions.", found.name,
				found.app.refusalReason()),
		}
	}
	return found, nil
}

func notFound(name types.NamespacedName, foreign bool) *obstacle {
	if foreign {
		return notAllowed(name) // Whether it exists is not the room's namespace's business.
	}
	return &obstacle{
		reason: zimv1alpha1.ReasonAppNotFound, message: fmt.Sprintf("ZimApp %s does not exist: create it.", name),
	}
}

// find reads a ZimApp from the cache. It fails with errUnseenApp if only the API server has it.
func (r *appResolver) find(ctx context.Context, name types.NamespacedName) (*zimv1alpha1.ZimApp, error) {
	object := &zimv1alpha1.ZimApp{}
	err := r.reader.Get(ctx, name, object, client.UnsafeDisableDeepCopy)
	if !apierrors.IsNotFound(err) || len(r.watched) == 0 {
		return object, err
	}
	var apps zimv1alpha1.ZimAppList
	switch listErr := r.liveReader.List(ctx, &apps, client.InNamespace(name.Namespace), byName(name.Name)); {
	case listErr != nil:
		return nil, listErr
	case len(apps.Items) > 0:
		return nil, errUnseenApp
	}
	return nil, err
}

// homeOf returns the account in which a confirmed room lives.
func homeOf(room *zimv1alpha1.ZimRoom) (account zim.Account, confirmed bool) {
	live := room.Status.Room
	if live == nil {
		return zim.Account{}, false
	}
	return zim.Account{Realm: live.Realm, AppID: uint32(live.AppID)}, true //nolint:gosec // Written by this operator.
}

func notAllowed(name types.NamespacedName) *obstacle {
	return &obstacle{
		reason: zimv1alpha1.ReasonAppNotAllowed,
		message: fmt.Sprintf("ZimApp %s does not allow this namespace: its owner can in spec.allowedNamespaces.",
			name),
	}
}

// allows tells whether a ZimApp admits ZimRooms of another namespace.
func (r *appResolver) allows(ctx context.Context, object *zimv1alpha1.ZimApp, namespace string) (bool, error) {
	allowed := object.Spec.AllowedNamespaces
	if allowed == nil {
		return false, nil
	}
	switch allowed.From {
	case zimv1alpha1.NamespacesFromAll:
		return true, nil
	case zimv1alpha1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(allowed.Selector)
		if err != nil {
			return false, nil //nolint:nilerr // A selector that selects nothing allows nobody.
		}
		meta, err := namespaceMetadata(ctx, r.reader, namespace)
		if err != nil {
			return false, err
		}
		return selector.Matches(labels.Set(meta.Labels)), nil
	default:
		return false, nil
	}
}

// namespaceMetadata reads a namespace's labels and deletionTimestamp. One that does not exist has neither.
func namespaceMetadata(
	ctx context.Context, reader client.Reader, name string,
) (*metav1.PartialObjectMetadata, error) {
	meta := metadataOf("Namespace")
	meta.Name = name
	if err := reader.Get(ctx, client.ObjectKey{Name: name}, meta); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("getting namespace %s: %w", name, err)
	}
	return meta, nil
}

// appCandidates are the ZimApps that a ZimRoom may come to use, best first.
func appCandidates(room *zimv1alpha1.ZimRoom, operatorNamespace string) []types.NamespacedName {
	if pinned := room.Status.AppRef; pinned != nil {
		return []types.NamespacedName{{Namespace: pinned.Namespace, Name: pinned.Name}}
	}
	if declared := room.Spec.AppRef; declared != nil {
		namespace := declared.Namespace
		if namespace == "" {
			namespace = room.Namespace
		}
		return []types.NamespacedName{{Namespace: namespace, Name: declared.Name}}
	}
	own := types.NamespacedName{Namespace: room.Namespace, Name: zimv1alpha1.DefaultAppName}
	if room.Namespace == operatorNamespace {
		return []types.NamespacedName{own}
	}
	return []types.NamespacedName{own, {Namespace: operatorNamespace, Name: zimv1alpha1.DefaultAppName}}
}
