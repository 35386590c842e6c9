package controllers

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// readCredentials collects what calls are signed with. It returns the verdict on what can't be used without asking ZIM.
func (r *ZimAppReconciler) readCredentials(ctx context.Context, p *appPass, next *app) (*verdict, error) {
	spec := &p.object.Spec
	if err := r.endpoints.check(endpointOf(p.object)); err != nil {
		message := "spec.endpoint: " + err.Error() + "."
		return refused(zimv1alpha1.ReasonInvalidEndpoint, message), nil //nolint:nilerr // The message has it.
	}
	reference := spec.ServerSecretRef
	var secret corev1.Secret
	err := r.secretReader.Get(ctx, types.NamespacedName{Namespace: p.name.Namespace, Name: reference.Name}, &secret)
	if apierrors.IsNotFound(err) || r.isLost(ctx, p.name.Namespace, err) {
		message := fmt.Sprintf("Secret %s does not exist: create it, or correct spec.serverSecretRef.", reference.Name)
		return refused(zimv1alpha1.ReasonSecretNotFound, message), nil
	}
	if err != nil {
		return nil, fmt.Errorf("getting Secret %s: %w", reference.Name, err)
	}
	value, exists := secret.Data[reference.Key]
	problem := ""
	switch {
	case !exists:
		problem = "lacks the key " + reference.Key
	case len(value) == 0:
		problem = "has an empty value under " + reference.Key
	case strings.TrimSpace(string(value)) != string(value):
		problem = "has white space around the value of " + reference.Key + " (often a line break from a file)"
	}
	if problem != "" {
		message := fmt.Sprintf("Secret %s %s: store the ServerSecret there, exactly as the ZEGOCLOUD console shows it.",
			reference.Name, problem)
		return refused(zimv1alpha1.ReasonInvalidSecret, message), nil
	}
	p.secretVersion = secret.ResourceVersion
	next.credentials = credentials{
		endpoint: endpointOf(p.object), secretHash: sha256.Sum256(value), fromUserID: spec.FromUserID,
	}
	p.serverSecret = string(value)
	next.revision = fmt.Sprintf("%s/%d/%s", p.object.UID, p.object.Generation, secret.ResourceVersion)
	return nil, nil //nolint:nilnil // No verdict: ZIM has the word.
}

// isLost tells whether a Secret that may not be read went together with the operator's rights in its namespace.
func (r *ZimAppReconciler) isLost(ctx context.Context, namespace string, err error) bool {
	if !apierrors.IsForbidden(err) {
		return false
	}
	found, err := namespaceMetadata(ctx, r, namespace)
	return err == nil && !found.DeletionTimestamp.IsZero()
}

func refused(reason, message string) *verdict {
	return &verdict{status: metav1.ConditionFalse, reason: reason, message: message}
}
