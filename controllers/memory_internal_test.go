package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

func versionOf(uid types.UID, version string) *zimv1alpha1.ZimRoom {
	return &zimv1alpha1.ZimRoom{ObjectMeta: metav1.ObjectMeta{Name: "room", UID: uid, ResourceVersion: version}}
}

// What the operator wrote is used until the cache has it, and kept no longer.
func TestWhatWasWrittenIsKeptUntilTheCacheHasIt(t *testing.T) {
	for name, tc := range map[string]struct {
		cached      *zimv1alpha1.ZimRoom
		wantWritten bool
	}{
		"the cache is behind":   {versionOf("a", "9"), true},
		"the cache has it":      {versionOf("a", "10"), false},
		"the cache has more":    {versionOf("a", "11"), false},
		"another of that name":  {versionOf("b", "12"), false},
		"versions of no order":  {versionOf("a", "x"), false},
		"a longer, newer one":   {versionOf("a", "100"), false},
		"a longer text, behind": {versionOf("a", "5"), true},
	} {
		t.Run(name, func(t *testing.T) {
			written := versionOf("a", "10")
			if got := newest(tc.cached, written); (got == written) != tc.wantWritten {
				t.Errorf("uses version %s", got.ResourceVersion)
			}
			reconciler := &ZimRoomReconciler{memories: newMemories()}
			memory, _ := reconciler.memories.of(types.NamespacedName{Name: "room"}, "a")
			memory.written.Store(written)
			reconciler.cacheChanged(tc.cached)
			kept := reconciler.memories.lastWritten(types.NamespacedName{Name: "room"}) != nil
			if want := tc.wantWritten || tc.cached.UID != "a"; kept != want {
				t.Errorf("kept: %v, want %v", kept, want)
			}
		})
	}
	if newest(versionOf("a", "1"), nil).ResourceVersion != "1" {
		t.Error("nothing was written")
	}
}
