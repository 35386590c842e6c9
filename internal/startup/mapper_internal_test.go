package startup

import (
	"errors"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// askedMapper notes what it is asked for, and knows the kinds that it is told.
type askedMapper struct {
	meta.RESTMapper

	known map[string]bool
	asked []string
}

func (m *askedMapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	for _, version := range versions {
		m.asked = append(m.asked, kind.Kind+"."+version)
	}
	if !m.known[kind.Kind] {
		return nil, errors.New("no such kind")
	}
	return &meta.RESTMapping{GroupVersionKind: kind.WithVersion(slices.Concat(versions, []string{"preferred"})[0])}, nil
}

func TestMapperAsksOnceForEachKindThatIsThere(t *testing.T) {
	source := &askedMapper{known: map[string]bool{"ZimRoom": true}}
	remembering := &mapper{RESTMapper: source}
	find := func(kind string, versions ...string) (found string) {
		mapping, err := remembering.RESTMapping(schema.GroupKind{Group: "zim.zego.im", Kind: kind}, versions...)
		if err != nil {
			return ""
		}
		return mapping.GroupVersionKind.Kind + "." + mapping.GroupVersionKind.Version
	}
	for range 2 {
		for _, version := range []string{"v1", "v2"} {
			if got, want := find("ZimRoom", version), "ZimRoom."+version; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		if got := find("ZimRoom"); got != "ZimRoom.preferred" {
			t.Errorf("got %q without a version", got)
		}
	}
	if got := find("ZimApp", "v1"); got != "" {
		t.Errorf("got %q for what is not there", got)
	}
	source.known["ZimApp"] = true // Its CRD was installed.
	if got := find("ZimApp", "v1"); got != "ZimApp.v1" {
		t.Errorf("got %q for what came later", got)
	}
	if want := []string{"ZimRoom.v1", "ZimRoom.v2", "ZimApp.v1", "ZimApp.v1"}; !slices.Equal(source.asked, want) {
		t.Errorf("asked for %v, want %v", source.asked, want)
	}
}
