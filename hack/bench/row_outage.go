package main

import (
	"context"
	"net/http"
	"time"

	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// measureOutage has ZIM go away while rooms are verified, and come back.
func (b *bench) measureOutage(ctx context.Context, _ int) (result outcome, err error) {
	size := b.outage
	err = b.inWorld(ctx, withoutQuota, func(ctx context.Context, w *world) error {
		rooms := newRooms("room", size.rooms, withInterval(size.interval))
		if err := w.fill(ctx, rooms, fillLimit); err != nil {
			return err
		}
		if err := w.beginVerification(ctx); err != nil {
			return err
		}
		before, err := w.apiServer.writes(ctx)
		if err != nil {
			return err
		}
		restored, err := w.interrupt(ctx, size)
		if err != nil {
			return err
		}
		after, err := w.apiServer.writes(ctx)
		if err != nil {
			return err
		}
		calls, err := w.simulator.Calls(ctx, testbed.AppID)
		if err != nil {
			return err
		}
		result.describeCallsOfOutage(calls, restored, size, b.quick)
		added := after.since(before)
		result.add("Kubernetes writes to ZimRooms", "", float64(added.total(zimRooms)), none())
		result.add("Kubernetes writes to the ZimApp", "", float64(added.total(zimApps)), nil)
		return nil
	})
	return result, err
}

func (o *outcome) describeCallsOfOutage(calls testbed.Journal, restored time.Time, size outageSize, quick bool) {
	least, most := 8.0, atMost(float64(atQuota.requestsPerSecond)) // Verification has half, and every room is due.
	if quick {
		least = 1 // It is over before the rooms that failed are tried again.
	}
	later := calls.After(restored)
	looked := later.Of(testbed.CreateRoom).FirstByRoom()
	o.add("calls while ZIM is down", "/s", float64(len(calls)-len(later))/size.down.Seconds(), most)
	o.add("calls after that", "/s", float64(len(later))/size.after.Seconds(), atLeast(least))
	o.add("rooms looked at after that", "", float64(len(looked)), atLeast(least*size.after.Seconds()))
	o.add("calls in the busiest second", "", float64(testbed.BusiestSecond(calls.Times())), most)
	o.add("limit answers", "", float64(calls.Limited()), none())
}

// interrupt takes ZIM away for a while, half of it with errors and half without any answer, and gives it time
// afterwards. It returns when ZIM was back.
func (w *world) interrupt(ctx context.Context, size outageSize) (restored time.Time, err error) {
	for _, fault := range []zimsim.Fault{
		{Kind: zimsim.FaultHTTPStatus, HTTPStatus: http.StatusServiceUnavailable},
		{Kind: zimsim.FaultCutBefore},
	} {
		if err := w.simulator.Heal(ctx); err != nil {
			return restored, err
		}
		if err := w.simulator.Inject(ctx, fault); err != nil {
			return restored, err
		}
		if err := testbed.Sleep(ctx, size.down/2); err != nil {
			return restored, err
		}
	}
	if err := w.simulator.Heal(ctx); err != nil {
		return restored, err
	}
	restored = time.Now()
	return restored, testbed.Sleep(ctx, size.after)
}
