package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// undocumentedCodes stand for those that the vendor may add.
var undocumentedCodes = []int{8, 100000099, 660300099}

// heldBack is the code of what the account's plan does not offer. That is not sent again for an hour, so that nothing
// converges sooner.
const heldBack = 660000028

// codes returns all codes that the vendor documents for what the operator may meet, and some that nobody documents.
func codes() []int {
	var list []int
	for _, block := range [][2]int{{1, 110000}, {100000000, 100000100}, {660000000, 661001000}} {
		for code := block[0]; code < block[1]; code++ {
			known := zim.Code(code) //nolint:gosec // Nine digits.
			if code != heldBack && zim.Documented(known) && !strings.HasPrefix(known.String(), "undocumented") {
				list = append(list, code)
			}
		}
	}
	return slices.Concat(list, undocumentedCodes)
}

// codeRows are return codes: all of them mixed, and each alone.
func codeRows() []row {
	mixed := func(share float64) func(context.Context, *trial) error {
		return func(ctx context.Context, t *trial) error {
			all := codes()
			for _, code := range all {
				err := t.simulator.Inject(ctx, zimsim.Fault{
					Kind: zimsim.FaultCode, Code: code, Probability: share / float64(len(all)), AppID: testbed.AppID,
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	return []row{
		{name: "1 % of calls: any code", lasts: time.Minute, writes: true, begin: mixed(0.01)},
		{name: "20 % of calls: any code", quick: true, lasts: 20 * time.Second, writes: true, begin: mixed(0.2)},
		{name: "all calls: each code", run: (*world).tryCodes},
	}
}

// firstCodeApp is the first of the accounts that get one code each.
const firstCodeApp = 2000000000

// tryCodes gives each code an account of its own whose every call is answered with it, all at the same time.
func (w *world) tryCodes(ctx context.Context, r row) (*result, error) {
	const each = 2
	all := codes()
	t := &trial{world: w, row: r}
	for i, code := range all {
		appID, name := uint32(firstCodeApp+i), fmt.Sprintf("code-%d", code)
		app := zimsim.App{AppID: appID, ServerSecret: testbed.ServerSecret, CallsPerSecond: requestsPerSecond}
		if err := w.simulator.SetApp(ctx, app); err != nil {
			return nil, err
		}
		if err := w.createApp(ctx, name, appID); err != nil {
			return nil, err
		}
		for _, list := range []*[]*room{&t.steady, &t.fresh} {
			prefix := name
			if list == &t.fresh {
				prefix += "-new"
			}
			for _, room := range newRooms(prefix, each) {
				room.appID = appID
				room.object.Spec.AppRef = &zimv1alpha1.AppReference{Name: name}
				*list = append(*list, room)
			}
		}
	}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	return t.finishCodes(ctx, all)
}

// finishCodes has the codes answered, and looks what becomes of the rooms of each.
func (t *trial) finishCodes(ctx context.Context, all []int) (*result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.vitals = t.watchVitals(ctx)
	for i, code := range all {
		fault := zimsim.Fault{Kind: zimsim.FaultCode, Code: code, AppID: uint32(firstCodeApp + i)}
		if err := t.simulator.Inject(ctx, fault); err != nil {
			return nil, err
		}
	}
	t.began = time.Now()
	if err := t.create(ctx, t.fresh...); err != nil {
		return nil, err
	}
	for i, room := range t.steady {
		if i%2 == 0 {
			if err := t.edit(ctx, room, "second", ""); err != nil {
				return nil, err
			}
		}
	}
	if err := testbed.Sleep(ctx, t.lasts()); err != nil {
		return nil, err
	}
	t.countWrites()
	t.ended = time.Now()
	if err := t.heal(ctx); err != nil {
		return nil, err
	}
	took, failed := t.converge(ctx, t.rooms(), convergeLimit)
	result, err := t.judgeCodes(ctx, all, took, failed)
	if err != nil {
		return nil, err
	}
	if err := t.remove(ctx, t.rooms()...); err != nil {
		return nil, err
	}
	if _, err := t.converge(ctx, t.rooms(), settleLimit); err != nil {
		result.broken = append(result.broken, "in the end: "+err.Error())
	}
	return result, nil
}

// judgeCodes judges each account by itself: the quota is one of each.
func (t *trial) judgeCodes(ctx context.Context, all []int, took time.Duration, failed error) (*result, error) {
	var busiest int
	for i := range all {
		calls, err := t.simulator.Calls(ctx, uint32(firstCodeApp+i))
		if err != nil {
			return nil, err
		}
		busiest = max(busiest, testbed.BusiestSecond(calls.By(testbed.OperatorAgent).Times()))
		t.calls = append(t.calls, calls.By(testbed.OperatorAgent)...)
	}
	perAccount := t.calls
	t.calls = nil // The rate of all together means nothing.
	result := t.result(took, failed)
	t.calls = perAccount
	result.rate, result.seen = busiest, fmt.Sprintf("%d codes, %s", len(all), t.summary())
	if busiest > requestsPerSecond+arrivalJitter {
		result.broken = append(result.broken, fmt.Sprintf("%d calls in a second for an account", busiest))
	}
	result.broken = append(result.broken, wronglyDestroyed(t.rooms(), t.calls)...)
	result.broken = append(result.broken, hurried(t.rooms(), t.calls)...)
	return result, nil
}
