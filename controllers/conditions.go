package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// setConditions brings conditions to an outcome. Ready stays as it is unless the outcome judges it; Reconciling and Stalled are
// present only while they are True.
func setConditions(conditions *[]metav1.Condition, result outcome, generation int64, now time.Time) {
	if result.ready != nil {
		setCondition(conditions, zimv1alpha1.ReadyCondition, *result.ready, generation, now)
	}
	setOrRemove(conditions, zimv1alpha1.ReconcilingCondition, result.reconciling, generation, now)
	setOrRemove(conditions, zimv1alpha1.StalledCondition, result.stalled, generation, now)
}

func setOrRemove(
	conditions *[]metav1.Condition, conditionType string, to *verdict, generation int64, now time.Time,
) {
	if to == nil {
		meta.RemoveStatusCondition(conditions, conditionType)
		return
	}
	setCondition(conditions, conditionType, *to, generation, now)
}

func setCondition(
	conditions *[]metav1.Condition, conditionType string, to verdict, generation int64, now time.Time,
) {
	if to.status == keepStatus {
		to.status = metav1.ConditionFalse
		if kept := meta.FindStatusCondition(*conditions, conditionType); kept != nil {
			to.status, generation = kept.Status, kept.ObservedGeneration
		}
	}
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type:               conditionType,
		Status:             to.status,
		Reason:             to.reason,
		Message:            to.message,
		ObservedGeneration: generation,
		LastTransitionTime: metav1.NewTime(now),
	})
}

// setReplacementPending says whether the live room has another name or delay than declared.
func setReplacementPending(room *zimv1alpha1.ZimRoom, now time.Time) {
	live := room.Status.Room
	var pending *verdict
	if live != nil && (live.Name != room.Spec.Name || live.DestroyDelay.Duration != destroyDelayOf(room)) {
		pending = &verdict{
			status: metav1.ConditionTrue, reason: zimv1alpha1.ReasonPolicyNever,
			message: "ZIM cannot change name or destroyDelay of a live room: they apply when it is next created.",
		}
	}
	setOrRemove(&room.Status.Conditions, zimv1alpha1.ReplacementPendingCondition, pending, room.Generation, now)
}

// isCurrent tells whether the last pass reached its goal for the present generation.
func isCurrent(room *zimv1alpha1.ZimRoom) bool {
	conditions := room.Status.Conditions
	ready := meta.FindStatusCondition(conditions, zimv1alpha1.ReadyCondition)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == room.Generation &&
		ready.Reason != zimv1alpha1.ReasonSuspended && room.Status.ObservedGeneration == room.Generation &&
		meta.FindStatusCondition(conditions, zimv1alpha1.ReconcilingCondition) == nil &&
		meta.FindStatusCondition(conditions, zimv1alpha1.StalledCondition) == nil
}

// isRefused tells whether ZIM has refused the present generation of the manifest.
func isRefused(room *zimv1alpha1.ZimRoom) bool {
	stalled := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.StalledCondition)
	return stalled != nil && stalled.Reason == zimv1alpha1.ReasonInvalidParameter &&
		stalled.ObservedGeneration == room.Generation
}

// isKnownMissing tells whether an earlier pass found the confirmed room gone and could not create it again.
func isKnownMissing(room *zimv1alpha1.ZimRoom) bool {
	ready := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.ReadyCondition)
	if ready == nil || room.Status.Room == nil {
		return false
	}
	return ready.Reason == zimv1alpha1.ReasonRoomMissing || ready.Reason == zimv1alpha1.ReasonRoomQuotaExceeded
}

// requestedAt returns the text of the reconcile annotation, cut to what status can hold.
func requestedAt(room *zimv1alpha1.ZimRoom) string {
	const longest = 1024
	text := []rune(room.Annotations[zimv1alpha1.ReconcileRequestedAtAnnotation])
	return string(text[:min(len(text), longest)])
}
