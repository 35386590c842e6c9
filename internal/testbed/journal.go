package testbed

import (
	"slices"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// OperatorAgent is the beginning of the operator's user agent, which its version follows.
const OperatorAgent = "zim-operator/"

// Actions of the API.
const (
	CreateRoom          = "CreateRoom"
	DestroyRoom         = "DestroyRoom"
	ModifyRoomAttribute = "ModifyRoomAttribute"
)

// Journal is the calls that the simulator received, oldest first.
type Journal []zimsim.Call

// By returns the calls of a caller, known by the beginning of its user agent.
func (j Journal) By(agent string) Journal {
	return j.Where(func(c *zimsim.Call) bool { return strings.HasPrefix(c.UserAgent, agent) })
}

// Of returns the calls of an action.
func (j Journal) Of(action string) Journal {
	return j.Where(func(c *zimsim.Call) bool { return c.Action == action })
}

// After returns the calls that came after a moment.
func (j Journal) After(moment time.Time) Journal {
	return j.Where(func(c *zimsim.Call) bool { return c.Time.After(moment) })
}

// Where returns the calls that are wanted.
func (j Journal) Where(wanted func(*zimsim.Call) bool) Journal {
	var found Journal
	for i := range j {
		if wanted(&j[i]) {
			found = append(found, j[i])
		}
	}
	return found
}

// The codes of calls above a frequency limit: of the AppID, of the room, of UserRegister.
var limitCodes = []int{7, 660300005, 660300006, 660700001}

// Limited counts the answers that say that a limit was exceeded.
func (j Journal) Limited() int {
	return len(j.Where(func(c *zimsim.Call) bool { return slices.Contains(limitCodes, c.Code) }))
}

// CarriedOut returns the calls that had the effect they asked for.
func (j Journal) CarriedOut() Journal {
	return j.Where(func(c *zimsim.Call) bool { return c.CarriedOut })
}

// Times returns when the calls came.
func (j Journal) Times() []time.Time {
	times := make([]time.Time, 0, len(j))
	for i := range j {
		times = append(times, j[i].Time)
	}
	return times
}

// FirstByRoom returns when each room was first named.
func (j Journal) FirstByRoom() map[string]time.Time {
	first := map[string]time.Time{}
	for i := range j {
		if _, known := first[j[i].RoomID]; !known {
			first[j[i].RoomID] = j[i].Time
		}
	}
	return first
}
