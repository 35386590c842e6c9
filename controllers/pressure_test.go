package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zimsim"
)

var _ = Describe("QuotaPressure of a ZimApp", func() {
	var w *world

	BeforeEach(func(ctx context.Context) { w = newEmptyWorld(ctx) })

	havePressure := func(reason string) types.GomegaMatcher {
		return HaveField("Status.Conditions", ContainElement(And(
			HaveField("Type", zimv1alpha1.QuotaPressureCondition), HaveField("Status", metav1.ConditionTrue),
			HaveField("Reason", reason))))
	}
	haveNone := HaveField("Status.Conditions",
		Not(ContainElement(HaveField("Type", zimv1alpha1.QuotaPressureCondition))))
	look := func(ctx context.Context) *zimv1alpha1.ZimApp {
		GinkgoHelper()
		w.reconcileApp(ctx, w.namespace)
		return w.app(ctx)
	}
	// verify runs the next verification of a room when it is its turn, and returns when the one after is planned.
	verify := func(ctx context.Context, room *zimv1alpha1.ZimRoom) (next time.Duration) {
		GinkgoHelper()
		w.advance(w.pass(ctx, room).RequeueAfter)
		Eventually(func() time.Duration {
			if next = w.pass(ctx, room).RequeueAfter; next == 0 {
				next = time.Hour
			}
			return next
		}).Should(BeNumerically("<", time.Minute), "longer is how long it may wait in line")
		return next
	}
	every := func(interval time.Duration, number int) func(*zimv1alpha1.ZimRoom) {
		return func(room *zimv1alpha1.ZimRoom) {
			room.Name, room.Spec.ID = fmt.Sprintf("room-%d", number), fmt.Sprintf("room-%d", number)
			room.Spec.Interval = &metav1.Duration{Duration: interval}
		}
	}

	It("says that ZimRooms ask for more verifications than half of the quota, and intervals are stretched",
		func(ctx context.Context) {
			w.createApp(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 10 })
			Expect(look(ctx)).To(haveNone)
			var rooms []*zimv1alpha1.ZimRoom
			for i := range 10 { // Two calls each, four times a minute: 1.3 a second.
				rooms = append(rooms, w.applied(ctx, every(15*time.Second, i)))
			}
			Expect(look(ctx)).To(haveNone)
			for i, room := range rooms {
				w.edit(ctx, room, every(time.Second, i)) // 20 calls a second, of which 4.76 may be.
				w.pass(ctx, room)
			}
			Expect(look(ctx)).To(havePressure(zimv1alpha1.ReasonIntervalsStretched))
			Expect(look(ctx).Status.Conditions).To(ContainElement(HaveField("Message", ContainSubstring("5 times"))))
			for range 3 {
				Expect(verify(ctx, rooms[9])).To(BeNumerically("~", 4250*time.Millisecond, 2125*time.Millisecond))
			}

			for _, room := range rooms[1:] {
				Expect(apiServer.Delete(ctx, room)).To(Succeed())
				w.pass(ctx, room)
			}
			Expect(verify(ctx, rooms[0])).To(BeNumerically("<=", 1500*time.Millisecond))
			w.advance(9 * time.Minute)
			Expect(look(ctx)).To(havePressure(zimv1alpha1.ReasonIntervalsStretched), "it changes once in ten minutes")
			w.advance(2 * time.Minute)
			Expect(look(ctx)).To(haveNone)
		})

	Context("after a rate that was too low by far", func() {
		const declared = time.Hour
		var (
			greedy  []*zimv1alpha1.ZimRoom
			patient *zimv1alpha1.ZimRoom
			// next is when the patient room asks to come back after its last look.
			next time.Duration
		)

		BeforeEach(func(ctx context.Context) {
			greedy = nil
			w.createApp(ctx, w.namespace)
			for i := range 10 {
				greedy = append(greedy, w.applied(ctx, every(time.Second, i)))
			}
			patient = w.applied(ctx, every(declared, 10), withDelay(10*time.Second), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.Attributes = nil
			})
			Expect(w.simulator.Enter(testAppID, patient.Spec.ID, "somebody")).To(Succeed())
			for range 3 {
				w.verify(ctx, patient) // After that its death is not predicted any more.
			}
			w.editApp(ctx, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 4 }) // 20 are asked for.
			w.advance(w.pass(ctx, patient).RequeueAfter)
			w.simulator.ResetCalls()
			next = w.pass(ctx, patient).RequeueAfter
			Expect(w.calls()).To(HaveLen(1), "the look whose successor is planned with a stretched interval")
			Expect(look(ctx)).To(havePressure(zimv1alpha1.ReasonIntervalsStretched))
		})

		// expectBack waits as long as passes ask to, until the room is back.
		expectBack := func(ctx context.Context, within time.Duration) {
			GinkgoHelper()
			destroyed := w.clock.Now()
			Expect(w.simulator.DestroyRoom(testAppID, patient.Spec.ID)).To(Succeed())
			for w.get(ctx, patient).Status.Room.Recreations == 0 {
				w.advance(next)
				Expect(w.clock.Since(destroyed)).To(BeNumerically("<=", within))
				Eventually(func() map[string]int {
					next = w.pass(ctx, patient).RequeueAfter
					return w.operator.State().Accounts[0].Waiting
				}).Should(HaveKeyWithValue("verification", 0), "its place in line comes soon")
			}
		}

		It("finds rooms missing in time again as soon as it is corrected", func(ctx context.Context) {
			w.editApp(ctx, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 10000 })
			next = w.pass(ctx, patient).RequeueAfter // It is woken.
			expectBack(ctx, declared*3/2)
		})

		It("finds rooms missing in time again when others ask for less, though nobody wakes them",
			func(ctx context.Context) {
				for _, room := range greedy {
					w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Suspend = true })
					w.pass(ctx, room)
				}
				expectBack(ctx, declared+declared*3/2)
			})

		It("says so over a restart, until this process can tell", func(ctx context.Context) {
			said := look(ctx).Status.Conditions
			w.advance(11 * time.Minute)
			w.restartOperator()
			Expect(look(ctx).Status.Conditions).To(Equal(said), "before a pass over any room")
			w.pass(ctx, greedy[0])
			Expect(look(ctx).Status.Conditions).To(Equal(said), "before passes over the others")
			w.advance(10 * time.Minute)
			Expect(look(ctx).Status.Conditions).NotTo(Equal(said))
		})
	})

	It("says that ZIM takes fewer calls than requestsPerSecond, until that is lowered", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Times: 1})
		w.applyAndPass(ctx)
		Expect(look(ctx)).To(haveNone, "one refusal may be over soon")
		w.advance(2 * time.Minute)
		app := look(ctx)
		Expect(app).To(havePressure(zimv1alpha1.ReasonBelowRequestedRate))
		Expect(app).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonAccepted))
		w.editApp(ctx, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 20 })
		w.advance(11 * time.Minute)
		Expect(look(ctx)).To(haveNone)
	})

	It("is written in the next pass if it could not be written in the one that decided it", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Times: 1})
		w.applyAndPass(ctx)
		w.advance(2 * time.Minute)
		w.writeError = func() error { return errors.New("not now") }
		_, err := w.operator.Apps.Reconcile(ctx, request(w.namespace, "default"))
		Expect(err).To(HaveOccurred())
		w.writeError = nil
		Expect(look(ctx)).To(havePressure(zimv1alpha1.ReasonBelowRequestedRate))
	})

	It("is none of an app's that was applied anew under the same name", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Times: 1})
		room := w.applyAndPass(ctx)
		w.advance(2 * time.Minute)
		app := look(ctx)
		Expect(app).To(havePressure(zimv1alpha1.ReasonBelowRequestedRate))
		Expect(apiServer.Delete(ctx, room)).To(Succeed())
		w.pass(ctx, room)
		Expect(apiServer.Delete(ctx, app)).To(Succeed())
		w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Spec.RequestsPerSecond = 20 })
		Expect(look(ctx)).To(haveNone)
	})

	It("is remembered over a restart", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		w.inject(zimsim.Fault{Kind: zimsim.FaultCode, Code: 660300005, Action: "CreateRoom", Times: 1})
		w.applyAndPass(ctx)
		w.advance(2 * time.Minute)
		Expect(look(ctx)).To(havePressure(zimv1alpha1.ReasonBelowRequestedRate))
		w.restartOperator()
		w.advance(time.Minute)
		Expect(look(ctx)).To(havePressure(zimv1alpha1.ReasonBelowRequestedRate), "it changes once in ten minutes")
		w.advance(10 * time.Minute)
		Expect(look(ctx)).To(haveNone)
	})
})
