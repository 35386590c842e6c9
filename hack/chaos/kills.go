package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
)

const (
	killRooms      = 50
	kills          = 100
	killsQuick     = 8
	longestLife    = 2500 * time.Millisecond
	changesPerLife = 4
)

func killRows() []row {
	return []row{{
		name: fmt.Sprintf("killed at random again and again, %d rooms", killRooms), quick: true, lives: true,
		writes: (*trial).writesOfChanges, run: (*world).tryKills,
	}}
}

// tryKills runs one manager without a second, kills it again and again at random moments, and starts it again, while
// rooms come, change, vanish and go.
func (w *world) tryKills(ctx context.Context, r row) (*result, error) {
	count := kills
	if w.quick {
		count = killsQuick
	}
	t := &trial{world: w, row: r, survivors: newSurvivors("killed")}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	t.steady = newRooms("killed", killRooms)
	alone, err := w.newReplica(ctx, "alone")
	if err != nil {
		return nil, err
	}
	pair := w.replicas
	for _, replica := range pair {
		replica.hold()
	}
	w.replicas = []*replica{alone}
	defer func() { w.replicas = pair }()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	t.vitals = w.watchVitals(watching)
	k := &killer{trial: t, next: killRooms, others: t.survivors.changes(w)}
	result, err := k.kill(ctx, alone, count)
	if err != nil {
		return nil, err
	}
	result.seen = fmt.Sprintf("killed %d times, %d changes, %s", count, k.changes, result.seen)
	alone.hold()
	for _, replica := range pair {
		if err := replica.start(ctx); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// killer is a run of kills.
type killer struct {
	*trial
	gone    []*room
	next    int
	changes int
	others  []change // To the survivors.
	due     change   // One of them, for the present life.
}

// kill has all lives, but for the last one, which sees to it that all gets well.
func (k *killer) kill(ctx context.Context, alone *replica, count int) (*result, error) {
	k.began = time.Now()
	each := count / (len(k.others) + 1)
	for i := range count {
		if i%each == each-1 && len(k.others) > 0 {
			k.due, k.others = k.others[0], k.others[1:]
		}
		if err := k.live(ctx, alone); err != nil {
			return nil, err
		}
	}
	if err := alone.start(ctx); err != nil {
		return nil, err
	}
	k.ended = time.Now()
	return k.finish(ctx)
}

// live is one life of the manager, at whose end it is killed.
func (k *killer) live(ctx context.Context, alone *replica) error {
	if err := alone.start(ctx); err != nil {
		return err
	}
	alone.mu.Lock()
	alone.idle = true // It is started again here.
	alone.mu.Unlock()
	life := time.Duration(rand.Int64N(int64(longestLife))) //nolint:gosec // No secret.
	for range changesPerLife {
		if err := testbed.Sleep(ctx, life/changesPerLife); err != nil {
			return err
		}
		if err := k.change(ctx); err != nil {
			return err
		}
	}
	<-alone.signal(syscall.SIGKILL).Ended()
	return nil
}

// change does something to a random room, unless something is due. The first time that a room is chosen, it is created.
func (k *killer) change(ctx context.Context) error {
	k.changes++
	if due := k.due; due != nil {
		k.due = nil
		return due(ctx)
	}
	i, kind := rand.IntN(len(k.steady)), rand.IntN(5) //nolint:gosec // No secret.
	r := k.steady[i]
	if r.object.UID == "" {
		return k.create(ctx, r)
	}
	switch kind {
	case 0: // It goes, and another one comes in its place.
		confirmed, err := k.isConfirmed(ctx, r)
		if err != nil {
			return err
		}
		k.gone, r.mayStay = append(k.gone, r), !confirmed
		k.steady[i] = newRooms("killed", k.next+1)[k.next]
		k.next++
		return k.remove(ctx, r)
	case 1:
		return k.vanish(ctx, r)
	case 2:
		return k.edit(ctx, r, fmt.Sprintf("value %d", k.changes), fmt.Sprintf("Name %d", k.changes))
	default:
		return k.edit(ctx, r, fmt.Sprintf("value %d", k.changes), "")
	}
}

// finish has every room declared, and looks what became of them.
func (k *killer) finish(ctx context.Context) (*result, error) {
	for _, r := range k.steady {
		if r.object.UID == "" {
			if err := k.create(ctx, r); err != nil {
				return nil, err
			}
		}
	}
	k.fresh = k.gone
	took, failed := k.converge(ctx, k.rooms(), convergeLimit)
	if err := k.collect(ctx); err != nil {
		return nil, err
	}
	k.countWrites()
	result := k.result(took, failed)
	left, broken := k.strays(ctx)
	result.seen += fmt.Sprintf(", %d rooms left behind", left)
	result.broken = append(result.broken, broken...)
	return result, k.clear(ctx, result)
}

// strays finds live rooms that nobody declares: how many were left behind in doubt, and those without that excuse.
func (k *killer) strays(ctx context.Context) (left int, broken []string) {
	live, err := k.world.live(ctx, k.rooms())
	if err != nil {
		return 0, []string{err.Error()}
	}
	for _, r := range k.gone {
		if _, exists := live[r.object.Spec.ID]; exists {
			left++
		}
	}
	for _, r := range k.rooms() {
		if r.isDeclared() || r.mayStay {
			delete(live, r.object.Spec.ID)
		}
	}
	for id := range live {
		if strings.HasPrefix(id, "killed") {
			broken = append(broken, id+" exists, and nobody declares it")
		}
	}
	return left, broken
}
