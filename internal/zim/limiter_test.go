package zim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// turns keeps the moments at which waiters got their turn.
type turns struct {
	mu sync.Mutex
	at []time.Time
}

func (r *turns) take(ctx context.Context, limiter *zim.Limiter) error {
	err := limiter.Wait(ctx)
	if err == nil {
		r.note()
	}
	return err
}

func (r *turns) note() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, time.Now())
}

// sorted returns the turns so far, the earliest first.
func (r *turns) sorted() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.Clone(r.at)
	slices.SortFunc(at, time.Time.Compare)
	return at
}

// crowd keeps so many waiters at the limiter until the context ends.
func (r *turns) crowd(ctx context.Context, limiter *zim.Limiter, size int) *sync.WaitGroup {
	var waiters sync.WaitGroup
	for range size {
		waiters.Go(func() {
			for r.take(ctx, limiter) == nil {
				continue
			}
		})
	}
	return &waiters
}

// within wants no sliding second with more turns than allowed.
func within(t *testing.T, at []time.Time, perSecond int) {
	t.Helper()
	atMost(t, at, perSecond, time.Second)
}

// atMost wants so many turns at most in any time that is so long.
func atMost(t *testing.T, at []time.Time, most int, long time.Duration) {
	t.Helper()
	for i := most; i < len(at); i++ {
		if span := at[i].Sub(at[i-most]); span < long {
			t.Fatalf("%d turns within %s, want at most %d in any %s", most+1, span, most, long)
		}
	}
}

func TestLimiterKeepsTheQuotaUnderRandomLoads(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				perSecond := []int{1, 2, 5, 20, 20, 20, 100, 10000}[random.IntN(8)]
				limiter, got := zim.NewLimiter(perSecond), &turns{}
				time.Sleep(time.Duration(random.Int64N(int64(time.Hour)))) // No claim grows with idleness.
				var waiters sync.WaitGroup
				for range 1 + random.IntN(50) {
					rest := time.Duration(random.Int64N(int64(3 * time.Second)))
					patience := time.Duration(random.Int64N(int64(5 * time.Second)))
					waiters.Go(func() {
						for range 20 {
							ctx, cancel := context.WithTimeout(t.Context(), patience)
							_ = got.take(ctx, limiter)
							cancel()
							time.Sleep(rest)
						}
					})
				}
				waiters.Wait()
				within(t, got.sorted(), perSecond)
			})
		})
	}
}

func TestLimiterUsesTheQuotaEvenly(t *testing.T) {
	for _, waiters := range []int{1, 2, 50} {
		t.Run(fmt.Sprint(waiters, " waiters"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const seconds = 60
				limiter, got := zim.NewLimiter(20), &turns{}
				ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
				defer cancel()
				got.crowd(ctx, limiter, waiters).Wait()

				at := got.sorted()
				within(t, at, 20)
				if rate := float64(len(at)) / seconds; rate < 18.5 {
					t.Errorf("%.1f turns a second, want at least 18.5 of 20", rate)
				}
				evenly(t, at, gapOf(20))
			})
		})
	}
}

// gapOf is the time between two turns at a rate.
func gapOf(perSecond int) time.Duration {
	return 1050 * time.Millisecond / time.Duration(perSecond)
}

// evenly wants the same time between any two turns, but for rounding.
func evenly(t *testing.T, at []time.Time, want time.Duration) {
	t.Helper()
	for i := 1; i < len(at); i++ {
		if pause := at[i].Sub(at[i-1]); (pause - want).Abs() > time.Microsecond {
			t.Fatalf("turn %d came %s after the one before, want %s", i, pause, want)
		}
	}
}

func TestLimiterSavesNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter, got := zim.NewLimiter(20), &turns{}
		for range 5 {
			var waiters sync.WaitGroup
			for range 25 {
				waiters.Go(func() { _ = got.take(t.Context(), limiter) })
			}
			waiters.Wait()
			time.Sleep(time.Hour)
		}
		at := got.sorted()
		within(t, at, 20)
		for first := 0; first < len(at); first += 25 {
			evenly(t, at[first:first+25], gapOf(20))
		}
	})
}

func TestLimiterTakesAnotherRateAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		before, after int
		// Turns that fit into the ten seconds after the change.
		wantMin, wantMax int
	}{
		"cut":            {20, 1, 9, 10},
		"raised":         {1, 20, 189, 194}, // Some are made up for.
		"raised by much": {1, 1000, 9490, 9530},
		"the same":       {20, 20, 189, 191},
		"below 1":        {20, 0, 9, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const span = 10 * time.Second
				limiter, got := zim.NewLimiter(tc.before), &turns{}
				ctx, cancel := context.WithTimeout(t.Context(), 3*span)
				defer cancel()
				waiters := got.crowd(ctx, limiter, 50)
				time.Sleep(span + 700*time.Millisecond)
				synctest.Wait()
				changed := time.Now()
				limiter.SetRate(tc.after)
				waiters.Wait()

				at := got.sorted()
				within(t, at, max(tc.before, tc.after))
				inSpan := 0
				for _, turn := range at {
					if turn.After(changed) && turn.Before(changed.Add(span)) {
						inSpan++
					}
				}
				if inSpan < tc.wantMin || inSpan > tc.wantMax {
					t.Errorf("%d turns in %s after the change, want %d to %d", inSpan, span, tc.wantMin, tc.wantMax)
				}
			})
		})
	}
}

// A rate that is set again and again, as each answer of an account may do, must not open the tap.
func TestLimiterKeepsTheQuotaWhileTheRateChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(7, 0))
		limiter, got := zim.NewLimiter(20), &turns{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		waiters := got.crowd(ctx, limiter, 50)
		for ctx.Err() == nil {
			limiter.SetRate(1 + random.IntN(20))
			time.Sleep(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
		}
		waiters.Wait()
		within(t, got.sorted(), 20)
		if len(got.sorted()) < 300 {
			t.Errorf("%d turns in a minute, want about half of the quota", len(got.sorted()))
		}
	})
}

// cancelledSoon gives contexts that are cancelled after 300 ms.
func cancelledSoon() func(context.Context) (context.Context, context.CancelFunc) {
	return func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(300*time.Millisecond, cancel)
		return ctx, cancel
	}
}

func overAfter(pause time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
	return func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, pause)
	}
}

func TestLimiterWaitEndsWithItsContext(t *testing.T) {
	for name, tc := range map[string]struct {
		context   func(context.Context) (context.Context, context.CancelFunc)
		ahead     int
		wantErr   error
		wantAfter time.Duration
	}{
		"over already": {
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return ctx, cancel
			},
			0, context.Canceled, 0,
		},
		"cancelled": {cancelledSoon(), 0, context.Canceled, 300 * time.Millisecond},
		"cancelled further back in the line": {
			cancelledSoon(), 5, context.Canceled, 300 * time.Millisecond,
		},
		"ends before the turn": {
			overAfter(300 * time.Millisecond), 0, context.DeadlineExceeded, 0, // Known at once.
		},
		"ends further back in the line": {
			overAfter(300 * time.Millisecond), 5, context.DeadlineExceeded, 300 * time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := zim.NewLimiter(1)
				if err := limiter.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				for range tc.ahead {
					go func() { _ = limiter.Wait(t.Context()) }()
				}
				synctest.Wait()
				start := time.Now()
				ctx, cancel := tc.context(t.Context())
				defer cancel()
				if err := limiter.Wait(ctx); !errors.Is(err, tc.wantErr) {
					t.Errorf("Wait() = %v, want %v", err, tc.wantErr)
				}
				equal(t, "time until Wait returned", time.Since(start), tc.wantAfter)
			})
		})
	}
}

// Whoever gives up leaves the line, wherever in it, and the others get their turns as if nobody had been there.
func TestLimiterLosesNoTurnToThoseWhoGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter, got := zim.NewLimiter(20), &turns{}
		leaving, leave := context.WithCancel(t.Context())
		var waiters sync.WaitGroup
		for i := range 100 {
			ctx := t.Context()
			if i%2 == 1 {
				ctx = leaving
			}
			waiters.Go(func() {
				if err := got.take(ctx, limiter); err != nil && ctx != leaving {
					t.Errorf("Wait() = %v, want no error", err)
				}
			})
			synctest.Wait()
		}
		time.Sleep(120 * time.Millisecond) // Three turns and a bit: the next is one of those who leave.
		leave()
		waiters.Wait()
		at := got.sorted()
		within(t, at, 20)
		evenly(t, at, gapOf(20))
		if len(at) > 53 || len(at) < 50 {
			t.Errorf("%d turns, want those of the 50 who stayed and at most three more", len(at))
		}
	})
}

func TestLimiterLosesNoTurnToThoseWhoCannotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter, got := zim.NewLimiter(1), &turns{}
		_ = got.take(t.Context(), limiter)
		for range 100 {
			ctx, cancel := overAfter(300 * time.Millisecond)(t.Context())
			if got.take(ctx, limiter) == nil {
				t.Error("a turn came before its time")
			}
			cancel()
		}
		_ = got.take(t.Context(), limiter)
		evenly(t, got.sorted(), gapOf(1))
	})
}
