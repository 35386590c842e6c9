package controllers

import (
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// roomQuota remembers which ZimRooms wait for their account to have room for one more, so that one of them is called
// for each room that goes. It is safe for concurrent use.
type roomQuota struct {
	wake func(...reconcile.Request)

	mu      sync.Mutex
	waiting map[zim.Account][]reconcile.Request
	// accounts has those who are waiting, so that everybody else is found not to be at once.
	accounts map[reconcile.Request]zim.Account
	// called are those that may try, until they do.
	called map[reconcile.Request]zim.Account
}

func newRoomQuota(wake func(...reconcile.Request)) *roomQuota {
	return &roomQuota{
		wake:     wake,
		waiting:  map[zim.Account][]reconcile.Request{},
		accounts: map[reconcile.Request]zim.Account{},
		called:   map[reconcile.Request]zim.Account{},
	}
}

// wait puts a ZimRoom in line.
func (q *roomQuota) wait(account zim.Account, request reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, waits := q.accounts[request]; !waits {
		q.waiting[account] = append(q.waiting[account], request)
		q.accounts[request] = account
	}
}

// free calls the first in line after a room of the account went.
func (q *roomQuota) free(account zim.Account) {
	q.mu.Lock()
	line := q.waiting[account]
	if len(line) == 0 {
		q.mu.Unlock()
		return
	}
	first := line[0]
	q.waiting[account] = line[1:]
	delete(q.accounts, first)
	q.called[first] = account
	q.mu.Unlock()
	q.wake(first)
}

// isCalled tells whether there may be room for the ZimRoom.
func (q *roomQuota) isCalled(request reconcile.Request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, called := q.called[request]
	return called
}

// take ends the wait of a ZimRoom that tries now.
func (q *roomQuota) take(request reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(request)
}

// leave ends the wait of a ZimRoom that does not try by itself: it is gone or suspended, or its ZimApp is refused. If
// it was called, the next in line is called instead.
func (q *roomQuota) leave(request reconcile.Request) {
	q.mu.Lock()
	account, called := q.called[request]
	q.remove(request)
	q.mu.Unlock()
	if called {
		q.free(account)
	}
}

// remove needs the lock.
func (q *roomQuota) remove(request reconcile.Request) {
	delete(q.called, request)
	if account, waits := q.accounts[request]; waits {
		delete(q.accounts, request)
		q.waiting[account] = slices.DeleteFunc(q.waiting[account], func(r reconcile.Request) bool { return r == request })
	}
}
