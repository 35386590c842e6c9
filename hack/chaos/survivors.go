package main

import (
	"context"
	"fmt"
	"net/http"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// visitor is a user who is in a room.
const visitor = "visitor"

// survivors are four rooms that must live on at ZIM, whatever becomes of their ZimRooms while the fault lasts.
type survivors struct {
	// occupied gets another name while somebody is in it. retained is deleted, and to be retained. adopted was created by
	// others, and is deleted. given is deleted while heir, which names the same room, stands ready.
	occupied, retained, adopted, given, heir *room
	// incarnations are those before the fault, by id.
	incarnations map[string]int
}

func newSurvivors(prefix string) *survivors {
	rooms := newRooms(prefix+"-keep", 5)
	s := &survivors{occupied: rooms[0], retained: rooms[1], adopted: rooms[2], given: rooms[3], heir: rooms[4]}
	s.retained.object.Spec.DeletionPolicy = zimv1alpha1.DeletionPolicyRetain
	s.adopted.object.Spec.DeletionPolicy, s.adopted.mayBeAdopted = "", true
	s.heir.object.Spec.ID = s.given.object.Spec.ID
	for _, r := range []*room{s.retained, s.adopted, s.given} {
		r.mayStay = true
	}
	return s
}

// holders are the ZimRooms that have a room each, before the fault.
func (s *survivors) holders() []*room {
	if s == nil {
		return nil
	}
	return []*room{s.occupied, s.retained, s.adopted, s.given}
}

// rooms are all of them.
func (s *survivors) rooms() []*room {
	if s == nil {
		return nil
	}
	return append(s.holders(), s.heir)
}

// prepare has them all in their places.
func (s *survivors) prepare(ctx context.Context, w *world) error {
	foreign := zimsim.Room{ID: s.adopted.object.Spec.ID, Creator: visitor}
	if err := w.simulator.Do(ctx, http.MethodPost, "/rooms", testbed.OfApp(s.adopted.appID), foreign, nil); err != nil {
		return err
	}
	if err := w.create(ctx, s.holders()...); err != nil {
		return err
	}
	if _, err := w.converge(ctx, s.holders(), settleLimit); err != nil {
		return fmt.Errorf("before the fault: %w", err)
	}
	if err := w.enter(ctx, s.occupied); err != nil {
		return err
	}
	if err := s.prepareHeir(ctx, w); err != nil {
		return err
	}
	live, err := w.live(ctx, s.holders())
	s.incarnations = map[string]int{}
	for _, r := range s.holders() {
		s.incarnations[r.object.Spec.ID] = live[r.object.Spec.ID].Incarnation
	}
	return err
}

// prepareHeir returns when the operator has seen that there are two ZimRooms of one room.
func (s *survivors) prepareHeir(ctx context.Context, w *world) error {
	if err := w.create(ctx, s.heir); err != nil {
		return err
	}
	err := testbed.Await(ctx, settleLimit, func(ctx context.Context) (bool, error) {
		objects, err := w.objects(ctx)
		heir := objects[s.heir.object.Name]
		return heir != nil && testbed.IsTrue(heir.Status.Conditions, zimv1alpha1.StalledCondition), err
	})
	if err != nil {
		return fmt.Errorf("waiting for a second ZimRoom of a room to be refused: %w", err)
	}
	return nil
}

// enter has somebody be in a room.
func (w *world) enter(ctx context.Context, r *room) error {
	query := testbed.OfApp(r.appID)
	query.Set("roomID", r.object.Spec.ID)
	query.Set("userID", visitor)
	return w.simulator.Do(ctx, http.MethodPut, "/members", query, nil, nil)
}

// changes are what would end the rooms, were the operator careless.
func (s *survivors) changes(w *world) []change {
	if s == nil {
		return nil
	}
	remove := func(r *room) change {
		return func(ctx context.Context) error { return w.remove(ctx, r) }
	}
	return []change{remove(s.retained), remove(s.adopted), remove(s.given), func(ctx context.Context) error {
		s.occupied.waits = true
		return w.edit(ctx, s.occupied, "second", "Another name")
	}}
}

// harmed finds those that did not live on.
func (s *survivors) harmed(live map[string]zimsim.Room) (lines []string) {
	for _, r := range s.holders() {
		id := r.object.Spec.ID
		room, exists := live[id]
		switch {
		case !exists:
			lines = append(lines, id+" should have lived on, and is gone")
		case room.Incarnation != s.incarnations[id]:
			lines = append(lines, id+" should have lived on, and was created anew")
		}
	}
	return lines
}

// sweep destroys what the operator left alone, as it should.
func (s *survivors) sweep(ctx context.Context, w *world) error {
	if s == nil {
		return nil
	}
	for _, r := range []*room{s.retained, s.adopted} {
		if err := w.vanish(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
