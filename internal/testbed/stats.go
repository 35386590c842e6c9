package testbed

import (
	"slices"
	"time"
)

// BusiestSecond returns how many of the moments lie in the fullest second, wherever it begins. Like the quota, it does
// not count two moments a whole second apart as one second's.
func BusiestSecond(moments []time.Time) int {
	sorted := slices.SortedFunc(slices.Values(moments), time.Time.Compare)
	most, first := 0, 0
	for last := range sorted {
		for sorted[last].Sub(sorted[first]) >= time.Second {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}
