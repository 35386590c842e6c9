package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	// convergeLimit is when to give up waiting for the rooms after a fault. It leaves time for what ZIM refused twice and
	// may accept later, which is tried after a minute, then after two; and for a rate that was cut again and again.
	convergeLimit = 5 * time.Minute
	// settleLimit is how long rooms may take to come and to go while nothing is broken.
	settleLimit = time.Minute
)

// row is one fault.
type row struct {
	name string
	// quick rows stand for the rest in a quick run.
	quick bool
	// lasts is how long the fault lasts; 0: as long as most.
	lasts time.Duration
	// begin breaks something; whatever it is, world.heal mends it, and end what that does not know.
	begin, end func(ctx context.Context, t *trial) error
	// met tells whether the fault did anything.
	met expectation
	// burst: the changes to the rooms come all at once, and the fault in the middle of them.
	burst bool
	// leaders is how many replicas may lead for a moment without knowing better; 0: one.
	leaders int
	// writes is how many more writes of a ZimRoom the fault asks for; nil: none.
	writes func(t *trial, name string) int
	// hides: replicas may hear of changes much later.
	hides bool
	// losesAnswers: calls may be carried out whose answers never come, and nobody knows which. lives: no process lives on.
	losesAnswers, lives bool
	// restarts is how many ends of processes the fault excuses.
	restarts int
	// judge looks for what only this fault can break, and says what was seen.
	judge func(t *trial) (seen string, broken []string)
	// run is for a row that goes quite another way.
	run func(w *world, ctx context.Context, r row) (*result, error)
}

// trial is one row under way.
type trial struct {
	*world
	row           row
	steady, fresh []*room
	survivors     *survivors
	began, ended  time.Time       // Of the fault.
	without       time.Time       // When the leader's process was gone; zero if the fault is another one.
	calls         testbed.Journal // Of the operator, from the beginning of the fault to the end.
	writes        map[string]int  // While the fault lasted.
	attempts      map[string]int
	refused       int
	watches       int
	after         state
	vitals        *vitals
	leader        *replica // At the beginning.
	restarts      int
	panics        []string
	codes         []int // Of the accounts, one each; nil if there is but the usual account.

	mu      sync.Mutex
	meddled map[string]int // How often others took away what was written, by ZimRoom.
}

// state is what was there when the rooms had converged.
type state struct {
	objects map[string]*zimv1alpha1.ZimRoom // By name.
	live    map[string]zimsim.Room          // By id.
}

// change is something that people, or others, do to rooms.
type change func(context.Context) error

// rooms are all of the trial.
func (t *trial) rooms() []*room { return slices.Concat(t.steady, t.fresh, t.survivors.rooms()) }

// single are those that never have two ZimRooms.
func (t *trial) single() []*room {
	return slices.DeleteFunc(t.rooms(), func(r *room) bool {
		return t.survivors != nil && r.object.Spec.ID == t.survivors.given.object.Spec.ID
	})
}

// prefix begins the names of a row's rooms: the row's own, cut short, and a sum of all of it.
func (r *row) prefix() string {
	const most = 18
	clean := strings.Map(func(c rune) rune {
		if (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') {
			return c
		}
		return '-'
	}, strings.ToLower(r.name))
	sum := crc32.ChecksumIEEE([]byte(r.name))
	return fmt.Sprintf("%s-%04x", strings.Trim(clean[:min(len(clean), most)], "-"), sum&0xffff)
}

// try runs one row: rooms, the fault with changes to the rooms meanwhile, convergence, judgement, and the end of all
// rooms.
func (w *world) try(ctx context.Context, r row) (*result, error) {
	steady, fresh := w.size()
	t := &trial{
		world: w, row: r, steady: newRooms(r.prefix(), steady), fresh: newRooms(r.prefix()+"-new", fresh),
		survivors: newSurvivors(r.prefix()),
	}
	if r.lasts == 0 {
		t.row.lasts = w.lasts()
	}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.vitals = w.watchVitals(ctx)
	if err := t.breakThings(ctx); err != nil {
		return nil, err
	}
	took, failed := w.converge(ctx, t.rooms(), convergeLimit)
	if err := t.collect(ctx); err != nil {
		return nil, err
	}
	result := t.result(took, failed)
	return result, t.clear(ctx, result)
}

// clear removes all rooms, so that the next row begins without.
func (t *trial) clear(ctx context.Context, result *result) error {
	if err := t.remove(ctx, t.rooms()...); err != nil {
		return err
	}
	if _, err := t.converge(ctx, t.rooms(), settleLimit); err != nil {
		result.broken = append(result.broken, "in the end: "+err.Error())
	}
	return t.survivors.sweep(ctx, t.world)
}

