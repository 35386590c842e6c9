package controllers_test

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/controllers"
	"github.com/zim-operator/zim-operator/internal/callback"
	"github.com/zim-operator/zim-operator/internal/leadership"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

const (
	callbackAnnotation = zimv1alpha1.CallbackReceivedAtAnnotation
	hookSecret         = "fedcba9876543210fedcba9876543210"
)

// hook is a receiver in front of an operator.
type hook struct {
	receiver http.Handler
	outcome  atomic.Value // of the last callback
}

func (w *world) newHook(operator *controllers.Controllers) *hook {
	h := &hook{}
	h.receiver = callback.New(callback.Config{
		Notebook: operator.Callbacks(), Now: w.clock.Now,
		Observe: func(outcome callback.Outcome, _ error) { h.outcome.Store(outcome) },
	})
	return h
}

// send sends a callback, and returns what became of it.
func (h *hook) send(ctx context.Context, at time.Time, secret, event, roomID string) callback.Outcome {
	GinkgoHelper()
	stamp := strconv.FormatInt(at.Unix(), 10)
	parts := []string{secret, stamp, "350176"}
	slices.Sort(parts)
	body, err := json.Marshal(map[string]any{
		"appid": strconv.Itoa(testAppID), "event": event, "room_id": roomID, "timestamp": at.Unix(), "nonce": "350176",
		"signature": fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(parts, "")))),
	})
	Expect(err).NotTo(HaveOccurred())
	answer := httptest.NewRecorder()
	h.receiver.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(string(body))))
	outcome := h.outcome.Load().(callback.Outcome)
	taken := slices.Contains([]callback.Outcome{callback.Noted, callback.Coalesced, callback.NotOurs, callback.Ignored}, outcome)
	want := http.StatusServiceUnavailable
	switch {
	case taken:
		want = http.StatusOK
	case outcome == callback.Unverified:
		want = http.StatusUnauthorized
	}
	Expect(answer.Code).To(Equal(want), "for %s", outcome)
	return outcome
}

// receive sends a callback about a room, signed with the ServerSecret, to the world's operator.
func (w *world) receive(ctx context.Context, event, roomID string) callback.Outcome {
	GinkgoHelper()
	return w.newHook(w.operator).send(ctx, w.clock.Now(), testSecret, event, roomID)
}

// RoundTrip implements http.RoundTripper, for a simulator that sends callbacks.
func (h *hook) RoundTrip(request *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	h.receiver.ServeHTTP(answer, request)
	return answer.Result(), nil
}

// sendCallbacks has the simulator send callbacks to the world's operator, with some switches changed.
func (w *world) sendCallbacks(ctx context.Context, change func(*zimsim.Switches)) {
	GinkgoHelper()
	switches := w.simulator.Switches()
	change(&switches)
	w.simulator.SetSwitches(switches)
	w.simulator.SetApp(zimsim.App{AppID: testAppID, CallsPerSecond: -1, CallbackURL: "http://hook"})
	sending, cancel := context.WithCancel(ctx)
	var sender sync.WaitGroup
	sender.Go(func() { w.simulator.SendCallbacks(sending, w.newHook(w.operator)) })
	DeferCleanup(func() {
		cancel()
		sender.Wait()
	})
	Eventually(func() []zimsim.Callback {
		Expect(w.simulator.EnterOrCreate(testAppID, "Begun", "ann")).To(Succeed())
		Expect(w.simulator.Leave(testAppID, "Begun", "ann")).To(Succeed())
		return w.simulator.Callbacks(zimsim.EventFilter{})
	}).WithTimeout(soon).ShouldNot(BeEmpty())
}

