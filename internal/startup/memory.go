package startup

import (
	"context"
	"runtime/debug"

	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// Tidy gives memory back once the cache is filled: to read everything at once takes more than to keep it. Every replica
// does, whether it leads or not. It implements manager.Runnable and manager.LeaderElectionRunnable.
type Tidy struct {
	// Cache is what fills.
	Cache cache.Cache
}

// Start returns when the memory is given back, or the context ends.
func (t Tidy) Start(ctx context.Context) error {
	if t.Cache.WaitForCacheSync(ctx) {
		debug.FreeOSMemory()
	}
	return nil
}

// NeedLeaderElection returns false.
func (Tidy) NeedLeaderElection() bool { return false }
