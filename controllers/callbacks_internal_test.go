package controllers

import (
	"context"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/callback"
)

// patchable is a client that takes every patch.
type patchable struct{ client.Client }

func (patchable) Patch(context.Context, client.Object, client.Patch, ...client.PatchOption) error {
	return nil
}

func TestNoAccountTakesAllNotes(t *testing.T) {
	n := newCallbackNotebook(Options{Client: patchable{}})
	written := 0
	write := func(appID int64, now time.Time, times int) (noted int) {
		for range times {
			written++
			room := &zimv1alpha1.ZimRoom{}
			room.UID = types.UID(strconv.Itoa(written))
			room.Status.Room = &zimv1alpha1.RoomStatus{ID: "Room1", AppID: appID, Realm: "zego.im"}
			outcome, err := n.writeNote(t.Context(), room, now)
			switch {
			case err != nil:
				t.Fatal(err)
			case outcome == callback.Noted:
				noted++
			case outcome != callback.Refused:
				t.Errorf("%s", outcome)
			}
		}
		return noted
	}
	now := time.Now()
	for _, step := range []struct {
		account int64
		after   time.Duration
		want    int
	}{
		{1, 0, 75}, {2, 0, 25}, {3, 0, 0}, // A hundred in all.
		{1, time.Second, 25}, {2, time.Second, 25}, {3, time.Second, 0},
		{3, time.Hour, 75}, {1, time.Hour, 25},
	} {
		if got := write(step.account, now.Add(step.after), 80); got != step.want {
			t.Errorf("account %d after %s: %d notes, want %d", step.account, step.after, got, step.want)
		}
	}
	if len(n.limiters) > 2 {
		t.Errorf("%d accounts are remembered of which two had notes lately", len(n.limiters))
	}
}
