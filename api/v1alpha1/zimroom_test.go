package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

const (
	// alphanumeric and punctuation are all characters of identifiers: the union of all versions of the vendor's list.
	alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	punctuation  = " !#$%&()+,-.:;<=>?@[]^_{|}~"
)

// forbiddenCharacters are the rest of ASCII, and samples of what is beyond.
func forbiddenCharacters() []string {
	var characters []string
	for c := range rune(0x80) {
		if !strings.ContainsRune(alphanumeric+punctuation, c) {
			characters = append(characters, string(c))
		}
	}
	return append(characters, "\u00a0", "é", "房", "😀")
}

// refuseRoom is the body of tables of changes that no ZimRoom may have.
func refuseRoom(ctx SpecContext, change change, field string, words ...string) {
	Expect(apiServer.Create(ctx, newRoom(change))).To(beRefused(field, words...))
}

// acceptRoom is the body of tables of changes that a ZimRoom may have.
func acceptRoom(ctx SpecContext, change change) {
	accept(ctx, newRoom(change))
}

var _ = Describe("A ZimRoom", func() {
	It("may set every field", func(ctx SpecContext) {
		accept(ctx, newRoom())
	})

	It("needs an id only, and gets no defaults written into its spec", func(ctx SpecContext) {
		accept(ctx, newRoom(set("spec", map[string]any{"id": "lobby"})))
	})

	It("written with the Go types leaves out what is not set", func(ctx SpecContext) {
		room := &zimv1alpha1.ZimRoom{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "room-", Namespace: namespace},
			Spec:       zimv1alpha1.ZimRoomSpec{ID: "lobby"},
		}
		Expect(apiServer.Create(ctx, room)).To(Succeed())
		stored := newRoom()
		Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(room), stored)).To(Succeed())
		Expect(stored.Object["spec"]).To(Equal(map[string]any{"id": "lobby"}))
	})

	It("needs a spec", func(ctx SpecContext) {
		refuseRoom(ctx, unset("spec"), "spec", "Required value")
	})

	DescribeTable("may not have fields that are unknown", func(ctx SpecContext, path string) {
		err := apiServer.Create(ctx, newRoom(set(path, "1h")))
		Expect(apierrors.IsBadRequest(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(ContainSubstring("unknown field %q", path)))
	},
		Entry("in spec", "spec.destroyDeley"),
		Entry("in a nested object", "spec.appRef.kind"),
		Entry("at the top", "specs"),
	)

	It("may be edited in all but its id and appRef", func(ctx SpecContext) {
		room := newRoom()
		accept(ctx, room)
		spec := map[string]any{"id": "lobby", "appRef": map[string]any{"name": "team", "namespace": "shared"}}
		Expect(update(ctx, room, set("spec", spec))).To(Succeed())
		Expect(room.Object["spec"]).To(Equal(spec))
		Expect(update(ctx, room, set("spec", newRoom().Object["spec"]))).To(Succeed())
	})

	It("is found by its id with a field selector", func(ctx SpecContext) {
		for _, id := range []string{"lobby", "Lobby", "class"} {
			accept(ctx, newRoom(set("spec.id", id)))
		}
		var rooms zimv1alpha1.ZimRoomList
		Expect(apiServer.List(ctx, &rooms, client.InNamespace(namespace), client.MatchingFields{"spec.id": "lobby"})).
			To(Succeed())
		Expect(rooms.Items).To(HaveExactElements(HaveField("Spec.ID", "lobby")))
	})
})

var _ = Describe("The id of a ZimRoom", func() {
	DescribeTable("may have 1 to 32 characters", acceptRoom,
		Entry("1", set("spec.id", "1")),
		Entry("32", set("spec.id", strings.Repeat("a", 32))),
	)

	DescribeTable("is refused", refuseRoom,
		Entry("missing", unset("spec.id"), "spec.id", "Required value"),
		Entry("empty", set("spec.id", ""), "spec.id", "at least 1 char"),
		Entry("with 33 characters", set("spec.id", strings.Repeat("a", 33)), "spec.id", "Too long", "32"),
		Entry("as a number, which YAML makes of 123", set("spec.id", int64(123)), "spec.id", "must be of type string"),
		Entry("as a boolean, which YAML makes of true", set("spec.id", true), "spec.id", "must be of type string"),
		Entry("as null", set("spec.id", nil), "spec.id", "Required value"),
	)

	It("may have every character of the vendor's lists, at every place", func(ctx SpecContext) {
		for _, character := range alphanumeric + punctuation {
			accept(ctx, newRoom(set("spec.id", string(character))))
			accept(ctx, newRoom(set("spec.id", fmt.Sprintf("%ca%c", character, character))))
		}
	})

	DescribeTable("may not have another character", func(ctx SpecContext, format string) {
		for _, character := range forbiddenCharacters() {
			id := fmt.Sprintf(format, character)
			Expect(apiServer.Create(ctx, newRoom(set("spec.id", id)))).To(
				beRefused("spec.id", "may contain only digits, ASCII letters, space and", strings.TrimSpace(punctuation)), "%q", id)
		}
	},
		Entry("alone", "%s"),
		Entry("first", "%sroom"),
		Entry("in between", "ro%som"),
		Entry("last", "room%s"),
	)

	It("may not be changed", func(ctx SpecContext) {
		room := newRoom()
		accept(ctx, room)
		Expect(update(ctx, room, set("spec.id", "Lobby"))).To(
			beRefused("spec.id", "id is immutable", "delete the ZimRoom and apply one with the other id"))
	})
})

