package zim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// quota is ZIM's side of an account: so many calls in any sliding second.
type quota struct {
	perSecond int
	// countRefused: refused calls count like others.
	countRefused bool

	mu     sync.Mutex
	seen   []time.Time
	closed bool // Everything is refused.
}

// close has everything refused, or ends that.
func (q *quota) close(closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = closed
}

// admit tells whether a call that arrives now is carried out.
func (q *quota) admit() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.seen) > 0 && now.Sub(q.seen[0]) >= time.Second {
		q.seen = q.seen[1:]
	}
	admitted := !q.closed && len(q.seen) < q.perSecond
	if admitted || q.countRefused {
		q.seen = append(q.seen, now)
	}
	return admitted
}

// callers call through a limiter all the time, as the passes of an account with much to do, and keep when their calls
// arrived.
type callers struct {
	limiter *zim.Limiter
	quota   *quota
	// latency is that of a call there and back, up to this much more or less than 30 ms.
	jitter time.Duration

	mu              sync.Mutex
	random          *rand.Rand
	carriedOut, not []time.Time
}

// start lets so many callers call until the test ends.
func (c *callers) start(t *testing.T, count int) {
	t.Helper()
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	for range count {
		all.Go(func() {
			for c.call(t.Context()) {
				continue
			}
		})
	}
}

func (c *callers) call(ctx context.Context) bool {
	if c.limiter.Wait(ctx) != nil {
		return false
	}
	left := time.Now()
	time.Sleep(c.halfway())
	arrived, admitted := time.Now(), c.quota.admit()
	time.Sleep(c.halfway())
	if !admitted {
		c.limiter.Refused(left)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if admitted {
		c.carriedOut = append(c.carriedOut, arrived)
	} else {
		c.not = append(c.not, arrived)
	}
	return ctx.Err() == nil
}

func (c *callers) halfway() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	latency := 30*time.Millisecond - c.jitter
	if c.jitter > 0 {
		latency += time.Duration(c.random.Int64N(int64(2 * c.jitter)))
	}
	return latency / 2
}

// since returns the calls a second that were carried out since a moment, and the share of calls that were refused.
func (c *callers) since(from time.Time) (perSecond, refused float64) {
	good, bad := c.countSince(from)
	return good / time.Since(from).Seconds(), bad / max(1, good+bad)
}

// countSince returns how many calls were carried out since a moment, and how many were refused.
func (c *callers) countSince(from time.Time) (carriedOut, refused float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := func(at []time.Time) (n float64) {
		for _, moment := range at {
			if !moment.Before(from) {
				n++
			}
		}
		return n
	}
	return count(c.carriedOut), count(c.not)
}

// competitor is another client of the AppID that knows no limiter. It calls so often a second, each time up to a
// twentieth early or late, until it is stopped. It returns the share of its calls that were refused.
func competitor(random *rand.Rand, quota *quota, perSecond float64) (stop func() (refused float64)) {
	done, over := make(chan struct{}), make(chan struct{})
	calls, refused := 0.0, 0.0
	go func() {
		defer close(over)
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(float64(time.Second) / perSecond * (0.95 + 0.1*random.Float64()))):
				calls++
				if !quota.admit() {
					refused++
				}
			}
		}
	}()
	return func() float64 {
		close(done)
		<-over
		return refused / max(1, calls)
	}
}

// Whatever the network does and whoever else calls: nearly all that is left of the quota is used, and few calls are
// refused, the other client's included.
func TestLimiterSharesTheQuotaWithOthers(t *testing.T) {
	for _, countRefused := range []bool{false, true} {
		for _, others := range []float64{0, 3, 5, 10, 12, 15} {
			t.Run(fmt.Sprintf("%v a second, refused calls count: %v", others, countRefused), func(t *testing.T) {
				for seed := range uint64(4) {
					synctest.Test(t, func(t *testing.T) { shareQuota(t, seed, others, countRefused) })
				}
			})
		}
	}
}

func shareQuota(t *testing.T, seed uint64, others float64, countRefused bool) {
	t.Helper()
	const perSecond, settling = 20, 30 * time.Second
	random := rand.New(rand.NewPCG(seed, 0))
	account := &quota{perSecond: perSecond, countRefused: countRefused}
	ours := &callers{
		limiter: zim.NewLimiter(perSecond), quota: account, random: random,
		jitter: time.Duration(random.Int64N(int64(20 * time.Millisecond))),
	}
	ours.start(t, 1+random.IntN(8))
	wantRate, wantRefused, wantOthersRefused := 19.0, 0.0, 0.05
	if others > 12 { // It alone comes near the quota: chance has it refused more often.
		wantOthersRefused = 0.08
	}
	if others > 0 {
		wantRate, wantRefused = 0.75*(perSecond-others), 0.025
		stop := competitor(rand.New(rand.NewPCG(seed, 1)), account, others)
		defer func() {
			if refused := stop(); refused > wantOthersRefused {
				t.Errorf("seed %d: %.1f %% of the other client's calls were refused", seed, 100*refused)
			}
		}()
	}
	time.Sleep(settling)
	from := time.Now()
	time.Sleep(10 * time.Minute)
	rate, refused := ours.since(from)
	if rate < wantRate {
		t.Errorf("seed %d: %.1f calls a second, want at least %.1f", seed, rate, wantRate)
	}
	if refused > wantRefused {
		t.Errorf("seed %d: %.2f %% refused, want at most %.1f", seed, 100*refused, 100*wantRefused)
	}
}

