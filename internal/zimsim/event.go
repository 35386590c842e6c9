package zimsim

import "time"

// EventKind names what happened to a room, in the words of the vendor's server callbacks.
type EventKind string

// The events of a room's life. https://www.zegocloud.com/docs/zim-server/callbacks/room/room-created
const (
	EventRoomCreated   EventKind = "room_create"
	EventRoomDestroyed EventKind = "room_destroy"
	EventRoomEntered   EventKind = "room_enter"
	EventRoomLeft      EventKind = "room_exit"
)

// EventReason tells why a room was destroyed or left.
type EventReason string

// The reasons of EventRoomDestroyed and EventRoomLeft.
const (
	// ReasonDestroyed: a call of DestroyRoom, or the admin side.
	ReasonDestroyed EventReason = "Destroyed"
	// ReasonEmpty: nobody was in the room for its DestroyDelayTime.
	ReasonEmpty EventReason = "Empty"
	// ReasonQuit: the user left.
	ReasonQuit EventReason = "Quit"
	// ReasonKickout: the user was removed by KickoutRoomUser.
	ReasonKickout EventReason = "Kickout"
)

// Event is one step in a room's life.
type Event struct {
	// Time is when it happened; the death of an empty room carries the moment its delay ended, even when nobody looked.
	Time time.Time `json:"time"`
	// AppID and RoomID name the room.
	AppID  uint32 `json:"appID"`
	RoomID string `json:"roomID"`
	// Kind is what happened.
	Kind EventKind `json:"kind"`
	// Reason is set for EventRoomDestroyed and EventRoomLeft.
	Reason EventReason `json:"reason,omitempty"`
	// Operator is the user who did it, as far as somebody did.
	Operator string `json:"operator,omitempty"`
	// UserIDs are the members at destruction, or who entered or left.
	UserIDs []string `json:"userIDs,omitempty"`
	// Incarnation is the room's.
	Incarnation int `json:"incarnation"`
}

// emit is the one place every event passes, with the simulator locked.
func (s *Simulator) emit(r *room, e Event) {
	e.AppID, e.RoomID, e.Incarnation = r.app.config.AppID, r.id, r.incarnation
	s.events.add(e)
	if s.hasCallback(r, &e) {
		s.post(r, &e)
	}
}

// EventFilter picks events. A zero field matches every event.
type EventFilter struct {
	AppID  uint32
	RoomID string
	// Limit keeps only so many of the newest matches. 0: all.
	Limit int
}

func (f EventFilter) matches(e *Event) bool {
	return (f.AppID == 0 || f.AppID == e.AppID) && (f.RoomID == "" || f.RoomID == e.RoomID)
}

// Events returns the newest events that the filter matches, oldest first. It buries rooms whose time has come first.
func (s *Simulator) Events(filter EventFilter) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bury(s.now())
	return s.events.newest(filter.Limit, filter.matches)
}
