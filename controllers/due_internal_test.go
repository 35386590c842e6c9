package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// Rooms without an answer since the start would otherwise all be Unverified, and written, at the same instant.
func TestUnverifiedAt(t *testing.T) {
	const interval = 10 * time.Minute
	started := testTime()
	r := &ZimRoomReconciler{
		clock: clocktesting.NewFakePassiveClock(started), verifyInterval: interval, started: started,
	}
	unverifiedAt := func(uid types.UID, lastAnswer time.Time) time.Time {
		room := &zimv1alpha1.ZimRoom{}
		room.UID = uid
		return r.unverifiedAt(&pass{room: room, memory: &roomMemory{lastAnswer: lastAnswer}})
	}
	seen := map[time.Time]bool{}
	for _, uid := range []types.UID{"a-room", "another"} {
		at := unverifiedAt(uid, time.Time{})
		if slot := nextSlot(started, time.Time{}, uid, interval); !at.Equal(slot.Add(3 * interval)) {
			t.Errorf("%s without an answer: %s, want three intervals after its first slot %s", uid, at, slot)
		}
		if before := unverifiedAt(uid, started.Add(-time.Minute)); !before.Equal(at) {
			t.Errorf("%s with an answer before the start: %s, want %s", uid, before, at)
		}
		seen[at] = true
		answer := started.Add(time.Minute)
		if at := unverifiedAt(uid, answer); !at.Equal(answer.Add(3 * interval)) {
			t.Errorf("%s with an answer since: %s, want three intervals after %s", uid, at, answer)
		}
	}
	if len(seen) != 2 {
		t.Error("two rooms without an answer since the start are Unverified at the same moment")
	}
}