// An allowance above what ZIM grants settles at what ZIM takes, however far above.
func TestLimiterSettlesAtWhatZIMTakes(t *testing.T) {
	for _, allowed := range []int{25, 100, 10000} {
		t.Run(fmt.Sprint("allowed ", allowed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter := zim.NewLimiter(allowed)
				ours := &callers{limiter: limiter, quota: &quota{perSecond: 20, countRefused: true}}
				ours.start(t, 8)
				time.Sleep(15 * time.Second)
				from := time.Now()
				time.Sleep(5 * time.Minute)
				if rate, refused := ours.since(from); rate < 16 || refused > 0.02 {
					t.Errorf("%.1f calls a second, %.1f %% refused", rate, 100*refused)
				}
				pace := limiter.Pace()
				if pace.Allowed != allowed || pace.Present > 21 || pace.Full < 0.95*float64(allowed) {
					t.Errorf("pace %+v", pace)
				}
				if below := time.Since(pace.BelowSince); below < 5*time.Minute {
					t.Errorf("below its rate for %s, want since the first refusal", below)
				}
			})
		})
	}
}

func TestLimiterRecoversWhenOthersHaveGone(t *testing.T) {
	for _, others := range []float64{5, 10, 15} {
		t.Run(fmt.Sprint(others, " a second"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				account := &quota{perSecond: 20}
				limiter := zim.NewLimiter(20)
				ours := &callers{limiter: limiter, quota: account}
				ours.start(t, 4)
				stop := competitor(rand.New(rand.NewPCG(1, 1)), account, others)
				time.Sleep(time.Minute)
				if pace := limiter.Pace(); pace.Present > (20-others)*1.1 || pace.BelowSince.IsZero() {
					t.Fatalf("pace %+v while another client calls", pace)
				}
				stop()
				recovers(t, ours, time.Minute)
			})
		})
	}
}

// recovers wants the full rate after a time, and nothing refused on the way.
func recovers(t *testing.T, ours *callers, within time.Duration) {
	t.Helper()
	from := time.Now()
	time.Sleep(within)
	if pace := ours.limiter.Pace(); pace.Present != pace.Full || !pace.BelowSince.IsZero() {
		t.Errorf("pace %+v after %s, want the full rate", pace, within)
	}
	if _, refused := ours.since(from); refused > 0 {
		t.Errorf("%.1f %% refused on the way", 100*refused)
	}
	from = time.Now()
	time.Sleep(time.Minute)
	if rate, refused := ours.since(from); rate < 19 || refused > 0 {
		t.Errorf("%.1f calls a second, %.1f %% refused at the full rate", rate, 100*refused)
	}
}

// While ZIM refuses everything, few calls are made. The way back from there is short, and if another client is still
// there, few calls are refused on it.
func TestLimiterRecoversWhenEverythingWasRefused(t *testing.T) {
	for _, others := range []float64{0, 5, 10, 12} {
		for _, outage := range []time.Duration{3 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute} {
			t.Run(fmt.Sprintf("%s, others %v a second", outage, others), func(t *testing.T) {
				for seed := range uint64(4) {
					synctest.Test(t, func(t *testing.T) { recoverFromOutage(t, seed, outage, others) })
				}
			})
		}
	}
}

func recoverFromOutage(t *testing.T, seed uint64, outage time.Duration, others float64) {
	t.Helper()
	account := &quota{perSecond: 20, countRefused: seed%2 == 1}
	random := rand.New(rand.NewPCG(seed, 0))
	ours := &callers{limiter: zim.NewLimiter(20), quota: account, random: random, jitter: 10 * time.Millisecond}
	ours.start(t, 1+random.IntN(8))
	if others > 0 {
		stop := competitor(rand.New(rand.NewPCG(seed, 1)), account, others)
		defer stop()
	}
	time.Sleep(time.Minute)
	from := time.Now()
	account.close(true)
	time.Sleep(outage)
	account.close(false)
	most := 40 + outage.Seconds()/5 // On the way down, and then one in five seconds.
	if _, refused := ours.countSince(from); refused > most {
		t.Errorf("seed %d: %v calls were refused in %s, want at most %v", seed, refused, outage, most)
	}
	if others == 0 {
		recovers(t, ours, time.Minute)
		return
	}
	from = time.Now()
	time.Sleep(time.Minute)
	if _, refused := ours.countSince(from); refused > 8 {
		t.Errorf("seed %d: %v calls were refused on the way", seed, refused)
	}
	from = time.Now()
	time.Sleep(2 * time.Minute)
	if rate, refused := ours.since(from); rate < 0.75*(20-others) || refused > 0.025 {
		t.Errorf("seed %d: %.1f calls a second, %.1f %% refused", seed, rate, 100*refused)
	}
}

