package startup

import (
	"context"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// Right is to do something to the objects of a resource, or to the one with a name.
type Right struct{ Verb, Group, Resource, Subresource, Name string }

// ClusterRights are those of the manager that watches all namespaces: the rules of config/rbac/role.yaml, as a test
// holds. What metrics need is not among them: without them the operator works.
func ClusterRights() []Right {
	return append(rights("", "namespaces", "", "list", "watch"), workRights()...)
}

// NamespaceRights are those in one of the chosen namespaces: the rules of config/components/watched-namespace.
func NamespaceRights() []Right {
	return append(rights("", "namespaces", "", "get"), workRights()...)
}

// workRights are those that are the same in all namespaces and in one.
func workRights() []Right {
	group := zimv1alpha1.GroupVersion.Group
	return slices.Concat(
		rights(group, "zimapps", "", "list", "watch", "patch"),
		rights(group, "zimapps", "status", "patch"),
		rights(group, "zimrooms", "", "list", "watch", "patch"),
		rights(group, "zimrooms", "status", "patch"),
		rights("", "secrets", "", "get", "list", "watch"),
		rights("events.k8s.io", "events", "", "create", "patch"),
	)
}

// leaseRights are those in the operator's own namespace. The one to create has no name: RBAC can't limit it to one.
func leaseRights(name string) []Right {
	all := rights("coordination.k8s.io", "leases", "", "get", "update")
	for i := range all {
		all[i].Name = name
	}
	return append(all, rights("coordination.k8s.io", "leases", "", "create")...)
}

func rights(group, resource, subresource string, verbs ...string) []Right {
	var all []Right
	for _, verb := range verbs {
		all = append(all, Right{Verb: verb, Group: group, Resource: resource, Subresource: subresource})
	}
	return all
}

// refusal is a right that the manager's account lacks.
type refusal struct {
	right     Right
	namespace string
}

func (r *refusal) Error() string {
	resource, group, where := r.right.Resource, r.right.Group, "in all namespaces"
	if r.right.Subresource != "" {
		resource += "/" + r.right.Subresource
	}
	if group == "" {
		group = "the core group"
	}
	if r.namespace != "" {
		where = "in namespace " + r.namespace
	}
	return fmt.Sprintf("no permission to %s %s of %s %s: give the manager's account the rights in config/rbac",
		r.right.Verb, resource, group, where)
}

// mayAll asks the API server for each right, and returns a refusal for the first that is missing.
func mayAll(ctx context.Context, api client.Client, namespace string, all []Right) error {
	for _, right := range all {
		name := right.Name
		if right.Resource == "namespaces" {
			name = namespace // To the API server a namespace is in itself.
		}
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: right.Verb, Group: right.Group, Resource: right.Resource,
				Subresource: right.Subresource, Name: name,
			},
		}}
		err := api.Create(ctx, review)
		switch {
		case apierrors.IsForbidden(err):
			// Every account may ask, unless a cluster took that away. Then what is missing shows when it is used.
			ctrl.Log.Info("Could not ask for the rights of the manager's account", "error", err.Error())
			return nil
		case err != nil:
			return fmt.Errorf("asking the API server for the manager's rights: %w", err)
		case !review.Status.Allowed:
			return &refusal{right: right, namespace: namespace}
		}
	}
	return nil
}
