package controllers

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// defaultDestroyDelay is sent for a ZimRoom without destroyDelay: the longest that ZIM allows, because leaving it out
// would have ZIM destroy the empty room at once.
const defaultDestroyDelay = 3 * time.Hour

func destroyDelayOf(room *zimv1alpha1.ZimRoom) time.Duration {
	if room.Spec.DestroyDelay == nil {
		return defaultDestroyDelay
	}
	return room.Spec.DestroyDelay.Duration
}

// createRequest is the CreateRoom that makes a ZimRoom true.
func createRequest(room *zimv1alpha1.ZimRoom, fromUserID string) zim.CreateRoomRequest {
	request := zim.CreateRoomRequest{
		FromUserID:   fromUserID,
		RoomID:       room.Spec.ID,
		RoomName:     room.Spec.Name,
		DestroyDelay: destroyDelayOf(room),
	}
	for _, attribute := range room.Spec.Attributes {
		request.Attributes = append(request.Attributes, zim.Attribute{
			Key: attribute.Key, Value: attribute.Value, AutoDelete: attribute.AutoDelete,
		})
	}
	return request
}

// lostCreateAge is how long a CreateRoom that status does not know may explain that the room exists.
const lostCreateAge = 2 * time.Minute

// youngDeath is the age under which a room that is found missing is not created again at once: that would never end.
const youngDeath = 5 * time.Second

// Errors that are no answer of ZIM alone: see causeStillThere and causeDiedYoung.
var (
	errStillThere = errors.New("the room that was destroyed is still there")
	errDiedYoung  = errors.New("the room vanished right after its creation")
)

// ensureDeclared brings the room to what is declared, and records in status what ZIM confirmed on the way, also when
// it fails. If room and attributes are as declared, it returns why name and delay have to wait, if they do.
func (p *pass) ensureDeclared(ctx context.Context) (waits *cause, err error) {
	if err := p.ensureRoom(ctx); err != nil {
		return nil, err
	}
	waits, err = p.ensureReplaced(ctx)
	if zim.ClassOf(err) == zim.ClassRoomMissing {
		err = p.ensureRoom(ctx) // It went by itself: it comes back as declared,
		if err == nil && isReplacementPending(p.room) {
			waits = &causeTooLate // or is there all the same.
		}
	}
	return waits, err
}

// ensureRoom brings room and attributes to what is declared.
func (p *pass) ensureRoom(ctx context.Context) error {
	err := p.ensureOnce(ctx)
	if wentAfterCreateRoom(err) {
		p.missing = true
		if created := p.room.Status.Room.CreatedTime; created != nil && p.clock.Since(created.Time) < youngDeath {
			return errDiedYoung
		}
		err = p.ensureOnce(ctx)
	}
	return err
}

// wentAfterCreateRoom tells whether a room went between CreateRoom and the look at its attributes. CreateRoom itself
// has no reason to miss it; should ZIM say so, trying at once would not help.
func wentAfterCreateRoom(err error) bool {
	failed, ok := errors.AsType[*zim.Error](err)
	return ok && failed.Class == zim.ClassRoomMissing && failed.Action != zim.ActionCreateRoom
}

func (p *pass) ensureOnce(ctx context.Context) error {
	existed, err := p.ensureExists(ctx, p.caller.call)
	if err != nil || !existed {
		return err
	}
	p.missing = false
	return p.ensureAttributes(ctx)
}

// ensureExists creates the room, through a way of calling, if it does not exist. It returns true if the room was there
// before, so that its attributes are to be looked at.
func (p *pass) ensureExists(ctx context.Context, callZIM callFunc) (bool, error) {
	request := createRequest(p.room, p.operatorUser())
	var response zim.CreateRoomResponse
	err := callZIM(ctx, zim.ActionCreateRoom, func(ctx context.Context, client *zim.Client) (err error) {
		response, err = client.CreateRoom(ctx, request)
		return err
	})
	switch zim.ClassOf(err) {
	case zim.ClassOK:
		p.recordCreated(request, response.AttributeSeq, p.clock.Now())
		return false, nil
	case zim.ClassRoomExists:
		return true, p.recordExists()
	case zim.ClassRoomQuota:
		return p.existsDespiteQuota(ctx, err)
	default:
		if isMaybeDone(err) {
			p.memory.lostCreate = &lostCreate{request: request, time: p.clock.Now()}
		}
		return false, err
	}
}

