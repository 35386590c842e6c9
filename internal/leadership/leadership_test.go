package leadership_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/zim-operator/zim-operator/internal/leadership"
)

const validity = 9 * time.Second

// lease is the lock below: it takes a while, and fails on command.
type lease struct {
	resourcelock.Interface

	takes  time.Duration
	err    error
	holder string
	// written is the holder that was written last.
	written string
}

func (*lease) Identity() string { return "me" }

func (l *lease) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: l.holder}, nil, l.err
}

func (l *lease) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, record)
}

func (l *lease) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	time.Sleep(l.takes)
	if l.err == nil {
		l.written = record.HolderIdentity
	}
	return l.err
}

func mine() resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{HolderIdentity: "me"}
}

func TestOnlyARenewedLeaseIsHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(ctx context.Context, below *lease, lock *leadership.Lock)
		leads   bool
	}{
		"nothing yet": {func(context.Context, *lease, *leadership.Lock) {}, false},
		"acquired": {func(ctx context.Context, _ *lease, lock *leadership.Lock) {
			_ = lock.Create(ctx, mine())
		}, true},
		"not acquired": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			below.err = errors.New("somebody else has it")
			_ = lock.Create(ctx, mine())
		}, false},
		"renewed in time": {func(ctx context.Context, _ *lease, lock *leadership.Lock) {
			_ = lock.Create(ctx, mine())
			time.Sleep(validity - time.Second)
			_ = lock.Update(ctx, mine())
			time.Sleep(validity - time.Second)
		}, true},
		"paused for too long": {func(ctx context.Context, _ *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			time.Sleep(validity)
		}, false},
		"counted from the asking": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			below.takes = time.Second
			_ = lock.Update(ctx, mine())
			time.Sleep(validity - time.Second)
		}, false},
		"not renewed, but not over": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			below.err = errors.New("no answer")
			_ = lock.Update(ctx, mine())
		}, true},
		"no election": {func(_ context.Context, _ *lease, lock *leadership.Lock) { lock.Interface = nil }, true},
		"its holder was seen": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			below.holder = lock.Identity()
			_, _, _ = lock.Get(ctx)
		}, true},
		"another holder was seen": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			below.holder = "another"
			_, _, _ = lock.Get(ctx)
		}, false},
		"seen to be gone": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			below.err = apierrors.NewNotFound(schema.GroupResource{}, "lease")
			_, _, _ = lock.Get(ctx)
		}, false},
		"not seen": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			below.err = errors.New("no answer")
			_, _, _ = lock.Get(ctx)
		}, true},
		"given back": {func(ctx context.Context, _ *lease, lock *leadership.Lock) {
			_ = lock.Update(ctx, mine())
			_ = lock.Update(ctx, resourcelock.LeaderElectionRecord{})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				below, lock := &lease{}, leadership.NewLock(validity)
				lock.Interface = below
				tc.happens(t.Context(), below, lock)
				if err := lock.Check(); (err == nil) != tc.leads {
					t.Errorf("got %v, want %v", err, tc.leads)
				}
			})
		})
	}
}

func TestOnlyTheHolderGivesTheLeaseBack(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{}, "lease", nil)
	for name, tc := range map[string]struct {
		happens func(ctx context.Context, below *lease, lock *leadership.Lock)
		gives   bool
	}{
		"held":              {func(context.Context, *lease, *leadership.Lock) {}, true},
		"held too long ago": {func(context.Context, *lease, *leadership.Lock) { time.Sleep(validity) }, false},
		"another holder was seen": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			below.holder = "another"
			_, _, _ = lock.Get(ctx)
		}, false},
		"after a conflict with its own renewal": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			below.err = conflict
			_ = lock.Update(ctx, resourcelock.LeaderElectionRecord{})
			below.err = nil
		}, true},
		"after a conflict with another": {func(ctx context.Context, below *lease, lock *leadership.Lock) {
			below.err = conflict
			_ = lock.Update(ctx, resourcelock.LeaderElectionRecord{})
			below.err, below.holder = nil, "another"
			_, _, _ = lock.Get(ctx)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, below, lock := t.Context(), &lease{holder: "me"}, leadership.NewLock(validity)
				lock.Interface = below
				_ = lock.Update(ctx, mine())
				tc.happens(ctx, below, lock)
				err := lock.Update(ctx, resourcelock.LeaderElectionRecord{})
				if gave := below.written == ""; gave != tc.gives || (err == nil) != tc.gives {
					t.Errorf("given back: %v, %v; want %v", gave, err, tc.gives)
				}
			})
		})
	}
}

func TestOnlyTheLeaderWrites(t *testing.T) {
	var arrived []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived = append(arrived, r.Method)
	}))
	defer server.Close()
	lock := leadership.NewLock(validity)
	lock.Interface = &lease{}
	httpClient, err := rest.HTTPClientFor(lock.Guard(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	all := []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	for _, tc := range []struct {
		leads bool
		want  []string
	}{{false, all[:1]}, {true, all}} {
		arrived = nil
		if tc.leads {
			_ = lock.Update(t.Context(), mine())
		}
		for _, method := range all {
			request, err := http.NewRequestWithContext(t.Context(), method, server.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := httpClient.Do(request)
			if err == nil {
				_ = response.Body.Close()
			} else if !errors.Is(err, leadership.ErrNotLeader) {
				t.Error(err)
			}
		}
		if !slices.Equal(arrived, tc.want) {
			t.Errorf("leads: %v, and there arrived %v", tc.leads, arrived)
		}
	}
}

// client-go sends again what the API server has no time for.
func TestWritesAreNotRepeatedByWhoeverLeadsNoMore(t *testing.T) {
	lock := leadership.NewLock(validity)
	lock.Interface = &lease{}
	_ = lock.Update(t.Context(), mine())
	arrived := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived++
		_ = lock.Update(r.Context(), resourcelock.LeaderElectionRecord{})
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	secrets, err := corev1client.NewForConfig(lock.Guard(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = secrets.Secrets("default").Create(t.Context(), &corev1.Secret{}, metav1.CreateOptions{})
	if !errors.Is(err, leadership.ErrNotLeader) || arrived != 1 {
		t.Errorf("%d writes arrived: %v", arrived, err)
	}
}