var _ = Describe("A server callback", func() {
	var (
		w    *world
		room *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		room = w.applied(ctx)
		w.advance(time.Minute)
		w.simulator.ResetCalls()
		w.writes.Store(0)
	})
	note := func(ctx context.Context) string { return w.get(ctx, room).Annotations[callbackAnnotation] }

	It("about a destroyed room brings it back with the next pass", func(ctx context.Context) {
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted))
		Expect(note(ctx)).NotTo(BeEmpty())
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("that is not true costs two looks and one write", func(ctx context.Context) {
		w.receive(ctx, "room_destroy", "Room1")
		wait := w.pass(ctx, room).RequeueAfter
		Expect(w.calls()).To(Equal([]string{"CreateRoom", "QueryRoomAttribute"}))
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(wait))
		Expect(w.calls()).To(HaveLen(2))

		By("looking again for those that the note stands for")
		Expect(wait).To(Equal(15 * time.Second))
		w.advance(wait)
		Expect(w.pass(ctx, room).RequeueAfter).To(BeNumerically(">", 10*time.Second))
		Expect(w.calls()).To(HaveLen(4))
		w.advance(time.Minute)
		w.pass(ctx, room)
		Expect(w.calls()).To(HaveLen(4))
		Expect(w.writes.Load()).To(BeEquivalentTo(1))
	})

	It("finds a room that was destroyed just after the note of another", func(ctx context.Context) {
		w.receive(ctx, "room_destroy", "Room1")
		w.advance(w.pass(ctx, room).RequeueAfter / 2)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Coalesced))
		w.advance(w.pass(ctx, room).RequeueAfter)
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("costs no look of its own when one was made since", func(ctx context.Context) {
		w.receive(ctx, "room_destroy", "Room1")
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes[0].Value = "new" })
		w.pass(ctx, room)
		calls := len(w.calls())
		w.pass(ctx, room)
		Expect(w.calls()).To(HaveLen(calls))
	})

	It("in a burst of 1,000 is one write", func(ctx context.Context) {
		h := w.newHook(w.operator)
		for range 1000 {
			h.send(ctx, w.clock.Now(), testSecret, "room_destroy", "Room1")
		}
		Expect(w.writes.Load()).To(BeEquivalentTo(1))
		first := note(ctx)
		w.advance(10 * time.Second)
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted))
		Expect(note(ctx)).NotTo(Equal(first))
	})

	It("in a burst is one write also while the cache lags behind", func(ctx context.Context) {
		w.options.Client = &lagging{Client: w.options.Client}
		h := w.newHook(controllers.New(w.options))
		for range 100 {
			h.send(ctx, w.clock.Now(), testSecret, "room_destroy", "Room1")
		}
		Expect(w.writes.Load()).To(BeEquivalentTo(1))
	})

	It("is noted once, however many replicas get it at a time", func(ctx context.Context) {
		hooks := []*hook{w.newHook(w.operator), w.newHook(controllers.New(w.options)), w.newHook(controllers.New(w.options))}
		before := w.get(ctx, room).ResourceVersion
		outcomes := make([]callback.Outcome, len(hooks))
		var senders sync.WaitGroup
		for i, h := range hooks {
			senders.Go(func() {
				defer GinkgoRecover()
				outcomes[i] = h.send(ctx, w.clock.Now(), testSecret, "room_destroy", "Room1")
			})
		}
		senders.Wait()
		Expect(outcomes).To(ConsistOf(callback.Noted, callback.Coalesced, callback.Coalesced))
		Expect(w.get(ctx, room).ResourceVersion).NotTo(Equal(before))
	})

	It("is seen though a replica whose clock is slow took a note for young too long", func(ctx context.Context) {
		slow := w.options
		slow.Clock = clocktesting.NewFakePassiveClock(w.clock.Now().Add(5 * time.Second)) // When it is 10 s later here.
		slowHook := w.newHook(controllers.New(slow))
		w.receive(ctx, "room_destroy", "Room1")
		w.pass(ctx, room)
		w.advance(10 * time.Second)
		wait := w.pass(ctx, room).RequeueAfter
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Expect(slowHook.send(ctx, w.clock.Now(), testSecret, "room_destroy", "Room1")).To(Equal(callback.Coalesced))
		Expect(wait).To(Equal(5 * time.Second))
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	It("is noted by a replica that does not lead", func(ctx context.Context) {
		lock := leadership.NewLock(time.Hour)
		lock.Interface = &resourcelock.LeaseLock{} // Somebody else has it.
		guarded, err := client.New(lock.Guard(restConfig), client.Options{Scheme: apiServer.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		w.options.LeaderClient = guarded
		w.restartOperator()
		Expect(w.receive(ctx, "room_destroy", room.Spec.ID)).To(Equal(callback.Noted))
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		_, err = w.operator.Rooms.Reconcile(ctx, request(room.Namespace, room.Name))
		Expect(err).To(MatchError(leadership.ErrNotLeader), "as against the reconcilers")
	})

	It("is refused, for ZIM to repeat it, as long as Kubernetes takes no note", func(ctx context.Context) {
		w.writeError = func() error { return errors.New("the API server is away") }
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Failed))
		Expect(note(ctx)).To(BeEmpty())
		w.writeError = nil
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted))
	})

	It("survives a restart between the note and the pass, once", func(ctx context.Context) {
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.receive(ctx, "room_destroy", "Room1")
		w.advance(20 * time.Second) // As long as it may take until another replica leads.
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.calls()).To(Equal([]string{"CreateRoom"}))
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))

		By("costing nothing at a later start")
		w.advance(2 * time.Minute)
		w.restartOperator()
		w.reconcileApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		w.pass(ctx, room)
		Expect(w.simulator.Calls()).To(BeEmpty())
	})

	It("does not hasten a room that dies right after its creation", func(ctx context.Context) {
		// Otherwise it would be created and die without end.
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.receive(ctx, "room_destroy", "Room1")
		w.pass(ctx, room)
		w.advance(15 * time.Second)
		w.pass(ctx, room) // The second look.
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.simulator.ResetCalls()
		w.verifyRecreated(ctx, room)
		w.advance(4 * time.Second)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.simulator.ResetCalls()
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted))
		Expect(w.pass(ctx, room).RequeueAfter).To(Equal(15 * time.Second))
		Expect(w.calls()).To(BeEmpty())
	})

	It("does not hasten a room at all that is to die at once", func(ctx context.Context) {
		short := w.applied(ctx, named("short"), withDelay(4*time.Second), withID("Short"))
		w.advance(4 * time.Second)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1)) // It is dead.
		Expect(w.receive(ctx, "room_destroy", "Short")).To(Equal(callback.Noted))
		Expect(w.pass(ctx, short).RequeueAfter).To(BeNumerically(">", time.Minute))
	})

	It("about a room that was just created hides no later one", func(ctx context.Context) {
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.verifyRecreated(ctx, room)
		w.advance(2 * time.Second)
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted)) // Late: about the one before.
		w.pass(ctx, room)
		w.advance(5 * time.Second)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Coalesced))
		wait := w.pass(ctx, room).RequeueAfter
		Expect(wait).To(Equal(10 * time.Second))
		w.advance(wait)
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
		Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(2))
	})

	It("makes the operator look at a room that is never verified", func(ctx context.Context) {
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Interval = &metav1.Duration{} })
		w.pass(ctx, room)
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		w.receive(ctx, "room_destroy", "Room1")
		w.pass(ctx, room)
		Expect(w.simulator.Rooms(testAppID)).To(HaveLen(1))
	})

	DescribeTable("about what the operator did itself leads to no loop, and need not come",
		func(ctx context.Context, told bool, looks int) {
			w.sendCallbacks(ctx, func(s *zimsim.Switches) { s.CallbacksOfServerCalls = told })
			w.rename(ctx, room)
			Expect(w.simulator.Enter(testAppID, "Room1", "ann")).To(Succeed())
			callbacks := func() []zimsim.Callback { return w.simulator.Callbacks(zimsim.EventFilter{RoomID: "Room1"}) }
			count := 1
			if told {
				count = 3
			}
			Eventually(callbacks).WithTimeout(soon).Should(HaveLen(count), "room_enter is the last")
			w.simulator.ResetCalls()
			for end := w.clock.Now().Add(2 * time.Minute); w.clock.Now().Before(end); {
				w.advance(min(time.Minute, w.pass(ctx, room).RequeueAfter))
			}
			Expect(w.calls()).To(HaveLen(2 * looks))
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeZero())

			By("still noticing what others do")
			Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
			Eventually(callbacks).WithTimeout(soon).Should(HaveLen(count + 1))
			w.pass(ctx, room)
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
		},
		Entry("with callbacks of server calls", true, 1),
		Entry("without", false, 0),
	)

	When("ZIM tells that a room became empty, not that it is gone", func() {
		var emptied time.Time
		told := func() []zimsim.Callback { return w.simulator.Callbacks(zimsim.EventFilter{RoomID: "Room1"}) }
		death := func() time.Time { return emptied.Add(time.Hour) }
		follow := func(ctx context.Context, end time.Time) {
			GinkgoHelper()
			for w.clock.Now().Before(end) {
				w.advance(min(w.pass(ctx, room).RequeueAfter, end.Sub(w.clock.Now())))
			}
			w.pass(ctx, room)
		}

		BeforeEach(func(ctx context.Context) {
			w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) {
				room.Spec.Interval = &metav1.Duration{Duration: 24 * time.Hour}
			})
			w.pass(ctx, room)
			w.sendCallbacks(ctx, func(s *zimsim.Switches) { s.DestroyCallbackWhenEmpty = true })
			Expect(w.simulator.Enter(testAppID, "Room1", "ann")).To(Succeed())
			w.advance(2 * time.Hour) // What was known of its death is spent.
			w.pass(ctx, room)
			Expect(w.simulator.Leave(testAppID, "Room1", "ann")).To(Succeed())
			emptied = w.clock.Now()
			Eventually(told).WithTimeout(soon).Should(ContainElement(HaveField("Kind", zimsim.EventRoomDestroyed)))
			w.simulator.ResetCalls()
		})

		It("has it back within a second after its death", func(ctx context.Context) {
			follow(ctx, death().Add(time.Second))
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
			Expect(w.simulator.Rooms(testAppID)).To(ConsistOf(HaveField("Incarnation", 2)))
		})

		It("has it back also when another process leads by then", func(ctx context.Context) {
			follow(ctx, emptied.Add(time.Minute))
			w.restartOperator()
			w.reconcileApp(ctx, w.namespace)
			follow(ctx, death().Add(time.Second))
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeEquivalentTo(1))
		})

		It("looks no more than five times at one that somebody enters again", func(ctx context.Context) {
			Expect(w.simulator.Enter(testAppID, "Room1", "ann")).To(Succeed())
			follow(ctx, death().Add(time.Minute))
			Expect(w.calls()).To(HaveLen(5 * 2))
			Expect(w.get(ctx, room).Status.Room.Recreations).To(BeZero())
		})
	})

	It("about somebody who leaves matters while the room is to be replaced", func(ctx context.Context) {
		Expect(w.receive(ctx, "room_exit", "Room1")).To(Equal(callback.Ignored))
		Expect(w.simulator.Enter(testAppID, "Room1", "ann")).To(Succeed())
		w.rename(ctx, room)
		Expect(w.simulator.Leave(testAppID, "Room1", "ann")).To(Succeed())
		Expect(w.receive(ctx, "room_exit", "Room1")).To(Equal(callback.Noted))
		w.pass(ctx, room)
		live, _ := w.simulator.Room(testAppID, "Room1")
		Expect(live.Name).To(Equal("Renamed"))
	})

	It("is not noted where it can lead to nothing", func(ctx context.Context) {
		Expect(w.receive(ctx, "room_destroy", "Room2")).To(Equal(callback.NotOurs))
		Expect(w.receive(ctx, "room_create", "Room1")).To(Equal(callback.Ignored))
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Ignored))
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Ignored))
		Expect(note(ctx)).To(BeEmpty())
	})

	It("is noted on each ZimRoom that it may be about", func(ctx context.Context) {
		plus, space := w.applied(ctx, named("plus"), withID("a+b")), w.applied(ctx, named("space"), withID("a b"))
		Expect(w.receive(ctx, "room_destroy", "a+b")).To(Equal(callback.Noted))
		for _, either := range []*zimv1alpha1.ZimRoom{plus, space} {
			Expect(w.get(ctx, either).Annotations).To(HaveKey(callbackAnnotation), either.Name)
		}
	})

	It("is noted on the successor while a room is handed over", func(ctx context.Context) {
		successor := w.applyYounger(ctx, room)
		w.pass(ctx, successor)
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		handed := w.get(ctx, successor)
		handed.Status.Room, handed.Status.AppRef = w.get(ctx, room).Status.Room, w.get(ctx, room).Status.AppRef
		Expect(apiServer.Status().Update(ctx, handed)).To(Succeed())
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted))
		Expect(w.get(ctx, successor).Annotations).To(HaveKey(callbackAnnotation))
		Expect(note(ctx)).To(BeEmpty())
	})

	It("waits for notes about its own room only, whoever began them", func(ctx context.Context) {
		w.applied(ctx, named("other"), withID("Other"))
		w.writes.Store(0)
		slow := &slowPatch{Client: w.options.Client, name: room.Name, began: make(chan struct{}), end: make(chan struct{})}
		w.options.Client = slow
		operator := controllers.New(w.options)
		first, hangUp := context.WithCancel(ctx)
		outcomes := make([]callback.Outcome, 5)
		var senders sync.WaitGroup
		send := func(ctx context.Context, i int) {
			senders.Go(func() {
				defer GinkgoRecover()
				outcomes[i] = w.newHook(operator).send(ctx, w.clock.Now(), testSecret, "room_destroy", "Room1")
			})
		}
		send(first, 0)
		<-slow.began
		for i := range outcomes[1:] {
			send(ctx, i+1)
		}
		Expect(w.newHook(operator).send(ctx, w.clock.Now(), testSecret, "room_destroy", "Other")).To(Equal(callback.Noted))
		hangUp()
		close(slow.end)
		senders.Wait()
		Expect(outcomes[0]).To(Equal(callback.Noted))
		Expect(outcomes[1:]).To(HaveEach(callback.Coalesced))
		Expect(w.writes.Load()).To(BeEquivalentTo(2))
	})

	It("is verified by no secret that ZIM has not accepted as it is now", func(ctx context.Context) {
		Expect(apiServer.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "hook"},
			StringData: map[string]string{"callbackSecret": hookSecret},
		})).To(Succeed())
		w.editApp(ctx, func(app *zimv1alpha1.ZimApp) {
			app.Spec.CallbackSecretRef = &zimv1alpha1.CallbackSecretReference{Name: "hook"}
		})
		const forged = "ffffffffffffffffffffffffffffffff"
		verify := func(matcher OmegaMatcher) {
			GinkgoHelper()
			for _, secret := range []string{forged, testSecret, hookSecret} {
				w.advance(10 * time.Second) // Long enough to read Secrets anew, and to note anew.
				Expect(w.newHook(w.operator).send(ctx, w.clock.Now(), secret, "room_destroy", "Room1")).To(matcher)
			}
		}
		w.setSecret(ctx, forged)
		verify(Equal(callback.Unverified))
		w.reconcileApp(ctx, w.namespace)
		Expect(w.app(ctx)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonCredentialsRejected))
		verify(Equal(callback.Unverified))

		By("verifying again once ZIM has accepted the Secret")
		w.setSecret(ctx, testSecret)
		verify(Equal(callback.Unverified))
		w.advance(10 * time.Minute)
		w.reconcileApp(ctx, w.namespace)
		w.advance(10 * time.Second)
		Expect(w.receive(ctx, "room_destroy", "Room1")).To(Equal(callback.Noted))
	})

	It("is verified by the CallbackSecret or by the ServerSecret, as they are now", func(ctx context.Context) {
		send := func(secret string) callback.Outcome {
			GinkgoHelper()
			w.advance(10 * time.Second) // Long enough to read Secrets anew, and to note anew.
			return w.newHook(w.operator).send(ctx, w.clock.Now(), secret, "room_destroy", "Room1")
		}
		Expect(send(testSecret)).To(Equal(callback.Noted))
		Expect(send(hookSecret)).To(Equal(callback.Unverified))
		w.editApp(ctx, func(app *zimv1alpha1.ZimApp) {
			app.Spec.CallbackSecretRef = &zimv1alpha1.CallbackSecretReference{Name: "hook"}
		})
		Expect(send(hookSecret)).To(Equal(callback.Unverified)) // The Secret is missing.
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "hook"},
			StringData: map[string]string{"callbackSecret": hookSecret, "other": " "},
		}
		Expect(apiServer.Create(ctx, secret)).To(Succeed())
		Expect(send(hookSecret)).To(Equal(callback.Noted))
		Expect(send(testSecret)).To(Equal(callback.Noted))
		secret.StringData = map[string]string{"callbackSecret": "rotated"}
		Expect(apiServer.Update(ctx, secret)).To(Succeed())
		Expect(send(hookSecret)).To(Equal(callback.Unverified))
		Expect(send("rotated")).To(Equal(callback.Noted))
		for _, useless := range []string{"", " padded "} {
			secret.StringData = map[string]string{"callbackSecret": useless}
			Expect(apiServer.Update(ctx, secret)).To(Succeed())
			Expect(send(useless)).To(Equal(callback.Unverified), "%q", useless)
		}
	})
})

