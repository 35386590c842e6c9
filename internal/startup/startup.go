// Package startup has what the manager begins with: it tells, in one line, why the manager can't work, and when it can,
// and makes informers, mappings and memory fit for it.
package startup

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

const (
	// patience is how long the manager waits for an API server. It is less than the kubelet has with a manager that does
	// not serve its probes yet: what is missing is told before the pod is killed.
	patience = 30 * time.Second
	// retryPause is between two questions to an API server that does not answer.
	retryPause = 5 * time.Second
	// askTimeout bounds one question.
	askTimeout = 5 * time.Second
	// probeTimeout bounds the waiting for the cache in one probe.
	probeTimeout = time.Second
)

// Needs are what the manager can't do without.
type Needs struct {
	// Namespaces that it watches, its own among them; none: all.
	Namespaces []string
	// OperatorNamespace is its own.
	OperatorNamespace string
	// Lease is the name of the one in its own namespace that it works under; empty if it needs none.
	Lease string
}

// NewClient makes the client for Check: each of its requests is bounded in time, those for API discovery too.
func NewClient(config *rest.Config, scheme *runtime.Scheme) (client.Client, error) {
	bounded := rest.CopyConfig(config)
	bounded.Timeout = askTimeout
	return client.New(bounded, client.Options{Scheme: scheme})
}

// Check asks the API server whether the CRDs are there and whether the manager may do what it is going to do. Its
// errors say what to do about it. An API server that does not answer is asked again for half a minute. A watched
// namespace in which a right is missing costs a line in the log, unless it is the manager's own: what may not be listed
// there is left out, see NewInformer.
func Check(ctx context.Context, api client.Client, needs Needs) error {
	for begin := time.Now(); ; {
		err := check(ctx, api, needs)
		if err == nil || isFinal(err) {
			return err
		}
		if time.Since(begin) >= patience {
			return fmt.Errorf("no API server within %s: %w", patience, err)
		}
		ctrl.Log.Info("Asking the API server again soon", "error", err.Error())
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// isFinal tells whether asking again leads nowhere.
func isFinal(err error) bool {
	_, refused := errors.AsType[*refusal](err)
	return refused || errors.Is(err, errNoCRDs) || apierrors.IsUnauthorized(err)
}

var errNoCRDs = fmt.Errorf("the CRDs of %s are not installed: apply config/crd, or dist/crds.yaml, first",
	zimv1alpha1.GroupVersion)

func check(ctx context.Context, api client.Client, needs Needs) error {
	for _, kind := range []string{"ZimApp", "ZimRoom"} {
		gvk := zimv1alpha1.GroupVersion.WithKind(kind)
		_, err := api.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		switch {
		case meta.IsNoMatchError(err):
			return errNoCRDs
		case err != nil:
			return fmt.Errorf("asking the API server for its resources: %w", err)
		}
	}
	if needs.Lease != "" {
		if err := mayAll(ctx, api, needs.OperatorNamespace, leaseRights(needs.Lease)); err != nil {
			return err
		}
	}
	if len(needs.Namespaces) == 0 {
		return mayAll(ctx, api, "", ClusterRights())
	}
	for _, namespace := range needs.Namespaces {
		err := mayAll(ctx, api, namespace, NamespaceRights())
		if _, refused := errors.AsType[*refusal](err); refused && namespace != needs.OperatorNamespace {
			ctrl.Log.Info("Rights are missing in a watched namespace", "namespace", namespace, "reason", err.Error())
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
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
