package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zim"
)

// curve is how many rooms there were, and when.
type curve struct {
	Name string `json:"name"`
	// Seconds are those after which each of the rooms was there, in ascending order, thinned out.
	Seconds []float64 `json:"seconds"`
	Rooms   int       `json:"rooms"`
}

// cost is what a number of rooms cost.
type cost struct {
	Rooms         int     `json:"rooms"`
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentMB    float64 `json:"residentMB"`
	WritesPerRoom float64 `json:"writesPerRoom"`
	CallsPerRoom  float64 `json:"callsPerRoom"`
}

// secondsAtQuota is how long so many rooms take at a twentieth less than the quota.
func secondsAtQuota(rooms int) float64 { return float64(rooms) / 19 }

// readyLimit is when to give up waiting for rooms that are created at the quota.
func readyLimit(rooms int) time.Duration {
	return time.Minute + time.Duration(3*secondsAtQuota(rooms)*float64(time.Second))
}

// measureCreate has new rooms created at the quota, and beside that, on another account, by a loop.
func (b *bench) measureCreate(ctx context.Context, count int) (result outcome, err error) {
	err = b.inWorld(ctx, atQuota, func(ctx context.Context, w *world) error {
		bare := &loop{}
		if bare.client, err = w.prepareLoop(ctx); err != nil {
			return err
		}
		if err := w.simulator.Forget(ctx); err != nil {
			return err
		}
		before, err := w.cost(ctx, 0)
		if err != nil {
			return err
		}
		rooms := newRooms("room", count)
		group, groupCtx := errgroup.WithContext(ctx)
		group.Go(func() error { return w.fill(groupCtx, rooms, readyLimit(count)) })
		group.Go(func() error { return bare.run(groupCtx, namesOf(rooms)) })
		if err := group.Wait(); err != nil {
			return err
		}
		return result.describeCreate(ctx, w, rooms, before)
	})
	return result, err
}

func (w *world) prepareLoop(ctx context.Context) (*zim.Client, error) {
	if err := w.simulator.SetQuota(ctx, loopAppID, w.plan.callsPerSecond); err != nil {
		return nil, err
	}
	if err := w.simulator.Register(ctx, loopAppID); err != nil {
		return nil, err
	}
	return w.caller(loopAppID, loopAgent)
}

func namesOf(rooms []*zimv1alpha1.ZimRoom) []string {
	names := make([]string, 0, len(rooms))
	for _, room := range rooms {
		names = append(names, room.Name)
	}
	return names
}

func (o *outcome) describeCreate(ctx context.Context, w *world, rooms []*zimv1alpha1.ZimRoom, before cost) error {
	ours, err := w.simulator.Calls(ctx, testbed.AppID)
	if err != nil {
		return err
	}
	theirs, err := w.simulator.Calls(ctx, loopAppID)
	if err != nil {
		return err
	}
	creations := ours.Of(testbed.CreateRoom)
	if len(creations) == 0 || len(theirs) == 0 {
		return fmt.Errorf("the journal has %d CreateRoom of the operator, %d of the loop", len(creations), len(theirs))
	}
	ready := secondsSince(creations[0].Time, w.watch.ReadyTimes(rooms))
	looped := secondsSince(theirs[0].Time, theirs.CarriedOut().Times())
	o.compare("first CreateRoom to last Ready", "s", largest(ready), largest(looped),
		atMost(secondsAtQuota(len(rooms))+1))
	o.add("limit answers", "", float64(ours.Limited()), none())
	o.add("limit answers of the loop", "", float64(theirs.Limited()), nil)
	o.add("calls in the busiest second", "", float64(testbed.BusiestSecond(ours.Times())), nil)
	spent, err := w.cost(ctx, len(ours))
	if err != nil {
		return err
	}
	o.addCost(spent.since(before, len(rooms)))
	o.curves = []curve{
		{Name: "operator: Ready seen", Seconds: thin(ready), Rooms: len(rooms)},
		{Name: "bare loop: created", Seconds: thin(looped), Rooms: len(rooms)},
	}
	return nil
}

// cost is what the manager has cost up to now, in all.
func (w *world) cost(ctx context.Context, calls int) (cost, error) {
	used, err := w.manager.Usage()
	if err != nil {
		return cost{}, err
	}
	written, err := w.apiServer.writes(ctx)
	if err != nil {
		return cost{}, err
	}
	return cost{
		CPUSeconds: used.CPUSeconds, ResidentMB: float64(used.ResidentKB) / 1024,
		WritesPerRoom: float64(written.total(zimRooms)), CallsPerRoom: float64(calls),
	}, nil
}

// since makes sums into what each of the rooms has cost since an earlier moment.
func (c cost) since(earlier cost, rooms int) cost {
	return cost{
		Rooms: rooms, CPUSeconds: c.CPUSeconds - earlier.CPUSeconds, ResidentMB: c.ResidentMB,
		WritesPerRoom: (c.WritesPerRoom - earlier.WritesPerRoom) / float64(rooms),
		CallsPerRoom:  (c.CallsPerRoom - earlier.CallsPerRoom) / float64(rooms),
	}
}

func (o *outcome) addCost(c cost) {
	o.cost = &c
	o.add("CPU time of the manager", "s", c.CPUSeconds, nil)
	o.add("resident size of the manager", "MB", c.ResidentMB, nil)
	o.add("ZIM calls a room", "", c.CallsPerRoom, nil)
	o.add("Kubernetes writes a room", "", c.WritesPerRoom, nil)
}
