package zim

import (
	"math"
	"slices"
	"time"
)

// ZIM counts the calls of a sliding second. What is sent is spread over a little more, because the network delays
// each call differently: so many may then arrive within less time than they left in.
const (
	// pacedSecond is the time over which the calls that are allowed in a second are spread evenly. It makes 0.95 of the
	// allowed rate.
	pacedSecond = time.Second + 50*time.Millisecond

	// guardedSecond is the time in which never more calls leave than are allowed in a second. It is shorter than
	// pacedSecond, so that a call that left late does not make the following ones late.
	guardedSecond = time.Second + 40*time.Millisecond

	// mostGuarded is how many calls are looked back at; of faster accounts they are those of a part of a second.
	mostGuarded = 100

	// makeUpGaps is how many calls can be late and be made up for, at up to double the rate: while the process has to
	// wait for a processor, its calls do too.
	makeUpGaps = 4
)

// When ZIM refuses a call because of its frequency limit, others use the AppID too, or it allows less than the
// operator was told. The rate is cut at once, and feels its way back: quickly to just below the rate that was too
// high, slowly past it, and then fast, because what was in the way has gone. The numbers were found by trying them
// against other clients of different rates, with the tests of adaptation_test.go: what is left of the quota is used,
// and few calls are refused.
const (
	// firstCut is what a refusal leaves of the rate when something has changed at ZIM's side.
	firstCut = 0.6
	// laterCut is what it leaves of a rate that has felt its way up for settledAfter: it is a little too high, no more.
	laterCut     = 0.85
	settledAfter = 5 * time.Second
	// cutHold is how long nothing leaves after a cut: what left before still counts at ZIM.
	cutHold = 300 * time.Millisecond
	// cutInterval is how long calls that leave after a cut say nothing new: they are refused for those before it.
	cutInterval = time.Second
	// nearShare is how near to the rate that failed the quick growth leads.
	nearShare = 0.93
	// quickGrowth, slowGrowth and freeGrowth are what the rate grows by in a second, as shares of itself.
	quickGrowth = 0.05
	slowGrowth  = 0.006
	freeGrowth  = 0.25
	// slowSeconds is how long the slow growth lasts. It leads 8 % past the rate that failed, which is nearly always
	// refused again sooner if another client is still there. If ZIM refused everything for a while, the rate that
	// failed last was that of a few probes and says nothing: to grow on slowly from there would take minutes.
	slowSeconds = 25

	// slowestRate is what is tried even if ZIM refuses everything.
	slowestRate = 0.2
)

// pace decides when calls leave. It knows no clock: whoever asks says what time it is.
type pace struct {
	// allowed is how many calls may be made in a second.
	allowed int
	// rhythm is the moment at which the last call was due, left when one left last.
	rhythm, left time.Time
	// sent are the moments at which calls left, the oldest first: as many as are guarded. Those on their way to a
	// connection count from their turns.
	sent []time.Time

	// cut is the rate after the last cut, at cutAt; failed is the rate before it. belowSince is the first cut since the
	// rate was last what is allowed.
	cut, failed       float64
	cutAt, belowSince time.Time
}

// fullRate is the calls a second that leave while nothing is refused.
func (p *pace) fullRate() float64 {
	return float64(p.allowed) / pacedSecond.Seconds()
}

// rate is the calls a second that leave at present. It changes once a second.
func (p *pace) rate(now time.Time) float64 {
	full := p.fullRate()
	if p.cutAt.IsZero() {
		return full
	}
	elapsed := max(0, math.Floor(now.Sub(p.cutAt).Seconds()))
	quick := min(elapsed, p.quickSeconds())
	slow := min(elapsed-quick, slowSeconds)
	free := elapsed - quick - slow
	growth := math.Pow(1+quickGrowth, quick) * math.Pow(1+slowGrowth, slow) * math.Pow(1+freeGrowth, free)
	return min(full, p.cut*growth)
}

// quickSeconds is how long the quick growth takes to lead near the rate that failed.
func (p *pace) quickSeconds() float64 {
	near := nearShare * p.failed
	if near <= p.cut {
		return 0
	}
	return math.Ceil(math.Log(near/p.cut) / math.Log1p(quickGrowth))
}

// due returns when the next call may leave, if the rate stays as it is. It may lie in the past.
func (p *pace) due(now time.Time) time.Time {
	gap := p.gap(now)
	due := later(p.rhythm.Add(gap), p.left.Add(gap/2))
	if calls := p.guarded(); len(p.sent) >= calls {
		span := guardedSecond * time.Duration(calls) / time.Duration(p.allowed)
		due = later(due, p.sent[len(p.sent)-calls].Add(span))
	}
	return due
}

// take notes that a call leaves at a moment. If it is a little late, the next ones come sooner, until the rhythm is
// kept again; a longer pause is not made up for.
func (p *pace) take(at time.Time) {
	gap := p.gap(at)
	p.rhythm = p.rhythm.Add(gap)
	if at.Sub(p.rhythm) > makeUpGaps*gap {
		p.rhythm = at
	}
	p.left = at
	if calls := p.guarded(); len(p.sent) >= calls {
		p.sent = append(p.sent[:0], p.sent[len(p.sent)-calls+1:]...)
	}
	p.sent = append(p.sent, at)
}

// leave notes when the call leaves that took its turn at a moment: it may have to wait for a connection, a processor,
// or until the call after it is near. What follows keeps its distance from when calls leave.
func (p *pace) leave(turn, at time.Time) {
	p.left = later(p.left, at)
	i, _ := slices.BinarySearchFunc(p.sent, turn, time.Time.Compare) // One that is too old counts for the oldest.
	for ; i+1 < len(p.sent) && p.sent[i+1].Before(at); i++ {
		p.sent[i] = p.sent[i+1]
	}
	if i < len(p.sent) {
		p.sent[i] = later(p.sent[i], at)
	}
}

// guarded is how many calls are looked back at: those of a second, or as many as are cheap to keep.
func (p *pace) guarded() int {
	return min(p.allowed, mostGuarded)
}

func (p *pace) gap(now time.Time) time.Duration {
	return time.Duration(float64(time.Second) / p.rate(now))
}

// refuse notes that ZIM refused a call that left at a moment. It returns true if that is news: then the rate is cut.
func (p *pace) refuse(leftAt, now time.Time) bool {
	if !p.cutAt.IsZero() && leftAt.Before(p.cutAt.Add(cutInterval)) {
		return false
	}
	present, share := p.rate(now), firstCut
	switch {
	case p.cutAt.IsZero(), present >= p.fullRate():
		p.belowSince = now
	case now.Sub(p.cutAt) >= settledAfter:
		share = laterCut
	}
	p.failed, p.cut, p.cutAt = present, max(slowestRate, present*share), now
	p.rhythm = later(p.rhythm, now.Add(cutHold-p.gap(now)))
	return true
}

// allow changes the rate that is allowed, and forgets what was learnt about the old one.
func (p *pace) allow(requestsPerSecond int) {
	p.allowed = max(1, requestsPerSecond)
	p.cutAt, p.belowSince = time.Time{}, time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
