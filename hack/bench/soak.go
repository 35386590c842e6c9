package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testbed"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	soakRooms = 300
	// soakChanging is how many of the rooms change and go. The others are left to verification: a room that was changed
	// just before is not looked at.
	soakChanging = 60
	// soakInterval makes verification ask for more than its share: two calls for each room with attributes.
	soakInterval = 30 * time.Second
	// soakPause is how long one round of changes takes. Each creates a room, deletes one and edits one: five calls. So
	// changes take 17 of the 19 calls a second that the operator sends, and verification asks for seven: there is always
	// somebody in line.
	soakPause = 300 * time.Millisecond
	// soakRate is how many calls a second are to be sent, of the 19 that an account with 20 gets: rooms that were just
	// created are not verified at once.
	soakRate = 18
	// soakSample is how often the memory is looked at.
	soakSample = 10 * time.Second
	// soakFaults is the share of calls that go wrong.
	soakFaults = 0.01
	// soakGrowth is how much larger than early on the manager may be in the end.
	soakGrowth = 1.1
	// shortestSoak has samples early and late enough to compare.
	shortestSoak = 2 * time.Minute
	// soakSettle is how long rooms may take to become Ready when nothing happens to them any more.
	soakSettle = 2 * time.Minute
)

// soak has an account used fully, with faults, for a long time. It fails if the operator exceeds the quota, grows, or
// leaves a room behind.
func (b *bench) soak(ctx context.Context) error {
	if b.options.soak < shortestSoak {
		return fmt.Errorf("a soak takes at least %s: in a shorter one nobody would see the manager grow", shortestSoak)
	}
	address, err := testbed.FreeAddress(ctx)
	if err != nil {
		return err
	}
	plan := atQuota
	plan.managerArgs = []string{"--pprof-bind-address=" + address}
	return b.inWorld(ctx, plan, func(ctx context.Context, w *world) error {
		s := &soaker{world: w, profiles: "http://" + address, end: time.Now().Add(b.options.soak)}
		rooms := newRooms("soak", soakRooms, soakSpec)
		s.changing, s.staying = rooms[:soakChanging], slices.Clone(rooms[soakChanging:])
		if err := w.fill(ctx, rooms, readyLimit(soakRooms)); err != nil {
			return err
		}
		s.start, s.end, s.counted = time.Now(), time.Now().Add(b.options.soak), time.Now()
		if err := w.simulator.Inject(ctx, mixedFaults()...); err != nil {
			return err
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		if err := w.simulator.Heal(ctx); err != nil {
			return err
		}
		unready, err := s.settle(ctx)
		if err != nil {
			return err
		}
		return s.judge(unready)
	})
}

func soakSpec(spec *zimv1alpha1.ZimRoomSpec) {
	withInterval(soakInterval)(spec)
	spec.Attributes = []zimv1alpha1.RoomAttribute{{Key: "topic", Value: "0"}, {Key: "kind", Value: "soak"}}
}

// mixedFaults are all that can befall a call, but for the limit.
func mixedFaults() []zimsim.Fault {
	faults := []zimsim.Fault{
		{Kind: zimsim.FaultCode, Code: 660000001},
		{Kind: zimsim.FaultCode, Code: 660300007},
		{Kind: zimsim.FaultHTTPStatus, HTTPStatus: http.StatusBadGateway},
		{Kind: zimsim.FaultCutBefore},
		{Kind: zimsim.FaultCutAfter},
		{Kind: zimsim.FaultTruncated},
		{Kind: zimsim.FaultLatency, Duration: 2 * time.Second},
		{Kind: zimsim.FaultHang, Duration: 15 * time.Second},
	}
	for i := range faults {
		faults[i].Probability = soakFaults / float64(len(faults))
	}
	return faults
}

// soaker is a soak under way.
type soaker struct {
	*world
	profiles   string // URL of the manager's profiles.
	start, end time.Time
	staying    []*zimv1alpha1.ZimRoom
	changing   []*zimv1alpha1.ZimRoom // The oldest first.
	changes    int

	samples []sample
	counted time.Time // Calls up to then are in the next three.
	calls   int
	limited int
	faults  int
}

// sample is the manager's size after a garbage collection.
type sample struct {
	after      time.Duration
	residentKB int
}

// run makes changes and takes samples until the end.
func (s *soaker) run(ctx context.Context) error {
	changes, samples := time.NewTicker(soakPause), time.NewTicker(soakSample)
	defer changes.Stop()
	defer samples.Stop()
	for time.Now().Before(s.end) {
		var err error
		select {
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-changes.C:
			err = s.change(ctx)
		case <-samples.C:
			err = errors.Join(s.sample(ctx), s.count(ctx))
		}
		if err != nil {
			return err
		}
	}
	return s.count(ctx)
}

// change creates a room, edits one, and deletes the oldest.
func (s *soaker) change(ctx context.Context) error {
	s.changes++
	fresh := newRoom(fmt.Sprintf("soak-%05d", soakRooms+s.changes), soakSpec)
	edited, oldest := s.changing[len(s.changing)/2], s.changing[0]
	patch := fmt.Sprintf(`{"spec":{"attributes":[{"key":"topic","value":"%d"},{"key":"kind","value":"soak"}]}}`, s.changes)
	err := errors.Join(
		s.kube.Create(ctx, fresh),
		s.kube.Patch(ctx, edited, client.RawPatch(types.MergePatchType, []byte(patch))),
		s.remove(ctx, oldest))
	if err != nil {
		return fmt.Errorf("changing rooms: %w", err)
	}
	s.changing = append(s.changing[1:], fresh)
	return nil
}

// profiler asks the manager for profiles.
var profiler = &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}

