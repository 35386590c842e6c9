// Package v1alpha1 is the API of zim-operator: the kinds ZimApp and ZimRoom.
//
// +kubebuilder:object:generate=true
// +groupName=zim.zego.im
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of all kinds, and the prefix of every annotation and finalizer (docs/adr/0002-api-group.md).
const Group = "zim.zego.im"

const (
	// Finalizer is carried by a ZimRoom whose room may have to be destroyed or handed over, and by a ZimApp in use.
	Finalizer = Group + "/finalizer"

	// ReconcileRequestedAtAnnotation asks for a pass now. Its text is free; a text that was not there before is a new
	// request. It appears in status.lastHandledReconcileAt when the pass was done.
	ReconcileRequestedAtAnnotation = Group + "/reconcile-requested-at"

	// CallbackReceivedAtAnnotation is set by the operator when ZIM's server callback says that something happened to the
	// room, at most once in 10 seconds: a time (RFC 3339). A text that was not there before makes it look.
	CallbackReceivedAtAnnotation = Group + "/callback-received-at"

	// DefaultEndpoint is the vendor's access point for all regions; a ZimApp with an empty endpoint uses it.
	DefaultEndpoint = "https://zim-api.zego.im"

	// DefaultAppName is the name of the ZimApp that a ZimRoom without spec.appRef uses.
	DefaultAppName = "default"
)

var (
	// GroupVersion is the group and version of the kinds of this package.
	GroupVersion = schema.GroupVersion{Group: Group, Version: "v1alpha1"}

	// SchemeBuilder registers the kinds of this package.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme adds the kinds of this package to a scheme.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &ZimApp{}, &ZimAppList{}, &ZimRoom{}, &ZimRoomList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
