package main

import (
	"slices"
	"testing"
)

func TestMedianAndPercentile(t *testing.T) {
	for name, tc := range map[string]struct {
		values                []float64
		wantMedian, wantP99th float64
	}{
		"nothing":           {nil, 0, 0},
		"one":               {[]float64{3}, 3, 3},
		"odd, unsorted":     {[]float64{9, 1, 5}, 5, 9},
		"even":              {[]float64{4, 1, 3, 2}, 2.5, 4},
		"a hundred and one": {count(101), 51, 100},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(tc.values)
			if got := median(tc.values); got != tc.wantMedian {
				t.Errorf("median %v, want %v", got, tc.wantMedian)
			}
			if got := percentile(tc.values, 99); got != tc.wantP99th {
				t.Errorf("p99 %v, want %v", got, tc.wantP99th)
			}
			if !slices.Equal(before, tc.values) {
				t.Error("the values were changed")
			}
		})
	}
}

// count returns 1, 2, ... up to n.
func count(n int) []float64 {
	values := make([]float64, 0, n)
	for i := range n {
		values = append(values, float64(i+1))
	}
	return values
}

func TestRateOfLast(t *testing.T) {
	// Thirty rooms in ten seconds, and then sixty in thirty.
	var seconds []float64
	for i := range 30 {
		seconds = append(seconds, float64(i)/3)
	}
	for i := range 61 {
		seconds = append(seconds, 10+float64(i)/2)
	}
	if got := rateOfLast(seconds); got != 2 {
		t.Errorf("got %v, want 2 a second", got)
	}
	if got := rateOfLast(seconds[:1]); got != 0 {
		t.Errorf("got %v for a single room", got)
	}
	if got := rateOfLast(nil); got != 0 {
		t.Errorf("got %v for no room", got)
	}
}

func TestThinKeepsFirstAndLast(t *testing.T) {
	values := count(10000)
	thinned := thin(values)
	if len(thinned) != curvePoints || thinned[0] != 1 || thinned[curvePoints-1] != 10000 || !slices.IsSorted(thinned) {
		t.Errorf("got %d values, from %v to %v", len(thinned), thinned[0], thinned[len(thinned)-1])
	}
	if got := thin(values[:5]); len(got) != 5 {
		t.Errorf("few values became %v", got)
	}
}

func TestCurveGoesThroughEveryRoom(t *testing.T) {
	c := curve{Rooms: 10000, Seconds: thin(count(10000))}
	for _, point := range c.points() {
		// Room n came at second n.
		if difference := point.X - point.Y; difference < -1 || difference > 1 {
			t.Fatalf("at %v seconds there are %v rooms", point.X, point.Y)
		}
	}
}
