// Package leadership tells a replica at any moment whether it still is the leader. Leader election alone does not: it
// ends the process of a leader that could not renew its lease, but one that was paused beyond its lease, and wakes, may
// act for a moment on what it had begun, while another replica leads.
package leadership

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// ErrNotLeader is the error of what only the leader may do.
var ErrNotLeader = errors.New("this replica is not the leader, or may not be any more")

// Lock is the lock of an election that remembers when it was last renewed. It is safe for concurrent use.
type Lock struct {
	// Interface is the lock itself. Nil: there is no election, and every replica leads.
	resourcelock.Interface

	validity time.Duration
	mu       sync.Mutex
	renewed  moment
}

// moment is one by two clocks: the steady one stands still while the machine is suspended, the other one may be set.
type moment struct {
	steady, wall time.Time
}

func now() moment {
	reading := time.Now()
	return moment{steady: reading, wall: reading.Round(0)} // Without the steady clock's reading.
}

// age is how long ago it was by the clock that says longer. A wall clock that is set forward costs two seconds, until
// the next renewal.
func (m moment) age() time.Duration {
	at := now()
	return max(at.steady.Sub(m.steady), at.wall.Sub(m.wall))
}

// NewLock returns a lock, which has to get its Interface before the election begins. It is taken to be held for so long
// after each renewal: less than the lease, because what is begun at the end of that time takes a moment to arrive.
func NewLock(validity time.Duration) *Lock {
	return &Lock{validity: validity}
}

// Check returns ErrNotLeader unless nobody else can be the leader by now.
func (l *Lock) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Interface != nil && (l.renewed == (moment{}) || l.renewed.age() >= l.validity) {
		return ErrNotLeader
	}
	return nil
}

// Get implements resourcelock.Interface. Whoever sees that the lease is gone, or has another holder, leads no more.
func (l *Lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	if apierrors.IsNotFound(err) || (err == nil && record.HolderIdentity != l.Identity()) {
		l.set(moment{})
	}
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (l *Lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Create)
}

// Update implements resourcelock.Interface.
func (l *Lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.write(ctx, record, l.Interface.Update)
}

// write counts the lease from before it is asked for: the API server, and by it the others, may have it so early.
func (l *Lock) write(
	ctx context.Context, record resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	if record.HolderIdentity != l.Identity() {
		return l.giveBack(ctx, record, write)
	}
	asked := now()
	err := write(ctx, record)
	if err == nil {
		l.set(asked)
	}
	return err
}

// giveBack writes that nobody holds the lease, unless another replica may: the election gives back what it reads, and
// that can be the lease of the next leader.
func (l *Lock) giveBack(
	ctx context.Context, record resourcelock.LeaderElectionRecord,
	write func(context.Context, resourcelock.LeaderElectionRecord) error,
) error {
	if err := l.Check(); err != nil {
		return err
	}
	renewed := l.set(moment{})
	err := write(ctx, record)
	if apierrors.IsConflict(err) { // Nothing was written: the election reads who has it, and may give it back once more.
		l.set(renewed)
	}
	return err
}

// set returns what was remembered before.
func (l *Lock) set(renewed moment) (before moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.renewed = l.renewed, renewed
	return before
}
