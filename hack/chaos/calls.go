package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	// onTheWay is by how much a call may come closer to the one before than it left.
	onTheWay = 100 * time.Millisecond
	// noticed is after how long a replica has heard of a change.
	noticed = 3 * time.Second
)

// wronglyDestroyed finds rooms that the operator destroyed while their ZimRooms declared them: not deleted, and not
// with another name than before. For each name there is one end, and one more where nobody may know of the first.
func wronglyDestroyed(rooms []*room, calls testbed.Journal, mayRepeat func(roomID string) bool) []string {
	byID, ends := byID(rooms), map[string]int{}
	var lines []string
	for _, call := range calls.Of(testbed.DestroyRoom).CarriedOut() {
		r := byID[call.RoomID]
		if r == nil || (!r.deleted.IsZero() && call.Time.After(r.deleted)) {
			continue // Of an earlier row, or as it should be.
		}
		renames := 0
		for _, moment := range r.replaced {
			if moment.Before(call.Time) {
				renames++
			}
		}
		ends[call.RoomID]++
		allowed := renames
		if mayRepeat(call.RoomID) {
			allowed *= 2
		}
		switch {
		case renames == 0:
			lines = append(lines, call.RoomID+" was destroyed although it is declared")
		case ends[call.RoomID] > allowed:
			lines = append(lines, fmt.Sprintf("%s was destroyed %d times for %d names", call.RoomID, ends[call.RoomID], renames))
		}
	}
	return lines
}

// mayRepeatEnd tells whether the operator may not know that it has destroyed a room: a process ended before it wrote
// that down, or an answer about the room was lost.
func (t *trial) mayRepeatEnd(roomID string) bool {
	return t.row.lives || t.restarts > 0 || t.row.losesAnswers || slices.ContainsFunc(t.calls, func(c zimsim.Call) bool {
		return c.RoomID == roomID && c.CarriedOut && c.Fault != ""
	})
}

func byID(rooms []*room) map[string]*room {
	found := map[string]*room{}
	for _, r := range rooms {
		found[r.object.Spec.ID] = r
	}
	return found
}

// freshTries are the codes after which something is done once more at once: with a fresh signature, after the operator
// user was registered, or for a room that is gone.
var freshTries = []int{3, 51102, 100000004, 100000005, 660300001, 660500002, 660700012, 660700015}

// hurried finds rooms that a replica called twice within a second for the same, unless somebody asked for the second
// call, or ZIM did: that once for each answer. Another replica may look at once, too. Where changes are hidden from the
// replicas, each explains one call of each action, however late.
func hurried(rooms []*room, calls testbed.Journal, hidden bool) []string {
	type caller struct{ room, agent string }
	type subject struct {
		caller
		action string
	}
	byID, history, excused := byID(rooms), map[caller]testbed.Journal{}, map[subject][]answer{}
	late := map[subject]int{}
	var lines []string
	for _, call := range calls {
		who := caller{call.RoomID, call.UserAgent}
		about, past := subject{who, call.Action}, history[who]
		history[who] = append(past, call)
		r, before := byID[call.RoomID], len(past)-1
		for before >= 0 && past[before].Action != call.Action {
			before--
		}
		if r == nil || before < 0 {
			continue
		}
		apart := call.Time.Sub(past[before].Time)
		if apart >= time.Second-onTheWay {
			delete(excused, about)
			continue
		}
		switch reason, asked := asksForMore(past[before:], excused[about]); {
		case asked:
			excused[about] = append(excused[about], reason)
		case r.asksFor(past[before].Time, call.Time), bringsBack(call.Action, past[before:]):
		case hidden && late[about] < r.changesBefore(call.Time):
			late[about]++
		default:
			lines = append(lines, fmt.Sprintf("%s was called twice for %s within %s", call.RoomID, call.Action,
				apart.Round(time.Millisecond)))
		}
	}
	if len(lines) > 1 {
		return []string{fmt.Sprintf("%s, and so %d times", lines[0], len(lines))}
	}
	return lines
}

// answer is a code to an action.
type answer struct {
	action string
	code   int
}

// asksForMore finds an answer to one of the calls for a room that asks for another call at once, and did not yet.
func asksForMore(calls testbed.Journal, excused []answer) (reason answer, asked bool) {
	for _, call := range calls {
		reason = answer{call.Action, call.Code}
		if slices.Contains(freshTries, call.Code) && !slices.Contains(excused, reason) {
			return reason, true
		}
	}
	return answer{}, false
}

// asksFor tells whether a change explains a call soon after another one. It may be noticed late: the call before was
// under way, or the API server is slow.
func (r *room) asksFor(before, call time.Time) bool {
	return slices.ContainsFunc(append(slices.Clip(r.asked), r.deleted),
		func(moment time.Time) bool { return moment.After(before.Add(-noticed)) && moment.Before(call) })
}

// changesBefore counts the changes to the room since it was created.
func (r *room) changesBefore(moment time.Time) (count int) {
	for _, change := range append(slices.Clip(r.asked), r.deleted)[1:] {
		if !change.IsZero() && change.Before(moment) {
			count++
		}
	}
	return count
}

// bringsBack tells whether a CreateRoom brings back what the operator has destroyed for another name, after the
// CreateRoom by which it looked whether the room exists.
func bringsBack(action string, past testbed.Journal) bool {
	return action == testbed.CreateRoom && len(past.Of(testbed.DestroyRoom)) > 0
}

// agentReplica is the replica that a user agent ends with: see gateway.
func agentReplica(agent string) string {
	_, name, _ := strings.Cut(agent, " ")
	return name
}