// existsDespiteQuota asks whether a room that was confirmed is still there when ZIM says that there are too many: it
// may check the number before the id.
func (p *pass) existsDespiteQuota(ctx context.Context, quotaErr error) (bool, error) {
	if p.room.Status.Room == nil {
		return false, quotaErr
	}
	err := p.caller.call(ctx, zim.ActionQueryRoomUserList, func(ctx context.Context, client *zim.Client) error {
		_, err := client.QueryRoomUserList(ctx, p.room.Spec.ID)
		return err
	})
	switch zim.ClassOf(err) {
	case zim.ClassOK:
		return true, nil
	case zim.ClassRoomMissing:
		p.missing = true
		return false, quotaErr
	default:
		return false, err
	}
}

// recordCreated writes down a room that CreateRoom has just made.
func (p *pass) recordCreated(request zim.CreateRoomRequest, attributeSeq int, at time.Time) {
	created := metav1.NewMicroTime(at.Truncate(time.Microsecond))
	record := &zimv1alpha1.RoomStatus{
		ID:           request.RoomID,
		AppID:        int64(p.app.account.AppID),
		Realm:        p.app.account.Realm,
		Origin:       zimv1alpha1.RoomOriginCreated,
		Name:         request.RoomName,
		DestroyDelay: metav1.Duration{Duration: request.DestroyDelay},
		CreatedTime:  &created,
		Attributes:   applyRecord(p.room.Spec.Attributes, nil, nil),
	}
	switch before, replaced := p.room.Status.Room, p.memory.replacement; {
	case replaced != nil:
		record.Recreations = replaced.recreations
		p.news.replaced = true
	case before != nil:
		record.Recreations = before.Recreations + 1
		p.news.recreated = true
		p.news.destroyed = before.CreatedTime != nil && at.Sub(before.CreatedTime.Time) < before.DestroyDelay.Duration
	}
	p.room.Status.Room = record
	p.created, p.missing = true, false
	p.memory.attributeSeq = attributeSeq
	p.memory.lostCreate, p.memory.replacement = nil, nil
}

// recordExists writes down a room that was there before this call. It is ours all the same if a CreateRoom without an
// answer explains it. One that the operator itself has just destroyed is given some time to go.
func (p *pass) recordExists() error {
	lost, replaced := p.memory.lostCreate, p.memory.replacement
	if lost != nil && p.clock.Since(lost.time) > lostCreateAge {
		lost = nil
	}
	switch {
	case p.isReplacing() && replaced.returns < returnTries:
		replaced.returns++
		return errStillThere
	case lost != nil && p.room.Status.Room == nil:
		p.recordLost(lost)
		return nil
	case p.room.Status.Room == nil:
		p.recordForeign()
	default:
		p.maybeCreated = lost
	}
	p.memory.lostCreate, p.memory.replacement = nil, nil
	return nil
}

// recordLost writes down a room that this operator created in an earlier pass.
func (p *pass) recordLost(lost *lostCreate) {
	p.recordCreated(lost.request, 0, lost.time)
	p.room.Status.Room.Attributes = lostRecord(nil, attributeChange{set: lost.request.Attributes})
}

// recordForeign writes down that others created the live room. Its name and delay are taken to be those declared: ZIM
// cannot be asked.
func (p *pass) recordForeign() {
	record := &zimv1alpha1.RoomStatus{
		ID:           p.room.Spec.ID,
		AppID:        int64(p.app.account.AppID),
		Realm:        p.app.account.Realm,
		Origin:       zimv1alpha1.RoomOriginAdopted,
		Name:         p.room.Spec.Name,
		DestroyDelay: metav1.Duration{Duration: destroyDelayOf(p.room)},
	}
	if before := p.room.Status.Room; before != nil {
		record.Recreations = before.Recreations
	}
	p.room.Status.Room, p.created = record, false
}

// noteSequence watches the count of attribute changes. It only grows in the life of a room: a lower one means that
// the room is another one, which others created under the same id.
func (p *pass) noteSequence(sequence int) {
	switch {
	case sequence >= p.memory.attributeSeq:
	case p.maybeCreated != nil: // By this operator: only the answer got lost.
		p.recordLost(p.maybeCreated)
	default:
		p.recordForeign()
		p.replacedByOthers = true
	}
	p.memory.attributeSeq = sequence
}

// isMaybeDone tells whether ZIM may have carried out a call that failed.
func isMaybeDone(err error) bool {
	failed, ok := errors.AsType[*zim.Error](err)
	return ok && failed.MaybeDone
}
