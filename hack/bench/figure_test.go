package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	for want, tc := range map[string]struct {
		target      *target
		holds, fail []float64
	}{
		"0":       {none(), []float64{0}, []float64{1}},
		"<= 6.26": {atMost(6.26), []float64{0, 6.26}, []float64{6.27}},
		">= 0.90": {atLeast(0.9), []float64{0.9, 2}, []float64{0.89}},
		"8 to 10": {between(8, 10), []float64{8, 9, 10}, []float64{7.9, 10.1}},
	} {
		if got := tc.target.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		for _, value := range tc.holds {
			if !tc.target.holds(value) {
				t.Errorf("%s does not hold %v", want, value)
			}
		}
		for _, value := range tc.fail {
			if tc.target.holds(value) {
				t.Errorf("%s holds %v", want, value)
			}
		}
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 5: "5", 0.1234: "0.12", 9.876: "9.88", 12.34: "12.3", 123.4: "123", 1000: "1,000", 10000: "10,000", -2.5: "-2.50",
	} {
		if got := number(value); got != want {
			t.Errorf("%v became %q, want %q", value, got, want)
		}
	}
}

// outcomes are three repetitions with one figure of each kind.
func outcomes(seconds, limited [3]float64) []outcome {
	var all []outcome
	for i := range seconds {
		var o outcome
		o.compare("time", "s", seconds[i], 10, atMost(12))
		o.add("limit answers", "", limited[i], none())
		o.add("calls", "/s", 19, nil)
		all = append(all, o)
	}
	return all
}

func TestFiguresAreJudgedByTheirMedian(t *testing.T) {
	figures := collect("create", outcomes([3]float64{11, 99, 10}, [3]float64{}))
	if len(figures) != 3 || figures[0].Median != 11 || !slices.Equal(figures[0].Values, []float64{11, 99, 10}) {
		t.Fatalf("got %+v", figures)
	}
	if !*figures[0].Met || !*figures[1].Met || figures[2].Met != nil {
		t.Errorf("got %+v", figures)
	}
	figures = collect("create", outcomes([3]float64{13, 13, 10}, [3]float64{}))
	if *figures[0].Met {
		t.Error("a median above the target counts as met")
	}
}

func TestWhatMustNotHappenMustNotHappenOnce(t *testing.T) {
	figures := collect("create", outcomes([3]float64{}, [3]float64{0, 0, 1}))
	if *figures[1].Met {
		t.Error("one limit answer in three repetitions counts as none")
	}
}

func TestTable(t *testing.T) {
	figures := collect("create", outcomes([3]float64{11, 12, 10}, [3]float64{0, 0, 1}))
	var text strings.Builder
	if err := writeTable(&text, figures); err != nil {
		t.Fatal(err)
	}
	want := `row     figure         target   measured        ratio
create  time           <= 12 s  11 [10..12] s   1.10 of reference  ok
        limit answers  0        0 [0..1]                           MISSED
        calls                   19 [19..19] /s
`
	if got := text.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRatio(t *testing.T) {
	for name, tc := range map[string]struct {
		figure figure
		want   string
	}{
		"to a reference": {figure{Median: 3, References: []float64{2, 2}, Target: atMost(6)}, "1.50 of reference"},
		"to a maximum":   {figure{Median: 3, Target: atMost(6)}, "0.50"},
		"to a minimum":   {figure{Median: 3, Target: atLeast(2)}, "1.50"},
		"to nothing":     {figure{Median: 3}, ""},
		"to 0":           {figure{Median: 3, Target: none()}, ""},
	} {
		if got := tc.figure.ratio(); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	if math.IsNaN(median(nil)) {
		t.Error("the median of nothing is no number")
	}
}

func TestReportCountsMisses(t *testing.T) {
	r := &report{Curves: map[int][]curve{}}
	r.add("create", outcomes([3]float64{13, 13, 13}, [3]float64{0, 0, 1}))
	if got := r.missed(); got != 2 {
		t.Errorf("got %d, want 2", got)
	}
}
