package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// allRows is the fault matrix.
func allRows() []row {
	return slices.Concat(zimRows(), codeRows(), kubernetesRows(), leaderRows(), secretRows(), killRows())
}

func rowNames() []string {
	var names []string
	for _, r := range allRows() {
		names = append(names, r.name)
	}
	return names
}

// inject has the simulator do something to calls of the account.
func inject(fault zimsim.Fault) func(context.Context, *trial) error {
	fault.AppID = testbed.AppID
	return func(ctx context.Context, t *trial) error { return t.simulator.Inject(ctx, fault) }
}

// onZIM does something to the ways to ZIM of all replicas.
func onZIM(f func(*proxy) error) func(context.Context, *trial) error {
	return func(_ context.Context, t *trial) error {
		return t.everyReplica(func(r *replica) error { return f(r.zim) })
	}
}

// zimRows are faults between the operator and ZIM, or in ZIM.
func zimRows() []row {
	status := func(status int) func(context.Context, *trial) error {
		return inject(zimsim.Fault{Kind: zimsim.FaultHTTPStatus, HTTPStatus: status})
	}
	clock := func(ahead time.Duration) func(context.Context, *trial) error {
		return func(ctx context.Context, t *trial) error { return t.setAccount(ctx, testbed.ServerSecret, ahead) }
	}
	const off = 11 * time.Minute // Ten are allowed.
	expired := callsWereAnswered(zimsim.CodeSignatureExpired)
	return []row{
		{name: "ZIM is slow", losesAnswers: true, met: fewCallsArrived,
			begin: onZIM(func(p *proxy) error { return p.delay(3*time.Second, time.Second) })},
		{name: "ZIM answers after 12 s", lasts: 25 * time.Second, met: callsWereHit,
			begin: inject(zimsim.Fault{Kind: zimsim.FaultLatency, Duration: 12 * time.Second})},
		{name: "ZIM hangs", quick: true, lasts: 15 * time.Second, met: callsWereHit,
			begin: inject(zimsim.Fault{Kind: zimsim.FaultHang})},
		{name: "calls to ZIM get lost", lasts: 15 * time.Second, met: noCallsArrived, begin: onZIM((*proxy).swallow)},
		{name: "connections to ZIM hang", losesAnswers: true, met: fewCallsArrived, begin: onZIM((*proxy).mute)},
		{name: "ZIM refuses connections", quick: true, met: noCallsArrived, begin: onZIM(func(p *proxy) error {
			p.Stop()
			return nil
		})},
		// Some calls have left by then, some have not: what is written down of them differs.
		{name: "ZIM resets connections", losesAnswers: true, met: fewCallsArrived, writes: (*trial).writesOfTries,
			begin: onZIM(func(p *proxy) error { return p.reset(50 * time.Millisecond) })},
		{name: "ZIM cuts before the call", met: callsWereHit, begin: inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})},
		{name: "ZIM cuts after the call", quick: true, met: callsWereHit,
			begin: inject(zimsim.Fault{Kind: zimsim.FaultCutAfter})},
		{name: "ZIM answers HTML", met: callsWereHit, begin: inject(zimsim.Fault{Kind: zimsim.FaultHTML})},
		{name: "ZIM answers half the JSON", met: callsWereHit, begin: inject(zimsim.Fault{Kind: zimsim.FaultTruncated})},
		{name: "ZIM answers 100 MB", quick: true, met: callsWereHit, begin: inject(zimsim.Fault{Kind: zimsim.FaultHuge})},
		{name: "ZIM answers without end", met: callsWereHit, begin: inject(zimsim.Fault{Kind: zimsim.FaultHuge, Size: -1})},
		{name: "ZIM answers 500", met: callsWereHit, begin: status(http.StatusInternalServerError)},
		{name: "ZIM answers 500 after the call", met: callsWereHit, begin: inject(zimsim.Fault{
			Kind: zimsim.FaultHTTPStatus, HTTPStatus: http.StatusInternalServerError, CarryOut: true,
		})},
		{name: "ZIM answers 429", quick: true, met: callsWereHit, begin: status(http.StatusTooManyRequests)},
		{name: "ZIM redirects to another host", met: callsWereHit, begin: inject(zimsim.Fault{
			Kind: zimsim.FaultRedirect, Location: "https://elsewhere.example.com/",
		})},
		{name: "certificate expired", met: noCallsArrived,
			begin: showing(func(c *certificates) *tls.Certificate { return c.expired })},
		{name: "certificate of another host", met: noCallsArrived,
			begin: showing(func(c *certificates) *tls.Certificate { return c.otherHost })},
		{name: "certificate of an unknown issuer", met: noCallsArrived,
			begin: showing(func(c *certificates) *tls.Certificate { return c.unknownIssuer })},
		{name: "ZIM's clock is 11 min ahead", quick: true, met: expired, begin: clock(off)},
		{name: "ZIM's clock is 11 min behind", met: expired, begin: clock(-off)},
	}
}

