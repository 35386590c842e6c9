package v1alpha1_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// schemaOf returns the OpenAPI schema of a kind as the API server has it.
func schemaOf(ctx SpecContext, plural string) map[string]any {
	GinkgoHelper()
	definition := &unstructured.Unstructured{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition",
	})
	Expect(apiServer.Get(ctx, client.ObjectKey{Name: plural + ".zim.zego.im"}, definition)).To(Succeed())
	versions, _, err := unstructured.NestedSlice(definition.Object, "spec", "versions")
	Expect(err).NotTo(HaveOccurred())
	Expect(versions).To(HaveLen(1))
	root, _, err := unstructured.NestedMap(versions[0].(map[string]any), "schema", "openAPIV3Schema")
	Expect(err).NotTo(HaveOccurred())
	return root
}

// field is a field of a kind, with its path from the kind on.
type field struct {
	path        string
	description string
}

// fieldsOf returns the fields of a schema and of all that it contains, in order. Items of a list are part of its path.
func fieldsOf(path string, node map[string]any) []field {
	var fields []field
	properties, _ := node["properties"].(map[string]any)
	for name, child := range properties {
		childNode := child.(map[string]any)
		childPath := strings.TrimPrefix(path+"."+name, ".")
		description, _ := childNode["description"].(string)
		fields = append(fields, field{path: childPath, description: strings.TrimSpace(description)})
		fields = append(fields, fieldsOf(childPath, childNode)...)
	}
	if items, isList := node["items"].(map[string]any); isList {
		fields = append(fields, fieldsOf(path, items)...)
	}
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.path, b.path) })
	return fields
}

// isStandard tells whether a field is part of every kind.
func isStandard(f field) bool {
	return slices.Contains([]string{"apiVersion", "kind", "metadata"}, f.path)
}

var _ = DescribeTableSubtree("The fields of", func(singular, plural string, known []string) {
	It("are described, each and every one", func(ctx SpecContext) {
		root := schemaOf(ctx, plural)
		Expect(root["description"]).NotTo(BeEmpty())
		fields := slices.DeleteFunc(fieldsOf("", root), isStandard)
		paths := make([]string, 0, len(fields))
		for _, f := range fields {
			Expect(f.description).NotTo(BeEmpty(), f.path)
			paths = append(paths, f.path)
		}
		Expect(paths).To(ContainElements(known))
	})

	It("are explained by kubectl", func(ctx SpecContext) {
		explained := explain(ctx, singular)
		for _, f := range fieldsOf("", schemaOf(ctx, plural)) {
			name := f.path[strings.LastIndex(f.path, ".")+1:]
			Expect(explained).To(MatchRegexp(`(?m)^ +`+name+`\t`), f.path)
		}
	})
},
	Entry("ZimRoom", "zimroom", "zimrooms", []string{
		"spec", "spec.id", "spec.appRef", "spec.appRef.namespace", "spec.attributes", "spec.attributes.autoDelete",
		"status", "status.conditions", "status.room", "status.room.attributes.hash",
	}),
	Entry("ZimApp", "zimapp", "zimapps", []string{
		"spec", "spec.appID", "spec.serverSecretRef", "spec.serverSecretRef.key", "spec.allowedNamespaces.selector",
		"status", "status.conditions", "status.acceptedSecretVersion",
	}),
)
