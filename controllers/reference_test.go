package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

var _ = Describe("The ZimApp of a ZimRoom", func() {
	var (
		w *world
		// elsewhere is a namespace without a ZimApp, labelled team=a.
		elsewhere string
	)

	BeforeEach(func(ctx context.Context) {
		w = newEmptyWorld(ctx)
		elsewhere = createNamespace(ctx, map[string]string{"team": "a"})
	})

	allow := func(allowed zimv1alpha1.AllowedNamespaces) func(*zimv1alpha1.ZimApp) {
		return func(app *zimv1alpha1.ZimApp) { app.Spec.AllowedNamespaces = &allowed }
	}
	applyElsewhere := func(ctx context.Context) *zimv1alpha1.ZimRoom {
		GinkgoHelper()
		return w.apply(ctx, func(room *zimv1alpha1.ZimRoom) {
			room.Namespace = elsewhere
			room.Spec.AppRef = &zimv1alpha1.AppReference{Namespace: w.namespace, Name: "default"}
		})
	}

	It("is missing: the ZimRoom says so, and becomes Ready when it comes", func(ctx context.Context) {
		room := w.apply(ctx)
		Expect(w.pass(ctx, room).RequeueAfter).To(BeZero(), "the ZimApp wakes it")
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotFound),
			beReconciling(zimv1alpha1.ReasonAppNotFound)))
		w.createApp(ctx, w.namespace)
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
	DescribeTable("may be of another namespace if that allows it",
		func(ctx context.Context, allowed zimv1alpha1.AllowedNamespaces) {
			w.createApp(ctx, w.namespace, allow(allowed))
			room := applyElsewhere(ctx)
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		},
		Entry("All", zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}),
		Entry("Selector", zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromSelector, Selector: selector}),
	)

	DescribeTable("may not be of another namespace otherwise; no call is made, and an edit of it helps",
		func(ctx context.Context, allowed zimv1alpha1.AllowedNamespaces) {
			w.createApp(ctx, w.namespace, allow(allowed))
			w.simulator.ResetCalls()
			room := applyElsewhere(ctx)
			Expect(w.pass(ctx, room).RequeueAfter).To(BeZero())
			Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotAllowed),
				beReconciling(zimv1alpha1.ReasonAppNotAllowed)))
			Expect(w.simulator.Calls()).To(BeEmpty())

			app := w.app(ctx)
			app.Spec.AllowedNamespaces = &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromAll}
			Expect(apiServer.Update(ctx, app)).To(Succeed())
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		},
		Entry("Same", zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromSame}),
		Entry("Selector of others", zimv1alpha1.AllowedNamespaces{
			From:     zimv1alpha1.NamespacesFromSelector,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "b"}},
		}),
	)

	It("may not be asked for in another namespace, whether or not it exists there", func(ctx context.Context) {
		room := applyElsewhere(ctx)
		w.pass(ctx, room)
		missing := readyOf(w.get(ctx, room).Status.Conditions)
		w.createApp(ctx, w.namespace)
		w.pass(ctx, room)
		existing := readyOf(w.get(ctx, room).Status.Conditions)
		Expect(missing.Reason).To(Equal(zimv1alpha1.ReasonAppNotAllowed))
		Expect(existing).To(Equal(missing))
	})

	It("follows the labels of the namespace", func(ctx context.Context) {
		w.createApp(ctx, w.namespace, allow(zimv1alpha1.AllowedNamespaces{
			From:     zimv1alpha1.NamespacesFromSelector,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "b"}},
		}))
		room := applyElsewhere(ctx)
		w.pass(ctx, room)
		namespace := &corev1.Namespace{}
		Expect(apiServer.Get(ctx, client.ObjectKey{Name: elsewhere}, namespace)).To(Succeed())
		namespace.Labels["team"] = "b"
		Expect(apiServer.Update(ctx, namespace)).To(Succeed())
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
	})

	Context("by default", func() {
		var platform string // The operator's namespace of this spec.

		BeforeEach(func(ctx context.Context) {
			platform = createNamespace(ctx, nil)
			w.options.OperatorNamespace = platform
			w.options.Client = indexedClient(ctx, w.writer(), platform)
			w.restartOperator()
		})

		It("is that of the operator's namespace if it allows it", func(ctx context.Context) {
			w.createApp(ctx, platform, allow(onlyTo(w.namespace)))
			room := w.applied(ctx)
			Expect(w.get(ctx, room).Status.AppRef.Namespace).To(Equal(platform))
		})

		It("is not that of the operator's namespace if it does not allow it", func(ctx context.Context) {
			w.createApp(ctx, platform)
			room := w.apply(ctx)
			w.pass(ctx, room)
			Expect(w.get(ctx, room)).To(beReady(metav1.ConditionFalse, zimv1alpha1.ReasonAppNotFound))
		})

		It("is that of its own namespace first", func(ctx context.Context) {
			w.createApp(ctx, platform, allow(onlyTo(w.namespace)))
			w.createApp(ctx, w.namespace)
			room := w.applied(ctx)
			Expect(w.get(ctx, room).Status.AppRef.Namespace).To(Equal(w.namespace))
		})

		It("stays what it was when the room was confirmed", func(ctx context.Context) {
			w.createApp(ctx, platform, allow(onlyTo(w.namespace)))
			room := w.applied(ctx)
			w.createApp(ctx, w.namespace)
			w.verify(ctx, room)
			Expect(w.get(ctx, room).Status.AppRef.Namespace).To(Equal(platform))
		})
	})

	It("must still be of the AppID in which the room lives", func(ctx context.Context) {
		w.createApp(ctx, w.namespace)
		room := w.applied(ctx)
		app := w.app(ctx)
		Expect(apiServer.Delete(ctx, app)).To(Succeed())
		w.createAppObject(ctx, w.namespace, func(app *zimv1alpha1.ZimApp) { app.Spec.AppID = 42 })
		w.reconcileApp(ctx, w.namespace)
		w.simulator.ResetCalls()
		w.edit(ctx, room, func(room *zimv1alpha1.ZimRoom) { room.Spec.Attributes = nil })
		w.pass(ctx, room)
		Expect(w.get(ctx, room)).To(And(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated),
			beReconciling(zimv1alpha1.ReasonAppNotFound)))
		Expect(w.calls()).To(BeEmpty())
	})
})

// onlyTo admits one namespace, so that what other specs left behind stays out.
func onlyTo(namespace string) zimv1alpha1.AllowedNamespaces {
	return zimv1alpha1.AllowedNamespaces{
		From:     zimv1alpha1.NamespacesFromSelector,
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
	}
}
