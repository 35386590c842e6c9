package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
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
