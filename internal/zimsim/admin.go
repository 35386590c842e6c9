package zimsim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The errors of the admin side. They come wrapped with the name of what was meant.
var (
	ErrUnknownApp        = errors.New("no such app")
	ErrRoomNotFound      = errors.New("no such room")
	ErrRoomExists        = errors.New("room exists")
	ErrNotInRoom         = errors.New("user is not in the room")
	ErrAttributeNotFound = errors.New("no such attribute")
	ErrUserNotFound      = errors.New("no such user")
	ErrEmptyID           = errors.New("id is empty")
)

// defaultClient is who creates a room through the admin side when nobody is named.
const defaultClient = "zimsim-client"

// inApp runs a function on an app, with dead rooms buried and the simulator locked.
func (s *Simulator) inApp(appID uint32, f func(app *appState, now time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.bury(now)
	app := s.apps[appID]
	if app == nil {
		return fmt.Errorf("%w: %d", ErrUnknownApp, appID)
	}
	return f(app, now)
}

// inRoom runs a function on a room, with dead rooms buried and the simulator locked.
func (s *Simulator) inRoom(appID uint32, roomID string, f func(r *room, now time.Time) error) error {
	return s.inApp(appID, func(app *appState, now time.Time) error {
		r := app.rooms[roomID]
		if r == nil {
			return fmt.Errorf("%w: %q", ErrRoomNotFound, roomID)
		}
		return f(r, now)
	})
}

// Rooms returns the rooms of an app, sorted by id. An unknown app has none.
func (s *Simulator) Rooms(appID uint32) []Room {
	var list []Room
	_ = s.inApp(appID, func(app *appState, _ time.Time) error {
		list = make([]Room, 0, len(app.rooms))
		for _, r := range app.rooms {
			list = append(list, r.snapshot())
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Room) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Room returns one room, if it exists.
func (s *Simulator) Room(appID uint32, roomID string) (Room, bool) {
	var found Room
	err := s.inRoom(appID, roomID, func(r *room, _ time.Time) error {
		found = r.snapshot()
		return nil
	})
	return found, err == nil
}

// CreateRoom creates a room the way a client SDK does: with any name and attributes, no limits, and with its creator in
// it. Of the given room it takes ID, Name, DestroyDelay, Creator, Members and Attributes (their owner is the creator).
// If Members is empty, the creator enters; let everybody Leave for a room that is empty.
func (s *Simulator) CreateRoom(appID uint32, room Room) error {
	return s.inApp(appID, func(app *appState, now time.Time) error {
		if room.ID == "" {
			return ErrEmptyID
		}
		if app.rooms[room.ID] != nil {
			return fmt.Errorf("%w: %q", ErrRoomExists, room.ID)
		}
		s.createAsClient(app, room, now)
		return nil
	})
}

func (s *Simulator) createAsClient(app *appState, template Room, now time.Time) {
	if template.Creator == "" && len(template.Members) > 0 {
		template.Creator = template.Members[0]
	}
	if template.Creator == "" {
		template.Creator = defaultClient
	}
	if len(template.Members) == 0 {
		template.Members = []string{template.Creator}
	}
	r := &room{
		id:           template.ID,
		name:         template.Name,
		destroyDelay: template.DestroyDelay,
		creator:      template.Creator,
	}
	for _, key := range slices.Sorted(maps.Keys(template.Attributes)) {
		r.setAttribute(key, template.Attributes[key], r.creator, true)
	}
	s.addRoom(app, r, now)
	for _, userID := range template.Members {
		s.enter(r, userID, now)
	}
}

// DestroyRoom ends a room at once, whoever is in it.
func (s *Simulator) DestroyRoom(appID uint32, roomID string) error {
	return s.inRoom(appID, roomID, func(r *room, now time.Time) error {
		s.destroy(r, now, "", ReasonDestroyed)
		return nil
	})
}

// Enter lets a user log in and enter a room that exists.
func (s *Simulator) Enter(appID uint32, roomID, userID string) error {
	return s.inRoom(appID, roomID, func(r *room, now time.Time) error {
		if userID == "" {
			return ErrEmptyID
		}
		s.enter(r, userID, now)
		return nil
	})
}

// EnterOrCreate lets a user enter a room, and creates it first if it does not exist: with no name, no attributes and no
// delay, as a client SDK's enterRoom does.
func (s *Simulator) EnterOrCreate(appID uint32, roomID, userID string) error {
	return s.inApp(appID, func(app *appState, now time.Time) error {
		if userID == "" || roomID == "" {
			return ErrEmptyID
		}
		if r := app.rooms[roomID]; r != nil {
			s.enter(r, userID, now)
			return nil
		}
		s.createAsClient(app, Room{ID: roomID, Creator: userID}, now)
		return nil
	})
}

// Leave lets a user leave a room.
func (s *Simulator) Leave(appID uint32, roomID, userID string) error {
	return s.inRoom(appID, roomID, func(r *room, now time.Time) error {
		if !s.leave(r, userID, userID, ReasonQuit, now) {
			return fmt.Errorf("%w: %q", ErrNotInRoom, userID)
		}
		return nil
	})
}

// SetAttribute sets an attribute as a client in the room would, without limits and without AutoDelete.
func (s *Simulator) SetAttribute(appID uint32, roomID, key, value string) error {
	return s.inRoom(appID, roomID, func(r *room, _ time.Time) error {
		if key == "" {
			return ErrEmptyID
		}
		r.setAttribute(key, Attribute{Value: value}, "", s.switches.UnchangedSetCounts)
		return nil
	})
}

// DeleteAttribute deletes an attribute as a client in the room would.
func (s *Simulator) DeleteAttribute(appID uint32, roomID, key string) error {
	return s.inRoom(appID, roomID, func(r *room, _ time.Time) error {
		if !r.deleteAttribute(key) {
			return fmt.Errorf("%w: %q", ErrAttributeNotFound, key)
		}
		return nil
	})
}

// RegisterUser makes a user known to an app, as UserRegister does. It is no error if the user is already.
func (s *Simulator) RegisterUser(appID uint32, userID string) error {
	return s.inApp(appID, func(app *appState, _ time.Time) error {
		if userID == "" {
			return ErrEmptyID
		}
		if app.users[userID] == nil {
			app.users[userID] = &User{ID: userID}
		}
		return nil
	})
}

// UnregisterUser makes an app forget a user, which the vendor's API cannot do. Rooms keep the user as a member.
func (s *Simulator) UnregisterUser(appID uint32, userID string) error {
	return s.inApp(appID, func(app *appState, _ time.Time) error {
		if app.users[userID] == nil {
			return fmt.Errorf("%w: %q", ErrUserNotFound, userID)
		}
		delete(app.users, userID)
		return nil
	})
}

// Users returns the users of an app, sorted by id. An unknown app has none.
func (s *Simulator) Users(appID uint32) []User {
	var list []User
	_ = s.inApp(appID, func(app *appState, _ time.Time) error {
		list = make([]User, 0, len(app.users))
		for _, u := range app.users {
			list = append(list, *u)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b User) int { return strings.Compare(a.ID, b.ID) })
	return list
}
