package zim

import (
	"context"
	"sync"
	"time"
)

// Limiter paces the calls of one account evenly, and slows down when ZIM refuses calls all the same. ZIM's limit is
// per AppID; the vendor does not say whether it is per action too, so all actions share one. It is safe for
// concurrent use.
//
// https://www.zegocloud.com/docs/zim-server/room/create-a-room ("QPS limit")
type Limiter struct {
	// gate is held by the waiter who is next, so that waiters are let go one by one.
	gate chan struct{}

	mu      sync.Mutex
	pace    pace
	changed chan struct{} // Closed when the rate changes.
}

// Pace is what a Limiter does at present.
type Pace struct {
	// Allowed is the number of calls that may be made in a second.
	Allowed int
	// Present is the number of calls a second that leave if there are enough, Full the same while ZIM refuses none.
	Present, Full float64
	// BelowSince is when ZIM began to refuse calls, so that Present is below Full; zero if it is not.
	BelowSince time.Time
}

// NewLimiter returns a limiter for an allowance of so many requests a second, at least 1.
func NewLimiter(requestsPerSecond int) *Limiter {
	return &Limiter{
		gate:    make(chan struct{}, 1),
		pace:    pace{allowed: max(1, requestsPerSecond)},
		changed: make(chan struct{}),
	}
}

// SetRate changes the allowance at once, for those who wait as well. What was learnt from refused calls is forgotten.
func (l *Limiter) SetRate(requestsPerSecond int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pace.allowed == max(1, requestsPerSecond) {
		return
	}
	l.pace.allow(requestsPerSecond)
	l.notifyWaiter()
}

// Refused slows the account down, because ZIM refused a call with its frequency limit that left at a moment.
func (l *Limiter) Refused(leftAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pace.refuse(leftAt, time.Now()) {
		l.notifyWaiter()
	}
}

// Pace returns what the limiter does at present.
func (l *Limiter) Pace() Pace {
	l.mu.Lock()
	defer l.mu.Unlock()
	present := Pace{Allowed: l.pace.allowed, Present: l.pace.rate(time.Now()), Full: l.pace.fullRate()}
	if present.Present < present.Full {
		present.BelowSince = l.pace.belowSince
	}
	return present
}

// Wait returns when it is the caller's turn to send one call. It fails with the context's error when the context ends
// before that, or is known to.
func (l *Limiter) Wait(ctx context.Context) error {
	_, err := l.wait(ctx)
	return err
}

// wait is Wait, and returns the moment of the turn, to be told with called.
func (l *Limiter) wait(ctx context.Context) (turn time.Time, err error) {
	if err := l.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer l.leave()
	return l.waitForTurn(ctx)
}

// called notes that the call that has a turn leaves now. If it could not right away, the next ones keep their distance.
func (l *Limiter) called(turn time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pace.leave(turn, time.Now())
}

// enter takes the gate.
func (l *Limiter) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case l.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Limiter) leave() {
	<-l.gate
}

// waitForTurn waits for the next turn of all, takes it, and returns its moment. Its caller holds the gate.
func (l *Limiter) waitForTurn(ctx context.Context) (turn time.Time, err error) {
	for {
		now := time.Now()
		delay, changed := l.tryTake(now)
		if delay <= 0 {
			return now, nil
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
			return time.Time{}, context.DeadlineExceeded
		}
		if err := sleep(ctx, delay, changed); err != nil {
			return time.Time{}, err
		}
	}
}

// tryTake takes the next turn if its time has come. If not, it returns how long that takes, unless the rate changes.
func (l *Limiter) tryTake(now time.Time) (delay time.Duration, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if delay = l.pace.due(now).Sub(now); delay <= 0 {
		l.pace.take(now)
	}
	return delay, l.changed
}

// notifyWaiter needs the lock.
func (l *Limiter) notifyWaiter() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// sleep returns after a time, or earlier when something is closed. It fails when the context ends before.
func sleep(ctx context.Context, delay time.Duration, closed <-chan struct{}) error {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
