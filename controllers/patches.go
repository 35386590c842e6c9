package controllers

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// The patches of a ZimRoom are made of the part that they change. To compare whole objects, as client.MergeFrom does,
// would cost more than all the rest of a pass.

// finalizerPatch is a merge patch that replaces the finalizers of an object that still has the version that it names.
type finalizerPatch struct {
	finalizers []string
	lock       string
}

// Type implements client.Patch.
func (finalizerPatch) Type() types.PatchType { return types.MergePatchType }

// Data implements client.Patch.
func (f finalizerPatch) Data(client.Object) ([]byte, error) {
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"finalizers": f.finalizers, "resourceVersion": f.lock},
	})
}

// unseenStatus is what the CRD gives to a ZimRoom that the operator has not seen.
var unseenStatus = zimv1alpha1.ZimRoomStatus{ObservedGeneration: -1}

// statusPatch is a merge patch of what differs between two statuses of a ZimRoom that still has the version that it
// names.
type statusPatch struct {
	before, after zimv1alpha1.ZimRoomStatus
	lock          string
}

// Type implements client.Patch.
func (statusPatch) Type() types.PatchType { return types.MergePatchType }

// Data implements client.Patch. A first status, as those that are written in floods mostly are, is written whole.
func (s statusPatch) Data(client.Object) ([]byte, error) {
	if equality.Semantic.DeepEqual(s.before, unseenStatus) {
		return json.Marshal(map[string]any{
			"metadata": map[string]any{"resourceVersion": s.lock}, "status": s.after,
		})
	}
	after := &zimv1alpha1.ZimRoom{Status: s.after}
	after.ResourceVersion = s.lock
	return client.MergeFrom(&zimv1alpha1.ZimRoom{Status: s.before}).Data(after)
}

// answerTo is what the answer to a patch of a ZimRoom is read into: its metadata. The rest is known, and would cost the
// API server and the operator more than anything else about the patch.
func answerTo(room *zimv1alpha1.ZimRoom) *metav1.PartialObjectMetadata {
	answer := &metav1.PartialObjectMetadata{}
	answer.SetGroupVersionKind(zimv1alpha1.GroupVersion.WithKind("ZimRoom"))
	answer.Namespace, answer.Name = room.Namespace, room.Name
	return answer
}
