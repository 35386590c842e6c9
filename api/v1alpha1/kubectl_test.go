package v1alpha1_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// publishTimeout is how long the API server may take to publish the OpenAPI documents that kubectl reads.
const publishTimeout = 30 * time.Second

// kubectl runs a command in the spec's namespace and returns what it prints. Its error is what kubectl complains of.
func kubectl(ctx SpecContext, stdin string, args ...string) (string, error) {
	args = append([]string{"--kubeconfig", kubeconfigPath, "--namespace", namespace}, args...)
	command := exec.CommandContext(ctx, kubectlPath, args...)
	// Without the settings and caches of whoever runs the tests.
	command.Env = append(os.Environ(), "HOME="+filepath.Dir(kubeconfigPath))
	var stdout, stderr bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), errors.New(strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// explain returns what kubectl tells of all fields of a kind.
func explain(ctx SpecContext, kind string) string {
	GinkgoHelper()
	var explained string
	Eventually(ctx, func() (err error) {
		explained, err = kubectl(ctx, "", "explain", kind, "--recursive")
		return err
	}).WithTimeout(publishTimeout).Should(Succeed())
	return explained
}

// table runs kubectl get and returns the words of each line.
func table(ctx SpecContext, args ...string) [][]string {
	GinkgoHelper()
	output, err := kubectl(ctx, "", append([]string{"get"}, args...)...)
	Expect(err).NotTo(HaveOccurred())
	var lines [][]string
	for line := range strings.Lines(output) {
		lines = append(lines, strings.Fields(line))
	}
	return lines
}

// createWithStatus stores an object under a name, with a status.
func createWithStatus(ctx SpecContext, object *unstructured.Unstructured, name, status string) {
	GinkgoHelper()
	object.SetName(name)
	accept(ctx, object)
	Expect(updateStatus(ctx, object, setStatus(status))).To(Succeed())
}

var _ = Describe("kubectl get", func() {
	BeforeEach(func(ctx SpecContext) {
		createWithStatus(ctx, newRoom(set("spec.name", "Declared")), "one", roomStatus)
		createWithStatus(ctx, newApp(), "team", appStatus)
	})

	DescribeTable("shows ZimRooms", func(ctx SpecContext, resource string) {
		lines := table(ctx, resource)
		Expect(lines).To(HaveLen(2))
		Expect(lines[0]).To(HaveExactElements("NAME", "ID", "READY", "STATUS", "RECREATIONS", "AGE"))
		Expect(lines[1]).To(HaveExactElements("one", "lobby", "True", "RoomCreated", "7", Not(BeEmpty())))
	},
		Entry("by the short name", "zr"),
		Entry("by the singular", "zimroom"),
		Entry("by the plural", "zimrooms"),
		Entry("by the full name", "zimrooms.zim.zego.im"),
	)

	It("shows more of ZimRooms in wide output", func(ctx SpecContext) {
		pending := newRoom()
		createWithStatus(ctx, pending, "two", roomStatus)
		Expect(updateStatus(ctx, pending, set("status.conditions", []any{map[string]any{
			"type": "ReplacementPending", "status": "True", "reason": "RoomOccupied", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z",
		}}), set("status.room.name", "Live"))).To(Succeed())
		lines := table(ctx, "zr", "-o", "wide")
		Expect(lines).To(HaveLen(3))
		Expect(lines[0]).To(HaveExactElements("NAME", "ID", "READY", "STATUS", "RECREATIONS", "AGE",
			"APP", "NAME", "DELAY", "PENDING", "MESSAGE"))
		Expect(lines[1][6:]).To(HaveExactElements("team", "Main", "lobby", "1h0m0s", "Is", "well."))
		Expect(lines[2]).To(HaveExactElements("two", "lobby", "7", Not(BeEmpty()), "team", "Live", "1h0m0s", "RoomOccupied"))
	})

	DescribeTable("shows ZimApps", func(ctx SpecContext, resource string) {
		lines := table(ctx, resource)
		Expect(lines).To(HaveLen(2))
		Expect(lines[0]).To(HaveExactElements("NAME", "APPID", "READY", "STATUS", "AGE"))
		Expect(lines[1]).To(HaveExactElements("team", "1234567890", "True", "Accepted", Not(BeEmpty())))
	},
		Entry("by the short name", "zapp"),
		Entry("by the singular", "zimapp"),
		Entry("by the plural", "zimapps"),
		Entry("by the full name", "zimapps.zim.zego.im"),
	)

	It("shows more of ZimApps in wide output", func(ctx SpecContext) {
		lines := table(ctx, "zapp", "-o", "wide")
		Expect(lines).To(HaveLen(2))
		Expect(lines[0]).To(HaveExactElements("NAME", "APPID", "READY", "STATUS", "AGE", "OPERATOR", "ENDPOINT", "RATE", "MESSAGE"))
		Expect(lines[1][5:]).To(HaveExactElements("operator", "https://zim-api-sgp.zego.im", "100", "Is", "well."))
	})

	It("shows both kinds by their category", func(ctx SpecContext) {
		Expect(table(ctx, "zim")).To(ContainElements(
			[]string{"NAME", "ID", "READY", "STATUS", "RECREATIONS", "AGE"},
			ContainElement("zimroom.zim.zego.im/one"),
			[]string{"NAME", "APPID", "READY", "STATUS", "AGE"},
			ContainElement("zimapp.zim.zego.im/team"),
		))
	})

	It("selects ZimRooms by their id", func(ctx SpecContext) {
		createWithStatus(ctx, newRoom(set("spec.id", "class")), "two", roomStatus)
		Expect(table(ctx, "zr", "-o", "name", "--field-selector", "spec.id=lobby")).To(
			Equal([][]string{{"zimroom.zim.zego.im/one"}}))
		Expect(table(ctx, "zr", "-o", "name", "--field-selector", "spec.id!=lobby")).To(
			Equal([][]string{{"zimroom.zim.zego.im/two"}}))
	})
})

var _ = Describe("kubectl apply", func() {
	const manifest = "{apiVersion: zim.zego.im/v1alpha1, kind: ZimRoom, metadata: {name: lobby}, spec: {id: lobby, %FIELD%}}"

	apply := func(ctx SpecContext, field string) error {
		_, err := kubectl(ctx, strings.ReplaceAll(manifest, "%FIELD%", field), "apply", "-f", "-")
		return err
	}

	BeforeEach(func(ctx SpecContext) {
		explain(ctx, "zimroom") // kubectl validates once the API server has published the kind.
	})

	It("takes a duration with quotes or without", func(ctx SpecContext) {
		Expect(apply(ctx, `destroyDelay: 90s`)).To(Succeed())
		Expect(apply(ctx, `destroyDelay: "1h30m"`)).To(Succeed())
	})

	DescribeTable("says what is wrong", func(ctx SpecContext, field, words string) {
		Expect(apply(ctx, field)).To(MatchError(ContainSubstring(words)))
	},
		Entry("with a field that is misspelt", "destroyDeley: 1h", `unknown field "spec.destroyDeley"`),
		Entry("with a number as duration", "destroyDelay: 3600", `spec.destroyDelay in body must be of type string: "integer"`),
		Entry("with a duration in days", "destroyDelay: 1d",
			`spec.destroyDelay: Invalid value: "1d": destroyDelay must be whole seconds from 0s to 3h, written as a duration such as 90s or 1h30m`),
	)
})
