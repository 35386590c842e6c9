package controllers

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// defaultDestroyDelay is sent for a ZimRoom without destroyDelay: the longest that ZIM allows, because leaving it out would
// have ZIM destroy the empty room at once.
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

// ensureRoom brings the room to what is declared, and records in status what ZIM confirmed on the way, also when it fails.
func (p *pass) ensureRoom(ctx context.Context) error {
	err := p.ensureOnce(ctx)
	if zim.ClassOf(err) == zim.ClassRoomMissing {
		// The room went between CreateRoom and the look at its attributes.
		p.missing = true
		err = p.ensureOnce(ctx)
	}
	return err
}

func (p *pass) ensureOnce(ctx context.Context) error {
	existed, err := p.ensureExists(ctx)
	if err != nil || !existed {
		return err
	}
	p.missing = false
	return p.ensureAttributes(ctx)
}

// ensureExists creates the room if it does not exist. It returns true if the room was there before, so that its attributes are
// to be looked at.
func (p *pass) ensureExists(ctx context.Context) (bool, error) {
	request := createRequest(p.room, p.app.fromUserID)
	var response zim.CreateRoomResponse
	err := p.caller.call(ctx, zim.ActionCreateRoom, func(ctx context.Context, client *zim.Client) (err error) {
		response, err = client.CreateRoom(ctx, request)
		return err
	})
	switch zim.ClassOf(err) {
	case zim.ClassOK:
		p.recordCreated(request, response.AttributeSeq, p.clock.Now())
		return false, nil
	case zim.ClassRoomExists:
		p.recordExists()
		return true, nil
	case zim.ClassRoomQuota:
		return p.existsDespiteQuota(ctx, err)
	}
	if lost, ok := errors.AsType[*zim.Error](err); ok && lost.MaybeDone {
		p.memory.lostCreate = &lostCreate{request: request, time: p.clock.Now()}
	}
	return false, err
}

// existsDespiteQuota asks whether a room that was confirmed is still there when ZIM says that there are too many: it may check
// the number before the id.
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
	}
	return false, err
}

// recordCreated writes down a room that CreateRoom has just made.
func (p *pass) recordCreated(request zim.CreateRoomRequest, attributeSeq int, at time.Time) {
	created := metav1.NewMicroTime(at.Truncate(time.Microsecond))
	record := &zimv1alpha1.RoomStatus{
		ID:           request.RoomID,
		AppID:        int64(p.app.account.AppID),
		Origin:       zimv1alpha1.RoomOriginCreated,
		Name:         request.RoomName,
		DestroyDelay: metav1.Duration{Duration: request.DestroyDelay},
		CreatedTime:  &created,
		Attributes:   applyRecord(p.room.Spec.Attributes, nil, nil),
	}
	if before := p.room.Status.Room; before != nil {
		record.Recreations = before.Recreations + 1
		p.recreated = true
	}
	p.room.Status.Room = record
	p.missing = false
	p.memory.attributeSeq = attributeSeq
	p.memory.lostCreate = nil
}

// recordExists writes down a room that was there before this call. It is ours all the same if a CreateRoom of this process
// lost its answer just before.
func (p *pass) recordExists() {
	lost := p.memory.lostCreate
	p.memory.lostCreate = nil
	if p.room.Status.Room != nil {
		return
	}
	if lost != nil {
		p.recordCreated(lost.request, 0, lost.time)
		p.room.Status.Room.Attributes = lostRecord(nil, attributeChange{set: lost.request.Attributes})
		return
	}
	p.room.Status.Room = &zimv1alpha1.RoomStatus{
		ID:           p.room.Spec.ID,
		AppID:        int64(p.app.account.AppID),
		Origin:       zimv1alpha1.RoomOriginAdopted,
		Name:         p.room.Spec.Name,
		DestroyDelay: metav1.Duration{Duration: destroyDelayOf(p.room)},
	}
}

// noteSequence watches the count of attribute changes. It only grows in the life of a room: a lower one means that the room is
// another one, which others created under the same id.
func (p *pass) noteSequence(sequence int) {
	if sequence < p.memory.attributeSeq {
		record := p.room.Status.Room
		record.Origin, record.CreatedTime = zimv1alpha1.RoomOriginAdopted, nil
		record.Name, record.DestroyDelay.Duration = p.room.Spec.Name, destroyDelayOf(p.room)
		p.replacedByOthers = true
	}
	p.memory.attributeSeq = sequence
}
