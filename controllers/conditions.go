package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// setConditions brings conditions to an outcome. Ready stays as it is unless the outcome judges it; Reconciling and
// Stalled are present only while they are True.
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

// setReplacementPending says why the live room has another name or delay than declared. An outcome that did not come
// so far leaves what was said before.
func setReplacementPending(room *zimv1alpha1.ZimRoom, pending *verdict, missing bool, now time.Time) {
	if missing || !isReplacementPending(room) {
		meta.RemoveStatusCondition(&room.Status.Conditions, zimv1alpha1.ReplacementPendingCondition)
		return
	}
	if pending != nil {
		setCondition(&room.Status.Conditions, zimv1alpha1.ReplacementPendingCondition, *pending, room.Generation, now)
	}
}

// isWaitingToBeReplaced tells whether a replacement waits for something that may come any time.
func isWaitingToBeReplaced(room *zimv1alpha1.ZimRoom) bool {
	pending := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.ReplacementPendingCondition)
	return pending != nil && pending.Reason != zimv1alpha1.ReasonPolicyNever
}

// isCurrent tells whether the last pass reached its goal for the present generation. While a room is destroyed and not
// created anew, it did not.
func isCurrent(room *zimv1alpha1.ZimRoom) bool {
	conditions := room.Status.Conditions
	ready := meta.FindStatusCondition(conditions, zimv1alpha1.ReadyCondition)
	return room.Status.Room != nil && ready != nil && ready.Status == metav1.ConditionTrue &&
		ready.ObservedGeneration == room.Generation && ready.Reason != zimv1alpha1.ReasonSuspended &&
		room.Status.ObservedGeneration == room.Generation &&
		meta.FindStatusCondition(conditions, zimv1alpha1.ReconcilingCondition) == nil &&
		meta.FindStatusCondition(conditions, zimv1alpha1.StalledCondition) == nil
}

// isUnverified tells whether nobody could look for so long at a room that was as declared, that it counts no more.
func isUnverified(room *zimv1alpha1.ZimRoom) bool {
	ready := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.ReadyCondition)
	return room.Status.Room != nil && ready != nil && ready.Reason == zimv1alpha1.ReasonUnverified &&
		ready.ObservedGeneration == room.Generation
}

// isRefused tells whether ZIM has refused the present generation of the manifest.
func isRefused(room *zimv1alpha1.ZimRoom) bool {
	stalled := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.StalledCondition)
	return stalled != nil && stalled.Reason == zimv1alpha1.ReasonInvalidParameter &&
		stalled.ObservedGeneration == room.Generation
}

// isKnownMissing tells whether an earlier pass found the confirmed room gone, or destroyed it, and could not create
// it again.
func isKnownMissing(room *zimv1alpha1.ZimRoom) bool {
	reason := readyReason(room)
	return room.Status.Room != nil && (reason == zimv1alpha1.ReasonRoomMissing ||
		reason == zimv1alpha1.ReasonRoomQuotaExceeded)
}

// readyReason returns the reason of Ready; empty if there is none.
func readyReason(room *zimv1alpha1.ZimRoom) string {
	ready := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.ReadyCondition)
	if ready == nil {
		return ""
	}
	return ready.Reason
}

// isHandled tells whether there is no request to look again, or none that was not answered. Removing the annotation
// is none.
func isHandled(room *zimv1alpha1.ZimRoom) bool {
	text := requestedAt(room)
	return text == "" || text == room.Status.LastHandledReconcileAt
}

// requestedAt returns the text of the reconcile annotation, cut to what status can hold.
func requestedAt(room *zimv1alpha1.ZimRoom) string {
	const longest = 1024
	text := []rune(room.Annotations[zimv1alpha1.ReconcileRequestedAtAnnotation])
	return string(text[:min(len(text), longest)])
}
