package v1alpha1_test

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// The valid statuses that specs start from. Every field has a value.
const (
	roomStatus = `
observedGeneration: 1
conditions:
- {type: Ready, status: "True", reason: RoomCreated, message: Is well., observedGeneration: 1, lastTransitionTime: "2026-01-02T03:04:05Z"}
lastHandledReconcileAt: now
appRef: {namespace: shared, name: team}
room:
  id: lobby
  appID: 1234567890
  realm: zego.im
  origin: Created
  name: Main lobby
  destroyDelay: 1h0m0s
  createdTime: "2026-01-02T03:04:05.000006Z"
  recreations: 7
  attributes:
  - {key: topic, hash: 0123456789abcdef}
`
	appStatus = `
observedGeneration: 1
conditions:
- {type: Ready, status: "True", reason: Accepted, message: Is well., observedGeneration: 1, lastTransitionTime: "2026-01-02T03:04:05Z"}
acceptedSecretVersion: "123"
`
)

// untouched is the status of an object that the operator has not seen. kstatus must not take it for current.
var untouched = map[string]any{"observedGeneration": int64(-1)}

// setStatus gives an object the status of a manifest.
func setStatus(manifest string) change {
	return func(object *unstructured.Unstructured) {
		GinkgoHelper()
		var status map[string]any
		Expect(yaml.Unmarshal([]byte(manifest), &status)).To(Succeed())
		set("status", status)(object)
	}
}

// updateStatus changes the status of an object that is stored.
func updateStatus(ctx SpecContext, object *unstructured.Unstructured, changes ...change) error {
	GinkgoHelper()
	for _, apply := range changes {
		apply(object)
	}
	return apiServer.Status().Update(ctx, object)
}

// listOf returns a list of objects of two fields: one that tells them apart, one that they share.
func listOf(count int, key string, common map[string]any) []any {
	list := make([]any, count)
	for i := range list {
		item := map[string]any{key: fmt.Sprintf("Item%d", i)}
		maps.Copy(item, common)
		list[i] = item
	}
	return list
}

// conditions returns a number of conditions of different types.
func conditions(count int) []any {
	return listOf(count, "type", map[string]any{
		"status": "True", "reason": "Test", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z",
	})
}

// appliedAttributes gives a ZimRoom a number of attributes in its status.
func appliedAttributes(count int) change {
	return set("status.room.attributes", listOf(count, "key", map[string]any{"hash": "0123456789abcdef"}))
}

var _ = DescribeTableSubtree("The status of a", func(
	newStored func(...change) *unstructured.Unstructured, status string, edit change,
) {
	It("begins with an observedGeneration of -1, whatever the user sends", func(ctx SpecContext) {
		object := newStored()
		accept(ctx, object)
		Expect(object.Object["status"]).To(Equal(untouched))

		object = newStored(setStatus(status))
		accept(ctx, object)
		Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		Expect(object.Object["status"]).To(Equal(untouched))
	})

	It("stays as it is when the object is edited", func(ctx SpecContext) {
		object := newStored()
		accept(ctx, object)
		Expect(updateStatus(ctx, object, setStatus(status))).To(Succeed())
		before := object.DeepCopy().Object["status"]
		Expect(before).NotTo(Equal(untouched))

		Expect(update(ctx, object, edit, set("status.observedGeneration", int64(99)))).To(Succeed())
		Expect(object.Object["status"]).To(Equal(before))
		Expect(object.GetGeneration()).To(BeEquivalentTo(2))
	})

	It("is written without the spec and without a new generation", func(ctx SpecContext) {
		object := newStored()
		accept(ctx, object)
		before := object.DeepCopy().Object["spec"]
		Expect(updateStatus(ctx, object, edit, setStatus(status))).To(Succeed())
		Expect(object.Object["spec"]).To(Equal(before))
		Expect(object.GetGeneration()).To(BeEquivalentTo(1))
	})

	It("may have 16 conditions of different types", func(ctx SpecContext) {
		object := newStored()
		accept(ctx, object)
		Expect(updateStatus(ctx, object, set("status.conditions", conditions(16)))).To(Succeed())
		Expect(updateStatus(ctx, object, set("status.conditions", conditions(17)))).To(
			beRefused("status.conditions", "Too many", "at most 16 items"))
		Expect(updateStatus(ctx, object, set("status.conditions", append(conditions(1), conditions(1)...)))).To(
			beRefused("status.conditions[1]", "Duplicate value"))
	})
},
	Entry("ZimRoom", newRoom, roomStatus, set("spec.name", "Other")),
	Entry("ZimApp", newApp, appStatus, set("spec.fromUserID", "other")),
)

