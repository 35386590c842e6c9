package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// target is the range in which a figure must lie.
type target struct {
	Least *float64 `json:"least,omitempty"`
	Most  *float64 `json:"most,omitempty"`
}

func atMost(most float64) *target         { return &target{Most: &most} }
func atLeast(least float64) *target       { return &target{Least: &least} }
func between(least, most float64) *target { return &target{Least: &least, Most: &most} }

// aboutHalf is the target of whatever gets half of the 20 calls a second.
func aboutHalf() *target { return between(8, 10) }

// none is the target of what must not happen.
func none() *target { return atMost(0) }

// holds tells whether a value lies in the range.
func (t *target) holds(value float64) bool {
	return (t.Least == nil || value >= *t.Least) && (t.Most == nil || value <= *t.Most)
}

// String is how the table shows it.
func (t *target) String() string {
	switch {
	case t == nil:
		return ""
	case t.Least == nil && *t.Most == 0:
		return "0"
	case t.Least == nil:
		return "<= " + number(*t.Most)
	case t.Most == nil:
		return ">= " + number(*t.Least)
	}
	return number(*t.Least) + " to " + number(*t.Most)
}

// measurement is one value that one repetition of a row has measured.
type measurement struct {
	name   string
	unit   string
	value  float64
	target *target
	// reference is what else was measured at the same time, to compare with; 0: nothing.
	reference float64
}

// outcome is what one repetition of a row has found.
type outcome struct {
	measurements []measurement
	curves       []curve
	cost         *cost
}

func (o *outcome) add(name, unit string, value float64, target *target) {
	o.measurements = append(o.measurements, measurement{name: name, unit: unit, value: value, target: target})
}

// compare adds a value beside which another was measured.
func (o *outcome) compare(name, unit string, value, reference float64, target *target) {
	o.measurements = append(o.measurements,
		measurement{name: name, unit: unit, value: value, target: target, reference: reference})
}

// figure is a measurement over all repetitions.
type figure struct {
	Row        string    `json:"row"`
	Name       string    `json:"name"`
	Unit       string    `json:"unit,omitempty"`
	Target     *target   `json:"target,omitempty"`
	Values     []float64 `json:"values"`
	References []float64 `json:"references,omitempty"`
	Median     float64   `json:"median"`
	// Met is absent if there is nothing to meet.
	Met *bool `json:"met,omitempty"`
}

// collect makes figures of the outcomes of a row's repetitions.
func collect(row string, outcomes []outcome) []figure {
	var figures []figure
	for i := range outcomes {
		for _, m := range outcomes[i].measurements {
			at := slices.IndexFunc(figures, func(f figure) bool { return f.Name == m.name })
			if at < 0 {
				figures = append(figures, figure{Row: row, Name: m.name, Unit: m.unit, Target: m.target})
				at = len(figures) - 1
			}
			figures[at].Values = append(figures[at].Values, m.value)
			if m.reference != 0 {
				figures[at].References = append(figures[at].References, m.reference)
			}
		}
	}
	for i := range figures {
		figures[i].judge()
	}
	return figures
}

// judge compares the median with the target. What must not happen must not happen in any repetition.
func (f *figure) judge() {
	f.Median = median(f.Values)
	if f.Target == nil {
		return
	}
	met := f.Target.holds(f.Median)
	if f.Target.Most != nil && *f.Target.Most == 0 {
		met = largest(f.Values) <= 0
	}
	f.Met = &met
}

// ratio compares with what was measured beside it, or else with the end of the range; empty if there is neither.
func (f *figure) ratio() string {
	base := median(f.References)
	switch {
	case base != 0:
		return ratioOf(f.Median, base) + " of reference"
	case f.Target != nil && f.Target.Most != nil && f.Target.Least == nil:
		base = *f.Target.Most
	case f.Target != nil && f.Target.Least != nil:
		base = *f.Target.Least
	}
	if base == 0 {
		return ""
	}
	return ratioOf(f.Median, base)
}

func ratioOf(value, base float64) string {
	return strconv.FormatFloat(value/base, 'f', 2, 64)
}

// number writes a value the way people read it: three digits, no more than two after the point.
func number(value float64) string {
	digits := 2
	switch size := math.Abs(value); {
	case value == math.Trunc(value), size >= 100:
		digits = 0
	case size >= 10:
		digits = 1
	}
	text := strconv.FormatFloat(value, 'f', digits, 64)
	if size := len(text); digits == 0 && size > 3 && value > 0 {
		text = text[:size-3] + "," + text[size-3:]
	}
	return text
}

// spread is the median of all repetitions with the smallest and the largest value.
func (f *figure) spread() string {
	text := number(f.Median)
	if len(f.Values) > 1 {
		text = fmt.Sprintf("%s [%s..%s]", text, number(slices.Min(f.Values)), number(slices.Max(f.Values)))
	}
	return withUnit(text, f.Unit)
}

func withUnit(text, unit string) string {
	if text == "" || unit == "" {
		return text
	}
	return text + " " + unit
}
