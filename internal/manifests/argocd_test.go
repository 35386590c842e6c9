package manifests_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Argo CD applies the lower waves first, and prunes them last: a ZimApp that goes before its ZimRooms would wait for
// them with its finalizer, and a sync that waits for a ZimRoom's health before its ZimApp is there would never end.
func TestWavesOfTheArgoSample(t *testing.T) {
	waves := map[string][]int{}
	for key, object := range objects(t, build(t, "argocd/sample")) {
		wave, err := strconv.Atoi(object.GetAnnotations()["argocd.argoproj.io/sync-wave"])
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		waves[object.GetKind()] = append(waves[object.GetKind()], wave)
	}
	if len(waves["Namespace"]) != 1 || len(waves["ZimApp"]) != 1 || len(waves["ZimRoom"]) < 2 {
		t.Fatalf("waves: %v", waves)
	}
	for _, wave := range waves["ZimRoom"] {
		if wave <= waves["ZimApp"][0] || waves["ZimApp"][0] <= waves["Namespace"][0] {
			t.Errorf("waves: %v", waves)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, "config", "argocd", "application.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, application := range objects(t, string(text)) {
		path, _, err := unstructured.NestedString(application.Object, "spec", "source", "path")
		if err != nil || path != "config/argocd/sample" {
			t.Errorf("the Application keeps %q: %v", path, err)
		}
	}
}
