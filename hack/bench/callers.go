package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// loopAppID is the account of the loop that the operator is compared with.
const loopAppID = 1234567891

// User agents, by which the simulator's journal tells callers apart.
const (
	loopAgent       = "bench-loop"
	competitorAgent = "bench-competitor"
)

// caller is a client of ZIM that knows nothing of anybody's pace but its own.
func (w *world) caller(id uint32, agent string) (*zim.Client, error) {
	return zim.NewClient(zim.Config{
		Endpoint: w.simulator.API, AppID: id, ServerSecret: testbed.ServerSecret,
		HTTPClient: zim.NewHTTPClient(), UserAgent: agent,
	})
}

// evenly calls f in a goroutine of its own at each tick, until f says no more or the context ends. It returns when all
// calls have.
func evenly(ctx context.Context, interval time.Duration, f func(tick int) (more bool)) {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	for tick := range 1 << 30 {
		if testbed.Sleep(ctx, time.Until(start.Add(time.Duration(tick)*interval))) != nil {
			return
		}
		running.Go(func() {
			if !f(tick) {
				cancel()
			}
		})
	}
}

// loop is what somebody writes who has a list of rooms and read that 20 calls a second are allowed.
type loop struct {
	client *zim.Client
	mu     sync.Mutex
	todo   []string
	done   []time.Time
	total  int
}

// run creates rooms, a call every twentieth of a second, and calls again for those that were refused.
func (l *loop) run(ctx context.Context, rooms []string) error {
	l.todo, l.total = rooms, len(rooms)
	evenly(ctx, time.Second/20, func(int) bool { return l.createNext(context.WithoutCancel(ctx)) })
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("the loop: %w", err)
	}
	return nil
}

// createNext creates one room, and tells whether any is left.
func (l *loop) createNext(ctx context.Context) (more bool) {
	l.mu.Lock()
	if len(l.todo) == 0 {
		defer l.mu.Unlock()
		return len(l.done) < l.total // Others are under way.
	}
	id := l.todo[0]
	l.todo = l.todo[1:]
	l.mu.Unlock()
	_, err := l.client.CreateRoom(ctx, zim.CreateRoomRequest{
		FromUserID: testbed.OperatorUser, RoomID: id, DestroyDelay: 3 * time.Hour,
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.todo = append(l.todo, id)
	} else {
		l.done = append(l.done, time.Now())
	}
	return len(l.done) < l.total
}

// compete sends calls of somebody else's on the operator's account until the context ends.
func (w *world) compete(ctx context.Context, callsPerSecond int) error {
	client, err := w.caller(testbed.AppID, competitorAgent)
	if err != nil {
		return err
	}
	evenly(ctx, time.Second/time.Duration(callsPerSecond), func(int) bool {
		// The room is always the same. What the answer says, the journal has too.
		_, _ = client.CreateRoom(context.WithoutCancel(ctx), zim.CreateRoomRequest{
			FromUserID: testbed.OperatorUser, RoomID: "somebody-elses", DestroyDelay: 3 * time.Hour,
		})
		return true
	})
	return nil
}
