package main

import (
	"context"
	"fmt"
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
