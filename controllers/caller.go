package controllers

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/zim-operator/zim-operator/internal/zim"
)

const (
	// notOfferedPause is how long an action that the account's plan does not offer is not sent again.
	notOfferedPause = time.Hour

	// registrationPause is how long an operator user that was registered is not registered again, though ZIM may say
	// that it does not know it yet.
	registrationPause = time.Minute
)

// callMemory is what calls for rooms of one account learn for each other. It is safe for concurrent use.
type callMemory struct {
	clock         clock.PassiveClock
	registrations singleflight.Group

	mu         sync.Mutex
	notOffered map[accountAction]time.Time // Until when it is not sent again.
	registered map[accountUser]time.Time   // Likewise.
}

type accountAction struct {
	account zim.Account
	action  zim.Action
}

type accountUser struct {
	account zim.Account
	user    string
}

func newCallMemory(passive clock.PassiveClock) *callMemory {
	return &callMemory{
		clock:      passive,
		notOffered: map[accountAction]time.Time{},
		registered: map[accountUser]time.Time{},
	}
}

// caller sends the calls of one pass for one app, and does what every failed call asks for, whatever the room:
// register the operator user, hold back what the plan does not offer, freeze an app whose credentials are refused.
type caller struct {
	app *app
	// user is the operator user of the room.
	user     string
	registry *appRegistry
	memory   *callMemory
	gate     *gate
}

// callFunc is a way of making a call: when it is its turn, or at once.
type callFunc func(ctx context.Context, action zim.Action, send func(context.Context, *zim.Client) error) error

// call runs one call when it is its turn. If ZIM does not know the operator user, it is registered, and the call sent
// once more.
func (c *caller) call(
	ctx context.Context, action zim.Action, send func(context.Context, *zim.Client) error,
) error {
	if c.memory.isHeldBack(c.app.account, action) {
		return notOffered(action)
	}
	err := send(ctx, c.app.client)
	if zim.ClassOf(err) == zim.ClassOperator {
		if registerErr := c.register(ctx); registerErr != nil {
			return c.note(ctx, registerErr)
		}
		err = send(ctx, c.app.client)
	}
	return c.note(ctx, err)
}

// callNow runs one call whose turn was taken before. It is sent once, whatever ZIM answers.
func (c *caller) callNow(
	ctx context.Context, action zim.Action, send func(context.Context, *zim.Client) error,
) error {
	if c.memory.isHeldBack(c.app.account, action) {
		return notOffered(action)
	}
	return c.note(ctx, send(ctx, c.app.client.Unpaced()))
}

func notOffered(action zim.Action) error {
	return &zim.Error{Action: action, Class: zim.ClassNotOffered, Code: zim.CodeNotOffered}
}

// note draws the consequences of a failed call that concern more than its room.
func (c *caller) note(ctx context.Context, err error) error {
	if c.app.failures > 0 && (err == nil || zim.ClassOf(err) == zim.ClassRoomExists) {
		c.registry.thaw(c.app.name, c.app.client)
	}
	failed, ok := errors.AsType[*zim.Error](err)
	if !ok || (failed.Failure != zim.FailureNoTurn && failed.Failure != zim.FailureCancelled) {
		c.gate.noteAnswer(c.app.account, !ok || failed.Failure != zim.FailureTimeout)
	}
	if !ok || failed.Class == zim.ClassRoomExists {
		return err
	}
	switch {
	case failed.Failure == zim.FailureNoTurn: // It was not sent, so nobody else logs it.
		ctrl.LoggerFrom(ctx).V(1).Info("Got no turn to call ZIM", "action", failed.Action)
	case failed.Class == zim.ClassNotOffered:
		c.memory.holdBack(c.app.account, failed.Action)
	case causes[failed.Class].freezes:
		c.registry.freeze(c.app.name, c.app.client, appVerdictOf(failed), c.memory.clock.Now())
	}
	return err
}

// register registers the operator user. Concurrent needs share one call.
func (c *caller) register(ctx context.Context) error {
	who := accountUser{account: c.app.account, user: c.user}
	if c.memory.isRegistered(who) {
		return nil
	}
	if c.memory.isHeldBack(c.app.account, zim.ActionUserRegister) {
		return notOffered(zim.ActionUserRegister)
	}
	_, err, _ := c.memory.registrations.Do(who.account.String()+"/"+who.user, func() (any, error) {
		if c.memory.isRegistered(who) {
			return nil, nil
		}
		if err := c.app.client.UserRegister(ctx, who.user); err != nil {
			return nil, err
		}
		c.memory.noteRegistered(who)
		return nil, nil
	})
	return err
}

func (m *callMemory) isHeldBack(account zim.Account, action zim.Action) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.Now().Before(m.notOffered[accountAction{account, action}])
}

func (m *callMemory) holdBack(account zim.Account, action zim.Action) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	maps.DeleteFunc(m.notOffered, func(_ accountAction, until time.Time) bool { return !now.Before(until) })
	key := accountAction{account, action}
	if _, held := m.notOffered[key]; !held {
		m.notOffered[key] = now.Add(notOfferedPause)
	}
}

func (m *callMemory) isRegistered(who accountUser) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.clock.Now().Before(m.registered[who])
}

func (m *callMemory) noteRegistered(who accountUser) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.clock.Now()
	maps.DeleteFunc(m.registered, func(_ accountUser, until time.Time) bool { return !now.Before(until) })
	m.registered[who] = now.Add(registrationPause)
}
