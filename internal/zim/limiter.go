package zim

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// usableShare of the allowed rate is sent. ZIM counts over a sliding second; the rest is room for the jitter of the
// network, which would otherwise bring a 21st call into one second.
const usableShare = 0.95

// Limiter paces the calls of one account evenly. ZIM's limit is per AppID; the vendor does not say whether it is per
// action too, so all actions share one. It is safe for concurrent use.
//
// https://www.zegocloud.com/docs/zim-server/room/create-a-room ("QPS limit")
type Limiter struct {
	pace *rate.Limiter
	// gate is held by the waiter who is next. Nobody else has a turn reserved, so a new rate is at once that of all.
	gate chan struct{}

	mu      sync.Mutex
	changed chan struct{} // Closed when the rate changes.
}

// NewLimiter returns a limiter for an allowance of so many requests a second, at least 1.
func NewLimiter(requestsPerSecond int) *Limiter {
	return &Limiter{
		// Burst 1: with a bucket of 20, the worst second would see 39 calls.
		pace:    rate.NewLimiter(pacedRate(requestsPerSecond), 1),
		gate:    make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
}

// SetRate changes the allowance at once, for those who wait as well.
func (l *Limiter) SetRate(requestsPerSecond int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit := pacedRate(requestsPerSecond)
	if l.pace.Limit() == limit {
		return
	}
	l.pace.SetLimit(limit)
	close(l.changed)
	l.changed = make(chan struct{})
}

// Wait returns when it is the caller's turn to send one call. It fails with the context's error when the context ends
// before that, or is known to.
func (l *Limiter) Wait(ctx context.Context) error {
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return l.waitForTurn(ctx)
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

// waitForTurn waits for the next turn of all. Its caller holds the gate.
func (l *Limiter) waitForTurn(ctx context.Context) error {
	for {
		if isTurn, err := l.waitAtGate(ctx); isTurn || err != nil {
			return err
		}
	}
}

// waitAtGate returns false if the rate has changed meanwhile.
func (l *Limiter) waitAtGate(ctx context.Context) (isTurn bool, err error) {
	l.mu.Lock()
	changed := l.changed
	l.mu.Unlock()
	turn := l.pace.Reserve()
	delay := turn.Delay()
	if delay == 0 {
		return true, nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < delay {
		turn.Cancel()
		return false, context.DeadlineExceeded
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-changed:
		turn.Cancel()
		return false, nil
	case <-ctx.Done():
		turn.Cancel()
		return false, ctx.Err()
	}
}

func pacedRate(requestsPerSecond int) rate.Limit {
	return rate.Limit(float64(max(requestsPerSecond, 1)) * usableShare)
}
