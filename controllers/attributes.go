package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// unknownHash records that an attribute may have been set, but not to what: the answer got lost.
const unknownHash = "unknown"

// attributeChange is what brings the attributes of a live room to what is declared.
type attributeChange struct {
	set    []zim.Attribute
	remove []string
}

func (c attributeChange) isEmpty() bool {
	return len(c.set) == 0 && len(c.remove) == 0
}

// only returns those of the rejected keys that are part of the change, each once: what a server answers beyond that
// is not for status.
func (c attributeChange) only(rejected []zim.RejectedAttribute) []zim.RejectedAttribute {
	sent := map[string]bool{}
	for _, attribute := range c.set {
		sent[attribute.Key] = true
	}
	for _, key := range c.remove {
		sent[key] = true
	}
	var own []zim.RejectedAttribute
	for _, attribute := range rejected {
		if sent[attribute.Key] {
			own = append(own, attribute)
			delete(sent, attribute.Key)
		}
	}
	return own
}

// blamesKeys tells whether a failed change failed because of some of its keys, rather than as a whole.
func blamesKeys(err error) bool {
	class := zim.ClassOf(err)
	return class == zim.ClassInvalid || (class == zim.ClassTransient && zim.CodeOf(err) != zim.CodeOK)
}

// planAttributes compares what is declared with what the room has. Keys that others set are left alone. A key with
// autoDelete is set when its declaration changed and rests otherwise: vanishing is what it is for. If live is nil,
// nobody knows what the room has, and only what was not applied yet is set.
func planAttributes(
	declared []zimv1alpha1.RoomAttribute, applied []zimv1alpha1.AppliedAttribute, live *zim.RoomAttributes,
) attributeChange {
	present := map[string]zim.Attribute{}
	if live != nil {
		for _, attribute := range live.Attributes {
			present[attribute.Key] = attribute
		}
	}
	hashes := map[string]string{}
	for _, attribute := range applied {
		hashes[attribute.Key] = attribute.Hash
	}
	var change attributeChange
	for _, attribute := range declared {
		want := zim.Attribute{Key: attribute.Key, Value: attribute.Value, AutoDelete: attribute.AutoDelete}
		has, there := present[attribute.Key]
		isApplied := hashes[attribute.Key] == attributeHash(attribute)
		rests := isApplied && (attribute.AutoDelete || live == nil)
		if !rests && (!there || has != want) {
			change.set = append(change.set, want)
		}
		delete(hashes, attribute.Key)
	}
	for key := range hashes {
		if _, there := present[key]; there || live == nil {
			change.remove = append(change.remove, key)
		}
	}
	slices.Sort(change.remove)
	return change
}

// applyRecord returns what this ZimRoom has set, after a change in which some keys may have been rejected.
func applyRecord(
	declared []zimv1alpha1.RoomAttribute, applied []zimv1alpha1.AppliedAttribute, rejected []zim.RejectedAttribute,
) []zimv1alpha1.AppliedAttribute {
	refused := map[string]bool{}
	for _, attribute := range rejected {
		refused[attribute.Key] = true
	}
	var record []zimv1alpha1.AppliedAttribute
	for _, attribute := range declared {
		if !refused[attribute.Key] {
			record = append(record, zimv1alpha1.AppliedAttribute{Key: attribute.Key, Hash: attributeHash(attribute)})
		}
	}
	// A refused key keeps its record: what was set before may still be there.
	for _, attribute := range applied {
		if refused[attribute.Key] {
			record = append(record, attribute)
		}
	}
	return sortRecord(record)
}

// lostRecord adds the keys of a change whose answer got lost: they may be in the room by now.
func lostRecord(applied []zimv1alpha1.AppliedAttribute, change attributeChange) []zimv1alpha1.AppliedAttribute {
	record := slices.Clone(applied)
	for _, attribute := range change.set {
		at := slices.IndexFunc(record, func(a zimv1alpha1.AppliedAttribute) bool { return a.Key == attribute.Key })
		if at < 0 {
			record = append(record, zimv1alpha1.AppliedAttribute{Key: attribute.Key, Hash: unknownHash})
		}
	}
	return sortRecord(record)
}