// sample looks at the manager's size after a garbage collection.
func (s *soaker) sample(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.profiles+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return err
	}
	response, err := profiler.Do(request)
	if err != nil {
		return fmt.Errorf("asking the manager for a garbage collection: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the manager for a garbage collection: %s: %w", response.Status, err)
	}
	used, err := s.manager.Usage()
	if err != nil {
		return err
	}
	s.samples = append(s.samples, sample{after: time.Since(s.start), residentKB: used.ResidentKB})
	return nil
}

// count counts the calls since the last time; the journal doesn't keep all of them for ever.
func (s *soaker) count(ctx context.Context) error {
	const more = 5000 // Than can have come meanwhile.
	latest, err := s.simulator.LatestCalls(ctx, testbed.AppID, more)
	if err != nil {
		return err
	}
	latest = latest.After(s.counted)
	if len(latest) > 0 {
		s.counted = latest[len(latest)-1].Time
	}
	s.calls += len(latest)
	s.limited += latest.Limited()
	s.faults += len(latest.Where(func(c *zimsim.Call) bool { return c.Fault != "" }))
	if len(s.samples) > 0 {
		last := s.samples[len(s.samples)-1]
		s.say("after %s: %d calls, %d with faults, %d limit answers, %.1f MB resident", last.after.Round(time.Second),
			s.calls, s.faults, s.limited, megabytes(last.residentKB))
	}
	return nil
}

// settle waits until all rooms are as declared, and returns how many don't get there.
func (s *soaker) settle(ctx context.Context) (unready int, err error) {
	rooms := slices.Concat(s.staying, s.changing)
	err = testbed.Await(ctx, soakSettle, func(context.Context) (bool, error) {
		unready = len(rooms) - s.watch.CountConfirmed(rooms)
		return unready == 0, nil
	})
	if errors.Is(err, testbed.ErrTooLate) {
		return unready, nil
	}
	return unready, err
}

// judge shows the figures and fails if one is not what it should be.
func (s *soaker) judge(unready int) error {
	var o outcome
	o.add("calls a second", "/s", float64(s.calls)/s.end.Sub(s.start).Seconds(), atLeast(soakRate))
	o.add("calls with faults", "", float64(s.faults), nil)
	o.add("limit answers", "", float64(s.limited), none())
	o.add("rooms not Ready at the end", "", float64(unready), none())
	early, late, unseen := growth(s.samples, s.end.Sub(s.start))
	if unseen == nil {
		o.add("resident size early on", "MB", early, nil)
		o.compare("resident size in the end", "MB", late, early, atMost(soakGrowth*early))
	}
	result := report{Figures: collect(commandSoak, []outcome{o})}
	if err := writeTable(os.Stdout, result.Figures); err != nil {
		return err
	}
	var missed []string
	if unseen != nil {
		missed = append(missed, unseen.Error())
	}
	for i := range result.Figures {
		if f := &result.Figures[i]; f.Met != nil && !*f.Met {
			missed = append(missed, fmt.Sprintf("%s is %s, not %s", f.Name, f.spread(), f.Target))
		}
	}
	if len(missed) > 0 {
		return errors.New(strings.Join(missed, "; "))
	}
	return nil
}

// growth returns the median sizes, in MB, of the third minute and of the last. In a soak too short for that, the third
// and the last tenth of it stand for them. It fails if there is no sample of one of them.
func growth(samples []sample, duration time.Duration) (early, late float64, err error) {
	unit := min(time.Minute, duration/10)
	within := func(from, to time.Duration) float64 {
		var sizes []float64
		for _, sample := range samples {
			if sample.after >= from && sample.after < to {
				sizes = append(sizes, megabytes(sample.residentKB))
			}
		}
		return median(sizes)
	}
	early, late = within(2*unit, 3*unit), within(duration-unit, duration+unit)
	if early == 0 || late == 0 {
		err = errors.New("nobody saw how large the manager was early on, or in the end")
	}
	return early, late, err
}
