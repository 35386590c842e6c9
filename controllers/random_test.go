package controllers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// exploreVariable holds how long random seeds are tried: see `make explore`.
const exploreVariable = "EXPLORE"

// Whatever happens to a few rooms, in whatever order: in the end every ZimRoom has its room, and no room was lost on
// the way.
var _ = Describe("Any sequence of events", func() {
	for _, seed := range []uint64{1, 2, 3} {
		It(fmt.Sprintf("keeps the promises of a ZimRoom, seed %d", seed), func(ctx context.Context) {
			newTrial(ctx, seed).run(ctx, 60)
		})
	}

	It("keeps them for random seeds", Label("explore"), func(ctx context.Context) {
		length, err := time.ParseDuration(os.Getenv(exploreVariable))
		if err != nil {
			Skip("for `make explore`")
		}
		for begin := time.Now(); time.Since(begin) < length; {
			seed := rand.Uint64()
			By(fmt.Sprintf("seed %d", seed))
			newTrial(ctx, seed).run(ctx, 60)
		}
	})
})

// trial plays one random sequence.
type trial struct {
	*world
	random *rand.Rand
	// mayRemain are ids whose rooms may outlive their ZimRooms.
	mayRemain map[string]bool
}

const (
	trialRooms = 5 // ZimRooms, named room-0 to room-4.
	trialIDs   = 3 // Fewer ids than ZimRooms, so that some name the same room.
)

func newTrial(ctx context.Context, seed uint64) *trial {
	return &trial{
		world: newWorld(ctx), random: rand.New(rand.NewPCG(seed, 0)), mayRemain: map[string]bool{},
	}
}

func (t *trial) run(ctx context.Context, steps int) {
	GinkgoHelper()
	actions := []func(context.Context){
		t.applyOne, t.applyOne, t.editOne, t.editOne, t.deleteOne, t.enterOne, t.leaveOne, t.destroyOne, t.driftOne,
		t.passTime, t.passTime, t.fail, t.restart,
	}
	for range steps {
		actions[t.random.IntN(len(actions))](ctx)
		t.passes(ctx)
	}
	t.comeToRest(ctx)
	t.checkRest(ctx)
}

func (t *trial) pickName() string { return fmt.Sprintf("room-%d", t.random.IntN(trialRooms)) }
func (t *trial) pickID() string   { return fmt.Sprintf("id-%d", t.random.IntN(trialIDs)) }

// find returns a ZimRoom of the trial, or nil.
func (t *trial) find(ctx context.Context, name string) *zimv1alpha1.ZimRoom {
	GinkgoHelper()
	room := &zimv1alpha1.ZimRoom{}
	err := apiServer.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: name}, room)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	if err != nil {
		return nil
	}
	return room
}

func (t *trial) all(ctx context.Context) []zimv1alpha1.ZimRoom {
	GinkgoHelper()
	var rooms zimv1alpha1.ZimRoomList
	Expect(apiServer.List(ctx, &rooms, client.InNamespace(t.namespace))).To(Succeed())
	return rooms.Items
}

func (t *trial) randomSpec(room *zimv1alpha1.ZimRoom) {
	spec := &room.Spec
	spec.Name = fmt.Sprintf("name %d", t.random.IntN(3))
	spec.DestroyDelay = &metav1.Duration{Duration: []time.Duration{10 * time.Second, time.Hour}[t.random.IntN(2)]}
	spec.Suspend = t.random.IntN(8) == 0
	spec.DeletionPolicy = []zimv1alpha1.DeletionPolicy{"", "", "Delete", "Retain"}[t.random.IntN(4)]
	spec.ReplacePolicy = []zimv1alpha1.ReplacePolicy{"", "Always", "Never"}[t.random.IntN(3)]
	spec.Attributes = nil
	for _, key := range []string{"a", "b", "c"} {
		if t.random.IntN(2) == 0 {
			spec.Attributes = append(spec.Attributes, zimv1alpha1.RoomAttribute{
				Key: key, Value: strconv.Itoa(t.random.IntN(3)), AutoDelete: t.random.IntN(4) == 0,
			})
		}
	}
}

func (t *trial) applyOne(ctx context.Context) {
	name := t.pickName()
	if t.find(ctx, name) != nil {
		return
	}
	room := t.newRoom(named(name), t.randomSpec, func(room *zimv1alpha1.ZimRoom) { room.Spec.ID = t.pickID() })
	Expect(apiServer.Create(ctx, room)).To(Succeed())
}

func (t *trial) editOne(ctx context.Context) {
	if room := t.find(ctx, t.pickName()); room != nil && room.DeletionTimestamp.IsZero() {
		t.edit(ctx, room, t.randomSpec)
	}
}

func (t *trial) deleteOne(ctx context.Context) {
	room := t.find(ctx, t.pickName())
	if room == nil || !room.DeletionTimestamp.IsZero() {
		return
	}
	// What the policy, or not knowing, leaves behind.
	retained := room.Spec.DeletionPolicy == zimv1alpha1.DeletionPolicyRetain
	live := room.Status.Room
	adopted := live != nil && live.Origin == zimv1alpha1.RoomOriginAdopted && room.Spec.DeletionPolicy == ""
	if retained || adopted || live == nil {
		t.mayRemain[room.Spec.ID] = true
	}
	Expect(client.IgnoreNotFound(apiServer.Delete(ctx, room))).To(Succeed())
}