func sortRecord(record []zimv1alpha1.AppliedAttribute) []zimv1alpha1.AppliedAttribute {
	slices.SortFunc(record, func(a, b zimv1alpha1.AppliedAttribute) int { return cmp.Compare(a.Key, b.Key) })
	return record
}

// attributeHash identifies a declaration without repeating its value in status.
func attributeHash(attribute zimv1alpha1.RoomAttribute) string {
	const bytesKept = 8 // It tells versions of one key apart, nothing else.
	sum := sha256.Sum256(fmt.Appendf(nil, "%t\n%s", attribute.AutoDelete, attribute.Value))
	return hex.EncodeToString(sum[:bytesKept])
}

// ensureAttributes brings the attributes of a room that existed before the pass to what is declared. It returns a
// rejectedAttributesError if ZIM refused some; the others are set then.
func (p *pass) ensureAttributes(ctx context.Context) error {
	if len(p.room.Spec.Attributes) == 0 && len(p.room.Status.Room.Attributes) == 0 {
		return nil
	}
	live, err := p.queryAttributes(ctx)
	if err != nil {
		return err
	}
	applied := p.room.Status.Room.Attributes // As they are for this life of the room: see noteSequence.
	change := planAttributes(p.room.Spec.Attributes, applied, live)
	if change.isEmpty() {
		p.room.Status.Room.Attributes = applyRecord(p.room.Spec.Attributes, applied, nil)
		return nil
	}
	return p.modifyAttributes(ctx, change)
}

// queryAttributes returns nil attributes if the account's plan does not offer to ask.
func (p *pass) queryAttributes(ctx context.Context) (*zim.RoomAttributes, error) {
	var live zim.RoomAttributes
	err := p.caller.call(ctx, zim.ActionQueryRoomAttribute, func(ctx context.Context, client *zim.Client) (err error) {
		live, err = client.QueryRoomAttribute(ctx, p.operatorUser(), p.room.Spec.ID)
		return err
	})
	switch {
	case zim.ClassOf(err) == zim.ClassNotOffered:
		return nil, nil //nolint:nilnil // Nothing known is not an error here: see planAttributes.
	case err != nil:
		return nil, err
	}
	p.noteSequence(live.Seq)
	return &live, nil
}

func (p *pass) modifyAttributes(ctx context.Context, change attributeChange) error {
	request := zim.ModifyRoomAttributeRequest{
		FromUserID: p.operatorUser(), RoomID: p.room.Spec.ID, Set: change.set, Delete: change.remove,
	}
	var response zim.ModifyRoomAttributeResponse
	err := p.caller.call(ctx, zim.ActionModifyRoomAttribute, func(ctx context.Context, client *zim.Client) (err error) {
		response, err = client.ModifyRoomAttribute(ctx, request)
		return err
	})
	record := p.room.Status.Room
	rejected := change.only(response.Rejected)
	if err != nil && (len(rejected) == 0 || !blamesKeys(err)) {
		if isMaybeDone(err) {
			record.Attributes = lostRecord(record.Attributes, change)
		}
		return err
	}
	record.Attributes = applyRecord(p.room.Spec.Attributes, record.Attributes, rejected)
	if len(rejected) > 0 {
		return &rejectedAttributesError{rejected: rejected}
	}
	p.memory.attributeSeq = response.Seq
	p.attributesMended = true
	return nil
}

// rejectedAttributesError says which attributes ZIM refused.
type rejectedAttributesError struct {
	rejected []zim.RejectedAttribute
}

// Error implements error.
func (e *rejectedAttributesError) Error() string {
	return e.message()
}

// message lists keys and codes in a fixed order, so that the same refusal always reads the same.
func (e *rejectedAttributesError) message() string {
	var parts []string
	for _, attribute := range e.rejected {
		parts = append(parts, fmt.Sprintf("%s (%d, %s)", attribute.Key, attribute.SubCode, attribute.SubCode))
	}
	slices.Sort(parts)
	return "ZIM refused attributes: " + strings.Join(parts, "; ") + ". Change or remove them."
}
