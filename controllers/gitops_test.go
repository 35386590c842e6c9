package controllers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// sampleRooms are all ZimRooms of config/, by file.
func sampleRooms() map[string]string {
	GinkgoHelper()
	samples := map[string]string{}
	for _, pattern := range []string{"../config/samples/zim_v1alpha1_zimroom*.yaml", "../config/argocd/sample/zimrooms.yaml"} {
		files, err := filepath.Glob(pattern)
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		for _, file := range files {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			for i, document := range strings.Split(string(text), "\n---\n") {
				samples[fmt.Sprintf("%s %d", filepath.Base(file), i)] = document
			}
		}
	}
	return samples
}

// What GitOps tools compare is the manifest and the object: the operator writes nothing that a manifest declares.
var _ = Describe("A manifest in Git", func() {
	// manifest writes a file for kubectl.
	manifest := func(text string) string {
		GinkgoHelper()
		file := filepath.Join(GinkgoT().TempDir(), "manifest.yaml")
		Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
		return file
	}
	// differs returns what kubectl diff shows; empty: no difference.
	differs := func(ctx context.Context, args ...string) string {
		GinkgoHelper()
		command := exec.CommandContext(ctx, kubectlPath, append([]string{"--kubeconfig", kubeconfigPath, "diff"}, args...)...)
		output, err := command.CombinedOutput()
		if err != nil {
			Expect(err).To(BeAssignableToTypeOf(&exec.ExitError{}))
			Expect(output).NotTo(BeEmpty())
		}
		return string(output)
	}
	// reconciled applies a manifest of a ZimRoom and lets the operator do its work.
	reconciled := func(ctx context.Context, w *world, file string, how ...string) *zimv1alpha1.ZimRoom {
		GinkgoHelper()
		Expect(kubectlSucceeds(ctx, append([]string{"apply", "--namespace", w.namespace, "-f", file}, how...)...)).To(BeTrue())
		text, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		room := &zimv1alpha1.ZimRoom{}
		Expect(yaml.Unmarshal(text, room)).To(Succeed())
		room.Namespace = w.namespace
		w.pass(ctx, room)
		w.pass(ctx, room)
		Expect(w.get(ctx, room).Status.Room).NotTo(BeNil())
		return room
	}

	for _, how := range [][]string{nil, {"--server-side"}} {
		It(strings.TrimSpace("of a sample does not differ from the object, applied "+strings.Join(how, "")), func(ctx context.Context) {
			w := newWorld(ctx)
			for name, text := range sampleRooms() {
				By(name)
				file := manifest(text)
				room := reconciled(ctx, w, file, how...)
				Expect(differs(ctx, append([]string{"--namespace", w.namespace, "-f", file}, how...)...)).To(BeEmpty())
				version := w.get(ctx, room).ResourceVersion
				Expect(kubectlSucceeds(ctx, append([]string{"apply", "--namespace", w.namespace, "-f", file}, how...)...)).To(BeTrue())
				Expect(w.get(ctx, room).ResourceVersion).To(Equal(version), "the second apply changed something")
			}
		})
	}

	It("keeps its order of attributes, whichever that is", func(ctx context.Context) {
		w := newWorld(ctx)
		text := sampleRooms()["zim_v1alpha1_zimroom.yaml 0"]
		file, reversed := manifest(text), manifest(reverseAttributes(text))
		for _, how := range [][]string{{}, {"--server-side"}} {
			arguments := append([]string{"--namespace", w.namespace, "-f", reversed}, how...)
			room := reconciled(ctx, w, reversed, how...)
			Expect(differs(ctx, arguments...)).To(BeEmpty())

			By("another order in Git")
			reconciled(ctx, w, file, how...)
			Expect(differs(ctx, arguments...)).NotTo(BeEmpty(), "lists have an order")
			w.simulator.ResetCalls()
			reconciled(ctx, w, reversed, how...)
			Expect(w.calls()).NotTo(ContainElement("ModifyRoomAttribute"))
			Expect(differs(ctx, arguments...)).To(BeEmpty())
			Expect(apiServer.Delete(ctx, room)).To(Succeed())
			w.pass(ctx, room)
		}
	})

	It("keeps the spelling of durations: 60m and 1h are not the same text", func(ctx context.Context) {
		w := newWorld(ctx)
		text := sampleRooms()["zim_v1alpha1_zimroom.yaml 0"]
		hour, minutes := manifest(text), manifest(strings.Replace(text, "destroyDelay: 1h", "destroyDelay: 60m", 1))
		room := reconciled(ctx, w, minutes)
		Expect(differs(ctx, "--namespace", w.namespace, "-f", minutes)).To(BeEmpty())
		Expect(differs(ctx, "--namespace", w.namespace, "-f", hour)).To(ContainSubstring("60m"))

		By("changing nothing but the spelling")
		reconciled(ctx, w, hour)
		Expect(w.calls()).NotTo(ContainElement("DestroyRoom"))
		Expect(w.get(ctx, room).Status.Conditions).To(HaveLen(1)) // Ready: nothing is to be replaced.
	})

	DescribeTable("of a ZimApp does not differ from the object", func(ctx context.Context, sample string) {
		w := newEmptyWorld(ctx)
		w.createSecret(ctx, w.namespace, testSecret)
		text, err := os.ReadFile(sample)
		Expect(err).NotTo(HaveOccurred())
		_, app, severalDocuments := strings.Cut(string(text), "\n---\n") // The Secret, which is another one here.
		if !severalDocuments {
			app = string(text)
		}
		file := manifest(app + "  endpoint: " + w.server.URL + "\n")
		for _, how := range [][]string{{}, {"--server-side"}} {
			arguments := append([]string{"--namespace", w.namespace, "-f", file}, how...)
			Expect(kubectlSucceeds(ctx, append([]string{"apply"}, arguments...)...)).To(BeTrue())
			w.reconcileApp(ctx, w.namespace)
			w.applied(ctx, named("a"+strings.Join(how, ""))) // Gives the ZimApp its finalizer.
			w.reconcileApp(ctx, w.namespace)
			Expect(differs(ctx, arguments...)).To(BeEmpty())
			version := w.app(ctx).ResourceVersion
			Expect(kubectlSucceeds(ctx, append([]string{"apply"}, arguments...)...)).To(BeTrue())
			Expect(w.app(ctx).ResourceVersion).To(Equal(version))
			Expect(apiServer.DeleteAllOf(ctx, &zimv1alpha1.ZimRoom{}, client.InNamespace(w.namespace))).To(Succeed())
			_, err := w.operator.Rooms.Reconcile(ctx, request(w.namespace, "a"+strings.Join(how, "")))
			Expect(err).NotTo(HaveOccurred())
		}
	},
		Entry("of the Application", "../config/argocd/sample/zimapp.yaml"),
		Entry("with its Secret", "../config/samples/zim_v1alpha1_zimapp.yaml"),
	)
})

// reverseAttributes turns the order of a ZimRoom's attributes round.
func reverseAttributes(manifest string) string {
	GinkgoHelper()
	var object map[string]any
	Expect(yaml.Unmarshal([]byte(manifest), &object)).To(Succeed())
	attributes := object["spec"].(map[string]any)["attributes"].([]any)
	Expect(len(attributes)).To(BeNumerically(">", 1))
	slices.Reverse(attributes)
	text, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}
