package zim

import (
	"math"
	"testing"
	"time"
)

// The rate after refusals, step by step.
func TestPaceAfterRefusals(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	second := func(n float64) time.Time { return start.Add(time.Duration(n * float64(time.Second))) }
	p := pace{allowed: 20}
	expect := func(at float64, want float64) {
		t.Helper()
		if got := p.rate(second(at)); math.Abs(got-want) > 0.005*want {
			t.Errorf("after %.1f s: %.2f calls a second, want %.2f", at, got, want)
		}
	}
	const full = 20 / 1.05
	expect(0, full)
	if !p.refuse(second(0), second(0)) {
		t.Fatal("the first refusal is no news")
	}
	expect(0, 0.6*full)
	expect(0.9, 0.6*full) // Step by step.
	expect(1, 0.6*full*1.05)
	expect(9, 0.6*full*math.Pow(1.05, 9)) // As near to what failed as it grows quickly.
	expect(10, 0.6*full*math.Pow(1.05, 9)*1.006)

	if p.refuse(second(0.9), second(10)) {
		t.Error("a call that left just after the cut was refused for those before it")
	}
	before := p.rate(second(10))
	if !p.refuse(second(10), second(10)) {
		t.Fatal("a refusal of a call at the new rate is no news")
	}
	expect(10, 0.85*before) // It had felt its way up: it was a little too high.
	if !p.refuse(second(11), second(11)) {
		t.Fatal("a refusal a second later is no news")
	}
	expect(11, 0.6*0.85*before*1.05) // It had not: somebody new takes part.
	expect(600, full)
	if !p.belowSince.Equal(start) {
		t.Errorf("below its rate since %s, want since the first refusal", p.belowSince)
	}
	p.refuse(second(700), second(700))
	if !p.belowSince.Equal(second(700)) {
		t.Errorf("below its rate since %s, want since it was full last", p.belowSince)
	}
}

// Refusals that go on say nothing about the rate of the last probes: it is left behind soon.
func TestPaceAfterManyRefusals(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := pace{allowed: 20}
	last := start
	for second := range 8 {
		last = start.Add(time.Duration(second) * time.Second)
		if !p.refuse(last, last) {
			t.Fatalf("the refusal after %d s is no news", second)
		}
	}
	failed, full := p.failed, 20/1.05
	if failed > 1 {
		t.Fatalf("%.2f calls a second failed last, want those of a few probes", failed)
	}
	for _, tc := range []struct {
		after time.Duration
		want  float64
	}{
		{0, 0.6 * failed},
		{9 * time.Second, 0.93 * failed},
		{34 * time.Second, 1.08 * failed},
		{35 * time.Second, 1.08 * 1.25 * failed},
		{39 * time.Second, 1.08 * math.Pow(1.25, 5) * failed},
		{46 * time.Second, 1.08 * math.Pow(1.25, 12) * failed},
		{time.Minute, full},
		{24 * time.Hour, full},
	} {
		if got := p.rate(last.Add(tc.after)); math.Abs(got-tc.want) > 0.005*tc.want {
			t.Errorf("%s after the last refusal: %.2f calls a second, want %.2f", tc.after, got, tc.want)
		}
	}
}
