package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// What is promised while something is broken.
const (
	mostWrites = 2   // Of Kubernetes, a room.
	mostGrowth = 1.5 // Of memory, in a row, and since the first one.
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
	writes    int // Of the room that got most; -1: not measured.
	attempts  int // As above.
	growth    float64
	size      float64 // Against the first row; 0: not measured, like growth.
	converged time.Duration
	broken    []string
}

// result judges the trial.
func (t *trial) result(took time.Duration, failed error) *result {
	r := &result{
		row: t.row.name, rate: testbed.BusiestSecond(t.calls.Times()), growth: t.vitals.growth(),
		converged: took, seen: t.summary(),
	}
	r.writes, r.attempts = most(t.writes), most(t.attempts)
	r.broken = append(r.broken, t.written()...)
	r.broken = append(r.broken, t.panics...)
	if t.restarts > t.row.restarts {
		r.broken = append(r.broken, fmt.Sprintf("%d restarts, not %d", t.restarts, t.row.restarts))
	}
	before, biggest := t.vitals.sizes()
	if t.firstSize == 0 {
		t.firstSize = before
	}
	if before > 0 {
		r.size = float64(biggest) / float64(t.firstSize)
	}
	if r.size > mostGrowth {
		r.broken = append(r.broken, fmt.Sprintf("memory grew to %.1f times since the first row", r.size))
	}
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
	for name, count := range t.attempts {
		if bound := mostAttempts(t.ended.Sub(t.began)); count > bound {
			lines = append(lines, fmt.Sprintf("%d attempts, not %d, to write %s", count, bound, name))
		}
	}
	return lines
}

// mostAttempts bounds how often a room is tried to be written while a fault lasts. Passes that fail at the API server
// are repeated after 100 ms and then twice as long each time; what is refused with 429 or 503, client-go repeats each
// second that these ask for.
func mostAttempts(lasted time.Duration) int {
	passes := 2 + int(math.Log2(1+lasted.Seconds()/0.1))
	return max(mostWrites*passes, mostWrites+int(lasted.Seconds()))
}

// most is the highest of counts; -1 if nothing was counted.
func most(counts map[string]int) int {
	if counts == nil {
		return -1
	}
	highest := 0
	for _, count := range counts {
		highest = max(highest, count)
	}
	return highest
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
	if t.restarts > 0 {
		text += fmt.Sprintf(", %d restarts", t.restarts)
	}
	return text
}

// wronglyDestroyed finds rooms that the operator destroyed while their ZimRooms declared them: not deleted, and not
// with another name than before. For each name one end is repeated, if nobody lived to write down that there was one.
func wronglyDestroyed(rooms []*room, calls testbed.Journal) []string {
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
		switch {
		case renames == 0:
			lines = append(lines, call.RoomID+" was destroyed although it is declared")
		case ends[call.RoomID] > 2*renames:
			lines = append(lines, fmt.Sprintf("%s was destroyed %d times for %d names", call.RoomID, ends[call.RoomID], renames))
		}
	}
	return lines
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
// call, or ZIM did: that once for each code. Another replica may look at once, too.
func hurried(rooms []*room, calls testbed.Journal) []string {
	type caller struct{ room, agent string }
	type subject struct {
		caller
		action string
	}
	byID, history, excused := byID(rooms), map[caller]testbed.Journal{}, map[subject][]int{}
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
		code, asked := asksForMore(past[before:], excused[about])
		if asked {
			excused[about] = append(excused[about], code)
		} else if !r.asksFor(past[before].Time, call.Time) {
			lines = append(lines, fmt.Sprintf("%s was called twice for %s within %s", call.RoomID, call.Action,
				apart.Round(time.Millisecond)))
		}
	}
	if len(lines) > 1 {
		return []string{fmt.Sprintf("%s, and so %d times", lines[0], len(lines))}
	}
	return lines
}

// asksForMore finds an answer to one of the calls for a room that asks for another call at once, and did not yet.
func asksForMore(calls testbed.Journal, excused []int) (code int, asked bool) {
	for _, call := range calls {
		if slices.Contains(freshTries, call.Code) && !slices.Contains(excused, call.Code) {
			return call.Code, true
		}
	}
	return 0, false
}

// asksFor tells whether a change explains a call soon after another one. It may be noticed late: the call before was
// under way, or the API server is slow.
func (r *room) asksFor(before, call time.Time) bool {
	return len(r.replaced) > 0 || slices.ContainsFunc(append(slices.Clip(r.asked), r.deleted),
		func(moment time.Time) bool { return moment.After(before.Add(-noticed)) && moment.Before(call) })
}

// agentReplica is the replica that a user agent ends with: see gateway.
func agentReplica(agent string) string {
	_, name, _ := strings.Cut(agent, " ")
	return name
}
