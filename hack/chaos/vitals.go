package main

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// vitals are what was seen of the replicas while a row ran.
type vitals struct {
	mu sync.Mutex
	// first is the size of the biggest process when the first row began: that of those who have not grown up. 0: unknown.
	first int
	// before and most are resident sizes in KB, at the beginning and at most. Of those who came later, before is first.
	before, most map[int]int
	peak         int          // What any of them ever took, in KB, also between two looks.
	alive        map[int]bool // Liveness was answered once.
	unanswered   map[int]int  // Probes in a row without an answer.
	// ill is what a kubelet would have killed a process for; empty: nothing.
	ill string
}

// livenessProbes is how many probes in a row must fail for a kubelet to kill a container.
const livenessProbes = 3

// watchVitals looks at the replicas until the context ends.
func (w *world) watchVitals(ctx context.Context) *vitals {
	v := &vitals{before: map[int]int{}, most: map[int]int{}, alive: map[int]bool{}, unanswered: map[int]int{}}
	for _, r := range w.replicas {
		if p, ok := r.running(); ok {
			if used, err := p.Usage(); err == nil {
				v.before[p.PID] = used.ResidentKB
				v.first = max(v.first, used.ResidentKB)
			}
		}
	}
	if w.firstSize == 0 {
		w.firstSize = v.first
	}
	v.first = w.firstSize
	replicas := slices.Clone(w.replicas)
	go func() {
		for testbed.Sleep(ctx, time.Second/2) == nil {
			for _, r := range replicas {
				v.look(ctx, r)
			}
		}
	}()
	return v
}

func (v *vitals) look(ctx context.Context, r *replica) {
	p, ok := r.running()
	if !ok {
		return
	}
	used, err := p.Usage()
	healthy, answer := probe(ctx, r.health)
	if again, ok := r.running(); err != nil || !ok || again != p {
		return // It went meanwhile.
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.measure(p.PID, used)
	switch {
	case healthy:
		v.alive[p.PID], v.unanswered[p.PID] = true, 0
	case v.alive[p.PID]:
		v.unanswered[p.PID]++
		if v.unanswered[p.PID] >= livenessProbes {
			v.ill = answer
		}
	}
}

// measure takes the size of a process.
func (v *vitals) measure(pid int, used testbed.Usage) {
	if _, known := v.before[pid]; !known {
		v.before[pid] = v.first
	}
	v.most[pid] = max(v.most[pid], used.ResidentKB)
	v.peak = max(v.peak, used.PeakKB)
}

// growth is by how much the process has grown that has grown most; 0 if nobody was measured.
func (v *vitals) growth() float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	most := 0.0
	for pid, before := range v.before {
		if before > 0 {
			most = max(most, 1, float64(v.most[pid])/float64(before))
		}
	}
	return most
}

// size is the most that a process ever took, against the biggest when the first row began; 0 if nobody was measured.
func (v *vitals) size() float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.first == 0 {
		return 0
	}
	return float64(v.peak) / float64(v.first)
}

func (v *vitals) illness() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ill
}

var prober = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}

// probe asks for liveness as a kubelet does.
func probe(ctx context.Context, address string) (healthy bool, answer string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return false, err.Error()
	}
	response, err := prober.Do(request)
	if err != nil {
		return false, err.Error()
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK, response.Status
}
