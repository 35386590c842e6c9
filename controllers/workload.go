package controllers

import (
	"math"
	"sync"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// leastVerificationShare of an account's rate is left to verification, however often rooms die: that of the lower
// lanes.
const leastVerificationShare = 1.0 / lowerLanesTurn

// stretchSteps is in how many steps intervals are stretched from one multiple to the next. Finer ones would move the
// slots of all rooms with every room that comes or goes.
const stretchSteps = 4

// roundingError is what a step may be missed by: rates are no round numbers, and 7.000000001 steps are 7.
const roundingError = 1e-9

// demand is what a room asks of its account when nobody changes anything.
type demand struct {
	account zim.Account
	// verification and deaths are calls a day: to look at it, and to create it again because nobody enters it.
	verification, deaths int64
}

// demandOf returns what a room asks for that is verified once in an interval with so many calls.
func demandOf(account zim.Account, interval time.Duration, calls int) demand {
	asks := demand{account: account}
	if interval > 0 {
		asks.verification = int64(calls) * int64(24*time.Hour/interval)
	}
	return asks
}

// steadyRate is the calls a second by which intervals are planned: those that leave at present, but what ZIM has begun
// to refuse only a moment ago it may take again in the next.
func steadyRate(pace zim.Pace, now time.Time) float64 {
	if isRefusing(pace, now) {
		return pace.Present
	}
	return pace.Full
}

// isRefusing tells whether ZIM has been refusing calls for so long that more than one refusal must be the cause.
func isRefusing(pace zim.Pace, now time.Time) bool {
	return !pace.BelowSince.IsZero() && now.Sub(pace.BelowSince) >= pressureDelay
}

// workload adds up what the rooms of each account ask for. It is safe for concurrent use.
type workload struct {
	mu       sync.Mutex
	accounts map[zim.Account]demand
}

func newWorkload() *workload {
	return &workload{accounts: map[zim.Account]demand{}}
}

// change replaces what a room asked for. Either may be zero.
func (w *workload) change(before, after demand) {
	if before == after {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(before, -1)
	w.add(after, 1)
}

// add needs the lock.
func (w *workload) add(asks demand, sign int64) {
	if asks == (demand{}) {
		return
	}
	sum := w.accounts[asks.account]
	sum.verification += sign * asks.verification
	sum.deaths += sign * asks.deaths
	if sum == (demand{}) {
		delete(w.accounts, asks.account)
		return
	}
	w.accounts[asks.account] = sum
}

// stretch returns how many times longer than declared the intervals of an account's rooms are, so that verification
// takes no more than its share of so many calls a second: at least 1.
func (w *workload) stretch(account zim.Account, rate float64) float64 {
	verification, deaths := w.asked(account)
	share := min(rate-deaths, rate*verificationShare)
	share = max(share, rate*leastVerificationShare)
	if share <= 0 || verification <= share {
		return 1
	}
	return math.Ceil(verification/share*stretchSteps-roundingError) / stretchSteps
}

// asked returns the calls a second that an account's rooms ask for at the intervals that they declare, and those for
// creating rooms again that nobody enters.
func (w *workload) asked(account zim.Account) (verification, deaths float64) {
	const secondsOfDay = 24 * 60 * 60
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := w.accounts[account]
	return float64(sum.verification) / secondsOfDay, float64(sum.deaths) / secondsOfDay
}