// The admin side refuses what makes no sense for a room that is not there: then nothing happens.
func (t *trial) enterOne(context.Context)   { _ = t.simulator.Enter(testAppID, t.pickID(), "somebody") }
func (t *trial) leaveOne(context.Context)   { _ = t.simulator.Leave(testAppID, t.pickID(), "somebody") }
func (t *trial) destroyOne(context.Context) { _ = t.simulator.DestroyRoom(testAppID, t.pickID()) }
func (t *trial) driftOne(context.Context) {
	_ = t.simulator.SetAttribute(testAppID, t.pickID(), "a", "drift")
}

func (t *trial) passTime(context.Context) {
	t.advance([]time.Duration{time.Second, 11 * time.Second, time.Minute, 7 * time.Minute}[t.random.IntN(4)])
}

func (t *trial) fail(context.Context) {
	t.simulator.ClearFaults()
	fault := zimsim.Fault{Times: 1 + t.random.IntN(4), Skip: t.random.IntN(3)}
	switch t.random.IntN(5) {
	case 0:
		fault.Kind, fault.Code = zimsim.FaultCode, []int{660300005, 660300006, 660000003, 100000005, 660300015}[t.random.IntN(5)]
	case 1:
		fault.Kind = zimsim.FaultCutBefore
	case 2:
		fault.Kind = zimsim.FaultCutAfter
	case 3:
		fault.Kind, fault.CarryOut = zimsim.FaultHTML, true
	case 4:
		fault.Kind = zimsim.FaultTruncated
	}
	t.inject(fault)
}

func (t *trial) restart(ctx context.Context) {
	t.restartOperator()
	t.reconcileApp(ctx, t.namespace)
}

// passes runs passes over everything, in a random order, as events and timers would.
func (t *trial) passes(ctx context.Context) {
	GinkgoHelper()
	for range 2 {
		t.reconcileApp(ctx, t.namespace)
		for _, i := range t.random.Perm(trialRooms) {
			t.checkedPass(ctx, fmt.Sprintf("room-%d", i))
		}
	}
}

// checkedPass runs one pass, and looks at the calls that it made.
func (t *trial) checkedPass(ctx context.Context, name string) {
	GinkgoHelper()
	room := t.find(ctx, name)
	if room == nil {
		return
	}
	t.simulator.ResetCalls()
	live, _ := t.simulator.Room(testAppID, room.Spec.ID)
	t.pass(ctx, room)
	calls := t.calls()
	if room.DeletionTimestamp.IsZero() && (room.Spec.Suspend || t.isWaiting(ctx, name)) {
		Expect(calls).To(BeEmpty(), "%s is suspended or waits", name)
	}
	if !slices.Contains(calls, "DestroyRoom") {
		return
	}
	if room.DeletionTimestamp.IsZero() {
		Expect(room.Spec.ReplacePolicy).NotTo(Equal(zimv1alpha1.ReplacePolicyNever))
		Expect(room.Spec.ReplacePolicy == zimv1alpha1.ReplacePolicyAlways || len(live.Members) == 0).To(BeTrue(),
			"%s put somebody out", name)
		return
	}
	for _, other := range t.all(ctx) {
		declares := other.UID != room.UID && other.Spec.ID == room.Spec.ID && other.DeletionTimestamp.IsZero()
		Expect(declares).To(BeFalse(), "%s destroyed the room of %s", name, other.Name)
	}
}

func (t *trial) isWaiting(ctx context.Context, name string) bool {
	GinkgoHelper()
	room := t.find(ctx, name)
	if room == nil {
		return false
	}
	stalled := meta.FindStatusCondition(room.Status.Conditions, zimv1alpha1.StalledCondition)
	return stalled != nil && stalled.Reason == zimv1alpha1.ReasonDuplicateRoomID
}

func (t *trial) comeToRest(ctx context.Context) {
	GinkgoHelper()
	t.simulator.ClearFaults()
	for range 25 { // Longer than every backoff and interval.
		t.advance(time.Minute)
		t.passes(ctx)
	}
	t.passes(ctx)
}

func (t *trial) checkRest(ctx context.Context) {
	GinkgoHelper()
	declared := map[string]bool{}
	for _, room := range t.all(ctx) {
		declared[room.Spec.ID] = true
		Expect(room.DeletionTimestamp.IsZero()).To(BeTrue(), "%s is stuck", room.Name)
		if room.Spec.Suspend || t.isWaiting(ctx, room.Name) {
			continue
		}
		Expect(&room).To(Or(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomAdopted)), room.Name)
		live, exists := t.simulator.Room(testAppID, room.Spec.ID)
		Expect(exists).To(BeTrue(), "%s has no room", room.Name)
		for _, attribute := range room.Spec.Attributes {
			if !attribute.AutoDelete {
				Expect(live.Attributes).To(HaveKeyWithValue(attribute.Key, HaveField("Value", attribute.Value)), room.Name)
			}
		}
	}
	leftBehind := slices.Contains(t.eventReasons(), "RoomLeftBehind")
	for _, live := range t.simulator.Rooms(testAppID) {
		Expect(declared[live.ID] || t.mayRemain[live.ID] || leftBehind).To(BeTrue(), "%s is nobody's", live.ID)
	}
}
