package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

func TestStripForCache(t *testing.T) {
	meta := func(changes ...func(*metav1.ObjectMeta)) metav1.ObjectMeta {
		m := metav1.ObjectMeta{
			Name: "name", ResourceVersion: "1",
			Labels: map[string]string{"team": "a"}, Annotations: map[string]string{"keep": "me"},
		}
		for _, change := range changes {
			change(&m)
		}
		return m
	}
	ballast := func(m *metav1.ObjectMeta) {
		m.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		m.Annotations[corev1.LastAppliedConfigAnnotation] = "{}"
	}
	partial := func(kind string, m metav1.ObjectMeta) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{Kind: kind}, ObjectMeta: m}
	}
	spec := zimv1alpha1.ZimRoomSpec{ID: "room", Attributes: []zimv1alpha1.RoomAttribute{{Key: "k", Value: "v"}}}
	for name, tc := range map[string]struct{ given, want any }{
		"ZimRoom": {
			&zimv1alpha1.ZimRoom{ObjectMeta: meta(ballast), Spec: spec}, &zimv1alpha1.ZimRoom{ObjectMeta: meta(), Spec: spec},
		},
		"Namespace": {partial("Namespace", meta(ballast)), partial("Namespace", meta())},
		"Secret": {
			partial("Secret", meta(ballast)), partial("Secret", metav1.ObjectMeta{Name: "name", ResourceVersion: "1"}),
		},
		"nothing to drop": {partial("Namespace", metav1.ObjectMeta{}), partial("Namespace", metav1.ObjectMeta{})},
		"not an object":   {"text", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // What was stripped stays as it is.
				got, err := StripForCache(tc.given)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
