package controllers

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// situation is what is known of a room when a pass has come to its end.
type situation struct {
	// confirmed: ZIM has confirmed the room for this ZimRoom at some time.
	confirmed bool
	// missing: ZIM said that the confirmed room is gone, and it has not come back since.
	missing bool
	// replacing: the operator destroyed it, to create it anew, and it is not back.
	replacing bool
	// unverified: nobody could look at the room for so long that what was known counts no more.
	unverified bool
	// current: Ready is True for this generation, and nothing else is under way.
	current bool
}

// cause is why a pass did not reach its goal.
type cause struct {
	// reason and message for the conditions.
	reason  string
	message string
	// retry says when to come back; nil: when something changes.
	retry *backoff
	// status of Ready for a room that was never confirmed: False if it is known not to be as declared, Unknown if nobody
	// knows.
	status metav1.ConditionStatus
	// atSlot: come back at the room's next slot.
	atSlot bool
	// seen: the room exists, and was looked at.
	seen bool
	// definite: ZIM has judged what is declared, so Ready says it even for a room that was confirmed before.
	definite bool
	// stalled: only an edit, or a request to look again, can help, as far as one can tell.
	stalled bool
	// cools: ZIM is not asked about this room before the next try, whatever happens.
	cools bool
	// freezes: the ZimApp's credentials are refused, so the room waits until they are accepted again.
	freezes bool
}

// causes is the table of what follows from a failed call, but for what depends on the situation (see outcomeOf). It
// has a row for every class that can end a pass; RoomExists and OK never do.
var causes = map[zim.Class]cause{
	zim.ClassThrottled: {
		reason: zimv1alpha1.ReasonRateLimited, status: metav1.ConditionFalse, retry: &throttledBackoff,
		message: "ZIM's frequency limit for the AppID is reached. It goes on by itself.",
	},
	zim.ClassRoomThrottled: {
		reason: zimv1alpha1.ReasonRateLimited, status: metav1.ConditionFalse, retry: &throttledBackoff, cools: true,
		message: "ZIM's frequency limit for this room is reached. It goes on by itself.",
	},
	zim.ClassRoomQuota: {
		reason: zimv1alpha1.ReasonRoomQuotaExceeded, status: metav1.ConditionFalse, retry: &refusedBackoff,
		message: "The account holds as many rooms as its plan allows: delete some, or have the limit raised.",
	},
	zim.ClassRoomMissing: {
		reason: zimv1alpha1.ReasonRoomMissing, status: metav1.ConditionFalse, retry: &transientBackoff,
		message: "The room vanished while it was looked at. It is created again.",
	},
	zim.ClassInvalid: {
		reason: zimv1alpha1.ReasonInvalidParameter, status: metav1.ConditionFalse, definite: true, stalled: true,
		atSlot: true,
	},
	zim.ClassOperator: {
		reason: zimv1alpha1.ReasonOperatorNotRegistered, status: metav1.ConditionFalse, retry: &transientBackoff,
		message: "ZIM does not know the ZimApp's fromUserID, although it was registered. It is tried again.",
	},
	zim.ClassAuth: {
		reason: zimv1alpha1.ReasonAppNotReady, status: metav1.ConditionFalse, freezes: true,
		message: "ZIM refuses the ZimApp's credentials: see its conditions.",
	},
	zim.ClassConfig: {
		reason: zimv1alpha1.ReasonAppNotReady, status: metav1.ConditionFalse, freezes: true,
		message: "ZIM refuses the ZimApp: see its conditions.",
	},
	zim.ClassNotOffered: {
		reason: zimv1alpha1.ReasonZIMUnavailable, status: metav1.ConditionUnknown, retry: &refusedBackoff,
		message: "The account's plan does not offer a call that is needed: have it changed.",
	},
	zim.ClassTransient: {
		reason: zimv1alpha1.ReasonZIMUnavailable, status: metav1.ConditionUnknown, retry: &transientBackoff,
		message: "ZIM gave no usable answer. It is tried again.",
	},
}

// Causes that are no answer of ZIM alone.
var (
	// causeStillThere is for a room that ZIM calls existing right after the operator destroyed it.
	causeStillThere = cause{
		reason: zimv1alpha1.ReasonReplacing, status: metav1.ConditionFalse, retry: &returnBackoff,
		message: "ZIM has not let go of the destroyed room yet. It is tried again.",
	}
	// causeDiedYoung is for a room that went within seconds of its creation: creating it again at once would never end.
	causeDiedYoung = cause{
		reason: zimv1alpha1.ReasonRoomMissing, status: metav1.ConditionFalse, atSlot: true,
		message: "The room vanished right after its creation. It is created again at the next verification.",
	}
	// causeInLine is for a room that could not be looked at for long, because calls for others went ahead.
	causeInLine = cause{
		reason: zimv1alpha1.ReasonRateLimited, status: metav1.ConditionFalse,
		message: "The room waits for its turn to be looked at.",
	}
	// causeForeignUser is for a manifest that names an operator user where it may not.
	causeForeignUser = cause{
		reason: zimv1alpha1.ReasonInvalidParameter, status: metav1.ConditionFalse, definite: true, stalled: true,
		message: "spec.fromUserID may be set only in the namespace of the ZimApp: remove it.",
	}
)