// prepare has the steady rooms Ready, and all counts at nothing.
func (t *trial) prepare(ctx context.Context) (err error) {
	if t.leader, err = t.world.leader(ctx); err != nil {
		return err
	}
	if err := t.create(ctx, t.steady...); err != nil {
		return err
	}
	if _, err := t.converge(ctx, t.steady, settleLimit); err != nil {
		return fmt.Errorf("before the fault: %w", err)
	}
	if t.survivors != nil {
		if err := t.survivors.prepare(ctx, t.world); err != nil {
			return err
		}
	}
	for _, r := range t.replicas {
		r.front.forget()
	}
	return t.simulator.Forget(ctx)
}

// breakThings has the fault, and changes while it lasts.
func (t *trial) breakThings(ctx context.Context) error {
	first, changes := t.changes()
	spread := t.row.lasts * 4 / 5
	t.began = time.Now()
	if t.row.burst {
		spread = time.Second / 2
		for _, change := range changes[:len(changes)/2] {
			if err := change(ctx); err != nil {
				return err
			}
		}
		changes = changes[len(changes)/2:]
		t.began = time.Now()
	}
	if err := t.row.begin(ctx, t); err != nil {
		return fmt.Errorf("breaking something: %w", err)
	}
	for i, change := range slices.Insert(changes, 0, first) {
		pause := time.Until(t.began.Add(spread * time.Duration(i) / time.Duration(len(changes))))
		if err := testbed.Sleep(ctx, pause); err != nil {
			return err
		}
		if err := change(ctx); err != nil {
			return err
		}
	}
	if err := testbed.Sleep(ctx, time.Until(t.began.Add(t.row.lasts))); err != nil {
		return err
	}
	t.countWrites()
	t.ended = time.Now()
	if t.row.end != nil {
		if err := t.row.end(ctx, t); err != nil {
			return fmt.Errorf("mending something: %w", err)
		}
	}
	return t.heal(ctx)
}

// changes are what people and others do to the rooms, in random order: new rooms, edits of attributes and of names,
// rooms that vanish, deletions. The first comes just after the fault has begun: another name, which takes most calls.
func (t *trial) changes() (first change, list []change) {
	each := len(t.fresh)
	for i := range each {
		list = append(list,
			func(ctx context.Context) error { return t.create(ctx, t.fresh[i]) },
			func(ctx context.Context) error { return t.edit(ctx, t.steady[i], "second", "") })
		if i%2 == 0 {
			list = append(list,
				func(ctx context.Context) error { return t.vanish(ctx, t.steady[each+i]) },
				func(ctx context.Context) error { return t.remove(ctx, t.steady[each+i+1]) })
		}
	}
	const renames = 3
	var rename []change
	for _, r := range t.steady[len(t.steady)-renames:] {
		rename = append(rename, func(ctx context.Context) error { return t.edit(ctx, r, "second", "Another name") })
	}
	list = slices.Concat(list, rename[1:], t.survivors.changes(t.world))
	shuffle(list)
	return rename[0], list
}

func (t *trial) countWrites() {
	t.writes, t.attempts = map[string]int{}, map[string]int{}
	for _, r := range t.replicas {
		writes, attempts, refused, watches := r.front.counts()
		t.refused += refused
		t.watches += watches
		for name, count := range attempts {
			t.writes[name] += writes[name]
			t.attempts[name] += count
		}
	}
}

// collect reads what was called, and what there is now.
func (t *trial) collect(ctx context.Context) error {
	calls, err := t.simulator.Calls(ctx, testbed.AppID)
	t.calls = calls.By(testbed.OperatorAgent)
	return errors.Join(err, t.collectState(ctx), t.collectEnds())
}

func (t *trial) collectState(ctx context.Context) (err error) {
	if t.after.objects, err = t.objects(ctx); err != nil {
		return err
	}
	t.after.live, err = t.live(ctx, t.rooms())
	return err
}

// collectEnds counts the ends of processes, and finds panics.
func (t *trial) collectEnds() error {
	var errs []error
	for _, r := range t.replicas {
		t.restarts += r.forgive()
		panics, err := r.panics()
		t.panics, errs = append(t.panics, panics...), append(errs, err)
	}
	return errors.Join(errs...)
}

func shuffle[T any](list []T) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] }) //nolint:gosec // No secret.
}
