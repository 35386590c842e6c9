package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// leaderRows are faults of the replica that leads. It ends in each of them, and is started again. What judges them
// fails unless another one follows.
func leaderRows() []row {
	const next = 20 * time.Second
	return []row{
		{name: "leader killed", quick: true, lasts: next, burst: true, restarts: 1, judge: (*trial).judgeKill,
			begin: endLeader(syscall.SIGKILL)},
		{name: "leader stopped cleanly", quick: true, burst: true, restarts: 1, judge: (*trial).judgeStop,
			begin: endLeader(syscall.SIGTERM)},
		{name: "leader paused beyond its lease", quick: true, lasts: next, burst: true, restarts: 1,
			judge: (*trial).judgeSuccession, begin: pauseLeader, end: wakeLeader},
		// What is started in its place meanwhile ends too, unless it has half a minute.
		{name: "leader cut off from the API server", lasts: 25 * time.Second, burst: true, hides: true, restarts: 2,
			judge: (*trial).judgeSuccession, begin: func(_ context.Context, t *trial) error {
				t.leader.kube.Stop()
				return nil
			}},
		{name: "API server swallows all that the leader sends", lasts: 25 * time.Second, burst: true, hides: true,
			restarts: 2, judge: (*trial).judgeSuccession, begin: func(_ context.Context, t *trial) error {
				return t.leader.kube.swallow()
			}},
		// Whose lease is taken away finds out at its next renewal only.
		{name: "lease deleted", restarts: 1, leaders: 2, judge: (*trial).judgeLease,
			begin: func(ctx context.Context, t *trial) error {
				lease := &coordinationv1.Lease{}
				lease.Namespace, lease.Name = operatorNamespace, leaseName
				return t.kube.Delete(ctx, lease)
			}},
	}
}

// leaseName is that of the lease by which replicas elect the leader.
const leaseName = "zim-operator.zim.zego.im"

func endLeader(signal syscall.Signal) func(context.Context, *trial) error {
	return func(_ context.Context, t *trial) error {
		<-t.leader.signal(signal).Ended()
		t.without = time.Now()
		return nil
	}
}

// pauseLeader pauses it while answers to many calls are on their way, which it finds when it wakes.
func pauseLeader(ctx context.Context, t *trial) error {
	if err := t.leader.zim.delay(time.Second, 0); err != nil {
		return err
	}
	if err := testbed.Sleep(ctx, time.Second); err != nil {
		return err
	}
	t.began = time.Now()
	t.leader.signal(syscall.SIGSTOP)
	return nil
}

// wakeLeader gives it the time to do what it should not.
func wakeLeader(ctx context.Context, t *trial) error {
	const patience = 10 * time.Second
	select {
	case <-t.leader.signal(syscall.SIGCONT).Ended():
		return nil
	case <-time.After(patience):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// callsOf returns the calls of one replica, or of all others.
func (t *trial) callsOf(r *replica, others bool) testbed.Journal {
	return t.calls.Where(func(c *zimsim.Call) bool { return (agentReplica(c.UserAgent) == r.name) != others })
}

// judgeFailover tells how long after the fault the next leader worked. It may be the old one's successor in its place.
func (t *trial) judgeFailover(limit time.Duration) (seen string, broken []string) {
	next := t.callsOf(t.leader, true).After(t.began)
	if !t.without.IsZero() {
		next = t.calls.After(t.without)
	}
	if len(next) == 0 {
		return "nobody followed", []string{"no other replica worked"}
	}
	took := next[0].Time.Sub(t.began)
	if took > limit {
		broken = []string{fmt.Sprintf("the next leader worked after %s, not %s", seconds(took), limit)}
	}
	return "next leader worked after " + seconds(took), broken
}

func (t *trial) judgeKill() (seen string, broken []string) {
	const limit = 20 * time.Second
	return t.judgeFailover(limit)
}

// judgeStop allows for the longest that a standby waits before it looks at the lease again (client-go: 2 to 4.4 s).
func (t *trial) judgeStop() (seen string, broken []string) {
	const limit = 5 * time.Second
	return t.judgeFailover(limit)
}

// judgeSuccession looks whether the old leader did anything once the next one worked.
func (t *trial) judgeSuccession() (seen string, broken []string) {
	seen, broken = t.judgeKill()
	if next := t.callsOf(t.leader, true).After(t.began); len(next) > 0 {
		broken = append(broken, t.judgeOld(next[0].Time)...)
	}
	return seen, broken
}

// judgeLease is judgeSuccession for a lease that anybody may have now, the old leader too. If another replica has it,
// the old leader learns that at its next renewal.
func (t *trial) judgeLease() (seen string, broken []string) {
	const learns = 3 * time.Second
	next := t.callsOf(t.leader, true).After(t.began)
	if len(next) == 0 {
		return "the leader took it again", nil
	}
	return "another replica took it", t.judgeOld(next[0].Time.Add(learns))
}

// judgeOld finds calls and writes of the old leader after a moment. Writes are seen behind its way to the API server:
// those of one that is cut off, when that is mended.
func (t *trial) judgeOld(moment time.Time) (broken []string) {
	if late := t.callsOf(t.leader, false).After(moment); len(late) > 0 {
		broken = append(broken, fmt.Sprintf("the old leader sent %d calls, first %s for %s %s after the next one", len(late),
			late[0].Action, late[0].RoomID, seconds(late[0].Time.Sub(moment))))
	}
	if late := t.leader.front.lastAttempt(); late.After(moment) {
		broken = append(broken, fmt.Sprintf("the old leader wrote %s after the next one", seconds(late.Sub(moment))))
	}
	return broken
}
