package controllers

import (
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

// roomQuota remembers which ZimRooms wait for their account to have room for one more, so that one of them is woken for each
// room that goes. It is safe for concurrent use.
type roomQuota struct {
	wake func(...reconcile.Request)

	mu      sync.Mutex
	waiting map[zim.Account][]reconcile.Request
	called  map[reconcile.Request]bool
}

func newRoomQuota(wake func(...reconcile.Request)) *roomQuota {
	return &roomQuota{
		wake:    wake,
		waiting: map[zim.Account][]reconcile.Request{},
		called:  map[reconcile.Request]bool{},
	}
}

// wait puts a ZimRoom in line.
func (q *roomQuota) wait(account zim.Account, request reconcile.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !slices.Contains(q.waiting[account], request) {
		q.waiting[account] = append(q.waiting[account], request)
	}
}

// free wakes the first in line after a room of the account went.
func (q *roomQuota) free(account zim.Account) {
	q.mu.Lock()
	line := q.waiting[account]
	if len(line) == 0 {
		q.mu.Unlock()
		return
	}
	first := line[0]
	q.waiting[account] = line[1:]
	q.called[first] = true
	q.mu.Unlock()
	q.wake(first)
}

// takeCall tells, once, whether the ZimRoom was woken because there is room for it.
func (q *roomQuota) takeCall(request reconcile.Request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	called := q.called[request]
	delete(q.called, request)
	return called
}
