package startup_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/startup"
)

// moody is an API server that answers when it likes to. In bubbles of fake time there are no real ones.
type moody struct {
	client.Client
	answer func(*authorizationv1.SelfSubjectAccessReview) error
}

func (*moody) RESTMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"ZimApp", "ZimRoom"} {
		mapper.Add(zimv1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	return mapper
}

func (m *moody) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	return m.answer(object.(*authorizationv1.SelfSubjectAccessReview))
}

func TestCheckAsksAgainWhileThereIsNoAnswer(t *testing.T) {
	away := errors.New("connection refused")
	yes := func(review *authorizationv1.SelfSubjectAccessReview) error {
		review.Status.Allowed = true
		return nil
	}
	for name, tc := range map[string]struct {
		// until is how long there is no answer; then comes that of answer.
		until  time.Duration
		answer func(*authorizationv1.SelfSubjectAccessReview) error
		want   string
		after  time.Duration
	}{
		"at once":             {answer: yes},
		"after a while":       {until: 12 * time.Second, answer: yes, after: 15 * time.Second},
		"never":               {until: time.Hour, want: "no API server within 30s: asking", after: 30 * time.Second},
		"a refusal is a word": {answer: func(*authorizationv1.SelfSubjectAccessReview) error { return nil }, want: "no permission to"},
		"asking not permitted": {answer: func(*authorizationv1.SelfSubjectAccessReview) error {
			return apierrors.NewForbidden(schema.GroupResource{}, "", nil)
		}},
		"unknown to it": {
			answer: func(*authorizationv1.SelfSubjectAccessReview) error { return apierrors.NewUnauthorized("who?") }, want: "who?",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				api := &moody{answer: func(review *authorizationv1.SelfSubjectAccessReview) error {
					if time.Since(begin) < tc.until {
						return away
					}
					return tc.answer(review)
				}}
				err := startup.Check(t.Context(), api, startup.Needs{})
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				if took := time.Since(begin); took != tc.after {
					t.Errorf("it took %s, want %s", took, tc.after)
				}
			})
		})
	}
}

// Each right that is missing is told by its name.
func TestCheckNeedsEachRight(t *testing.T) {
	watched := startup.Needs{Namespaces: []string{"own"}, OperatorNamespace: "own"}
	leased := startup.Needs{OperatorNamespace: "own", Lease: "lease"}
	lease := []startup.Right{
		{Verb: "get", Group: "coordination.k8s.io", Resource: "leases", Name: "lease"},
		{Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Name: "lease"},
		{Verb: "create", Group: "coordination.k8s.io", Resource: "leases"},
	}
	for _, tc := range []struct {
		needs  startup.Needs
		rights []startup.Right
		where  string
	}{
		{startup.Needs{}, startup.ClusterRights(), "in all namespaces"},
		{watched, startup.NamespaceRights(), "in namespace own"},
		{leased, lease, "in namespace own"},
	} {
		for _, missing := range tc.rights {
			api := &moody{answer: func(review *authorizationv1.SelfSubjectAccessReview) error {
				asked := review.Spec.ResourceAttributes
				review.Status.Allowed = asked.Verb != missing.Verb || asked.Group != missing.Group ||
					asked.Resource != missing.Resource || asked.Subresource != missing.Subresource
				return nil
			}}
			what := missing.Resource
			if missing.Subresource != "" {
				what += "/" + missing.Subresource
			}
			err := startup.Check(t.Context(), api, tc.needs)
			if err == nil || !strings.HasPrefix(err.Error(), "no permission to "+missing.Verb+" "+what+" of ") ||
				!strings.Contains(err.Error(), tc.where) {
				t.Errorf("without %v: %v", missing, err)
			}
		}
	}
}
