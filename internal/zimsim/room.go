package zimsim

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Room is a room as the simulator holds it, including what no action of the vendor's API tells.
type Room struct {
	// ID is the RoomId.
	ID string `json:"id"`
	// Name is the RoomName. The vendor offers no way to read or change it.
	Name string `json:"name,omitempty"`
	// DestroyDelay is how long the room outlives its last member. In JSON a Go duration such as "1h30m0s".
	DestroyDelay time.Duration `json:"-"`
	// CreatedTime is when this incarnation was created.
	CreatedTime time.Time `json:"createdTime"`
	// Creator is the FromUserId of CreateRoom, or the first user to enter when a client created the room.
	Creator string `json:"creator,omitempty"`
	// Members are the users in the room, in the order in which they entered; nil if there are none.
	Members []string `json:"members,omitempty"`
	// Attributes are the room attributes by key; never nil in what the simulator returns.
	Attributes map[string]Attribute `json:"attributes,omitempty"`
	// AttributeSeq counts every change of a single attribute since the room was created.
	AttributeSeq int `json:"attributeSeq"`
	// Incarnation counts how many times a room of this id has been created in this process, beginning with 1.
	Incarnation int `json:"incarnation"`
	// EverEntered tells whether anybody has been in this incarnation.
	EverEntered bool `json:"everEntered"`
	// DiesAt is when the room ends unless somebody enters. Zero: no timer runs.
	DiesAt time.Time `json:"diesAt,omitzero"`
}

// Attribute is one room attribute.
type Attribute struct {
	// Value is the attribute's value.
	Value string `json:"value"`
	// AutoDelete removes the attribute when the user who set it leaves the room.
	AutoDelete bool `json:"autoDelete,omitempty"`
	// Seq is the room's AttributeSeq at the last change of this attribute.
	Seq int `json:"seq,omitempty"`
}

// User is a user that the app knows: registered by the server, or logged in once.
type User struct {
	// ID is the UserId.
	ID string `json:"id"`
	// Name and Avatar are what UserRegister was given.
	Name   string `json:"name,omitempty"`
	Avatar string `json:"avatar,omitempty"`
	// LoggedIn tells whether the user has been in a room, rather than only registered.
	LoggedIn bool `json:"loggedIn"`
}

// plainRoom is Room without its methods, so that they can lean on the plain encoding.
type plainRoom Room

// roomJSON writes durations the way people read them.
type roomJSON struct {
	plainRoom
	DestroyDelay string `json:"destroyDelay,omitempty"`
}

// MarshalJSON writes the delay as a Go duration.
func (r Room) MarshalJSON() ([]byte, error) {
	return encode(roomJSON{plainRoom(r), r.DestroyDelay.String()}), nil
}

// UnmarshalJSON reads the delay as a Go duration.
func (r *Room) UnmarshalJSON(data []byte) error {
	var in roomJSON
	if err := unmarshalStrictly(data, &in); err != nil {
		return err
	}
	*r = Room(in.plainRoom)
	return parseDuration("destroyDelay", in.DestroyDelay, &r.DestroyDelay)
}

// parseDuration reads a Go duration into d; an empty text leaves it alone.
func parseDuration(field, text string, d *time.Duration) error {
	if text == "" {
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%s: %q is not a duration such as 90s", field, text)
	}
	*d = parsed
	return nil
}

// room is a living room. Its fields are guarded by Simulator.mu.
type room struct {
	app          *appState
	id           string
	name         string
	destroyDelay time.Duration
	created      time.Time
	creator      string
	members      []string // in the order of entering
	attributes   map[string]attribute
	attributeSeq int
	incarnation  int
	everEntered  bool
	endTold      bool      // room_destroy was sent when it became empty
	diesAt       time.Time // zero: no timer runs
	heapIndex    int       // place in Simulator.deaths; -1: not there
}

// attribute is a room attribute and the user who set it last, whose leaving ends it if AutoDelete says so.
type attribute struct {
	Attribute
	setBy string
}

// snapshot copies the room for a reader outside the lock.
func (r *room) snapshot() Room {
	attributes := make(map[string]Attribute, len(r.attributes))
	for key, a := range r.attributes {
		attributes[key] = a.Attribute
	}
	return Room{
		ID:           r.id,
		Name:         r.name,
		DestroyDelay: r.destroyDelay,
		CreatedTime:  r.created,
		Creator:      r.creator,
		Members:      append([]string(nil), r.members...),
		Attributes:   attributes,
		AttributeSeq: r.attributeSeq,
		Incarnation:  r.incarnation,
		EverEntered:  r.everEntered,
		DiesAt:       r.diesAt,
	}
}

// setAttribute writes one attribute and counts the change.
func (r *room) setAttribute(key string, value Attribute, setBy string, countUnchanged bool) int {
	old, existed := r.attributes[key]
	unchanged := existed && old.Value == value.Value && old.AutoDelete == value.AutoDelete
	value.Seq = old.Seq
	if !unchanged || countUnchanged {
		r.attributeSeq++
		value.Seq = r.attributeSeq
	}
	if r.attributes == nil {
		r.attributes = make(map[string]attribute)
	}
	r.attributes[key] = attribute{value, setBy}
	return value.Seq
}

// deleteAttribute removes one attribute and counts the change; it tells whether there was one.
func (r *room) deleteAttribute(key string) bool {
	if _, ok := r.attributes[key]; !ok {
		return false
	}
	delete(r.attributes, key)
	r.attributeSeq++
	return true
}

// deleteAttributesIf removes the attributes that the condition holds for.
func (r *room) deleteAttributesIf(condition func(attribute) bool) {
	for _, key := range slices.Collect(maps.Keys(r.attributes)) {
		if condition(r.attributes[key]) {
			r.deleteAttribute(key)
		}
	}
}