// slowPatch is a client whose patches of one ZimRoom take until the end is let come.
type slowPatch struct {
	client.Client

	name       string
	began, end chan struct{}
}

func (s *slowPatch) Patch(
	ctx context.Context, object client.Object, patch client.Patch, options ...client.PatchOption,
) error {
	if object.GetName() == s.name {
		close(s.began)
		<-s.end
	}
	return s.Client.Patch(ctx, object, patch, options...)
}

// lagging is a client whose ZimRooms stay as they were when it listed them first.
type lagging struct {
	client.Client

	rooms *zimv1alpha1.ZimRoomList
}

func (l *lagging) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	rooms, ok := list.(*zimv1alpha1.ZimRoomList)
	if !ok {
		return l.Client.List(ctx, list, options...)
	}
	if l.rooms == nil {
		l.rooms = &zimv1alpha1.ZimRoomList{}
		if err := l.Client.List(ctx, l.rooms, options...); err != nil {
			return err
		}
	}
	l.rooms.DeepCopyInto(rooms)
	return nil
}

// verifyRecreated moves to the room's slot, where it is found missing and created again.
func (w *world) verifyRecreated(ctx context.Context, room *zimv1alpha1.ZimRoom) {
	GinkgoHelper()
	before := w.get(ctx, room).Status.Room.Recreations
	w.verify(ctx, room)
	Expect(w.get(ctx, room).Status.Room.Recreations).To(Equal(before + 1))
}

