package zim

import (
	"context"
	"time"
)

// turnsGap is the longest time between the first and the second of several turns that were taken together. On a slow
// account the first waits for the second, so that what the first call found out is still true when the second leaves.
// It lets two calls leave in a guarded second: an account that is allowed a single one exceeds that here, because an
// answer that is older than a second is worth nothing.
const turnsGap = guardedSecond / 2

// Turns are turns of an account that were taken together, for calls of which none should be sent without the others.
// They are for one goroutine.
type Turns struct {
	due []time.Time
}

// TakeTurns returns so many turns; Wait then waits for each. It fails like Limiter.Wait.
func (l *Limiter) TakeTurns(ctx context.Context, count int) (*Turns, error) {
	if err := l.enter(ctx); err != nil {
		return nil, err
	}
	defer l.leave()
	now, err := l.waitForTurn(ctx)
	if err != nil {
		return nil, err
	}
	return &Turns{due: l.takeFollowing(now, count-1)}, nil
}

// takeFollowing takes so many more turns than one that was taken now, before their time, and returns all. It puts the
// first off until it is turnsGap before the second; whoever comes next keeps the distance from when they leave.
func (l *Limiter) takeFollowing(now time.Time, count int) []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := []time.Time{now}
	for range count {
		next := l.pace.due(now)
		if len(due) == 1 {
			due[0] = later(now, next.Add(-turnsGap))
			l.pace.leave(now, due[0])
		}
		l.pace.take(next)
		due = append(due, next)
	}
	return due
}

// Wait returns when it is time for the next of the turns. It fails when the context ends before that. With no turns
// left, or nil Turns, it does not wait.
func (t *Turns) Wait(ctx context.Context) error {
	if t == nil || len(t.due) == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(time.Until(t.due[0]))
	defer timer.Stop()
	t.due = t.due[1:]
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TakeTurns takes several turns of the client's account together; send the calls through Unpaced. It fails with an
// Error when the context ends before that.
func (c *Client) TakeTurns(ctx context.Context, count int) (*Turns, error) {
	if c.config.Limiter == nil {
		return nil, nil //nolint:nilnil // Nil Turns never wait.
	}
	turns, err := c.config.Limiter.TakeTurns(ctx, count)
	if err != nil {
		return nil, &Error{Class: ClassTransient, Failure: FailureNoTurn, cause: ctx.Err()}
	}
	return turns, nil
}

// Unpaced returns a client for calls whose turns were taken before: it sends at once, and once, whatever ZIM answers.
func (c *Client) Unpaced() *Client {
	unpaced := *c
	unpaced.unpaced = true
	return &unpaced
}
