package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FromNamespaces says from which namespaces ZimRooms may use a ZimApp. More values may be added.
// +kubebuilder:validation:Enum=Same;All;Selector
type FromNamespaces string

const (
	// NamespacesFromSame admits the ZimApp's own namespace only.
	NamespacesFromSame FromNamespaces = "Same"
	// NamespacesFromAll admits every namespace.
	NamespacesFromAll FromNamespaces = "All"
	// NamespacesFromSelector admits the ZimApp's own namespace and those whose labels match the selector.
	NamespacesFromSelector FromNamespaces = "Selector"
)

// AllowedNamespaces says which namespaces may use a ZimApp. Its own namespace always may.
// +kubebuilder:validation:XValidation:rule="self.from != 'Selector' || has(self.selector)",message="from: Selector needs a selector"
type AllowedNamespaces struct {
	// from is Same (only the namespace of the ZimApp), All (every namespace), or Selector (the namespaces whose labels
	// match selector, and that of the ZimApp). Default: Same.
	// +optional
	// +kubebuilder:default=Same
	From FromNamespaces `json:"from,omitempty"`

	// selector matches the labels of namespaces. Required with from: Selector, without effect otherwise.
	// An empty selector matches every namespace.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// SecretKeyReference names a key of a Secret in the namespace of the object that refers to it.
type SecretKeyReference struct {
	// name of the Secret, in the namespace of the ZimApp.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key of the Secret's data that holds the value. Default: serverSecret.
	// +optional
	// +kubebuilder:default=serverSecret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// CallbackSecretReference names a key of a Secret in the namespace of the ZimApp.
type CallbackSecretReference struct {
	// name of the Secret, in the namespace of the ZimApp.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// key of the Secret's data that holds the value. Default: callbackSecret.
	// +optional
	// +kubebuilder:default=callbackSecret
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// ZimAppSpec describes one ZEGOCLOUD application: how to sign calls for it, where to send them, and who may use it.
type ZimAppSpec struct {
	// appID is the AppID that the ZEGOCLOUD console shows for the project. 1 to 4294967295. It cannot be changed:
	// create another ZimApp for another AppID.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="appID is immutable: create another ZimApp for another AppID"
	AppID int64 `json:"appID"`

	// serverSecretRef names the Secret, in the namespace of the ZimApp, that holds the ServerSecret of the project
	// (ZEGOCLOUD console). The value is used as it is: white space around it is refused (InvalidSecret).
	// +required
	ServerSecretRef SecretKeyReference `json:"serverSecretRef"`

	// fromUserID is the ZIM user in whose name rooms are created and changed (FromUserId). The operator registers it with
	// ZIM if need be; it never enters a room. 1 to 32 characters: digits, ASCII letters, space and any of
	// !#$%&()+,-.:;<=>?@[]^_{|}~
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[0-9A-Za-z !#$%&()+,\-.:;<=>?@\[\]^_{|}~]*$')`,message="fromUserID may contain only digits, ASCII letters, space and !#$%&()+,-.:;<=>?@[]^_{|}~"
	FromUserID string `json:"fromUserID"`

	// endpoint is the address of the ZIM server API: http or https, a host and optionally a port, nothing else. All hosts
	// of zego.im are access points of one service; take the one nearest to the cluster
	// (https://www.zegocloud.com/docs/zim-server/accessing-server-apis). Other hosts, and http, work only if the manager's
	// flags admit them. Default: https://zim-api.zego.im.
	// +optional
	// +kubebuilder:default="https://zim-api.zego.im"
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self == '' || (isURL(self) && url(self).getScheme() in ['https', 'http'] && url(self).getHostname() != '' && url(self).getEscapedPath() in ['', '/'] && !self.contains('?') && !self.contains('#') && !self.contains('@'))",message="endpoint must be http or https, a host and optionally a port, without path, query, fragment or user: for example https://zim-api.zego.im"
	Endpoint string `json:"endpoint,omitempty"`

	// requestsPerSecond is the part of the account's quota that this operator may use: calls a second, for all actions
	// together. ZIM allows 20 unless more was bought. Of several ZimApps of one account the smallest value rules.
	// 1 to 10000. Default: 20.
	// +optional
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	RequestsPerSecond int32 `json:"requestsPerSecond,omitempty"`

	// allowedNamespaces says which namespaces' ZimRooms may use this ZimApp. Default: only its own.
	// +optional
	// +kubebuilder:default={from: Same}
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// callbackSecretRef names the Secret, in the namespace of the ZimApp, that holds the CallbackSecret of the project:
	// with it ZIM signs its server callbacks, which tell the operator at once that a room was destroyed. The ServerSecret
	// is tried as well, because the vendor's pages disagree. Without effect unless the manager receives callbacks
	// (docs/callbacks.md).
	// +optional
	CallbackSecretRef *CallbackSecretReference `json:"callbackSecretRef,omitempty"`
}

// ZimAppStatus tells whether ZIM accepts the application.
type ZimAppStatus struct {
	// observedGeneration is the newest generation that the operator has read; -1 before the first time.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the ZimApp: Ready; Reconciling and Stalled only while True. docs/zimapp.md lists the reasons.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// acceptedSecretVersion is the resourceVersion of the Secret with which ZIM last accepted a call. While it is the
	// Secret's present one, a start of the operator makes no call.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	AcceptedSecretVersion string `json:"acceptedSecretVersion,omitempty"`
}

// ZimApp is one ZEGOCLOUD application with In-app Chat (ZIM): the AppID, secret and operator user for the calls of its
// ZimRooms, and the part of the quota that they may use.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:metadata:annotations="argocd.argoproj.io/sync-options=Prune=false,Delete=false"
// +kubebuilder:resource:shortName=zapp,categories=zim
// +kubebuilder:printcolumn:name="AppID",type=integer,JSONPath=`.spec.appID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Operator",type=string,JSONPath=`.spec.fromUserID`,priority=1
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.spec.endpoint`,priority=1
// +kubebuilder:printcolumn:name="Rate",type=integer,JSONPath=`.spec.requestsPerSecond`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type ZimApp struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user declares.
	// +required
	Spec ZimAppSpec `json:"spec"`

	// status is what the operator last found.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ZimAppStatus `json:"status,omitempty"`
}

// ZimAppList is a list of ZimApps.
// +kubebuilder:object:root=true
type ZimAppList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ZimApp `json:"items"`
}
