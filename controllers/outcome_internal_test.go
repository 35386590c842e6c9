package controllers

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// The causes of package controllers have a row for every class that can end a pass, and none else.
func TestCausesAreComplete(t *testing.T) {
	satisfied := []zim.Class{zim.ClassOK, zim.ClassRoomExists}
	for _, class := range zim.Classes() {
		_, has := causes[class]
		if want := !slices.Contains(satisfied, class); has != want {
			t.Errorf("class %s: has a cause: %t, want %t", class, has, want)
		}
	}
}

func TestCauseOf(t *testing.T) {
	type want struct {
		Reason          string
		Status          metav1.ConditionStatus
		Retry           *backoff
		Stalled, Freeze bool
	}
	tests := map[zim.Class]want{
		zim.ClassThrottled:     {zimv1alpha1.ReasonRateLimited, metav1.ConditionFalse, &throttledBackoff, false, false},
		zim.ClassRoomThrottled: {zimv1alpha1.ReasonRateLimited, metav1.ConditionFalse, &throttledBackoff, false, false},
		zim.ClassRoomQuota:     {zimv1alpha1.ReasonRoomQuotaExceeded, metav1.ConditionFalse, &refusedBackoff, false, false},
		zim.ClassRoomMissing:   {zimv1alpha1.ReasonRoomMissing, metav1.ConditionFalse, &transientBackoff, false, false},
		zim.ClassInvalid:       {zimv1alpha1.ReasonInvalidParameter, metav1.ConditionFalse, nil, true, false},
		zim.ClassOperator: {
			zimv1alpha1.ReasonOperatorNotRegistered, metav1.ConditionFalse, &transientBackoff, false, false,
		},
		zim.ClassAuth:       {zimv1alpha1.ReasonAppNotReady, metav1.ConditionFalse, nil, false, true},
		zim.ClassConfig:     {zimv1alpha1.ReasonAppNotReady, metav1.ConditionFalse, nil, false, true},
		zim.ClassNotOffered: {zimv1alpha1.ReasonZIMUnavailable, metav1.ConditionUnknown, &refusedBackoff, false, false},
		zim.ClassTransient:  {zimv1alpha1.ReasonZIMUnavailable, metav1.ConditionUnknown, &transientBackoff, false, false},
	}
	for class, expected := range tests {
		t.Run(string(class), func(t *testing.T) {
			got := causeOf(&zim.Error{Action: zim.ActionCreateRoom, Class: class, Code: 42, RequestID: "req-1"})
			found := want{got.reason, got.status, got.retry, got.stalled, got.freezes}
			if diff := cmp.Diff(expected, found, cmp.AllowUnexported(backoff{})); diff != "" {
				t.Error(diff)
			}
			if got.message == "" {
				t.Error("no message")
			}
		})
	}
	t.Run("an error of another kind", func(t *testing.T) {
		if got := causeOf(errors.New("boom")); got.reason != zimv1alpha1.ReasonZIMUnavailable {
			t.Errorf("reason %s", got.reason)
		}
	})
}

// What a cause does to the conditions depends on what is known of the room.
func TestOutcomeOf(t *testing.T) {
	throttled := causes[zim.ClassThrottled]
	type want struct {
		Ready       string // Status and reason; empty: untouched.
		Reconciling string
		Stalled     string
		Silent      bool
	}
	tests := map[string]struct {
		at   situation
		why  cause
		want want
	}{
		"never confirmed": {
			situation{}, throttled, want{Ready: "False RateLimited", Reconciling: "RateLimited"},
		},
		"confirmed, verification": {
			situation{confirmed: true, current: true}, throttled, want{Silent: true},
		},
		"confirmed, edit": {
			situation{confirmed: true}, throttled, want{Reconciling: "RateLimited"},
		},
		"found missing in a verification": {
			situation{confirmed: true, current: true, missing: true}, throttled,
			want{Ready: "False RoomMissing", Reconciling: "RateLimited"},
		},
		"known missing": {
			situation{confirmed: true, missing: true}, throttled,
			want{Ready: "False RoomMissing", Reconciling: "RateLimited"},
		},
		"known missing, room quota": {
			situation{confirmed: true, missing: true}, causes[zim.ClassRoomQuota],
			want{Ready: "False RoomQuotaExceeded", Reconciling: "RoomQuotaExceeded"},
		},
		"confirmed, room quota, not known missing": {
			situation{confirmed: true, current: true}, causes[zim.ClassRoomQuota], want{Silent: true},
		},
		"destroyed by us, not back": {
			situation{confirmed: true, missing: true, replacing: true}, throttled,
			want{Ready: "False Replacing", Reconciling: "RateLimited"},
		},
		"verification, nobody could look for long": {
			situation{confirmed: true, current: true, unverified: true}, throttled,
			want{Ready: "Unknown Unverified", Reconciling: "RateLimited"},
		},
		"edit, nobody could look for long": {
			situation{confirmed: true, unverified: true}, throttled, want{Reconciling: "RateLimited"},
		},
		"refused manifest, never confirmed": {
			situation{}, causes[zim.ClassInvalid], want{Ready: "False InvalidParameter", Stalled: "InvalidParameter"},
		},
		"refused manifest, edit": {
			situation{confirmed: true}, causes[zim.ClassInvalid],
			want{Ready: "False InvalidParameter", Stalled: "InvalidParameter"},
		},
		"refused manifest, verification": {
			situation{confirmed: true, current: true}, causes[zim.ClassInvalid],
			want{Ready: "False InvalidParameter", Stalled: "InvalidParameter"},
		},
		"unusable app, never confirmed": {
			situation{}, causeOfObstacle(&obstacle{reason: zimv1alpha1.ReasonAppNotFound}),
			want{Ready: "False AppNotFound", Reconciling: "AppNotFound"},
		},
		"unusable app, verification": {
			situation{confirmed: true, current: true}, causeOfObstacle(&obstacle{reason: zimv1alpha1.ReasonAppNotFound}),
			want{Silent: true},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			result := outcomeOf(tc.at, tc.why)
			got := want{Silent: result.silent}
			if result.ready != nil {
				got.Ready = string(result.ready.status) + " " + result.ready.reason
			}
			if result.reconciling != nil {
				got.Reconciling = result.reconciling.reason
			}
			if result.stalled != nil {
				got.Stalled = result.stalled.reason
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Reconciling != "" && got.Stalled != "" {
				t.Error("both Reconciling and Stalled")
			}
		})
	}
}

// Every reason that an event can have has a text.
func TestEveryCauseHasAnEventNote(t *testing.T) {
	for class, why := range causes {
		if eventNotes[why.reason] == "" {
			t.Errorf("class %s: no note for %s", class, why.reason)
		}
	}
	for _, reason := range appReasons {
		if eventNotes[reason] == "" || appAdvice[reason] == "" {
			t.Errorf("no note or advice for %s", reason)
		}
	}
	for _, reason := range appReasonsByClass {
		if eventNotes[reason] == "" || appAdvice[reason] == "" {
			t.Errorf("no note or advice for %s", reason)
		}
	}
}
