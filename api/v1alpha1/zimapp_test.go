package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// refuseApp is the body of tables of changes that no ZimApp may have.
func refuseApp(ctx SpecContext, change change, field string, words ...string) {
	Expect(apiServer.Create(ctx, newApp(change))).To(beRefused(field, words...))
}

// acceptApp is the body of tables of changes that a ZimApp may have.
func acceptApp(ctx SpecContext, change change) {
	accept(ctx, newApp(change))
}

// storedApp creates a ZimApp with changes and returns the field at a path of its spec as it is stored.
func storedApp(ctx SpecContext, path string, changes ...change) any {
	GinkgoHelper()
	app := newApp(changes...)
	Expect(apiServer.Create(ctx, app)).To(Succeed())
	value, _, err := unstructured.NestedFieldNoCopy(app.Object, strings.Split(path, ".")...)
	Expect(err).NotTo(HaveOccurred())
	return value
}

var _ = Describe("A ZimApp", func() {
	It("may set every field", func(ctx SpecContext) {
		accept(ctx, newApp())
	})

	It("needs three fields, and gets the defaults of the others", func(ctx SpecContext) {
		required := map[string]any{
			"appID": int64(1), "serverSecretRef": map[string]any{"name": "zim"}, "fromUserID": "operator",
		}
		Expect(storedApp(ctx, "spec", set("spec", required))).To(Equal(map[string]any{
			"appID":             int64(1),
			"serverSecretRef":   map[string]any{"name": "zim", "key": "serverSecret"},
			"fromUserID":        "operator",
			"endpoint":          "https://zim-api.zego.im",
			"requestsPerSecond": int64(20),
			"allowedNamespaces": map[string]any{"from": "Same"},
		}))
	})

	It("written with the Go types gets the same defaults", func(ctx SpecContext) {
		app := &zimv1alpha1.ZimApp{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "app-", Namespace: namespace},
			Spec: zimv1alpha1.ZimAppSpec{
				AppID: 1, ServerSecretRef: zimv1alpha1.SecretKeyReference{Name: "zim"}, FromUserID: "operator",
			},
		}
		Expect(apiServer.Create(ctx, app)).To(Succeed())
		var stored zimv1alpha1.ZimApp
		Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(app), &stored)).To(Succeed())
		Expect(stored.Spec).To(Equal(zimv1alpha1.ZimAppSpec{
			AppID:             1,
			ServerSecretRef:   zimv1alpha1.SecretKeyReference{Name: "zim", Key: "serverSecret"},
			FromUserID:        "operator",
			Endpoint:          "https://zim-api.zego.im",
			RequestsPerSecond: 20,
			AllowedNamespaces: &zimv1alpha1.AllowedNamespaces{From: zimv1alpha1.NamespacesFromSame},
		}))
	})

	It("needs a spec", func(ctx SpecContext) {
		refuseApp(ctx, unset("spec"), "spec", "Required value")
	})

	It("may be edited in all but its appID", func(ctx SpecContext) {
		app := newApp()
		accept(ctx, app)
		spec := map[string]any{
			"appID":             int64(1234567890),
			"serverSecretRef":   map[string]any{"name": "other", "key": "other"},
			"fromUserID":        "other",
			"endpoint":          "https://zim-api-fra.zego.im",
			"requestsPerSecond": int64(5),
			"allowedNamespaces": map[string]any{"from": "All"},
		}
		Expect(update(ctx, app, set("spec", spec))).To(Succeed())
		Expect(app.Object["spec"]).To(Equal(spec))
	})

	It("may not have fields that are unknown", func(ctx SpecContext) {
		err := apiServer.Create(ctx, newApp(set("spec.serverSecret", "in plain sight")))
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring(`unknown field "spec.serverSecret"`)))
	})
})

var _ = Describe("The appID of a ZimApp", func() {
	DescribeTable("may be", acceptApp,
		Entry("1", set("spec.appID", int64(1))),
		Entry("4294967295", set("spec.appID", int64(4294967295))),
	)

	DescribeTable("is refused", refuseApp,
		Entry("missing", unset("spec.appID"), "spec.appID", "Required value"),
		Entry("0", set("spec.appID", int64(0)), "spec.appID", "greater than or equal to 1"),
		Entry("-1", set("spec.appID", int64(-1)), "spec.appID", "greater than or equal to 1"),
		Entry("4294967296", set("spec.appID", int64(4294967296)), "spec.appID", "less than or equal to 4294967295"),
		Entry("in quotes", set("spec.appID", "1"), "spec.appID", "must be of type integer"),
		Entry("with a fraction", set("spec.appID", 1.5), "spec.appID", "must be of type int"),
	)

	It("may not be changed", func(ctx SpecContext) {
		app := newApp()
		accept(ctx, app)
		Expect(update(ctx, app, set("spec.appID", int64(2)))).To(
			beRefused("spec.appID", "appID is immutable", "create another ZimApp for another AppID"))
	})
})

