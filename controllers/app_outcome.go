package controllers

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// appReasons is the table of what a code that freezes an app is called. A code that is missing here goes by its class.
var appReasons = map[zim.Code]string{
	zim.CodeSignatureExpired:    zimv1alpha1.ReasonClockSkew,
	zim.CodeServiceNotEnabled:   zimv1alpha1.ReasonServiceNotEnabled,
	zim.CodeAppIDFormat:         zimv1alpha1.ReasonAppRejected,
	zim.CodeServerSecretUnknown: zimv1alpha1.ReasonAppRejected,
	zim.CodeAppConfigUnknown:    zimv1alpha1.ReasonAppRejected,
	zim.CodeNoProduction:        zimv1alpha1.ReasonAppRejected,
}

// appReasonsByClass is the same for classes.
var appReasonsByClass = map[zim.Class]string{
	zim.ClassAuth:          zimv1alpha1.ReasonCredentialsRejected,
	zim.ClassConfig:        zimv1alpha1.ReasonClientError,
	zim.ClassInvalid:       zimv1alpha1.ReasonOperatorRejected,
	zim.ClassOperator:      zimv1alpha1.ReasonOperatorRejected,
	zim.ClassThrottled:     zimv1alpha1.ReasonRateLimited,
	zim.ClassRoomThrottled: zimv1alpha1.ReasonRateLimited,
}

// appAdvice says what to do about each reason.
var appAdvice = map[string]string{
	zimv1alpha1.ReasonCredentialsRejected: "check that appID and the Secret are of the same project",
	zimv1alpha1.ReasonServiceNotEnabled:   "enable In-app Chat for the project in the ZEGOCLOUD console",
	zimv1alpha1.ReasonAppRejected:         "check appID, and that the project is active in the ZEGOCLOUD console",
	zimv1alpha1.ReasonClockSkew:           "set the clock of the operator's node: it may be off by ten minutes at most",
	zimv1alpha1.ReasonOperatorRejected:    "choose another fromUserID",
	zimv1alpha1.ReasonClientError:         "check endpoint, and any proxy on the way; if both are right, report it",
	zimv1alpha1.ReasonRateLimited:         "it goes on by itself",
	zimv1alpha1.ReasonZIMUnavailable:      "it is tried again",
}

// appVerdictOf returns the Ready condition of a ZimApp whose call failed.
func appVerdictOf(failed *zim.Error) verdict {
	reason, known := appReasons[failed.Code]
	if !known {
		reason, known = appReasonsByClass[failed.Class]
	}
	if !known {
		reason = zimv1alpha1.ReasonZIMUnavailable
	}
	status := metav1.ConditionFalse
	if reason == zimv1alpha1.ReasonZIMUnavailable || reason == zimv1alpha1.ReasonRateLimited {
		status = metav1.ConditionUnknown // Nobody has said that anything is wrong with the app.
	}
	return verdict{status: status, reason: reason, message: fmt.Sprintf("%v: %s.", failed, appAdvice[reason])}
}

// appOutcomeOf returns what a ZimApp that is not accepted writes. What can come right by itself is Reconciling.
func appOutcomeOf(ready verdict) outcome {
	progress := &verdict{status: metav1.ConditionTrue, reason: ready.reason, message: ready.message}
	if ready.reason == zimv1alpha1.ReasonInvalidEndpoint {
		return outcome{ready: &ready, stalled: progress}
	}
	return outcome{ready: &ready, reconciling: progress}
}

// acceptedOutcome is that of a ZimApp which ZIM accepts.
func acceptedOutcome() outcome {
	return outcome{ready: &verdict{
		status: metav1.ConditionTrue, reason: zimv1alpha1.ReasonAccepted,
		message: "ZIM accepts the AppID, the server secret and the operator user.",
	}}
}
