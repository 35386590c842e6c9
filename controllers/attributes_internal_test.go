package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
	"github.com/zim-operator/zim-operator/internal/zim"
)

func TestPlanAttributes(t *testing.T) {
	type (
		declared = []zimv1alpha1.RoomAttribute
		applied  = []zimv1alpha1.AppliedAttribute
	)
	plain := zimv1alpha1.RoomAttribute{Key: "k", Value: "v"}
	auto := zimv1alpha1.RoomAttribute{Key: "k", Value: "v", AutoDelete: true}
	record := func(attribute zimv1alpha1.RoomAttribute) applied {
		return applied{{Key: attribute.Key, Hash: attributeHash(attribute)}}
	}
	live := func(attributes ...zim.Attribute) *zim.RoomAttributes {
		return &zim.RoomAttributes{Attributes: attributes}
	}
	set := func(attribute zimv1alpha1.RoomAttribute) []zim.Attribute {
		return []zim.Attribute{{Key: attribute.Key, Value: attribute.Value, AutoDelete: attribute.AutoDelete}}
	}
	tests := map[string]struct {
		declared declared
		applied  applied
		live     *zim.RoomAttributes
		set      []zim.Attribute
		remove   []string
	}{
		"as declared":                           {declared{plain}, record(plain), live(zim.Attribute{Key: "k", Value: "v"}), nil, nil},
		"missing":                               {declared{plain}, record(plain), live(), set(plain), nil},
		"changed by others":                     {declared{plain}, record(plain), live(zim.Attribute{Key: "k", Value: "x"}), set(plain), nil},
		"autoDelete switched on by others":      {declared{plain}, record(plain), live(zim.Attribute{Key: "k", Value: "v", AutoDelete: true}), set(plain), nil},
		"never set":                             {declared{plain}, nil, live(), set(plain), nil},
		"there before it was ever set":          {declared{plain}, nil, live(zim.Attribute{Key: "k", Value: "v"}), nil, nil},
		"of others":                             {nil, nil, live(zim.Attribute{Key: "k", Value: "v"}), nil, nil},
		"no longer declared":                    {nil, record(plain), live(zim.Attribute{Key: "k", Value: "v"}), nil, []string{"k"}},
		"no longer declared, gone already":      {nil, record(plain), live(), nil, nil},
		"autoDelete, vanished":                  {declared{auto}, record(auto), live(), nil, nil},
		"autoDelete, changed by others":         {declared{auto}, record(auto), live(zim.Attribute{Key: "k", Value: "x"}), nil, nil},
		"autoDelete, declaration changed":       {declared{auto}, record(plain), live(), set(auto), nil},
		"autoDelete, never set":                 {declared{auto}, nil, live(), set(auto), nil},
		"nobody can ask, applied":               {declared{plain}, record(plain), nil, nil, nil},
		"nobody can ask, not applied":           {declared{plain}, nil, nil, set(plain), nil},
		"nobody can ask, no longer declared":    {nil, record(plain), nil, nil, []string{"k"}},
		"may have been set by a call that hung": {nil, applied{{Key: "k", Hash: unknownHash}}, live(zim.Attribute{Key: "k", Value: "v"}), nil, []string{"k"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := planAttributes(tc.declared, tc.applied, tc.live)
			want := attributeChange{set: tc.set, remove: tc.remove}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(attributeChange{}), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestApplyRecordKeepsWhatWasRefused(t *testing.T) {
	before := []zimv1alpha1.AppliedAttribute{{Key: "old", Hash: "1"}, {Key: "stays", Hash: "2"}}
	declared := []zimv1alpha1.RoomAttribute{{Key: "new", Value: "v"}, {Key: "refused", Value: "v"}}
	rejected := []zim.RejectedAttribute{{Key: "refused"}, {Key: "stays"}}
	want := []zimv1alpha1.AppliedAttribute{
		{Key: "new", Hash: attributeHash(declared[0])}, // Set.
		{Key: "stays", Hash: "2"},                      // Its removal was refused: to be removed still.
	}
	if diff := cmp.Diff(want, applyRecord(declared, before, rejected)); diff != "" {
		t.Error(diff)
	}
}

func TestRejectedAttributesReadTheSameEachTime(t *testing.T) {
	one := &rejectedAttributesError{rejected: []zim.RejectedAttribute{{Key: "b", SubCode: 2}, {Key: "a", SubCode: 1}}}
	two := &rejectedAttributesError{rejected: []zim.RejectedAttribute{{Key: "a", SubCode: 1}, {Key: "b", SubCode: 2}}}
	if one.message() != two.message() {
		t.Errorf("%q and %q", one.message(), two.message())
	}
}
