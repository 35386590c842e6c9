package startup

import (
	"context"
	"runtime/debug"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// firstPasses is how long a leader has for its first look at all that is there; ten thousand objects take a second.
const firstPasses = 10 * time.Second

// Tidy gives memory back once the cache is filled: to read everything at once takes more than to keep it. It implements
// manager.Runnable and manager.LeaderElectionRunnable.
type Tidy struct {
	// Cache is what fills.
	Cache cache.Cache
	// Leader has it done again, ten seconds after a replica has begun to lead: a first pass over everything at once takes
	// more than it leaves behind, too.
	Leader bool
}

// Start returns when the memory is given back, or the context ends.
func (t Tidy) Start(ctx context.Context) error {
	if !t.Cache.WaitForCacheSync(ctx) {
		return nil
	}
	if t.Leader {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(firstPasses):
		}
	}
	debug.FreeOSMemory()
	return nil
}

// NeedLeaderElection tells whether a replica waits with it until it leads.
func (t Tidy) NeedLeaderElection() bool { return t.Leader }