// Another client that takes all of the quota for a moment is forgotten as soon.
func TestLimiterRecoversFromABatchOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		account := &quota{perSecond: 20, countRefused: true}
		ours := &callers{limiter: zim.NewLimiter(20), quota: account}
		ours.start(t, 4)
		time.Sleep(time.Minute)
		stop := competitor(rand.New(rand.NewPCG(1, 1)), account, 40)
		time.Sleep(10 * time.Second)
		stop()
		time.Sleep(time.Second) // Its last calls count that long.
		recovers(t, ours, time.Minute)
	})
}

// After a refusal nobody leaves for a moment, and then one after the other: who waited does not come all at once.
func TestLimiterLetsWaitersGoOneByOneAfterARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter, got := zim.NewLimiter(20), &turns{}
		t.Cleanup(got.crowd(t.Context(), limiter, 50).Wait)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := len(got.sorted())
		refused := time.Now()
		limiter.Refused(refused)
		time.Sleep(3 * time.Second)
		at := got.sorted()[before:]
		if pause := at[0].Sub(refused); pause < 300*time.Millisecond || pause > 400*time.Millisecond {
			t.Errorf("the next turn came %s after the refusal", pause)
		}
		for i := 1; i < len(at); i++ {
			if pause := at[i].Sub(at[i-1]); pause < gapOf(20) {
				t.Errorf("turn %d came %s after the one before", i, pause)
			}
		}
		if len(at) < 25 || len(at) > 40 {
			t.Errorf("%d turns in 3 s, want six tenths of the rate, growing slowly", len(at))
		}
	})
}

// Several calls that are on their way together are refused for one reason.
func TestLimiterIsCutOnceForCallsOfOneMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := zim.NewLimiter(20)
		left := time.Now()
		limiter.Refused(left)
		once := limiter.Pace().Present
		limiter.Refused(left)
		time.Sleep(999 * time.Millisecond)
		limiter.Refused(time.Now())
		if present := limiter.Pace().Present; present != once {
			t.Errorf("%.1f calls a second after three refusals, want %.1f as after one", present, once)
		}
		time.Sleep(time.Millisecond)
		limiter.Refused(time.Now())
		if present := limiter.Pace().Present; present > 0.7*once {
			t.Errorf("%.1f calls a second after a new refusal, want less than %.1f", present, once)
		}
	})
}

func TestLimiterNeverGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := zim.NewLimiter(20)
		for range 1000 {
			limiter.Refused(time.Now())
			time.Sleep(time.Second)
		}
		if present := limiter.Pace().Present; present < 0.2 {
			t.Errorf("%.3f calls a second", present)
		}
		start := time.Now()
		if err := limiter.Wait(t.Context()); err != nil || time.Since(start) > 5*time.Second {
			t.Errorf("Wait() = %v after %s", err, time.Since(start))
		}
		time.Sleep(time.Minute)
		if pace := limiter.Pace(); pace.Present != pace.Full {
			t.Errorf("pace %+v a minute later, want the full rate", pace)
		}
	})
}

// Whoever edits requestsPerSecond knows something that the operator does not.
func TestLimiterForgetsRefusalsWithANewRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := zim.NewLimiter(20)
		limiter.Refused(time.Now())
		limiter.SetRate(20) // No change.
		if pace := limiter.Pace(); pace.Present == pace.Full {
			t.Error("the same rate made it forget")
		}
		limiter.SetRate(30)
		if pace := limiter.Pace(); pace.Present != pace.Full || pace.Allowed != 30 {
			t.Errorf("pace %+v", pace)
		}
	})
}

// Calls that could not leave in time, for example because the process had no processor, are made up for within the
// quota; a pause is not.
func TestLimiterMakesUpForDelays(t *testing.T) {
	for name, tc := range map[string]struct {
		late       time.Duration
		min, max   int
		everySpeed time.Duration
	}{
		"a little late": {200 * time.Millisecond, 190, 191, gapOf(20) / 2},
		"a pause":       {time.Second, 171, 173, gapOf(20)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limiter, got := zim.NewLimiter(20), &turns{}
				end := time.Now().Add(10 * time.Second)
				for len(got.at) < 50 {
					_ = got.take(t.Context(), limiter)
				}
				time.Sleep(gapOf(20) + tc.late)
				for time.Now().Before(end) {
					_ = got.take(t.Context(), limiter)
				}
				within(t, got.at, 20)
				if len(got.at) < tc.min || len(got.at) > tc.max {
					t.Errorf("%d turns in ten seconds, want %d to %d", len(got.at), tc.min, tc.max)
				}
				for i := 1; i < len(got.at); i++ {
					if pause := got.at[i].Sub(got.at[i-1]); pause < tc.everySpeed-time.Microsecond {
						t.Fatalf("turn %d came %s after the one before", i, pause)
					}
				}
			})
		})
	}
}
