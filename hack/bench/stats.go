package main

import (
	"math"
	"slices"
	"time"
)

// median returns the middle value, or the mean of the two in the middle; 0 of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile returns the smallest value that so many percent of the values don't exceed; 0 of nothing.
func percentile(values []float64, percent float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[max(0, rank-1)]
}

// largest returns the largest value; 0 of nothing.
func largest(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Max(values)
}

// secondsSince returns how long after a moment each of others came, in order.
func secondsSince(start time.Time, moments []time.Time) []float64 {
	seconds := make([]float64, 0, len(moments))
	for _, moment := range moments {
		seconds = append(seconds, moment.Sub(start).Seconds())
	}
	slices.Sort(seconds)
	return seconds
}

// rateOfLast returns how many events a second there were in the last two thirds of them, from their times in ascending
// order.
func rateOfLast(seconds []float64) float64 {
	first := len(seconds) / 3
	if first >= len(seconds)-1 {
		return 0
	}
	return float64(len(seconds)-1-first) / (seconds[len(seconds)-1] - seconds[first])
}

// curvePoints are as many as a plot can show.
const curvePoints = 300

// thin returns no more values than a plot can show, evenly chosen, always with the first and the last.
func thin(values []float64) []float64 {
	const count = curvePoints
	if len(values) <= count {
		return values
	}
	thinned := make([]float64, 0, count)
	for i := range count {
		thinned = append(thinned, values[i*(len(values)-1)/(count-1)])
	}
	return thinned
}
