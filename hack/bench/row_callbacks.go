package main

import (
	"context"
	"net/http"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// callbackInterval is how often rooms are looked at in the row about callbacks: so seldom that no look helps.
const callbackInterval = time.Hour

// measureCallbacks has rooms destroyed that nobody could foresee, and the manager told by callbacks.
func (b *bench) measureCallbacks(ctx context.Context, _ int) (result outcome, err error) {
	address, err := testbed.FreeAddress(ctx)
	if err != nil {
		return result, err
	}
	listening := atQuota
	listening.managerArgs = []string{"--callback-bind-address=" + address}
	err = b.inWorld(ctx, listening, func(ctx context.Context, w *world) error {
		app := zimsim.App{AppID: testbed.AppID, CallsPerSecond: atQuota.callsPerSecond, CallbackURL: "http://" + address}
		if err := w.simulator.Do(ctx, http.MethodPut, "/apps", nil, app, nil); err != nil {
			return err
		}
		absences, err := w.destroyAll(ctx, b.destroyed.rooms, callbackInterval, b.destroyed.interval)
		if err != nil {
			return err
		}
		result.add("absent after a destruction, median", "s", median(absences), nil)
		result.add("absent after a destruction, longest", "s", largest(absences), atMost(1))
		return nil
	})
	return result, err
}