var _ = Describe("A callback of somebody else", func() {
	var (
		w      *world
		forger string
		room   *zimv1alpha1.ZimRoom
	)

	BeforeEach(func(ctx context.Context) {
		w = newWorld(ctx)
		room = w.applied(ctx)
		forger = createNamespace(ctx, nil)
		w.createSecret(ctx, forger, hookSecret)
	})
	send := func(ctx context.Context) callback.Outcome {
		GinkgoHelper()
		return w.newHook(w.operator).send(ctx, w.clock.Now(), hookSecret, "room_destroy", "Room1")
	}
	untouched := func(ctx context.Context) {
		GinkgoHelper()
		Expect(w.get(ctx, room).Annotations).NotTo(HaveKey(callbackAnnotation))
	}

	It("is not verified by a ZimApp that ZIM does not accept", func(ctx context.Context) {
		w.createAppObject(ctx, forger)
		Expect(send(ctx)).To(Equal(callback.Unverified)) // Nobody has looked at it yet.
		w.reconcileApp(ctx, forger)
		Expect(send(ctx)).To(Equal(callback.Unverified))
		untouched(ctx)
	})

	It("concerns no room of another realm", func(ctx context.Context) {
		other := newEmptyWorld(ctx) // Where the forger's secret is right.
		other.simulator.SetApp(zimsim.App{AppID: testAppID, ServerSecret: hookSecret, CallsPerSecond: -1})
		w.createAppObject(ctx, forger, func(app *zimv1alpha1.ZimApp) { app.Spec.Endpoint = other.server.URL })
		w.reconcileApp(ctx, forger)
		Expect(send(ctx)).To(Equal(callback.NotOurs))
		untouched(ctx)

		By("not even when the endpoint is moved back, before anybody looks")
		app := &zimv1alpha1.ZimApp{}
		Expect(apiServer.Get(ctx, request(forger, "default").NamespacedName, app)).To(Succeed())
		app.Spec.Endpoint = w.server.URL
		Expect(apiServer.Update(ctx, app)).To(Succeed())
		Expect(send(ctx)).To(Equal(callback.Unverified))
		untouched(ctx)
	})
})

