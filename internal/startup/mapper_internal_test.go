package startup

import (
	"errors"
	"fmt"
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
	m.asked = append(m.asked, fmt.Sprint(kind, versions))
	if !m.known[kind.Kind] {
		return nil, errors.New("no such kind")
	}
	return &meta.RESTMapping{GroupVersionKind: kind.WithVersion(fmt.Sprint(versions))}, nil
}

func TestMapperAsksOnceForEachKindThatIsThere(t *testing.T) {
	source := &askedMapper{known: map[string]bool{"ZimRoom": true}}
	remembering := &mapper{RESTMapper: source}
	find := func(group, kind string, versions ...string) error {
		wanted := schema.GroupKind{Group: group, Kind: kind}
		mapping, err := remembering.RESTMapping(wanted, versions...)
		if err == nil && mapping.GroupVersionKind != wanted.WithVersion(fmt.Sprint(versions)) {
			t.Errorf("got %v for %v %v", mapping.GroupVersionKind, wanted, versions)
		}
		return err
	}
	var want []string
	for range 2 {
		for _, group := range []string{"a", "b"} {
			for _, versions := range [][]string{{"v1"}, {"v2"}, {}, {"v1", "v2"}} {
				if err := find(group, "ZimRoom", versions...); err != nil {
					t.Error(err)
				}
				asked := fmt.Sprint(schema.GroupKind{Group: group, Kind: "ZimRoom"}, versions)
				if len(versions) != 1 || !slices.Contains(want, asked) {
					want = append(want, asked)
				}
			}
		}
	}
	if !slices.Equal(source.asked, want) {
		t.Errorf("asked for %v, want %v", source.asked, want)
	}
	if find("a", "ZimApp", "v1") == nil {
		t.Error("found what is not there")
	}
	source.known["ZimApp"] = true // Its CRD was installed.
	if err := find("a", "ZimApp", "v1"); err != nil {
		t.Error(err)
	}
}
