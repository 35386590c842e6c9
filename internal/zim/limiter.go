package zim

import (
	"context"

	"golang.org/x/time/rate"
)

// usableShare of the allowed rate is sent. ZIM counts over a sliding second; the rest is room for the jitter of the network,
// which would otherwise bring a 21st call into one second.
const usableShare = 0.95

// Limiter paces the calls of one account evenly. ZIM's limit is per AppID; the vendor does not say whether it is per action
// too, so all actions share one. It is safe for concurrent use.
//
// https://www.zegocloud.com/docs/zim-server/room/create-a-room ("QPS limit")
type Limiter struct {
	pace *rate.Limiter
}

// NewLimiter returns a limiter for an allowance of so many requests a second.
func NewLimiter(requestsPerSecond int) *Limiter {
	// Burst 1: with a bucket of 20, the worst second would see 39 calls.
	return &Limiter{pace: rate.NewLimiter(pacedRate(requestsPerSecond), 1)}
}

// SetRate changes the allowance from the next call on.
func (l *Limiter) SetRate(requestsPerSecond int) {
	if limit := pacedRate(requestsPerSecond); l.pace.Limit() != limit {
		l.pace.SetLimit(limit)
	}
}

// Wait returns when it is the caller's turn to send one call. It fails when the context ends, or would end, before that.
func (l *Limiter) Wait(ctx context.Context) error {
	return l.pace.Wait(ctx)
}

func pacedRate(requestsPerSecond int) rate.Limit {
	return rate.Limit(float64(requestsPerSecond) * usableShare)
}