var _ = Describe("The running operator with callbacks", func() {
	It("has a room back at once that somebody destroyed", func(ctx context.Context) {
		w := newLiveWorld(ctx)
		stop := w.startManager(ctx)
		defer stop()
		receiver := httptest.NewServer(callback.New(callback.Config{Notebook: w.operator.Callbacks()}))
		DeferCleanup(receiver.Close)
		w.simulator.SetApp(zimsim.App{
			AppID: testAppID, CallsPerSecond: 24, CallbackURL: receiver.URL, CallbackSecret: hookSecret,
		})
		sending, cancel := context.WithCancel(ctx)
		DeferCleanup(cancel)
		go w.simulator.SendCallbacks(sending, http.DefaultTransport)

		Expect(apiServer.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "hook"},
			StringData: map[string]string{"callbackSecret": hookSecret},
		})).To(Succeed())
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace, atVendorRate, func(app *zimv1alpha1.ZimApp) {
			app.Spec.CallbackSecretRef = &zimv1alpha1.CallbackSecretReference{Name: "hook"}
		})
		room := w.apply(ctx)
		old := func(g Gomega) {
			g.Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
			g.Expect(time.Since(w.get(ctx, room).Status.Room.CreatedTime.Time)).To(BeNumerically(">", 5*time.Second))
		}
		Eventually(old).WithTimeout(soon).Should(Succeed())
		Expect(w.simulator.DestroyRoom(testAppID, "Room1")).To(Succeed())
		Eventually(func() []zimsim.Room { return w.simulator.Rooms(testAppID) }).WithTimeout(soon).
			Should(ConsistOf(HaveField("Incarnation", 2)))
		Eventually(func(g Gomega) {
			g.Expect(w.simulator.Callbacks(zimsim.EventFilter{})).To(ContainElement(And(
				HaveField("Kind", zimsim.EventRoomDestroyed), HaveField("HTTPStatus", http.StatusOK))))
		}).WithTimeout(soon).Should(Succeed())
	})
})