var _ = Describe("The name of a ZimRoom", func() {
	DescribeTable("may have up to 64 bytes of any text", acceptRoom,
		Entry("none", unset("spec.name")),
		Entry("0", set("spec.name", "")),
		Entry("64 of ASCII", set("spec.name", strings.Repeat("a", 64))),
		Entry("64 of four-byte characters", set("spec.name", strings.Repeat("😀", 16))),
		Entry("quotes and line breaks", set("spec.name", "'\"`\\/*\n\t")),
	)

	DescribeTable("is refused", refuseRoom,
		Entry("with 65 bytes of ASCII", set("spec.name", strings.Repeat("a", 65)), "spec.name", "Too long", "64"),
		Entry("with 65 bytes in 64 characters", set("spec.name", strings.Repeat("a", 63)+"é"), "spec.name", "at most 64 bytes"),
		Entry("with 65 bytes in 17 characters", set("spec.name", strings.Repeat("😀", 16)+"a"), "spec.name", "at most 64 bytes"),
	)
})

var _ = Describe("The deletionPolicy of a ZimRoom", func() {
	DescribeTable("may be", acceptRoom,
		Entry("Delete", set("spec.deletionPolicy", "Delete")),
		Entry("Retain", set("spec.deletionPolicy", "Retain")),
		Entry("empty", set("spec.deletionPolicy", "")),
		Entry("unset", unset("spec.deletionPolicy")),
	)

	DescribeTable("is refused as", func(ctx SpecContext, policy string) {
		refuseRoom(ctx, set("spec.deletionPolicy", policy), "spec.deletionPolicy", "Unsupported value", `"Delete", "Retain"`)
	},
		Entry("Orphan", "Orphan"),
		Entry("delete, in lower case", "delete"),
	)
})

var _ = Describe("The appRef of a ZimRoom", func() {
	DescribeTable("may be", acceptRoom,
		Entry("unset", unset("spec.appRef")),
		Entry("a name", set("spec.appRef", map[string]any{"name": "a"})),
		Entry("a name of 253 characters", set("spec.appRef.name", strings.Repeat("a", 253))),
		Entry("a namespace of 63 characters", set("spec.appRef.namespace", strings.Repeat("a", 63))),
	)

	DescribeTable("is refused", refuseRoom,
		Entry("with a name of 254 characters", set("spec.appRef.name", strings.Repeat("a", 254)), "spec.appRef.name", "Too long", "253"),
		Entry("with a namespace of 64 characters", set("spec.appRef.namespace", strings.Repeat("a", 64)), "spec.appRef.namespace", "Too long", "63"),
		Entry("with an empty name", set("spec.appRef.name", ""), "spec.appRef.name", "at least 1 char"),
		Entry("without a name", unset("spec.appRef.name"), "spec.appRef.name", "Required value"),
	)

	DescribeTable("may not be", func(ctx SpecContext, before, after change) {
		room := newRoom(before)
		accept(ctx, room)
		Expect(update(ctx, room, after)).To(beRefused("spec.appRef",
			"appRef may not be added, changed or removed", "delete the ZimRoom and apply it again"))
	},
		Entry("added", unset("spec.appRef"), set("spec.appRef", map[string]any{"name": "team"})),
		Entry("changed in its name", set("spec.appRef.name", "team"), set("spec.appRef.name", "other")),
		Entry("changed in its namespace", set("spec.appRef.namespace", "shared"), set("spec.appRef.namespace", "other")),
		Entry("changed by a namespace", unset("spec.appRef.namespace"), set("spec.appRef.namespace", "shared")),
		Entry("removed", set("spec.appRef.name", "team"), unset("spec.appRef")),
	)

	DescribeTable("does not stand in the way of other edits", func(ctx SpecContext, before change) {
		room := newRoom(before)
		accept(ctx, room)
		Expect(update(ctx, room, set("spec.suspend", false))).To(Succeed())
	},
		Entry("when set", set("spec.appRef.name", "team")),
		Entry("when unset", unset("spec.appRef")),
	)
})
