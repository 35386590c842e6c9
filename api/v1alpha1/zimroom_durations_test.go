package v1alpha1_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// acceptDuration stores a text in a field of a ZimRoom and returns the ZimRoom as the operator reads it.
func acceptDuration(ctx SpecContext, path, text string) zimv1alpha1.ZimRoomSpec {
	GinkgoHelper()
	object := newRoom(set(path, text))
	accept(ctx, object)
	var room zimv1alpha1.ZimRoom
	Expect(apiServer.Get(ctx, client.ObjectKeyFromObject(object), &room)).To(Succeed())
	return room.Spec
}

var _ = Describe("The destroyDelay of a ZimRoom", func() {
	DescribeTable("may be whole seconds up to 3h", func(ctx SpecContext, text string, want time.Duration) {
		Expect(acceptDuration(ctx, "spec.destroyDelay", text).DestroyDelay.Duration).To(Equal(want))
	},
		Entry(nil, "0", time.Duration(0)),
		Entry(nil, "0s", time.Duration(0)),
		Entry(nil, "1s", time.Second),
		Entry(nil, "1000ms", time.Second),
		Entry(nil, "90s", 90*time.Second),
		Entry(nil, "1m30s", 90*time.Second),
		Entry(nil, "0.1m", 6*time.Second),
		Entry(nil, "1.5h", 5400*time.Second),
		Entry(nil, "3h", 3*time.Hour),
		Entry(nil, "2h59m60s", 3*time.Hour),
		Entry(nil, "10800s", 3*time.Hour),
	)

	It("may be unset", func(ctx SpecContext) {
		acceptRoom(ctx, unset("spec.destroyDelay"))
	})

	DescribeTable("may not be", func(ctx SpecContext, text string) {
		refuseRoom(ctx, set("spec.destroyDelay", text), "spec.destroyDelay",
			"destroyDelay must be whole seconds from 0s to 3h", "such as 90s or 1h30m")
	},
		Entry("below 0s", "-1s"),
		Entry("1s more than 3h", "3h1s"),
		Entry("1ms more than 3h", "3h1ms"),
		Entry("milliseconds", "500ms"),
		Entry("half a second", "0.5s"),
		Entry("half a second more than a whole one", "1h0.5s"),
		Entry("a nanosecond more than a whole second", "1.000000001s"),
		Entry("longer than a duration can be", "9999999h"),
		Entry("longer than a duration can be, in milliseconds", "9999999999999999ms"),
		Entry("longer than a number can be", "99999999999999999999s"),
		Entry("a number in quotes", "3600"),
		Entry("empty", ""),
		Entry("a word", "abc"),
		Entry("a duration and more", "1h and more"),
		Entry("a duration on a line of its own", "1h\n"),
		Entry("in days", "1d"),
		Entry("in capitals", "1H"),
		Entry("with spaces", "1h 30m"),
		Entry("a unit alone", "h"),
		Entry("without a digit before the point", ".5h"),
		Entry("as ISO 8601 writes it", "PT1H"),
	)

	DescribeTable("is refused", refuseRoom,
		Entry("as a number", set("spec.destroyDelay", int64(3600)), "spec.destroyDelay", "must be of type string"),
		Entry("as the number 0", set("spec.destroyDelay", int64(0)), "spec.destroyDelay", "must be of type string"),
		Entry("with 65 characters", set("spec.destroyDelay", "1."+strings.Repeat("0", 62)+"s"), "spec.destroyDelay", "Too long", "64"),
	)

	It("may be written with 64 characters", func(ctx SpecContext) {
		acceptRoom(ctx, set("spec.destroyDelay", "1."+strings.Repeat("0", 61)+"s"))
	})
})

var _ = Describe("The interval of a ZimRoom", func() {
	DescribeTable("may be 0s or 1s to 24h", func(ctx SpecContext, text string, want time.Duration) {
		Expect(acceptDuration(ctx, "spec.interval", text).Interval.Duration).To(Equal(want))
	},
		Entry(nil, "0", time.Duration(0)),
		Entry(nil, "0s", time.Duration(0)),
		Entry(nil, "1s", time.Second),
		Entry(nil, "1500ms", 1500*time.Millisecond),
		Entry(nil, "1m30s", 90*time.Second),
		Entry(nil, "24h", 24*time.Hour),
		Entry(nil, "23h59m60s", 24*time.Hour),
	)

	It("may be unset", func(ctx SpecContext) {
		acceptRoom(ctx, unset("spec.interval"))
	})

	DescribeTable("may not be", func(ctx SpecContext, text string) {
		refuseRoom(ctx, set("spec.interval", text), "spec.interval",
			"interval must be 0s (never) or from 1s to 24h", "such as 90s or 1h30m")
	},
		Entry("below 0s", "-1s"),
		Entry("between 0s and 1s", "500ms"),
		Entry("1ms less than 1s", "999ms"),
		Entry("1s more than 24h", "24h1s"),
		Entry("1ms more than 24h", "24h1ms"),
		Entry("longer than a duration can be", "9999999h"),
		Entry("longer than a duration can be, in milliseconds", "9999999999999999ms"),
		Entry("a number in quotes", "60"),
		Entry("empty", ""),
		Entry("a word", "never"),
		Entry("a duration on a line of its own", "1h\n"),
		Entry("in days", "1d"),
	)

	DescribeTable("is refused", refuseRoom,
		Entry("as a number", set("spec.interval", int64(60)), "spec.interval", "must be of type string"),
		Entry("with 65 characters", set("spec.interval", "1."+strings.Repeat("0", 62)+"s"), "spec.interval", "Too long", "64"),
	)

	It("may be written with 64 characters", func(ctx SpecContext) {
		acceptRoom(ctx, set("spec.interval", "1."+strings.Repeat("0", 61)+"s"))
	})
})
