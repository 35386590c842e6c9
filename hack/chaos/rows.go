package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"time"

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
	return []row{
		{name: "ZIM is slow", begin: onZIM(func(p *proxy) error { return p.delay(3*time.Second, time.Second) })},
		{name: "ZIM answers after 12 s", lasts: 25 * time.Second,
			begin: inject(zimsim.Fault{Kind: zimsim.FaultLatency, Duration: 12 * time.Second})},
		{name: "ZIM hangs", quick: true, lasts: 15 * time.Second, begin: inject(zimsim.Fault{Kind: zimsim.FaultHang})},
		{name: "connections to ZIM hang", begin: onZIM(func(p *proxy) error {
			return p.add("timeout", map[string]any{"timeout": 0})
		})},
		{name: "ZIM refuses connections", quick: true, begin: onZIM(func(p *proxy) error {
			p.Stop()
			return nil
		})},
		{name: "ZIM resets connections", begin: onZIM(func(p *proxy) error {
			return p.add("reset_peer", map[string]any{"timeout": 50})
		})},
		{name: "ZIM cuts before the call", begin: inject(zimsim.Fault{Kind: zimsim.FaultCutBefore})},
		{name: "ZIM cuts after the call", quick: true, begin: inject(zimsim.Fault{Kind: zimsim.FaultCutAfter})},
		{name: "ZIM answers HTML", begin: inject(zimsim.Fault{Kind: zimsim.FaultHTML})},
		{name: "ZIM answers half the JSON", begin: inject(zimsim.Fault{Kind: zimsim.FaultTruncated})},
		{name: "ZIM answers 100 MB", quick: true, begin: inject(zimsim.Fault{Kind: zimsim.FaultHuge})},
		{name: "ZIM answers without end", begin: inject(zimsim.Fault{Kind: zimsim.FaultHuge, Size: -1})},
		{name: "ZIM answers 500", begin: status(http.StatusInternalServerError)},
		{name: "ZIM answers 429", quick: true, begin: status(http.StatusTooManyRequests)},
		{name: "ZIM redirects to another host", begin: inject(zimsim.Fault{
			Kind: zimsim.FaultRedirect, Location: "https://elsewhere.example.com/",
		})},
		{name: "certificate expired",
			begin: showing(func(c *certificates) *tls.Certificate { return c.expired })},
		{name: "certificate of another host", begin: showing(func(c *certificates) *tls.Certificate { return c.otherHost })},
		{name: "certificate of an unknown issuer",
			begin: showing(func(c *certificates) *tls.Certificate { return c.unknownIssuer })},
		{name: "ZIM's clock is 11 min ahead", quick: true, begin: clock(off)},
		{name: "the operator's clock is 11 min ahead", begin: clock(-off)}, // Only the difference counts.
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
		{name: "API server away for a minute", lasts: time.Minute, begin: func(_ context.Context, t *trial) error {
			return t.everyReplica(func(r *replica) error {
				r.kube.Stop()
				return nil
			})
		}},
		{name: "API server is slow", begin: func(_ context.Context, t *trial) error {
			return t.everyReplica(func(r *replica) error { return r.kube.delay(time.Second, time.Second/3) })
		}},
		{name: "writes are refused with 403", quick: true,
			begin: refuse(http.StatusForbidden, metav1.StatusReasonForbidden, false)},
		{name: "writes are refused with 409", begin: refuse(http.StatusConflict, metav1.StatusReasonConflict, false)},
		{name: "writes are refused with 429",
			begin: refuse(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, false)},
		{name: "writes are refused with 503",
			begin: refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, false)},
		{name: "everything is refused with 503", lasts: 20 * time.Second,
			begin: refuse(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, true)},
		{name: "watches are cut every 2 s", quick: true, begin: cutWatches},
		{name: "objects change under its hands", writes: true, begin: meddle},
	}
}

// cutWatches cuts all connections to the API server again and again while the fault lasts.
func cutWatches(ctx context.Context, t *trial) error {
	end := time.Now().Add(t.row.lasts)
	go func() {
		for time.Now().Before(end) && testbed.Sleep(ctx, 2*time.Second) == nil {
			_ = t.everyReplica(func(r *replica) error { return r.kube.cut() })
		}
	}()
	return nil
}

// meddle takes away what the operator has written, again and again while the fault lasts.
func meddle(ctx context.Context, t *trial) error {
	end := time.Now().Add(t.row.lasts)
	meddled := t.steady[len(t.steady)/2:]
	go func() {
		for i := 0; time.Now().Before(end) && testbed.Sleep(ctx, 100*time.Millisecond) == nil; i++ {
			object := meddled[i%len(meddled)].object.DeepCopy() // The trial goes on with its own.
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
		{name: "Secret deleted", quick: true, begin: func(ctx context.Context, t *trial) error {
			return t.kube.Delete(ctx, t.secret())
		}},
		{name: "Secret emptied", begin: func(ctx context.Context, t *trial) error { return t.setSecret(ctx, "") }},
		// It is over while the row goes on, so that the writes of getting well count too.
		{name: "Secret rotated at ZIM first, then here", writes: true, begin: func(ctx context.Context, t *trial) error {
			const fresh = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
			if err := t.setAccount(ctx, fresh, 0); err != nil {
				return err
			}
			time.AfterFunc(t.row.lasts/3, func() { _ = t.setSecret(ctx, fresh) })
			return nil
		}},
	}
}

// leaderRows are faults of the replica that leads.
func leaderRows() []row {
	const next = 20 * time.Second
	return []row{
		{name: "leader killed", quick: true, lasts: next, burst: true, judge: (*trial).judgeKill,
			begin: func(_ context.Context, t *trial) error {
				<-t.leader.signal(syscall.SIGKILL).Ended()
				t.without = time.Now()
				return nil
			}},
		{name: "leader stopped cleanly", quick: true, burst: true, judge: (*trial).judgeStop,
			begin: func(_ context.Context, t *trial) error {
				<-t.leader.signal(syscall.SIGTERM).Ended()
				t.without = time.Now()
				return nil
			}},
		{name: "leader paused beyond its lease", lasts: next, burst: true, judge: (*trial).judgePause,
			begin: func(_ context.Context, t *trial) error {
				t.leader.signal(syscall.SIGSTOP)
				return nil
			},
			end: func(_ context.Context, t *trial) error {
				t.leader.signal(syscall.SIGCONT)
				return nil
			}},
		{name: "leader cut off from the API server", lasts: 25 * time.Second, burst: true, judge: (*trial).judgeKill,
			begin: func(_ context.Context, t *trial) error {
				t.leader.kube.Stop()
				return nil
			}},
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

func (t *trial) judgeStop() (seen string, broken []string) {
	const limit = 3 * time.Second
	return t.judgeFailover(limit)
}

// judgePause looks what the old leader did when it woke.
func (t *trial) judgePause() (seen string, broken []string) {
	seen, broken = t.judgeKill()
	late, byRoom := t.callsOf(t.leader, false).After(t.ended), map[string]int{}
	for i := range late {
		byRoom[late[i].RoomID]++
		if byRoom[late[i].RoomID] > 1 {
			broken = append(broken, "the old leader called twice for "+late[i].RoomID)
		}
		if late[i].Action == testbed.DestroyRoom || late[i].Action == testbed.ModifyRoomAttribute {
			broken = append(broken, "the old leader sent "+late[i].Action)
		}
	}
	return fmt.Sprintf("%s, the old one sent %d calls when it woke", seen, len(late)), broken
}
