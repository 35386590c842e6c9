package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// What is promised while something is broken.
const (
	mostWrites = 2   // Of Kubernetes, a room.
	mostGrowth = 1.5 // Of memory.
	// arrivalJitter is how many calls may arrive in a second above those that may leave: some are held up on their way
	// by new connections and a busy machine, those behind them are not.
	arrivalJitter = 2
	// onTheWay is by how much a call may come closer to the one before than it left.
	onTheWay = 100 * time.Millisecond
	// noticed is after how long a replica has heard of a change.
	noticed = 3 * time.Second
)

// result is what became of a row.
type result struct {
	row       string
	seen      string
	rate      int
	writes    int
	growth    float64
	converged time.Duration
	broken    []string
}

// result judges the trial.
func (t *trial) result(took time.Duration, failed error) *result {
	r := &result{
		row: t.row.name, rate: testbed.BusiestSecond(t.calls.Times()), growth: t.vitals.growth(),
		converged: took, seen: t.summary(),
	}
	for _, count := range t.writes {
		r.writes = max(r.writes, count)
	}
	r.broken = append(r.broken, t.written()...)
	if failed != nil {
		r.broken = append(r.broken, failed.Error())
	}
	if r.rate > requestsPerSecond+arrivalJitter {
		r.broken = append(r.broken, fmt.Sprintf("%d calls in a second", r.rate))
	}
	if r.growth > mostGrowth {
		r.broken = append(r.broken, fmt.Sprintf("memory grew to %.1f times", r.growth))
	}
	if ill := t.vitals.illness(); ill != "" {
		r.broken = append(r.broken, "liveness failed: "+ill)
	}
	for _, replica := range t.replicas {
		if replica.gateway.elsewhere.Load() > 0 {
			r.broken = append(r.broken, "a host was called that is not ZIM's")
		}
	}
	r.broken = append(r.broken, wronglyDestroyed(t.rooms(), t.calls)...)
	if !t.row.lives {
		r.broken = append(r.broken, hurried(t.rooms(), t.calls)...)
	}
	if t.row.judge != nil {
		seen, broken := t.row.judge(t)
		r.seen += "; " + seen
		r.broken = append(r.broken, broken...)
	}
	return r
}

// written finds rooms that were written more often than they may.
func (t *trial) written() []string {
	var lines []string
	for name, count := range t.writes {
		if count > mostWrites && !t.row.writes {
			lines = append(lines, fmt.Sprintf("%d writes for %s", count, name))
		}
	}
	return lines
}

// summary says what the operator met.
func (t *trial) summary() string {
	during := t.calls.Where(func(c *zimsim.Call) bool { return c.Time.Before(t.ended) })
	hit := during.Where(func(c *zimsim.Call) bool { return c.Fault != "" })
	text := fmt.Sprintf("%d calls", len(during))
	if len(hit) > 0 {
		text += fmt.Sprintf(", %d hit", len(hit))
	}
	if t.refused > 0 {
		text += fmt.Sprintf(", %d requests refused", t.refused)
	}
	if t.leaderRestarts > 0 {
		text += fmt.Sprintf(", %d restarts", t.leaderRestarts)
	}
	return text
}

// wronglyDestroyed finds rooms that the operator destroyed while their ZimRooms declared them: not deleted, and not
// with another name than before.
func wronglyDestroyed(rooms []*room, calls testbed.Journal) []string {
	byID := map[string]*room{}
	for _, r := range rooms {
		byID[r.object.Spec.ID] = r
	}
	var lines []string
	for _, call := range calls.Of(testbed.DestroyRoom).CarriedOut() {
		r := byID[call.RoomID]
		if r == nil {
			continue // Of an earlier row.
		}
		deleted := !r.deleted.IsZero() && call.Time.After(r.deleted)
		replaced := len(r.replaced) > 0 && call.Time.After(r.replaced[0])
		if !deleted && !replaced {
			lines = append(lines, call.RoomID+" was destroyed although it is declared")
		}
	}
	return lines
}

// freshTries are the codes after which a call is sent once more at once: with a fresh signature, or after the operator
// user was registered.
var freshTries = []int{3, 51102, 100000004, 100000005, 660500002, 660700012, 660700015}

// hurried finds rooms for which two passes began within a second, unless somebody asked for the second: each pass over
// a room that is to exist begins with CreateRoom. Another replica may look at once, too.
func hurried(rooms []*room, calls testbed.Journal) []string {
	byID := map[string]*room{}
	for _, r := range rooms {
		byID[r.object.Spec.ID] = r
	}
	last := map[string]*zimsim.Call{}
	var lines []string
	creations := calls.Of(testbed.CreateRoom)
	for i := range creations {
		call := &creations[i]
		r, before := byID[call.RoomID], last[call.RoomID]
		last[call.RoomID] = call
		if r == nil || before == nil || call.Time.Sub(before.Time) >= time.Second-onTheWay ||
			slices.Contains(freshTries, before.Code) || before.UserAgent != call.UserAgent {
			continue
		}
		// A change may be noticed late: the call before was under way, or the API server is slow.
		asked := slices.ContainsFunc(r.asked, func(moment time.Time) bool {
			return moment.After(before.Time.Add(-noticed)) && moment.Before(call.Time)
		})
		if !asked && len(r.replaced) == 0 {
			lines = append(lines, fmt.Sprintf("%s was called twice within %s", call.RoomID,
				call.Time.Sub(before.Time).Round(time.Millisecond)))
		}
	}
	if len(lines) > 1 {
		return []string{fmt.Sprintf("%s, and so %d times", lines[0], len(lines))}
	}
	return lines
}

// agentReplica is the replica that a user agent ends with: see gateway.
func agentReplica(agent string) string {
	_, name, _ := strings.Cut(agent, " ")
	return name
}
