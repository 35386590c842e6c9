package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

// restartPause is how long a kubelet waits before it starts a container that ended for the second time; from then on
// twice as long each time.
const restartPause = 10 * time.Second

// replica is one manager, with a way of its own to the API server and to ZIM.
type replica struct {
	name  string
	world *world
	// kube leads to front, which leads to the API server; zim to gateway, which leads to the simulator.
	kube, zim *proxy
	front     *kubeFront
	gateway   *gateway
	arguments []string
	health    string

	mu       sync.Mutex
	process  *testbed.Process
	restarts int
	// idle: it is not started again when it ends. paused: it was stopped by a signal.
	idle, paused bool

	read int // How much of the log was searched.
}

func (w *world) newReplica(ctx context.Context, name string, arguments ...string) (*replica, error) {
	front, err := newKubeFront(w.config)
	if err != nil {
		return nil, err
	}
	gateway, err := newGateway(ctx, name, w.simulator.API, w.certificates.good)
	if err != nil {
		return nil, err
	}
	r := &replica{name: name, world: w, front: front, gateway: gateway, arguments: arguments, idle: true}
	if r.kube, err = w.proxies.add(name+"-kube", front.address()); err != nil {
		return nil, err
	}
	if r.zim, err = w.proxies.add(name+"-zim", gateway.address()); err != nil {
		return nil, err
	}
	kubeconfig, err := front.kubeconfig(r.kube.address())
	if err != nil {
		return nil, err
	}
	if r.health, err = testbed.FreeAddress(ctx); err != nil {
		return nil, err
	}
	return r, os.WriteFile(r.file("kubeconfig"), kubeconfig, 0o600)
}

func (r *replica) file(name string) string { return filepath.Join(r.world.dir, r.name+"."+name) }

// start starts the replica, and starts it again whenever it ends, as a kubelet does, until it is held.
func (r *replica) start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.startLocked(ctx)
}

func (r *replica) startLocked(ctx context.Context) error {
	r.idle, r.paused = false, false
	p, err := r.world.running.Start(ctx, r.world.dir, testbed.Child{
		Name: r.name, Path: r.world.manager,
		Args: append([]string{"--operator-namespace=" + operatorNamespace, "--health-probe-bind-address=" + r.health},
			r.arguments...),
		Environment: []string{
			"KUBECONFIG=" + r.file("kubeconfig"), "HTTPS_PROXY=http://" + r.zim.address(),
			"SSL_CERT_FILE=" + r.world.trusted,
		},
	}, nil)
	if err != nil {
		return err
	}
	r.process = p
	go r.restart(ctx, p)
	return nil
}

// restart waits for the end of a process, and starts the next.
func (r *replica) restart(ctx context.Context, ended *testbed.Process) {
	select {
	case <-ended.Ended():
	case <-ctx.Done():
		return
	}
	r.mu.Lock()
	if r.idle {
		r.mu.Unlock()
		return
	}
	pause := time.Duration(0)
	if r.restarts > 0 {
		pause = restartPause << (r.restarts - 1)
	}
	r.restarts++
	r.mu.Unlock()
	r.world.say("  %s ended: %s", r.name, lastLine(ended.LogFile))
	if testbed.Sleep(ctx, pause) != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle { // It was held meanwhile.
		return
	}
	if err := r.startLocked(ctx); err != nil && ctx.Err() == nil {
		r.world.failed(err)
	}
}

// lastLine of a log, cut short.
func lastLine(file string) string {
	const most = 200
	tail := testbed.Tail(file)
	line := tail[strings.LastIndexByte(tail, '\n')+1:]
	return line[:min(len(line), most)]
}

// panics returns lines of the replica's log that tell of one and were written since it was last asked.
func (r *replica) panics() ([]string, error) {
	log, err := os.ReadFile(r.file("log"))
	if err != nil {
		return nil, fmt.Errorf("reading the log of %s: %w", r.name, err)
	}
	fresh := log[min(r.read, len(log)):]
	r.read = len(log)
	return panicLines(r.name, string(fresh)), nil
}

// panicLines finds panics that ended a process, and those that were recovered.
func panicLines(name, log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "panic") || strings.Contains(line, "fatal error: ") {
			lines = append(lines, name+": "+strings.TrimSpace(line))
		}
	}
	return lines[:min(len(lines), 1)] // The rest is its stack.
}

// hold stops the replica cleanly, for good.
func (r *replica) hold() {
	r.mu.Lock()
	r.idle = true
	p := r.process
	r.mu.Unlock()
	if p != nil {
		p.Stop()
	}
}

// signal sends a signal to the present process, and returns that.
func (r *replica) signal(signal syscall.Signal) *testbed.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = signal == syscall.SIGSTOP
	r.process.Signal(signal)
	return r.process
}

// running returns the process if there is one that can do something.
func (r *replica) running() (*testbed.Process, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil || r.paused {
		return nil, false
	}
	select {
	case <-r.process.Ended():
		return nil, false
	default:
		return r.process, true
	}
}

// forgive forgets restarts, and returns how many there were.
func (r *replica) forgive() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := r.restarts
	r.restarts = 0
	return count
}

// leader returns the replica that leads.
func (w *world) leader(ctx context.Context) (*replica, error) {
	const limit, fresh = time.Minute, 3 * time.Second
	var leader *replica
	err := testbed.Await(ctx, limit, func(context.Context) (bool, error) {
		for _, r := range w.replicas {
			if _, ok := r.running(); ok && time.Since(r.front.lastRenewal()) < fresh {
				leader = r
			}
		}
		return leader != nil, nil
	})
	if err != nil {
		return nil, fmt.Errorf("waiting for a leader: %w", err)
	}
	return leader, nil
}

// vitals are what was seen of the replicas while a row ran.
type vitals struct {
	mu sync.Mutex
	// before and most are resident sizes in KB of the processes that were there at the beginning.
	before, most map[int]int
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
			}
		}
	}
	go func() {
		for testbed.Sleep(ctx, time.Second/2) == nil {
			for _, r := range w.replicas {
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
	if _, known := v.before[p.PID]; known {
		v.most[p.PID] = max(v.most[p.PID], used.ResidentKB)
	}
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

// sizes returns the size of the biggest process, in KB, at the beginning and at most. Zero: nobody was measured.
func (v *vitals) sizes() (before, most int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for pid := range v.before {
		before, most = max(before, v.before[pid]), max(most, v.before[pid], v.most[pid])
	}
	return before, most
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
