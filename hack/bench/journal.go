package main

import (
	"slices"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// User agents, by which the simulator's journal tells callers apart.
const (
	operatorAgent   = "zim-operator/" // And its version.
	loopAgent       = "bench-loop"
	competitorAgent = "bench-competitor"
)

// Actions that rows look for.
const (
	createRoom  = "CreateRoom"
	destroyRoom = "DestroyRoom"
)

// journal are calls that the simulator received, oldest first.
type journal []zimsim.Call

// by returns the calls of a caller, known by the beginning of its user agent.
func (j journal) by(agent string) journal {
	return j.where(func(c *zimsim.Call) bool { return strings.HasPrefix(c.UserAgent, agent) })
}

// of returns the calls of an action.
func (j journal) of(action string) journal {
	return j.where(func(c *zimsim.Call) bool { return c.Action == action })
}

// after returns the calls that came after a moment.
func (j journal) after(moment time.Time) journal {
	return j.where(func(c *zimsim.Call) bool { return c.Time.After(moment) })
}

func (j journal) where(wanted func(*zimsim.Call) bool) journal {
	var found journal
	for i := range j {
		if wanted(&j[i]) {
			found = append(found, j[i])
		}
	}
	return found
}

// The codes of calls above a frequency limit: of the AppID, of the room, of UserRegister.
var limitCodes = []int{7, 660300005, 660300006, 660700001}

// limited counts the answers that say that a limit was exceeded.
func (j journal) limited() int {
	return len(j.where(func(c *zimsim.Call) bool { return slices.Contains(limitCodes, c.Code) }))
}

// carriedOut returns the calls that had the effect they asked for.
func (j journal) carriedOut() journal {
	return j.where(func(c *zimsim.Call) bool { return c.CarriedOut })
}

func (j journal) times() []time.Time {
	times := make([]time.Time, 0, len(j))
	for i := range j {
		times = append(times, j[i].Time)
	}
	return times
}

// firstByRoom returns when each room was first named.
func (j journal) firstByRoom() map[string]time.Time {
	first := map[string]time.Time{}
	for i := range j {
		if _, known := first[j[i].RoomID]; !known {
			first[j[i].RoomID] = j[i].Time
		}
	}
	return first
}
