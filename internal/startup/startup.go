// Package startup tells, in one line, why the manager can't work, and when it can.
package startup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// timeouts of the questions to the API server, and of waiting for the cache in one probe.
const (
	checkTimeout = 30 * time.Second
	probeTimeout = time.Second
)

// Needs are what the manager can't do without.
type Needs struct {
	// Namespaces that it watches; none: all.
	Namespaces []string
	// Lease is the name and namespace of the one that it works under; zero if it needs none.
	Lease client.ObjectKey
}

// Check asks the API server, without a cache, for a little of everything that the manager is going to read. Its errors
// say what to do. Without it a missing right would show as retries in the log, for as long as they go on.
func Check(ctx context.Context, reader client.Reader, needs Needs) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	namespaces := needs.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
		if err := canList(ctx, reader, metadata("Namespace"), corev1.NamespaceAll); err != nil {
			return err
		}
	}
	for _, namespace := range namespaces {
		for _, list := range []client.ObjectList{
			&zimv1alpha1.ZimAppList{}, &zimv1alpha1.ZimRoomList{}, metadata("Secret"),
		} {
			if err := canList(ctx, reader, list, namespace); err != nil {
				return err
			}
		}
	}
	if needs.Lease.Name == "" {
		return nil
	}
	err := reader.Get(ctx, needs.Lease, &coordinationv1.Lease{})
	return explain(client.IgnoreNotFound(err))
}

// metadata is a list of objects of which only the metadata are read.
func metadata(kind string) client.ObjectList {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind + "List"})
	return list
}

func canList(ctx context.Context, reader client.Reader, list client.ObjectList, namespace string) error {
	return explain(reader.List(ctx, list, client.InNamespace(namespace), client.Limit(1)))
}

// explain adds to a refusal what to do about it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case meta.IsNoMatchError(err):
		return fmt.Errorf("the CRDs of %s are not installed: apply config/crd, or dist/crds.yaml, first",
			zimv1alpha1.GroupVersion)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("no permission: %w: give the account the rights in config/rbac", err)
	}
	return fmt.Errorf("asking the API server: %w", err)
}

// Ready makes the manager ready once its cache has seen everything, whether it is the one replica that works or not.
func Ready(informers cache.Cache) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), probeTimeout)
		defer cancel()
		if !informers.WaitForCacheSync(ctx) {
			return errors.New("the cache is not filled yet")
		}
		return nil
	}
}
