package controllers

import (
	"math"
	"sync"
	"time"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// leastVerificationShare of an account's rate is left to verification, however often rooms die: that of the lower
// lanes.
const leastVerificationShare = 1.0 / lowerLanesTurn

// stretchSteps is in how many steps intervals are stretched from one multiple to the next. Finer ones would move the
// slots of all rooms with every room that comes or goes.
const stretchSteps = 4

// demand is what a room asks of its account when nobody changes anything.
type demand struct {
	account zim.Account
	// verification and deaths are calls a day: to look at it, and to create it again because nobody enters it.
	verification, deaths int64
}

// demandOf returns what a room asks for that is verified once in an interval with so many calls.
func demandOf(account zim.Account, interval time.Duration, calls int, live *zimv1alpha1.RoomStatus) demand {
	asks := demand{account: account}
	if interval <= 0 {
		return asks
	}
	const day = 24 * time.Hour
	asks.verification = int64(calls) * int64(day/interval)
	// A room that has died before is one that nobody enters, as far as one can tell.
	if delay := live.DestroyDelay.Duration; live.Recreations > 0 && delay >= shortestPredictedDelay {
		asks.deaths = int64(day / delay)
	}
	return asks
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
// takes no more than its share of the calls a second that leave at present: at least 1.
func (w *workload) stretch(account zim.Account, present float64) float64 {
	w.mu.Lock()
	sum := w.accounts[account]
	w.mu.Unlock()
	const secondsOfDay = 24 * 60 * 60
	verification, deaths := float64(sum.verification)/secondsOfDay, float64(sum.deaths)/secondsOfDay
	share := min(present-deaths, present*verificationShare)
	share = max(share, present*leastVerificationShare)
	if share <= 0 || verification <= share {
		return 1
	}
	return math.Ceil(verification/share*stretchSteps) / stretchSteps
}
