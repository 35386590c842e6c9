package main

import (
	"fmt"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// expectation tells whether a fault was met at all: a row without its fault proves nothing. It returns what is missing;
// empty: nothing.
type expectation func(t *trial) (missing string)

// unmet says that the fault was not met.
func (t *trial) unmet() []string {
	if t.row.met == nil {
		return nil
	}
	if missing := t.row.met(t); missing != "" {
		return []string{"the fault was not met: " + missing}
	}
	return nil
}

// during are the operator's calls while the fault lasted, but for those that were under way for some time.
func (t *trial) during(underWay time.Duration) testbed.Journal {
	return t.calls.Where(func(c *zimsim.Call) bool {
		return c.Time.After(t.began.Add(underWay)) && c.Time.Before(t.ended)
	})
}

// callsWereHit is for faults of the simulator's.
func callsWereHit(t *trial) string {
	if len(t.calls.Where(func(c *zimsim.Call) bool { return c.Fault != "" })) == 0 {
		return "no call was hit"
	}
	return ""
}

// callsWereAnswered is for what makes ZIM answer a code by itself.
func callsWereAnswered(code int) expectation {
	return func(t *trial) string {
		if len(t.calls.Where(func(c *zimsim.Call) bool { return c.Code == code })) == 0 {
			return fmt.Sprintf("no call was answered %d", code)
		}
		return ""
	}
}

// noCallsArrived is for what keeps all calls from ZIM.
func noCallsArrived(t *trial) string {
	const underWay = time.Second
	if calls := t.during(underWay); len(calls) > 0 {
		return fmt.Sprintf("%d calls arrived, the last %s after it began", len(calls),
			seconds(calls[len(calls)-1].Time.Sub(t.began)))
	}
	return ""
}

// fewCallsArrived is for what keeps most calls from ZIM: fewer arrive than half of the verifications alone.
func fewCallsArrived(t *trial) string {
	usual := len(t.steady) * int(t.ended.Sub(t.began)/interval)
	if calls := t.during(0); len(calls) > usual/2 {
		return fmt.Sprintf("%d calls arrived", len(calls))
	}
	return ""
}

// requestsWereRefused is for refusals of the API server's.
func requestsWereRefused(t *trial) string {
	if t.refused == 0 {
		return "no request was refused"
	}
	return ""
}

// aProcessEnded is for what no leader survives.
func aProcessEnded(t *trial) string {
	if t.restarts == 0 {
		return "no process ended"
	}
	return ""
}

// watchesBegan is for watches that are cut.
func watchesBegan(t *trial) string {
	if t.watches == 0 {
		return "no watch began anew"
	}
	return ""
}

// roomsWereMeddledWith is for objects that others change.
func roomsWereMeddledWith(t *trial) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.meddled) == 0 {
		return "no object was changed"
	}
	return ""
}

// roomsWereNoticedLate is for an API server that is slow: no new room is called for before some time has passed.
func roomsWereNoticedLate(soonest time.Duration) expectation {
	return func(t *trial) string {
		called := t.calls.FirstByRoom()
		for _, r := range t.fresh {
			if first, any := called[r.object.Spec.ID]; any && first.Sub(r.asked[0]) < soonest {
				return fmt.Sprintf("%s was called for within %s", r.object.Spec.ID, seconds(first.Sub(r.asked[0])))
			}
		}
		return ""
	}
}