// showing has ZIM show another certificate.
func showing(choose func(*certificates) *tls.Certificate) func(context.Context, *trial) error {
	return func(_ context.Context, t *trial) error {
		return t.everyReplica(func(r *replica) error {
			r.gateway.certificate.Store(choose(&t.certificates))
			return r.zim.cut()
		})
	}
}

// kubernetesRows are faults between the operator and the API server, or in it.
func kubernetesRows() []row {
	refuse := func(status int, reason metav1.StatusReason, everything bool) func(context.Context, *trial) error {
		return func(_ context.Context, t *trial) error {
			return t.everyReplica(func(r *replica) error {
				r.front.setRefusal(&refusal{status: status, reason: reason, everything: everything})
				return nil
			})
		}
	}
	return []row{
		// The leader ends without its lease; a replica that starts gives up after half a minute.
		{name: "API server away for a minute", lasts: time.Minute, hides: true, restarts: 2, met: aProcessEnded,
			begin: func(_ context.Context, t *trial) error {
				return t.everyReplica(func(r *replica) error {
					r.kube.Stop()
					return nil
				})
			}},
		{name: "API server swallows everything", lasts: 30 * time.Second, hides: true, restarts: 2, met: aProcessEnded,
			begin: func(_ context.Context, t *trial) error {
				return t.everyReplica(func(r *replica) error { return r.kube.swallow() })
			}},
		{name: "API server is slow", met: roomsWereNoticedLate(time.Second / 2),
			begin: func(_ context.Context, t *trial) error {
				return t.everyReplica(func(r *replica) error { return r.kube.delay(time.Second, time.Second/3) })
			}},
		{name: "writes are refused with 403", quick: true, met: requestsWereRefused,
			begin: refuse(http.StatusForbidden, metav1.StatusReasonForbidden, false)},
		{name: "writes are refused with 409", met: requestsWereRefused,
			begin: refuse(http.StatusConflict, metav1.StatusReasonConflict, false)},
		{name: "writes are refused with 429", met: requestsWereRefused,
			begin: refuse(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, false)},
		{name: "writes are refused with 503", met: requestsWereRefused,
			begin: refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, false)},
		{name: "everything is refused with 503", lasts: 20 * time.Second, met: requestsWereRefused,
			hides: true, restarts: 1, // The leader, without its lease.
			begin: refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, true)},
		{name: "watches are cut every 2 s", quick: true, hides: true, met: watchesBegan, begin: cutWatches},
		{name: "objects change under its hands", met: roomsWereMeddledWith, writes: (*trial).writesOfMeddling,
			begin: meddle},
	}
}

// cutWatches cuts all connections to the API server again and again while the fault lasts.
func cutWatches(ctx context.Context, t *trial) error {
	end := time.Now().Add(t.row.lasts)
	go func() {
		for testbed.Sleep(ctx, 2*time.Second) == nil && time.Now().Before(end) {
			_ = t.everyReplica(func(r *replica) error { return r.kube.cut() })
		}
	}()
	return nil
}

// meddle takes away what the operator has written, again and again while the fault lasts.
func meddle(ctx context.Context, t *trial) error {
	end := time.Now().Add(t.row.lasts)
	meddled := t.steady[len(t.steady)/2:]
	t.meddled = map[string]int{}
	go func() {
		for i := 0; testbed.Sleep(ctx, 100*time.Millisecond) == nil && time.Now().Before(end); i++ {
			object := meddled[i%len(meddled)].object.DeepCopy() // The trial goes on with its own.
			t.mu.Lock()
			t.meddled[object.Name] += 2
			t.mu.Unlock()
			patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil,
				`{"metadata":{"finalizers":null,"annotations":{"meddled":"%d"}}}`, i))
			_ = t.kube.Patch(ctx, object, patch) // It may be gone.
			_ = t.kube.Status().Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"status":{"conditions":[]}}`)))
		}
	}()
	return nil
}

// secretRows are faults of the Secret.
func secretRows() []row {
	return []row{
		{name: "Secret deleted", quick: true, met: noCallsArrived, begin: func(ctx context.Context, t *trial) error {
			return t.kube.Delete(ctx, t.secret())
		}},
		{name: "Secret emptied", met: noCallsArrived,
			begin: func(ctx context.Context, t *trial) error { return t.setSecret(ctx, "") }},
		// It is over while the row goes on, so that the writes of getting well count too.
		{name: "Secret rotated at ZIM first, then here", met: callsWereAnswered(zimsim.CodeSignatureWrong),
			writes: (*trial).writesOfFreeze, begin: rotate},
	}
}

// rotate gives ZIM another ServerSecret, and Kubernetes some time later.
func rotate(ctx context.Context, t *trial) error {
	const fresh = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	if err := t.setAccount(ctx, fresh, 0); err != nil {
		return err
	}
	time.AfterFunc(t.row.lasts/3, func() { _ = t.setSecret(ctx, fresh) })
	return nil
}

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
		{name: "lease deleted", restarts: 1, judge: (*trial).judgeLease, begin: func(ctx context.Context, t *trial) error {
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
