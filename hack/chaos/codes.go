package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zim"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var (
	// undocumentedCodes stand for those that the vendor may add.
	undocumentedCodes = []int{8, 100000099, 660300099}
	// otherCodes stand for those of groups, conversations, calls and edits of messages, which rooms do not meet: all are
	// taken alike.
	otherCodes = []int{660600001, 660800001, 660900003, 661000001}
)

// heldBack is the code of what the account's plan does not offer. That is not sent again for an hour, so that nothing
// converges sooner.
const heldBack = 660000028

// codes returns all codes that the vendor documents for what the operator may meet, and some others.
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
	return slices.Concat(list, otherCodes, undocumentedCodes)
}

// codes are all of them, or in a quick run one of each nine.
func (o *options) codes() []int {
	all := codes()
	if !o.quick {
		return all
	}
	const one = 9
	var some []int
	for chunk := range slices.Chunk(all, one) {
		some = append(some, chunk[0])
	}
	return some
}

// codeRows give each code an account of its own, some of whose calls are answered with it, all at the same time.
func codeRows() []row {
	each := func(share float64) func(*world, context.Context, row) (*result, error) {
		return func(w *world, ctx context.Context, r row) (*result, error) { return w.tryCodes(ctx, r, share) }
	}
	return []row{
		{name: "1 % of calls: each code", lasts: time.Minute, met: callsWereHit, writes: (*trial).writesOfHits,
			run: each(0.01)},
		{name: "20 % of calls: each code", quick: true, lasts: 20 * time.Second, met: eachCodeWasAnswered,
			writes: (*trial).writesOfHits, run: each(0.2)},
		{name: "all calls: each code", lasts: 12 * time.Second, met: eachCodeWasAnswered, run: each(1)},
	}
}

// firstCodeApp is the first of the accounts that get one code each.
const firstCodeApp = 2000000000

// The codes that say something of the room that is not so.
const (
	noSuchRoom = 660300001
	roomExists = 660300014
)

func codeApp(code int) string { return fmt.Sprintf("code-%d", code) }

// tryCodes creates the accounts, and in each of them rooms to edit, to rename and to delete.
func (w *world) tryCodes(ctx context.Context, r row, share float64) (*result, error) {
	all := w.codes()
	if err := w.createCodeApps(ctx, all); err != nil {
		return nil, err
	}
	t := &trial{world: w, row: r, codes: all}
	for i, code := range all {
		rooms := newRooms(fmt.Sprintf("share-%g-%d", share, code), 4)
		for _, room := range rooms {
			room.appID = firstCodeApp + uint32(i)
			room.object.Spec.AppRef = &zimv1alpha1.AppReference{Name: codeApp(code)}
			room.mayBeAdopted = code == noSuchRoom || code == roomExists
		}
		rooms[1].anyName = code == noSuchRoom // It is to have another name, and ZIM says that it is gone.
		rooms[2].mayStay = code == noSuchRoom // Likewise when it is deleted.
		t.steady, t.fresh = append(t.steady, rooms[:3]...), append(t.fresh, rooms[3])
	}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.vitals = t.watchVitals(ctx)
	if err := t.answerCodes(ctx, share); err != nil {
		return nil, err
	}
	took, failed := t.converge(ctx, t.rooms(), convergeLimit)
	if err := t.collectCodes(ctx); err != nil {
		return nil, err
	}
	result := t.result(took, failed)
	result.seen = t.summaryOfCodes() + ", " + result.seen
	return result, t.clear(ctx, result)
}

// createCodeApps creates an account for each code, if it is not there from an earlier row.
func (w *world) createCodeApps(ctx context.Context, all []int) error {
	if w.codeApps {
		return nil
	}
	w.codeApps = true
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, code := range all {
		group.Go(func() error {
			appID := firstCodeApp + uint32(i) //nolint:gosec // As many as there are codes.
			app := zimsim.App{AppID: appID, ServerSecret: testbed.ServerSecret, CallsPerSecond: requestsPerSecond}
			if err := w.simulator.SetApp(ctx, app); err != nil {
				return err
			}
			return w.createApp(ctx, codeApp(code), appID)
		})
	}
	return group.Wait()
}

// answerCodes has the codes answered while rooms come, change and go.
func (t *trial) answerCodes(ctx context.Context, share float64) error {
	for i, code := range t.codes {
		fault := zimsim.Fault{Kind: zimsim.FaultCode, Code: code, AppID: uint32(firstCodeApp + i), Probability: share}
		if err := t.simulator.Inject(ctx, fault); err != nil {
			return err
		}
	}
	t.began = time.Now()
	if err := t.create(ctx, t.fresh...); err != nil {
		return err
	}
	for rooms := range slices.Chunk(t.steady, 3) {
		err := errors.Join(t.edit(ctx, rooms[0], "second", ""), t.edit(ctx, rooms[1], "second", "Another name"),
			t.remove(ctx, rooms[2]))
		if err != nil {
			return err
		}
	}
	if err := testbed.Sleep(ctx, t.row.lasts); err != nil {
		return err
	}
	t.countWrites()
	t.ended = time.Now()
	return t.heal(ctx)
}

// collectCodes is collect for all accounts.
func (t *trial) collectCodes(ctx context.Context) error {
	for i := range t.codes {
		calls, err := t.simulator.Calls(ctx, uint32(firstCodeApp+i))
		if err != nil {
			return err
		}
		t.calls = append(t.calls, calls.By(testbed.OperatorAgent)...)
	}
	return errors.Join(t.collectState(ctx), t.collectEnds())
}

// hitsOfCodes counts how often each code was answered.
func (t *trial) hitsOfCodes() []int {
	hits := make([]int, len(t.codes))
	for _, call := range t.calls {
		if i := int(call.AppID) - firstCodeApp; call.Fault != "" && i >= 0 && i < len(hits) {
			hits[i]++
		}
	}
	return hits
}

// eachCodeWasAnswered is for codes that are to be answered often.
func eachCodeWasAnswered(t *trial) string {
	if i := slices.Index(t.hitsOfCodes(), 0); i >= 0 {
		return fmt.Sprintf("%d was never answered", t.codes[i])
	}
	return ""
}

// summaryOfCodes says how many codes were answered at all.
func (t *trial) summaryOfCodes() string {
	met := slices.DeleteFunc(t.hitsOfCodes(), func(hits int) bool { return hits == 0 })
	return fmt.Sprintf("%d of %d codes met", len(met), len(t.codes))
}
