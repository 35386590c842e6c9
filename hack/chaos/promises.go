package main

import (
	"fmt"
	"slices"
	"time"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	// mostGrowth is how much memory a process may take in the end, against the beginning of the row and of the first row.
	mostGrowth = 1.5
	// arrivalJitter is how many calls may arrive in a second above those that may leave: some are held up on their way
	// by new connections and a busy machine, those behind them are not.
	arrivalJitter = 2
)

// result is what became of a row.
type result struct {
	row       string
	seen      string
	rate      int // For the account that got most.
	leaders   int // As in row.
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
		row: t.row.name, seen: t.summary(), converged: took, rate: busiestSecond(t.calls), leaders: t.row.leaders,
		writes: most(t.writes), attempts: most(t.attempts), growth: t.vitals.growth(), size: t.vitals.size(),
	}
	if failed != nil {
		r.broken = append(r.broken, failed.Error())
	}
	r.broken = slices.Concat(r.broken, t.unmet(), t.panics, r.excesses(), t.ends(), t.written(),
		wronglyDestroyed(t.rooms(), t.calls, t.mayRepeatEnd), t.survivors.harmed(t.after.live), t.takenOver())
	if !t.row.lives {
		r.broken = append(r.broken, hurried(t.single(), t.calls, t.row.hides)...)
	}
	if t.row.judge != nil {
		seen, broken := t.row.judge(t)
		r.seen += "; " + seen
		r.broken = append(r.broken, broken...)
	}
	return r
}

// excesses finds figures that are too high.
func (r *result) excesses() (broken []string) {
	if r.rate > max(1, r.leaders)*requestsPerSecond+arrivalJitter {
		broken = append(broken, fmt.Sprintf("%d calls in a second for an account", r.rate))
	}
	if r.growth > mostGrowth {
		broken = append(broken, fmt.Sprintf("memory grew to %.1f times", r.growth))
	}
	if r.size > mostGrowth {
		broken = append(broken, fmt.Sprintf("memory grew to %.1f times since the first row", r.size))
	}
	return broken
}

// busiestSecond is the most calls that arrived in a second for an account: the quota is one of each.
func busiestSecond(calls testbed.Journal) (most int) {
	accounts := map[uint32]testbed.Journal{}
	for _, call := range calls {
		accounts[call.AppID] = append(accounts[call.AppID], call)
	}
	for _, account := range accounts {
		most = max(most, testbed.BusiestSecond(account.Times()))
	}
	return most
}

// ends finds ends of processes that the fault gives no reason to, and what a kubelet would have ended them for; and
// ways out of the machine.
func (t *trial) ends() (broken []string) {
	if t.restarts > t.row.restarts {
		broken = append(broken, fmt.Sprintf("%d restarts, not %d", t.restarts, t.row.restarts))
	}
	if ill := t.vitals.illness(); ill != "" {
		broken = append(broken, "liveness failed: "+ill)
	}
	for _, replica := range t.replicas {
		if replica.gateway.elsewhere.Load() > 0 {
			broken = append(broken, "a host was called that is not ZIM's")
		}
	}
	return broken
}

// takenOver finds rooms of which the operator does not know any more that it created them. A process that ends between
// a call and the writing down of its answer may leave such rooms behind.
func (t *trial) takenOver() (lines []string) {
	if t.row.lives || t.restarts > 0 {
		return nil
	}
	for _, r := range t.rooms() {
		object := t.after.objects[r.object.Name]
		if !r.isDeclared() || r.mayBeAdopted || object == nil || object.Status.Room == nil {
			continue // Of what should be there and is not, others tell.
		}
		if origin := object.Status.Room.Origin; origin != zimv1alpha1.RoomOriginCreated {
			lines = append(lines, fmt.Sprintf("%s is %s, although the operator created it", object.Name, origin))
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
	if t.restarts > 0 {
		text += fmt.Sprintf(", %d restarts", t.restarts)
	}
	return text
}
