package controllers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// poisoned panics when a call for certain rooms is sent, in the midst of a pass.
type poisoned struct{ inner http.RoundTripper }

func (p poisoned) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(body, []byte("poison")) {
			panic("a defect")
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	return p.inner.RoundTrip(request)
}

// panics returns how many passes over ZimRooms have panicked, as metrics have it.
func panics() float64 {
	GinkgoHelper()
	families, err := crmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	for _, family := range families {
		if family.GetName() != "controller_runtime_reconcile_panics_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if metric.GetLabel()[0].GetValue() == "zimroom" {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

var _ = Describe("A ZimRoom whose passes panic", func() {
	It("is counted, and stops neither the manager nor others, not even many of them", func(ctx context.Context) {
		w := newLiveWorld(ctx)
		w.wrapTransport = func(inner http.RoundTripper) http.RoundTripper { return poisoned{inner} }
		w.startManager(ctx)
		before := panics()
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace, atVendorRate)
		const many = 15 // More than there are workers.
		for i := range many {
			w.apply(ctx, named(fmt.Sprintf("poison-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("poison-%d", i)
			})
		}
		Eventually(panics).WithTimeout(soon).Should(BeNumerically(">=", before+many))
		for i := range 5 {
			room := w.apply(ctx, named(fmt.Sprintf("room-%d", i)), func(room *zimv1alpha1.ZimRoom) {
				room.Spec.ID = fmt.Sprintf("room-%d", i)
			})
			Eventually(func() *zimv1alpha1.ZimRoom { return w.get(ctx, room) }).WithTimeout(soon).
				Should(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		}
	})
})