var _ = Describe("The status of a ZimRoom", func() {
	It("is kept in full", func(ctx SpecContext) {
		object := newRoom()
		accept(ctx, object)
		Expect(updateStatus(ctx, object, setStatus(roomStatus))).To(Succeed())
		var room zimv1alpha1.ZimRoom
		Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(object), &room)).To(Succeed())
		Expect(apiServer.Status().Update(ctx, &room)).To(Succeed(), "written with the Go types")
		stored := newRoom()
		Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(object), stored)).To(Succeed())
		Expect(stored.Object["status"]).To(Equal(newRoom(setStatus(roomStatus)).Object["status"]))
	})

	DescribeTable("has bounds", func(ctx SpecContext, within, beyond change, field string, words ...string) {
		object := newRoom()
		accept(ctx, object)
		Expect(updateStatus(ctx, object, setStatus(roomStatus), within)).To(Succeed())
		Expect(updateStatus(ctx, object, beyond)).To(beRefused(field, words...))
	},
		longText("status.lastHandledReconcileAt", 1024),
		longText("status.appRef.namespace", 63),
		longText("status.appRef.name", 253),
		longText("status.room.id", 32),
		longText("status.room.origin", 32),
		longText("status.room.name", 64),
		Entry("status.room.attributes", appliedAttributes(1000), appliedAttributes(1001),
			"status.room.attributes", "Too many", "at most 1000 items"),
		Entry("status.room.attributes.key", appliedAttribute("key", 128), appliedAttribute("key", 129),
			"status.room.attributes[0].key", "Too long", "128"),
		Entry("status.room.attributes.hash", appliedAttribute("hash", 64), appliedAttribute("hash", 65),
			"status.room.attributes[0].hash", "Too long", "64"),
	)

	DescribeTable("needs", func(ctx SpecContext, path string) {
		object := newRoom()
		accept(ctx, object)
		Expect(updateStatus(ctx, object, setStatus(roomStatus), unset(path))).To(beRefused(path, "Required value"))
	},
		Entry(nil, "status.appRef.namespace"),
		Entry(nil, "status.appRef.name"),
		Entry(nil, "status.room.id"),
		Entry(nil, "status.room.appID"),
		Entry(nil, "status.room.realm"),
		Entry(nil, "status.room.origin"),
		Entry(nil, "status.room.destroyDelay"),
		Entry(nil, "status.room.recreations"),
	)

	DescribeTable("needs of each attribute", func(ctx SpecContext, name string) {
		object := newRoom()
		accept(ctx, object)
		applied := map[string]any{"key": "topic", "hash": "0123456789abcdef"}
		delete(applied, name)
		Expect(updateStatus(ctx, object, setStatus(roomStatus), set("status.room.attributes", []any{applied}))).To(
			beRefused("status.room.attributes[0]."+name, "Required value"))
	},
		Entry(nil, "key"),
		Entry(nil, "hash"),
	)

	It("lists an attribute once", func(ctx SpecContext) {
		object := newRoom()
		accept(ctx, object)
		twice := append(listOf(1, "key", map[string]any{"hash": "a"}), listOf(1, "key", map[string]any{"hash": "b"})...)
		Expect(updateStatus(ctx, object, setStatus(roomStatus), set("status.room.attributes", twice))).To(
			beRefused("status.room.attributes[1]", "Duplicate value"))
	})
})

var _ = Describe("The status of a ZimApp", func() {
	It("has a bound for acceptedSecretVersion", func(ctx SpecContext) {
		object := newApp()
		accept(ctx, object)
		Expect(updateStatus(ctx, object, set("status.acceptedSecretVersion", strings.Repeat("1", 253)))).To(Succeed())
		Expect(updateStatus(ctx, object, set("status.acceptedSecretVersion", strings.Repeat("1", 254)))).To(
			beRefused("status.acceptedSecretVersion", "Too long", "253"))
	})
})

// longText is the entry of a text with a longest length.
func longText(path string, longest int) TableEntry {
	return Entry(path, set(path, strings.Repeat("a", longest)), set(path, strings.Repeat("a", longest+1)),
		path, "Too long", strconv.Itoa(longest))
}

// appliedAttribute gives a ZimRoom one attribute in its status, of which one field has a length.
func appliedAttribute(field string, length int) change {
	item := map[string]any{"key": "topic", "hash": "0123456789abcdef"}
	item[field] = strings.Repeat("a", length)
	return set("status.room.attributes", []any{item})
}
