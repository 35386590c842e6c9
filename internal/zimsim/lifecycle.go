package zimsim

import (
	"container/heap"
	"slices"
	"time"
)

// A room dies when nobody has been in it for its DestroyDelayTime. Nothing waits for that moment: every access first
// buries the rooms whose time has come, so a clock that jumps needs no timers.
// https://www.zegocloud.com/docs/zim-server/room/create-a-room

// bury ends every room whose time has come. It costs nothing while no room is due.
func (s *Simulator) bury(now time.Time) {
	for len(s.deaths) > 0 && !now.Before(s.deaths[0].diesAt) {
		r := s.deaths[0]
		s.destroy(r, r.diesAt, "", ReasonEmpty)
	}
}

// addRoom brings a room into existence, empty, with its attributes.
func (s *Simulator) addRoom(app *appState, r *room, now time.Time) {
	past := app.history[r.id]
	past.incarnations++
	app.history[r.id] = past
	r.app, r.created, r.incarnation, r.heapIndex = app, now, past.incarnations, -1
	app.rooms[r.id] = r
	s.emit(r, Event{Time: now, Kind: EventRoomCreated, Operator: r.creator})
}

// startTimerAtCreation does for a room that begins empty what the last leaving does for others.
func (s *Simulator) startTimerAtCreation(r *room, now time.Time) {
	if !s.switches.KeepAttributesOfNeverEntered {
		r.deleteAttributesIf(func(attribute) bool { return true })
	}
	if s.switches.TimerStartsAtCreation {
		s.startTimer(r, now)
	}
}

// startTimer sets the room's death. Without a delay it dies now, not only at the next access.
func (s *Simulator) startTimer(r *room, now time.Time) {
	r.diesAt = now.Add(r.destroyDelay)
	heap.Push(&s.deaths, r)
	s.wakeSender()
	s.bury(now)
}

// destroy ends a room; its members are out of it with that.
func (s *Simulator) destroy(r *room, at time.Time, operator string, reason EventReason) {
	s.deaths.drop(r)
	delete(r.app.rooms, r.id)
	past := r.app.history[r.id]
	past.destroyed = at
	r.app.history[r.id] = past
	s.emit(r, Event{Time: at, Kind: EventRoomDestroyed, Reason: reason, Operator: operator, UserIDs: r.members})
}

// enter puts a user into a room and stops its timer. Who enters has logged in, so the user is known from then on.
func (s *Simulator) enter(r *room, userID string, now time.Time) {
	if r.app.users[userID] == nil {
		r.app.users[userID] = &User{ID: userID}
	}
	r.app.users[userID].LoggedIn = true
	if slices.Contains(r.members, userID) {
		return
	}
	s.deaths.drop(r)
	r.members = append(r.members, userID)
	r.everEntered = true
	s.emit(r, Event{Time: now, Kind: EventRoomEntered, Operator: userID, UserIDs: []string{userID}})
}

// leave takes a user out of a room, and with the user the attributes set for as long as the user stays. It tells
// whether the user was there.
func (s *Simulator) leave(r *room, userID, operator string, reason EventReason, now time.Time) bool {
	i := slices.Index(r.members, userID)
	if i < 0 {
		return false
	}
	r.members = slices.Delete(r.members, i, i+1)
	r.deleteAttributesIf(func(a attribute) bool { return a.AutoDelete && a.setBy == userID })
	s.emit(r, Event{Time: now, Kind: EventRoomLeft, Reason: reason, Operator: operator, UserIDs: []string{userID}})
	if len(r.members) > 0 {
		return true
	}
	if r.endTold = s.switches.DestroyCallbackWhenEmpty; r.endTold {
		s.tellEnd(r, now)
	}
	if !s.switches.KeepAttributesWhileEmpty {
		r.deleteAttributesIf(func(attribute) bool { return true })
	}
	s.startTimer(r, now)
	return true
}

// deaths is a heap of the rooms whose timer runs, the next to die first.
type deaths []*room

func (d deaths) Len() int           { return len(d) }
func (d deaths) Less(i, j int) bool { return d[i].diesAt.Before(d[j].diesAt) }

func (d deaths) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapIndex, d[j].heapIndex = i, j
}

// Push is for container/heap.
func (d *deaths) Push(x any) {
	r, _ := x.(*room)
	r.heapIndex = len(*d)
	*d = append(*d, r)
}

// Pop is for container/heap.
func (d *deaths) Pop() any {
	last := len(*d) - 1
	r := (*d)[last]
	(*d)[last] = nil
	*d = (*d)[:last]
	r.heapIndex = -1
	return r
}

// drop stops a room's timer, if it runs.
func (d *deaths) drop(r *room) {
	if r.heapIndex >= 0 {
		heap.Remove(d, r.heapIndex)
	}
	r.diesAt = time.Time{}
}