// causeOf returns what a failed call means for the room.
func causeOf(err error) cause {
	if rejected, ok := errors.AsType[*rejectedAttributesError](err); ok {
		return cause{
			reason: zimv1alpha1.ReasonAttributesRejected, message: rejected.message(),
			status: metav1.ConditionFalse, retry: &refusedBackoff, definite: true, seen: true,
		}
	}
	switch {
	case errors.Is(err, errStillThere):
		return causeStillThere
	case errors.Is(err, errDiedYoung):
		return causeDiedYoung
	}
	class := zim.ClassOf(err)
	found, known := causes[class]
	if !known {
		found = causes[zim.ClassTransient]
	}
	switch class {
	case zim.ClassInvalid:
		found.message = fmt.Sprintf("%v: correct the manifest.", err)
	case zim.ClassTransient:
		found.message = fmt.Sprintf("%v. It is tried again.", err)
	default: // The table has a constant message.
	}
	return found
}

// causeOfPending returns why a replacement waits when a call for it failed. The room itself is as it was.
func causeOfPending(err error) *cause {
	why := causeOf(err)
	if why.retry == nil {
		why.retry = &transientBackoff
	}
	return &why
}

// causeOfObstacle returns what an unusable ZimApp means for the room. No call was made; the room is woken when that
// changes.
func causeOfObstacle(o *obstacle) cause {
	return cause{reason: o.reason, message: o.message, status: metav1.ConditionFalse}
}

// outcome is what a pass writes, and when it comes back.
type outcome struct {
	// ready is the new Ready condition; nil leaves it untouched as a whole.
	ready *verdict
	// reconciling and stalled are present while set; never both.
	reconciling *verdict
	stalled     *verdict
	// silent: nothing at all is written.
	silent bool
	// handled: the pass is an answer to a reconcile request.
	handled bool
	// answered: ZIM confirmed all that is declared. seen: it said that the room exists, at least.
	answered, seen bool
	// pending says why the declared name or delay wait.
	pending *verdict
	// retry and atSlot say when to come back; neither: as the room's plan says if ZIM answered, else when something
	// changes.
	retry  *backoff
	atSlot bool
	// cools: nothing hastens the next try.
	cools bool
}

// keepStatus leaves the status of a condition, and the generation it was judged for, as they are; False if there is
// none.
const keepStatus metav1.ConditionStatus = ""

// verdict is a condition without the bookkeeping.
type verdict struct {
	status  metav1.ConditionStatus
	reason  string
	message string
}

// outcomeOf says what a cause does to the conditions in each situation. What is known to be as declared stays Ready
// while nobody can look: a verification that fails writes nothing.
func outcomeOf(at situation, why cause) outcome {
	result := outcome{retry: why.retry, atSlot: why.atSlot, seen: why.seen, cools: why.cools}
	if at.confirmed && at.current && !at.missing && !at.unverified && !why.definite {
		result.silent = true
		return result
	}
	progress := &verdict{status: metav1.ConditionTrue, reason: why.reason, message: why.message}
	if why.stalled {
		result.stalled, result.handled = progress, true
	} else {
		result.reconciling = progress
	}
	result.ready = readyFor(at, why)
	return result
}

// readyFor returns the new Ready condition; nil leaves it untouched.
func readyFor(at situation, why cause) *verdict {
	itself := &verdict{status: metav1.ConditionFalse, reason: why.reason, message: why.message}
	switch {
	case why.definite, at.missing && why.reason == zimv1alpha1.ReasonRoomQuotaExceeded:
		return itself
	case at.replacing:
		return &verdict{
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonReplacing,
			message: "The room was destroyed to get its declared name and delay, and could not be created again yet.",
		}
	case at.missing:
		return &verdict{
			status: metav1.ConditionFalse, reason: zimv1alpha1.ReasonRoomMissing,
			message: "The room is gone and could not be created again yet.",
		}
	case at.confirmed && at.current && at.unverified:
		return &verdict{
			status: metav1.ConditionUnknown, reason: zimv1alpha1.ReasonUnverified,
			message: "The room could not be looked at for three intervals.",
		}
	case !at.confirmed:
		itself.status = why.status
		return itself
	}
	return nil
}

// confirmedOutcome is that of a pass which found or made room and attributes as declared; name and delay may have to
// wait.
func confirmedOutcome(origin zimv1alpha1.RoomOrigin, waits *cause) outcome {
	ready := &verdict{
		status: metav1.ConditionTrue, reason: zimv1alpha1.ReasonRoomCreated,
		message: "The room exists with the declared attributes.",
	}
	if origin == zimv1alpha1.RoomOriginAdopted {
		ready.reason = zimv1alpha1.ReasonRoomAdopted
		ready.message = "The room existed before, and has the declared attributes."
	}
	result := outcome{ready: ready, handled: true, answered: true, seen: true}
	if waits != nil {
		result.pending = &verdict{status: metav1.ConditionTrue, reason: waits.reason, message: waits.message}
		result.retry, result.cools = waits.retry, waits.cools
	}
	return result
}

// duplicateOutcome is that of a ZimRoom whose room another one has.
func duplicateOutcome(message string) outcome {
	stalled := &verdict{
		status: metav1.ConditionTrue, reason: zimv1alpha1.ReasonDuplicateRoomID, message: message,
	}
	ready := &verdict{status: metav1.ConditionFalse, reason: stalled.reason, message: message}
	return outcome{ready: ready, stalled: stalled, handled: true}
}

// suspendedOutcome keeps the status of Ready, and says that nobody looks any more.
func suspendedOutcome() outcome {
	return outcome{
		ready: &verdict{
			status: keepStatus, reason: zimv1alpha1.ReasonSuspended,
			message: "spec.suspend is true: the room is left alone.",
		},
		handled: true,
	}
}

// deletingOutcome keeps the status of Ready, and says what the deletion waits for.
func deletingOutcome(why cause) outcome {
	return outcome{
		ready: &verdict{status: keepStatus, reason: why.reason, message: why.message},
		retry: why.retry,
	}
}
