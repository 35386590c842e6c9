package controllers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// poisoned panics when a call for certain rooms is sent, in the midst of a pass, and tells all that is secret about it.
type poisoned struct {
	inner http.RoundTripper

	mu     sync.Mutex
	signed []string // What the calls were signed with.
}

func (p *poisoned) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	p.mu.Lock()
	p.signed = append(p.signed, query.Get("Signature"), query.Get("SignatureNonce"))
	p.mu.Unlock()
	if request.Body != nil {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(body, []byte("poison")) {
			panic(fmt.Sprintf("a defect: %s, signed with %s", request.URL, testSecret))
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
	var (
		w         *world
		transport *poisoned
		log       *gbytes.Buffer
		stop      func()
	)

	BeforeEach(func(ctx context.Context) {
		w, transport, log = newLiveWorld(ctx), &poisoned{}, gbytes.NewBuffer()
		w.wrapTransport = func(inner http.RoundTripper) http.RoundTripper {
			transport.inner = inner
			return transport
		}
		both := io.MultiWriter(log, GinkgoWriter)
		w.logger = funcr.NewJSON(func(line string) { _, _ = fmt.Fprintln(both, line) }, funcr.Options{Verbosity: 10})
		stop = w.startManager(ctx)
		w.createSecret(ctx, w.namespace, testSecret)
		w.createAppObject(ctx, w.namespace, atVendorRate)
	})

	It("is counted, and stops neither the manager nor others, not even many of them", func(ctx context.Context) {
		before := panics()
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

	It("is told with its place, and with nothing of what the call was signed with", func(ctx context.Context) {
		good := w.apply(ctx, withID("good"))
		Eventually(func() *zimv1alpha1.ZimRoom { return w.get(ctx, good) }).WithTimeout(soon).
			Should(beReady(metav1.ConditionTrue, zimv1alpha1.ReasonRoomCreated))
		w.apply(ctx, named("poison"), withID("poison"))
		Eventually(func() string { return string(log.Contents()) }).WithTimeout(soon).Should(And(
			ContainSubstring("Called ZIM"), ContainSubstring("Observed a panic"), ContainSubstring("poisoned).RoundTrip"),
			ContainSubstring("Reconciler error"),
		))
		stop()
		Expect(transport.signed).To(HaveEach(Not(BeEmpty())))
		for _, secret := range append(transport.signed, testSecret) {
			Expect(strings.ToLower(string(log.Contents()))).NotTo(ContainSubstring(secret))
		}
	})
})
