package zim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// takeTogether takes turns, and spends them one after the other.
func (r *turns) takeTogether(ctx context.Context, limiter *zim.Limiter, count int) error {
	taken, err := limiter.TakeTurns(ctx, count)
	if err != nil {
		return err
	}
	for range count {
		if err := taken.Wait(ctx); err != nil {
			return err
		}
		r.mu.Lock()
		r.at = append(r.at, time.Now())
		r.mu.Unlock()
	}
	return nil
}

func TestTurnsTakenTogetherKeepTheQuota(t *testing.T) {
	for _, perSecond := range []int{1, 2, 3, 5, 20, 100} {
		t.Run(fmt.Sprint(perSecond, " a second"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const seconds = 300
				limiter, got := zim.NewLimiter(perSecond), &turns{}
				ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
				defer cancel()
				waiters := got.crowd(ctx, limiter, 50)
				together := 0
				for range 5 {
					waiters.Go(func() {
						for got.takeTogether(ctx, limiter, 3) == nil {
							continue
						}
					})
				}
				single := &turns{}
				waiters.Go(func() {
					for single.takeTogether(ctx, limiter, 3) == nil {
						together++
						got.mu.Lock()
						got.at = append(got.at, single.at[len(single.at)-3:]...)
						got.mu.Unlock()
					}
				})
				waiters.Wait()

				at := got.sorted()
				withinTogether(t, at, perSecond)
				if together == 0 {
					t.Error("whoever takes turns together starves")
				}
				if rate := float64(len(at)) / seconds; rate < 0.9*float64(perSecond) {
					t.Errorf("%.1f turns a second, want at least nine tenths of %d", rate, perSecond)
				}
			})
		})
	}
}

// withinTogether is within for turns of which some were taken together. Of an account that is allowed one call a second
// the first two of those leave together, and so does one call more than allowed, in however many seconds.
func withinTogether(t *testing.T, at []time.Time, perSecond int) {
	t.Helper()
	if perSecond > 1 {
		within(t, at, perSecond)
		return
	}
	for seconds := 1; seconds <= 10; seconds++ {
		atMost(t, at, seconds+1, time.Duration(seconds)*time.Second)
	}
}

// Turns that come late are made up for, and the first of several waits for the second: the quota holds all the same.
func TestTurnsTakenTogetherKeepTheQuotaUnderRandomLoads(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				perSecond := []int{1, 2, 3, 5, 20}[seed%5]
				limiter, got := zim.NewLimiter(perSecond), &turns{}
				var waiters sync.WaitGroup
				for range 6 {
					own := rand.New(rand.NewPCG(random.Uint64(), 0))
					waiters.Go(func() {
						for range 100 {
							if err := got.takeTogether(t.Context(), limiter, 1+own.IntN(3)); err != nil {
								t.Error(err)
							}
							time.Sleep(time.Duration(own.Int64N(int64(20 * gapOf(perSecond)))))
						}
					})
				}
				waiters.Wait()
				withinTogether(t, got.sorted(), perSecond)
			})
		})
	}
}

// What the first call found out must still be true when the second leaves, on the slowest account too.
func TestTurnsTakenTogetherStayTogether(t *testing.T) {
	for _, perSecond := range []int{0, 1, 2, 3, 20, 10000} {
		for _, ahead := range []int{0, 3} {
			t.Run(fmt.Sprint(perSecond, " a second, ", ahead, " ahead"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					limiter, got := zim.NewLimiter(perSecond), &turns{}
					for range ahead {
						go func() { _ = limiter.Wait(t.Context()) }()
					}
					synctest.Wait()
					if err := got.takeTogether(t.Context(), limiter, 3); err != nil {
						t.Fatal(err)
					}
					pause := gapOf(max(perSecond, 1))
					want := min(pause, 520*time.Millisecond)
					if first := got.at[1].Sub(got.at[0]); (first - want).Abs() > time.Microsecond {
						t.Errorf("the second turn came %s after the first, want %s", first, want)
					}
					if second := got.at[2].Sub(got.at[1]); (second - pause).Abs() > time.Microsecond {
						t.Errorf("the third turn came %s after the second, want %s", second, pause)
					}

					_ = got.take(t.Context(), limiter)
					if next := got.at[3].Sub(got.at[2]); (next - pause).Abs() > time.Microsecond {
						t.Errorf("the next in line came %s after the third turn, want %s", next, pause)
					}
				})
			})
		}
	}
}

func TestOneTurnIsLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter, got := zim.NewLimiter(1), &turns{}
		for range 5 {
			if err := got.takeTogether(t.Context(), limiter, 1); err != nil {
				t.Fatal(err)
			}
		}
		evenly(t, got.sorted(), gapOf(1))
	})
}

func TestTurnsEndWithTheirContext(t *testing.T) {
	t.Run("before they are taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limiter := zim.NewLimiter(1)
			_ = limiter.Wait(t.Context())
			start := time.Now()
			ctx, cancel := cancelledSoon()(t.Context())
			defer cancel()
			if _, err := limiter.TakeTurns(ctx, 3); !errors.Is(err, context.Canceled) {
				t.Errorf("TakeTurns() = %v, want %v", err, context.Canceled)
			}
			equal(t, "time until TakeTurns returned", time.Since(start), 300*time.Millisecond)
			// Nothing of it is left: the next turn is the one that it would have got.
			if err := limiter.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start); waited > 1053*time.Millisecond {
				t.Errorf("the next in line waited %s for turns that nobody has", waited)
			}
		})
	})
	t.Run("while they are waited for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limiter := zim.NewLimiter(1)
			taken, err := limiter.TakeTurns(t.Context(), 3)
			if err != nil {
				t.Fatal(err)
			}
			_ = taken.Wait(t.Context())
			start := time.Now()
			ctx, cancel := cancelledSoon()(t.Context())
			defer cancel()
			if err := taken.Wait(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Wait() = %v, want %v", err, context.Canceled)
			}
			equal(t, "time until Wait returned", time.Since(start), 300*time.Millisecond)
		})
	})
	t.Run("when their time has come already", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			taken, err := zim.NewLimiter(20).TakeTurns(t.Context(), 2)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for range 3 { // The last finds none left.
				if err := taken.Wait(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("Wait() = %v, want %v", err, context.Canceled)
				}
			}
		})
	})
}

func TestTurnsThatAreSpentDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken, err := zim.NewLimiter(1).TakeTurns(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for _, spent := range []*zim.Turns{nil, taken, taken, taken} {
			if err := spent.Wait(t.Context()); err != nil {
				t.Errorf("Wait() = %v, want no error", err)
			}
		}
		equal(t, "time waited", time.Since(start), 0)
	})
}

// A call whose turn was taken before waits for no other.
func TestUnpacedCallsLeaveAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := zim.NewLimiter(1)
		httpClient := zim.NewHTTPClient()
		httpClient.Transport = transportFunc(func(request *http.Request) (*http.Response, error) {
			body := io.NopCloser(strings.NewReader(`{"Code":0}`))
			return &http.Response{StatusCode: http.StatusOK, Body: body, Request: request}, nil
		})
		client := newClient(t, "https://zim-api.zego.im", httpClient, func(config *zim.Config) { config.Limiter = limiter })
		if err := limiter.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 3 {
			if err := client.Unpaced().DestroyRoom(t.Context(), "room"); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "time that unpaced calls waited", time.Since(start), 0)
		if err := client.DestroyRoom(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
		equal(t, "time that the next other call waited", time.Since(start), gapOf(1))
	})
}
