package controllers

import (
	"crypto/sha256"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// app is what the operator knows of a ZimApp. It is never changed once it is in the registry.
type app struct {
	name       types.NamespacedName
	uid        types.UID
	account    zim.Account
	fromUserID string
	// rate is spec.requestsPerSecond.
	rate int
	// credentials are what client signs with; kept to tell whether a changed Secret or ZimApp changes them.
	credentials credentials
	// revision names the state of ZimApp and Secret, so that a room that is stalled can tell that it may try again.
	revision string
	// accepted means that ZIM has accepted the credentials at some time, so that the app speaks for its account.
	accepted bool
	// deleting is true if the ZimApp is being deleted: who waits for its Secret then waits in vain.
	deleting bool
	// refusal says why the app can't be used now; nil if it can.
	refusal *verdict
	// failures counts refusals by ZIM in a row, until a call for a room succeeds; nextProbe is when ZIM is asked again.
	failures  int
	nextProbe time.Time
	// client sends calls for rooms; nil until ZIM accepted the credentials.
	client *zim.Client
}

// isUndecided tells whether nothing is known yet but that ZIM is to be asked.
func (a *app) isUndecided() bool {
	return a.client == nil && a.refusal == nil
}

func (a *app) refusalReason() string {
	if a.refusal == nil {
		return ""
	}
	return a.refusal.reason
}

// credentials are what decides whether ZIM accepts a call.
type credentials struct {
	endpoint   string
	secretHash [sha256.Size]byte
	fromUserID string
}

// appRegistry holds what passes over ZimApps found, for the passes over ZimRooms. It is safe for concurrent use.
type appRegistry struct {
	mu       sync.RWMutex
	apps     map[types.NamespacedName]*app
	limiters map[zim.Account]*zim.Limiter
	// spoken has the accounts that an accepted app speaks for. Limiters stay: a pass may be building a client with one.
	spoken map[zim.Account]bool

	// changed is called, without the lock, after an app became known, changed in a way that matters to its rooms, or went;
	// claims is true if it may have changed which ZimRooms hold rooms.
	changed func(name types.NamespacedName, claims bool)
	// frozen asks for a pass over the ZimApp.
	frozen func(...reconcile.Request)
	// gone is called, with the lock, when no ZimApp names an account any more.
	gone func(zim.Account)
}

func newAppRegistry(
	changed func(name types.NamespacedName, claims bool), frozen func(...reconcile.Request),
) *appRegistry {
	return &appRegistry{
		apps:     map[types.NamespacedName]*app{},
		limiters: map[zim.Account]*zim.Limiter{},
		spoken:   map[zim.Account]bool{},
		changed:  changed,
		frozen:   frozen,
		gone:     func(zim.Account) {},
	}
}

// get returns what is known of a ZimApp; nil before the first pass over it, and after it went.
func (r *appRegistry) get(name types.NamespacedName) *app {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.apps[name]
}

// of returns what is known of a ZimApp; nil if nothing is, as of one that was applied anew under the name of another.
func (r *appRegistry) of(object *zimv1alpha1.ZimApp) *app {
	known := r.get(types.NamespacedName{Namespace: object.Namespace, Name: object.Name})
	if known == nil || known.uid != object.UID {
		return nil
	}
	return known
}

// put records what a pass over a ZimApp found.
func (r *appRegistry) put(next *app) {
	r.mu.Lock()
	previous := r.apps[next.name]
	r.apps[next.name] = next
	r.setRates(next.account)
	if previous != nil && previous.account != next.account {
		r.left(previous.account)
	}
	r.mu.Unlock()
	claims := previous == nil || previous.revision != next.revision || previous.accepted != next.accepted ||
		previous.isUndecided()
	if claims || previous.refusalReason() != next.refusalReason() || previous.deleting != next.deleting {
		r.changed(next.name, claims)
	}
}

// remove forgets a ZimApp that is gone.
func (r *appRegistry) remove(name types.NamespacedName) {
	r.mu.Lock()
	previous := r.apps[name]
	delete(r.apps, name)
	if previous != nil {
		r.left(previous.account)
	}
	r.mu.Unlock()
	if previous != nil {
		r.changed(name, true)
	}
}

// freeze records that ZIM refused a call which the client made for the app: no room calls any more until a probe of
// the ZimApp succeeds. An answer to a client that has been replaced meanwhile changes nothing.
func (r *appRegistry) freeze(name types.NamespacedName, client *zim.Client, refusal verdict, now time.Time) {
	r.mu.Lock()
	current := r.apps[name]
	hit := current != nil && current.client == client && current.refusal == nil
	if hit {
		next := *current
		next.refusal = &refusal
		next.failures++
		next.nextProbe = now.Add(probeBackoff.delay(next.failures))
		r.apps[name] = &next
	}
	r.mu.Unlock()
	if hit {
		r.frozen(reconcile.Request{NamespacedName: name})
	}
}

// thaw forgets the failures of an app: ZIM has carried a room's call out. A probe that succeeds is not enough,
// because ZIM may refuse rooms all the same.
func (r *appRegistry) thaw(name types.NamespacedName, client *zim.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	current := r.apps[name]
	if current != nil && current.client == client && current.refusal == nil && current.failures > 0 {
		next := *current
		next.failures = 0
		r.apps[name] = &next
	}
}

// limiter returns the limiter of an account, the same for all its apps.
func (r *appRegistry) limiter(account zim.Account, requestsPerSecond int) *zim.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	limiter := r.limiters[account]
	if limiter == nil {
		limiter = zim.NewLimiter(requestsPerSecond)
		r.limiters[account] = limiter
	}
	return limiter
}

// pace returns what the limiter of an account does at present; zero if no accepted app speaks for the account.
func (r *appRegistry) pace(account zim.Account) zim.Pace {
	r.mu.RLock()
	limiter, spoken := r.limiters[account], r.spoken[account]
	r.mu.RUnlock()
	if limiter == nil || !spoken {
		return zim.Pace{}
	}
	return limiter.Pace()
}

// paces returns what the limiters of all accounts do at present that an accepted app speaks for.
func (r *appRegistry) paces() map[zim.Account]zim.Pace {
	r.mu.RLock()
	defer r.mu.RUnlock()
	paces := map[zim.Account]zim.Pace{}
	for account, limiter := range r.limiters {
		if r.spoken[account] {
			paces[account] = limiter.Pace()
		}
	}
	return paces
}

// left draws the consequences for an account that a ZimApp does not name any more. It needs the lock.
func (r *appRegistry) left(account zim.Account) {
	r.setRates(account)
	for _, app := range r.apps {
		if app.account == account {
			return
		}
	}
	r.gone(account)
}

// setRates needs the lock.
func (r *appRegistry) setRates(account zim.Account) {
	rate := r.smallestRate(account)
	if rate == 0 {
		delete(r.spoken, account)
		return
	}
	r.spoken[account] = true
	if limiter := r.limiters[account]; limiter != nil {
		limiter.SetRate(rate)
	}
}

// smallestRate needs the lock. It is 0 if no accepted app speaks for the account.
func (r *appRegistry) smallestRate(account zim.Account) int {
	smallest := 0
	for _, app := range r.apps {
		if app.accepted && app.account == account && (smallest == 0 || app.rate < smallest) {
			smallest = app.rate
		}
	}
	return smallest
}
