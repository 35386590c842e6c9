package controllers

import (
	"context"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// Reasons of events that are no reasons of conditions.
const (
	eventRoomRecreated    = "RoomRecreated"
	eventReplaced         = "RoomReplaced"
	eventReplacedByOthers = "RoomReplacedByOthers"
	eventAttributesMended = "AttributesRestored"
	eventRoomDestroyed    = "RoomDestroyed"
	eventRoomLeftBehind   = "RoomLeftBehind"
	eventHandedOver       = "RoomHandedOver"
)

// Actions of events: what the operator was doing.
const (
	actionReconcile = "Reconcile"
	actionDelete    = "Delete"
)

// eventNotes are the texts of events. They are constant, so that the API server can count repetitions instead of
// keeping each; the conditions have the details.
var eventNotes = map[string]string{
	zimv1alpha1.ReasonRoomCreated:           "The room exists with the declared attributes.",
	zimv1alpha1.ReasonRoomAdopted:           "The room existed before and has the declared attributes.",
	zimv1alpha1.ReasonRoomMissing:           "The room is gone and could not be created again yet.",
	zimv1alpha1.ReasonReplacing:             "The room was destroyed to be replaced, and is not back yet.",
	zimv1alpha1.ReasonUnverified:            "The room could not be looked at for three intervals.",
	zimv1alpha1.ReasonRateLimited:           "A frequency limit of ZIM makes the room wait.",
	zimv1alpha1.ReasonZIMUnavailable:        "ZIM gave no usable answer.",
	zimv1alpha1.ReasonAppNotFound:           "The ZimApp does not exist.",
	zimv1alpha1.ReasonAppNotAllowed:         "The ZimApp does not allow this namespace.",
	zimv1alpha1.ReasonAppNotReady:           "The ZimApp is not ready.",
	zimv1alpha1.ReasonOperatorNotRegistered: "ZIM does not know the operator user.",
	zimv1alpha1.ReasonRoomQuotaExceeded:     "The account holds as many rooms as its plan allows.",
	zimv1alpha1.ReasonAttributesRejected:    "ZIM refused attributes.",
	zimv1alpha1.ReasonInvalidParameter:      "ZIM refused the manifest.",
	zimv1alpha1.ReasonDuplicateRoomID:       "Another ZimRoom has this room.",
	zimv1alpha1.ReasonSuspended:             "The room is left alone.",
	zimv1alpha1.ReasonDeleting:              "The room could not be destroyed yet.",

	zimv1alpha1.ReasonAccepted:            "ZIM accepts the application.",
	zimv1alpha1.ReasonSecretNotFound:      "The Secret does not exist.",
	zimv1alpha1.ReasonInvalidSecret:       "The Secret holds no usable server secret.",
	zimv1alpha1.ReasonCredentialsRejected: "ZIM refuses the signature.",
	zimv1alpha1.ReasonServiceNotEnabled:   "In-app Chat is not enabled for the AppID.",
	zimv1alpha1.ReasonAppRejected:         "ZIM does not serve the AppID.",
	zimv1alpha1.ReasonClockSkew:           "The clocks of ZIM and of the operator are too far apart.",
	zimv1alpha1.ReasonOperatorRejected:    "ZIM refuses to register the operator user.",
	zimv1alpha1.ReasonClientError:         "ZIM calls the request malformed.",
	zimv1alpha1.ReasonInvalidEndpoint:     "The manager does not admit the endpoint.",
	zimv1alpha1.ReasonInUse:               "ZimRooms still use the ZimApp.",

	eventRoomRecreated:    "The room was gone and was created again.",
	eventReplaced:         "The room was destroyed and created anew with the declared name and delay.",
	eventReplacedByOthers: "Others created the room again under the same id.",
	eventAttributesMended: "Attributes differed from what is declared and were set again.",
	eventRoomDestroyed:    "The room was destroyed.",
	eventRoomLeftBehind:   "The room could not be destroyed: ZIM removes it when it has been empty for its delay.",
	eventHandedOver:       "The room was handed over to another ZimRoom.",
}

// emitEvents tells of what changed in a pass.
func (r *ZimRoomReconciler) emitEvents(ctx context.Context, p *pass) {
	log, id := ctrl.LoggerFrom(ctx), p.room.Spec.ID
	if p.news.recreated {
		r.observer.ObserveRecreation(p.memory.account, p.news.destroyed) // The pass that tells of it may have no ZimApp.
		log.Info("Created a missing room again", "roomID", id, "destroyedByOthers", p.news.destroyed)
		r.emit(p.room, corev1.EventTypeWarning, eventRoomRecreated, actionReconcile)
	}
	if p.news.replaced {
		log.Info("Replaced the room", "roomID", id)
		r.emit(p.room, corev1.EventTypeNormal, eventReplaced, actionReconcile)
	}
	if p.replacedByOthers {
		log.Info("Found the room created by others", "roomID", id)
		r.emit(p.room, corev1.EventTypeWarning, eventReplacedByOthers, actionReconcile)
	}
	if p.attributesMended && isCurrent(p.base) {
		log.Info("Restored attributes", "roomID", id)
		r.emit(p.room, corev1.EventTypeNormal, eventAttributesMended, actionReconcile)
	}
	if reason, changed := readyTransition(p.base.Status.Conditions, p.room.Status.Conditions); changed {
		status, _ := readyLabels(p.room.Status.Conditions)
		log.Info("Changed Ready", "roomID", id, "status", status, "reason", reason, "was", readyReason(p.base))
		r.emit(p.room, eventTypeOf(p.room.Status.Conditions), reason, actionReconcile)
	}
	logConditions(log, p.base.Status.Conditions, p.room.Status.Conditions)
}

// logConditions tells of the conditions besides Ready that have come, gone, or another reason.
func logConditions(log logr.Logger, before, after []metav1.Condition) {
	for i := range before {
		if is := &before[i]; is.Type != zimv1alpha1.ReadyCondition && meta.FindStatusCondition(after, is.Type) == nil {
			log.Info("Changed a condition", "type", is.Type, "status", "", "reason", "")
		}
	}
	for i := range after {
		is := &after[i]
		was := meta.FindStatusCondition(before, is.Type)
		if is.Type != zimv1alpha1.ReadyCondition && (was == nil || was.Status != is.Status || was.Reason != is.Reason) {
			log.Info("Changed a condition", "type", is.Type, "status", is.Status, "reason", is.Reason)
		}
	}
}

func (r *ZimRoomReconciler) emit(room *zimv1alpha1.ZimRoom, eventType, reason, action string) {
	r.recorder.Eventf(room, nil, eventType, reason, action, eventNotes[reason])
}

// readyTransition returns Ready's reason if status or reason differ from before.
func readyTransition(before, after []metav1.Condition) (string, bool) {
	was := meta.FindStatusCondition(before, zimv1alpha1.ReadyCondition)
	is := meta.FindStatusCondition(after, zimv1alpha1.ReadyCondition)
	if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
		return "", false
	}
	return is.Reason, true
}

func eventTypeOf(conditions []metav1.Condition) string {
	if meta.IsStatusConditionTrue(conditions, zimv1alpha1.ReadyCondition) {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}
