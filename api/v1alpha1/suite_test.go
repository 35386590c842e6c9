package v1alpha1_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/testenv"
)

// What all specs share: one API server. Each spec has a namespace of its own, so specs don't see each other.
var (
	apiServer      client.Client // Without a cache, and strict: it refuses unknown fields, as kubectl does.
	kubeconfigPath string
	kubectlPath    string
	namespace      string
)

func TestAPI(t *testing.T) {
	RegisterFailHandler(Fail)
	suiteConfig, reporterConfig := GinkgoConfiguration()
	suiteConfig.RandomizeAllSpecs = true
	RunSpecs(t, "API", suiteConfig, reporterConfig)
}

var _ = BeforeSuite(func(context.Context) {
	environment := testenv.New()
	DeferCleanup(environment.Stop) // Also when a CRD is refused, with the API server running.
	restConfig, err := environment.Start()
	Expect(err).NotTo(HaveOccurred())

	kubectlPath = environment.ControlPlane.KubectlPath
	kubeconfigPath = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfigPath, environment.KubeConfig, 0o600)).To(Succeed())

	Expect(zimv1alpha1.AddToScheme(clientgoscheme.Scheme)).To(Succeed())
	lenient, err := client.New(restConfig, client.Options{Scheme: clientgoscheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	apiServer = client.WithFieldValidation(lenient, metav1.FieldValidationStrict)
})

var _ = BeforeEach(func(ctx SpecContext) {
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "api-"}}
	Expect(apiServer.Create(ctx, object)).To(Succeed())
	namespace = object.Name
})
