package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
)

// attributes declares a number of attributes.
func attributes(count int) change {
	list := make([]any, count)
	for i := range list {
		list[i] = map[string]any{"key": fmt.Sprintf("key%d", i), "value": "v"}
	}
	return set("spec.attributes", list)
}

// attribute declares one attribute.
func attribute(fields map[string]any) change {
	return set("spec.attributes", []any{fields})
}

var _ = Describe("The attributes of a ZimRoom", func() {
	DescribeTable("may be", acceptRoom,
		Entry("unset", unset("spec.attributes")),
		Entry("none", attributes(0)),
		Entry("20", attributes(20)),
		Entry("of one key in two cases", set("spec.attributes", []any{
			map[string]any{"key": "topic", "value": "v"}, map[string]any{"key": "Topic", "value": "v"},
		})),
	)

	DescribeTable("are refused", refuseRoom,
		Entry("when there are 21", attributes(21), "spec.attributes", "Too many", "at most 20 items"),
		Entry("with one key twice", set("spec.attributes", []any{
			map[string]any{"key": "topic", "value": "a"}, map[string]any{"key": "topic", "value": "b"},
		}), "spec.attributes[1]", "Duplicate value", `"key":"topic"`),
		Entry("as a text", set("spec.attributes", "topic=welcome"), "spec.attributes", "must be of type array"),
	)

	DescribeTable("may each have", acceptRoom,
		Entry("a key of 1 character", attribute(map[string]any{"key": "k", "value": "v"})),
		Entry("a key of 128 characters", attribute(map[string]any{"key": strings.Repeat("房", 128), "value": "v"})),
		Entry("an empty value", attribute(map[string]any{"key": "k", "value": ""})),
		Entry("a value of 4096 characters", attribute(map[string]any{"key": "k", "value": strings.Repeat("房", 4096)})),
		Entry("autoDelete true", attribute(map[string]any{"key": "k", "value": "v", "autoDelete": true})),
		Entry("autoDelete false", attribute(map[string]any{"key": "k", "value": "v", "autoDelete": false})),
	)

	DescribeTable("are refused with", refuseRoom,
		Entry("an empty key", attribute(map[string]any{"key": "", "value": "v"}), "spec.attributes[0].key", "at least 1 char"),
		Entry("no key", attribute(map[string]any{"value": "v"}), "spec.attributes[0].key", "Required value"),
		Entry("a key of 129 characters", attribute(map[string]any{"key": strings.Repeat("k", 129), "value": "v"}),
			"spec.attributes[0].key", "Too long", "128"),
		Entry("no value", attribute(map[string]any{"key": "k"}), "spec.attributes[0].value", "Required value"),
		Entry("a value of 4097 characters", attribute(map[string]any{"key": "k", "value": strings.Repeat("v", 4097)}),
			"spec.attributes[0].value", "Too long", "4096"),
		Entry("a number as value", attribute(map[string]any{"key": "k", "value": int64(1)}),
			"spec.attributes[0].value", "must be of type string"),
		Entry("ZIM's number for autoDelete", attribute(map[string]any{"key": "k", "value": "v", "autoDelete": int64(1)}),
			"spec.attributes[0].autoDelete", "must be of type boolean"),
	)
})
