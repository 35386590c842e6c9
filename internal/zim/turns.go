package zim

import (
	"context"
	"time"
)

// turnsGap is the longest time between the first and the second of several turns that were taken together. On a slow
// account the first waits for the second, so that what the first call found out is still true when the second leaves.
const turnsGap = 400 * time.Millisecond

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
	turns := &Turns{due: []time.Time{now}}
	for range count - 1 {
		turns.due = append(turns.due, l.takeNext())
	}
	if count > 1 {
		if first := turns.due[1].Add(-turnsGap); first.After(now) {
			turns.due[0] = first
		}
	}
	return turns, nil
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
