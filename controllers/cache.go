package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StripForCache is the transform of the manager's cache: it drops what the controllers never look at, which is more
// than half of an object that kubectl applied. It is safe for objects that are only ever patched.
func StripForCache(object any) (any, error) {
	accessor, err := meta.Accessor(object)
	if err != nil {
		return object, nil //nolint:nilerr // Not an object: there is nothing to drop.
	}
	// The cache may pass an object a second time, when others read it already: then nothing may be written.
	if accessor.GetManagedFields() != nil {
		accessor.SetManagedFields(nil)
	}
	annotations := accessor.GetAnnotations()
	if annotations[corev1.LastAppliedConfigAnnotation] != "" {
		delete(annotations, corev1.LastAppliedConfigAnnotation)
	}
	if secret, ok := object.(*metav1.PartialObjectMetadata); ok && secret.Kind == "Secret" && hasDetails(secret) {
		secret.Labels, secret.Annotations, secret.OwnerReferences = nil, nil, nil // Name and version are enough.
	}
	return object, nil
}

func hasDetails(secret *metav1.PartialObjectMetadata) bool {
	return secret.Labels != nil || secret.Annotations != nil || secret.OwnerReferences != nil
}
