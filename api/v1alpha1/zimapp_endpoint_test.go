package v1alpha1_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// endpointOfLength returns an endpoint with a number of characters.
func endpointOfLength(length int) string {
	const before, after = "https://", ".zego.im"
	return before + strings.Repeat("a", length-len(before)-len(after)) + after
}

var _ = Describe("The endpoint of a ZimApp", func() {
	It("is the vendor's by default", func(ctx SpecContext) {
		Expect(storedApp(ctx, "spec.endpoint", unset("spec.endpoint"))).To(Equal("https://zim-api.zego.im"))
	})

	DescribeTable("may be", func(ctx SpecContext, endpoint string) {
		acceptApp(ctx, set("spec.endpoint", endpoint))
	},
		Entry("empty", ""),
		Entry("https", "https://zim-api.zego.im"),
		Entry("http", "http://zimsim"),
		Entry("with a port", "http://zimsim.chat.svc:8080"),
		Entry("with a trailing slash", "https://zim-api.zego.im/"),
		Entry("with a port and a trailing slash", "http://zimsim:8080/"),
		Entry("an IPv4 address", "http://127.0.0.1:8080"),
		Entry("an IPv6 address", "http://[::1]:8080"),
		Entry("with 512 characters", endpointOfLength(512)),
	)

	DescribeTable("may not", func(ctx SpecContext, endpoint string) {
		refuseApp(ctx, set("spec.endpoint", endpoint), "spec.endpoint",
			"endpoint must be http or https, a host and optionally a port, without path, query, fragment or user",
			"for example https://zim-api.zego.im")
	},
		Entry("have a path", "https://zim-api.zego.im/v1"),
		Entry("have a path of two slashes", "https://zim-api.zego.im//"),
		Entry("have a path that is escaped", "https://zim-api.zego.im/%2f"),
		Entry("have a query", "https://zim-api.zego.im?Action=CreateRoom"),
		Entry("have a query after a slash", "https://zim-api.zego.im/?Action=CreateRoom"),
		Entry("have an empty query", "https://zim-api.zego.im?"),
		Entry("have a fragment", "https://zim-api.zego.im#top"),
		Entry("have an empty fragment", "https://zim-api.zego.im/#"),
		Entry("have a user", "https://user@zim-api.zego.im"),
		Entry("have a user and a password", "https://user:password@zim-api.zego.im"),
		Entry("have an empty user", "https://@zim-api.zego.im"),
		Entry("have the scheme of WebSocket", "wss://zim-api.zego.im"),
		Entry("have the scheme of files", "file:///etc/passwd"),
		Entry("have no scheme", "zim-api.zego.im"),
		Entry("have no scheme, but a port", "zim-api.zego.im:443"),
		Entry("have no scheme, but slashes", "//zim-api.zego.im"),
		Entry("have no host", "https://"),
		Entry("have no host, but a port", "https://:443"),
		Entry("have no host, but a path", "https:///v1"),
		Entry("have no slashes", "https:zim-api.zego.im"),
		Entry("have a port that is no number", "https://zim-api.zego.im:https"),
		Entry("have spaces in it", "https://zim api.zego.im"),
		Entry("have a space before it", " https://zim-api.zego.im"),
		Entry("end with a line break", "https://zim-api.zego.im\n"),
	)

	It("may not have 513 characters", func(ctx SpecContext) {
		refuseApp(ctx, set("spec.endpoint", endpointOfLength(513)), "spec.endpoint", "Too long", "512")
	})
})