var _ = Describe("The serverSecretRef of a ZimApp", func() {
	DescribeTable("may have", acceptApp,
		Entry("a name of 253 characters", set("spec.serverSecretRef.name", strings.Repeat("a", 253))),
		Entry("a key of 253 characters", set("spec.serverSecretRef.key", strings.Repeat("a", 253))),
	)

	It("has the key serverSecret by default", func(ctx SpecContext) {
		Expect(storedApp(ctx, "spec.serverSecretRef.key", unset("spec.serverSecretRef.key"))).To(Equal("serverSecret"))
	})

	DescribeTable("is refused", refuseApp,
		Entry("missing", unset("spec.serverSecretRef"), "spec.serverSecretRef", "Required value"),
		Entry("without a name", unset("spec.serverSecretRef.name"), "spec.serverSecretRef.name", "Required value"),
		Entry("with an empty name", set("spec.serverSecretRef.name", ""), "spec.serverSecretRef.name", "at least 1 char"),
		Entry("with a name of 254 characters", set("spec.serverSecretRef.name", strings.Repeat("a", 254)),
			"spec.serverSecretRef.name", "Too long", "253"),
		Entry("with an empty key", set("spec.serverSecretRef.key", ""), "spec.serverSecretRef.key", "at least 1 char"),
		Entry("with a key of 254 characters", set("spec.serverSecretRef.key", strings.Repeat("a", 254)),
			"spec.serverSecretRef.key", "Too long", "253"),
	)
})

var _ = Describe("The fromUserID of a ZimApp", func() {
	DescribeTable("may have 1 to 32 characters", acceptApp,
		Entry("1", set("spec.fromUserID", "1")),
		Entry("32", set("spec.fromUserID", strings.Repeat("a", 32))),
	)

	DescribeTable("is refused", refuseApp,
		Entry("missing", unset("spec.fromUserID"), "spec.fromUserID", "Required value"),
		Entry("empty", set("spec.fromUserID", ""), "spec.fromUserID", "at least 1 char"),
		Entry("with 33 characters", set("spec.fromUserID", strings.Repeat("a", 33)), "spec.fromUserID", "Too long", "32"),
		Entry("as a number", set("spec.fromUserID", int64(123)), "spec.fromUserID", "must be of type string"),
	)

	It("may have every character of the vendor's lists, at every place", func(ctx SpecContext) {
		for _, character := range alphanumeric + punctuation {
			acceptApp(ctx, set("spec.fromUserID", string(character)))
			acceptApp(ctx, set("spec.fromUserID", fmt.Sprintf("%ca%c", character, character)))
		}
	})

	DescribeTable("may not have another character", func(ctx SpecContext, format string) {
		for _, character := range forbiddenCharacters() {
			user := fmt.Sprintf(format, character)
			Expect(apiServer.Create(ctx, newApp(set("spec.fromUserID", user)))).To(beRefused("spec.fromUserID",
				"may contain only digits, ASCII letters, space and", strings.TrimSpace(punctuation)), "%q", user)
		}
	},
		Entry("alone", "%s"),
		Entry("first", "%suser"),
		Entry("in between", "us%ser"),
		Entry("last", "user%s"),
	)
})

var _ = Describe("The requestsPerSecond of a ZimApp", func() {
	DescribeTable("may be", acceptApp,
		Entry("1", set("spec.requestsPerSecond", int64(1))),
		Entry("10000", set("spec.requestsPerSecond", int64(10000))),
	)

	It("are 20 by default", func(ctx SpecContext) {
		Expect(storedApp(ctx, "spec.requestsPerSecond", unset("spec.requestsPerSecond"))).To(Equal(int64(20)))
	})

	DescribeTable("are refused as", refuseApp,
		Entry("0", set("spec.requestsPerSecond", int64(0)), "spec.requestsPerSecond", "greater than or equal to 1"),
		Entry("-1", set("spec.requestsPerSecond", int64(-1)), "spec.requestsPerSecond", "greater than or equal to 1"),
		Entry("10001", set("spec.requestsPerSecond", int64(10001)), "spec.requestsPerSecond", "less than or equal to 10000"),
		Entry("a fraction", set("spec.requestsPerSecond", 1.5), "spec.requestsPerSecond", "must be of type int"),
	)
})

var _ = Describe("The allowedNamespaces of a ZimApp", func() {
	DescribeTable("may be from", acceptApp,
		Entry("Same", set("spec.allowedNamespaces", map[string]any{"from": "Same"})),
		Entry("All", set("spec.allowedNamespaces", map[string]any{"from": "All"})),
		Entry("Selector with a selector", set("spec.allowedNamespaces.from", "Selector")),
		Entry("Selector with an empty selector", set("spec.allowedNamespaces.selector", map[string]any{})),
		Entry("Same with a selector, which has no effect", set("spec.allowedNamespaces.from", "Same")),
		Entry("All with a selector, which has no effect", set("spec.allowedNamespaces.from", "All")),
	)

	DescribeTable("are from Same", func(ctx SpecContext, change change) {
		Expect(storedApp(ctx, "spec.allowedNamespaces.from", change)).To(Equal("Same"))
	},
		Entry("when unset", unset("spec.allowedNamespaces")),
		Entry("when empty", set("spec.allowedNamespaces", map[string]any{})),
		Entry("when from is unset", unset("spec.allowedNamespaces.from")),
	)

	DescribeTable("are refused from", refuseApp,
		Entry("Selector without a selector", unset("spec.allowedNamespaces.selector"),
			"spec.allowedNamespaces", "from: Selector needs a selector"),
		Entry("None", set("spec.allowedNamespaces.from", "None"),
			"spec.allowedNamespaces.from", "Unsupported value", `"Same", "All", "Selector"`),
		Entry("all, in lower case", set("spec.allowedNamespaces.from", "all"),
			"spec.allowedNamespaces.from", "Unsupported value", `"Same", "All", "Selector"`),
		Entry("an empty text", set("spec.allowedNamespaces.from", ""),
			"spec.allowedNamespaces.from", "Unsupported value", `"Same", "All", "Selector"`),
	)
})
