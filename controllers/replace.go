package controllers

import (
	"context"
	"time"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// emptyAnswerAge is how old the answer "empty" may be, counted from the asking, for DestroyRoom to be sent on it.
	// Whoever enters within that time is put out: ZIM has no conditional destroy.
	emptyAnswerAge = time.Second

	// occupiedInterval is the longest time after which an occupied room that waits for its replacement is looked at again.
	occupiedInterval = 5 * time.Minute

	// replacementTurns are those of QueryRoomUserList, DestroyRoom and CreateRoom.
	replacementTurns = 3

	// returnTries is how often ZIM may call a room existing that the operator has destroyed, before somebody else is
	// taken to have created it.
	returnTries = 3
)

// returnBackoff is the wait between these tries: 1, 2, and 4 s.
var returnBackoff = backoff{first: time.Second, limit: 4 * time.Second}

// causeTooLate is for an answer "empty" that is too old to destroy a room on.
var causeTooLate = cause{
	reason: zimv1alpha1.ReasonZIMUnavailable, retry: &transientBackoff,
	message: "The answer that the room is empty came too late to act on it. It is tried again.",
}

// isReplacementPending tells whether the live room has another name or delay than declared.
func isReplacementPending(room *zimv1alpha1.ZimRoom) bool {
	live := room.Status.Room
	return live != nil && (live.Name != room.Spec.Name || live.DestroyDelay.Duration != destroyDelayOf(room))
}

// ensureReplaced gives a room that exists, with its attributes, the declared name and delay, as the policy allows:
// ZIM can only destroy and create. It returns why that has to wait, if it has to.
func (p *pass) ensureReplaced(ctx context.Context) (waits *cause, err error) {
	switch {
	case !isReplacementPending(p.room):
		return nil, nil
	case p.room.Spec.ReplacePolicy == zimv1alpha1.ReplacePolicyNever:
		return &cause{
			reason:  zimv1alpha1.ReasonPolicyNever,
			message: "replacePolicy is Never: name and destroyDelay apply when the room is next created.",
		}, nil
	case p.room.Spec.ReplacePolicy == zimv1alpha1.ReplacePolicyAlways:
		turns, err := p.app.client.TakeTurns(ctx, 2) // DestroyRoom, CreateRoom.
		if err != nil {
			return causeOfPending(err), nil
		}
		return p.replace(ctx, turns, time.Time{})
	}
	return p.replaceIfEmpty(ctx)
}

// replaceIfEmpty takes the turns of all three calls before the first, so that nothing comes between the answer
// "empty" and what follows from it.
func (p *pass) replaceIfEmpty(ctx context.Context) (waits *cause, err error) {
	turns, err := p.app.client.TakeTurns(ctx, replacementTurns)
	if err == nil {
		err = turns.Wait(ctx)
	}
	if err != nil {
		return causeOfPending(err), nil
	}
	asked, members := p.clock.Now(), 0
	err = p.caller.callNow(ctx, zim.ActionQueryRoomUserList, func(ctx context.Context, client *zim.Client) (err error) {
		members, err = client.QueryRoomUserList(ctx, p.room.Spec.ID)
		return err
	})
	switch {
	case zim.ClassOf(err) == zim.ClassRoomMissing:
		p.missing = true
		return nil, err
	case err != nil:
		return causeOfPending(err), nil
	case members > 0:
		return &cause{
			reason:  zimv1alpha1.ReasonRoomOccupied,
			message: "Somebody is in the room: name and destroyDelay apply when nobody is.",
		}, nil
	}
	return p.replace(ctx, turns, asked.Add(emptyAnswerAge))
}

// replace destroys the room and creates it anew, unless the time until which it may be destroyed has passed; zero:
// there is none.
func (p *pass) replace(ctx context.Context, turns *zim.Turns, until time.Time) (waits *cause, err error) {
	if err = turns.Wait(ctx); err != nil {
		return causeOfPending(err), nil
	}
	// A context that has ended means, among other things, that another replica may be the leader by now.
	if ctx.Err() != nil || (!until.IsZero() && p.clock.Now().After(until)) {
		return &causeTooLate, nil //nolint:nilerr // The replacement waits; nothing failed.
	}
	err = p.caller.callNow(ctx, zim.ActionDestroyRoom, func(ctx context.Context, client *zim.Client) error {
		return client.DestroyRoom(ctx, p.room.Spec.ID)
	})
	switch {
	case isMaybeDone(err):
		p.memory.replacement = &replacement{recreations: p.room.Status.Room.Recreations}
		return nil, err
	case err != nil:
		return causeOfPending(err), nil
	}
	p.memory.replacement = &replacement{certain: true, recreations: p.room.Status.Room.Recreations}
	// What was destroyed is confirmed no more: it is not to be destroyed again, or handed over.
	p.room.Status.Room, p.created = nil, false
	if err := turns.Wait(ctx); err != nil {
		return nil, err
	}
	existed, err := p.ensureExists(ctx, p.caller.callNow)
	if err != nil || !existed {
		return nil, err
	}
	return nil, p.ensureAttributes(ctx)
}
