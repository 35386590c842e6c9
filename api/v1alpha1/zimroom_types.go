package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeletionPolicy says what becomes of the room when its ZimRoom is deleted. More values may be added.
// +kubebuilder:validation:Enum="";Delete;Retain
type DeletionPolicy string

const (
	// DeletionPolicyDelete destroys the room, adopted or not.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain never destroys the room.
	DeletionPolicyRetain DeletionPolicy = "Retain"
)

// ReplacePolicy says when a live room is destroyed and created anew to get another name or delay. More values may be added.
// +kubebuilder:validation:Enum="";WhenEmpty;Always;Never
type ReplacePolicy string

const (
	// ReplacePolicyWhenEmpty replaces a room when nobody is in it. It is the default.
	ReplacePolicyWhenEmpty ReplacePolicy = "WhenEmpty"
	// ReplacePolicyAlways replaces a room at once, and puts out whoever is in it.
	ReplacePolicyAlways ReplacePolicy = "Always"
	// ReplacePolicyNever leaves the room as it is until it is next created.
	ReplacePolicyNever ReplacePolicy = "Never"
)

// RoomOrigin says how a ZimRoom came by its room.
type RoomOrigin string

const (
	// RoomOriginCreated means that the operator created the room: CreateRoom answered 0.
	RoomOriginCreated RoomOrigin = "Created"
	// RoomOriginAdopted means that the room was there first: CreateRoom answered 660300014.
	RoomOriginAdopted RoomOrigin = "Adopted"
)

// AppReference names a ZimApp.
type AppReference struct {
	// name of the ZimApp.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// namespace of the ZimApp. Default: that of the ZimRoom. A ZimApp of another namespace must allow the ZimRoom's
	// namespace in its allowedNamespaces.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// RoomAttribute is one attribute of a room.
type RoomAttribute struct {
	// key of the attribute, unique within the room. 1 to 128 characters. ZIM's client SDKs take keys of up to 16 bytes;
	// the server API documents no limit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Key string `json:"key"`

	// value of the attribute; may be empty. At most 4096 characters. ZIM's client SDKs take values of up to 1024 bytes, and
	// 5120 bytes for all attributes of a room; the server API documents no limit.
	// +required
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value"`

	// autoDelete lets ZIM remove the attribute when the operator user (fromUserID) leaves the room, which needs it to have
	// entered first. Such an attribute is set when the room is created and when its declaration changes, and not put back
	// otherwise. Default: false.
	// +optional
	AutoDelete bool `json:"autoDelete,omitempty"`
}

// ZimRoomSpec declares a room.
// +kubebuilder:validation:XValidation:rule="has(self.appRef) == has(oldSelf.appRef) && (!has(self.appRef) || self.appRef == oldSelf.appRef)",message="appRef may not be added, changed or removed: delete the ZimRoom and apply it again",fieldPath=".appRef"
type ZimRoomSpec struct {
	// id is the RoomId. It cannot be changed. In YAML, quote ids that would read as something else than text, such as "123",
	// "1e3" or "y". 1 to 32 characters: digits, ASCII letters, space and any of !#$%&()+,-.:;<=>?@[]^_{|}~
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[0-9A-Za-z !#$%&()+,\-.:;<=>?@\[\]^_{|}~]*$')`,message="id may contain only digits, ASCII letters, space and !#$%&()+,-.:;<=>?@[]^_{|}~"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="id is immutable: delete the ZimRoom and apply one with the other id"
	ID string `json:"id"`

	// name is the RoomName: what members see. At most 64 bytes (not characters), any text. ZIM cannot change the name of a
	// live room: what an edit does, replacePolicy says.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="size(bytes(self)) <= 64",message="name may have at most 64 bytes in UTF-8"
	Name string `json:"name,omitempty"`

	// destroyDelay is the DestroyDelayTime: how long ZIM keeps the room when nobody is in it. Whole seconds from 0s to 3h,
	// written as a duration in quotes or plain ("90s", "1h30m"); a bare number is refused. Unset: 3h, because ZIM's own
	// default would destroy an empty room at once. ZIM cannot change the delay of a live room: what an edit does,
	// replacePolicy says.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(0|([0-9]{1,8}(\.[0-9]+)?ms|[0-9]{1,5}(\.[0-9]+)?[hms])+)$') && duration(self) <= duration('3h') && int(duration(self)) % 1000000000 == 0`,message="destroyDelay must be whole seconds from 0s to 3h, written as a duration such as 90s or 1h30m"
	DestroyDelay *metav1.Duration `json:"destroyDelay,omitempty"`

	// attributes of the room: at most 20, each key once. Declared ones are enforced; attributes that others set under other
	// keys are left alone. ZIM allows 16 to 20, depending on the account.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=20
	Attributes []RoomAttribute `json:"attributes,omitempty"`

	// appRef names the ZimApp in whose account the room lives. Unset: the ZimApp "default" of the ZimRoom's namespace, or
	// else that of the operator's namespace if it allows this one. It may not be added, changed or removed.
	// +optional
	AppRef *AppReference `json:"appRef,omitempty"`

	// fromUserID is the ZIM user in whose name this room is created and changed, instead of the ZimApp's; the operator
	// registers it with ZIM if need be. Only for rooms in the namespace of their ZimApp: elsewhere it would let one tenant
	// act in the name of another. 1 to 32 characters: digits, ASCII letters, space and !#$%&()+-:;<=.>?@[]^_{}|~,
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[0-9A-Za-z!#$%&()+\-:;<=.>?@\[\]^_ {}|~,]*$')`,message="fromUserID may contain only digits, ASCII letters, space and !#$%&()+-:;<=.>?@[]^_{}|~,"
	FromUserID string `json:"fromUserID,omitempty"`

	// deletionPolicy says what becomes of the room when the ZimRoom is deleted. Delete: it is destroyed. Retain: it is left
	// to itself. Unset: a room that the operator created is destroyed, an adopted one is left.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// replacePolicy says what an edit of name or destroyDelay does to a live room. ZIM cannot change either; it can only
	// destroy the room and create it anew. WhenEmpty: that is done when nobody is in the room; who enters within the second
	// between the look and the destruction is put out. Always: at once, whoever is in it. Never: the edit waits until the room
	// is next created. Default: WhenEmpty.
	// +optional
	ReplacePolicy ReplacePolicy `json:"replacePolicy,omitempty"`

	// interval is how often the operator looks whether the room is still as declared: 0s (never), or 1s to 24h. Default: the
	// manager's --verify-interval. It is a wish: the account's quota may stretch it.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(0|([0-9]{1,8}(\.[0-9]+)?ms|[0-9]{1,5}(\.[0-9]+)?[hms])+)$') && (duration(self) == duration('0s') || (duration(self) >= duration('1s') && duration(self) <= duration('24h')))`,message="interval must be 0s (never) or from 1s to 24h, written as a duration such as 90s or 1h30m"
	Interval *metav1.Duration `json:"interval,omitempty"`

	// suspend stops all work on the room, deletion excepted. Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// ResolvedAppReference names a ZimApp in full.
type ResolvedAppReference struct {
	// namespace of the ZimApp.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// name of the ZimApp.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
}

// AppliedAttribute records an attribute that this ZimRoom has set.
type AppliedAttribute struct {
	// key of the attribute.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Key string `json:"key"`

	// hash of the declaration that was applied.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Hash string `json:"hash"`
}

// RoomStatus is the room as ZIM confirmed it.
type RoomStatus struct {
	// id is the RoomId.
	// +required
	// +kubebuilder:validation:MaxLength=32
	ID string `json:"id"`

	// appID is the AppID in which the room lives.
	// +required
	AppID int64 `json:"appID"`

	// realm is the service that the AppID is of: zego.im for all hosts of the vendor, host and port for any other.
	// +required
	// +kubebuilder:validation:MaxLength=512
	Realm string `json:"realm"`

	// origin is Created if the operator created the room, Adopted if it was there first. An adopted room that the operator
	// had to create again is Created from then on.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Origin RoomOrigin `json:"origin"`

	// name with which the live room was created. Of an adopted room: the name declared when it was adopted, which is an
	// assumption, since ZIM cannot be asked.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Name string `json:"name,omitempty"`

	// destroyDelay with which the live room was created; assumed like name for an adopted room.
	// +required
	// +kubebuilder:validation:Type=string
	DestroyDelay metav1.Duration `json:"destroyDelay"`

	// createdTime is when the last answer 0 of CreateRoom arrived; absent while the room is an adopted one.
	// +optional
	CreatedTime *metav1.MicroTime `json:"createdTime,omitempty"`

	// recreations counts how often the room was found missing and created again.
	// +required
	Recreations int32 `json:"recreations"`

	// attributes that this ZimRoom has set, so that one that is no longer declared can be deleted.
	// +optional
	// +listType=map
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=1000
	Attributes []AppliedAttribute `json:"attributes,omitempty"`
}

// ZimRoomStatus tells what is known of the room.
type ZimRoomStatus struct {
	// observedGeneration is the newest generation that the operator has read; -1 before the first time.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions of the ZimRoom: Ready; Reconciling, Stalled and ReplacementPending only while True. docs/zimroom.md lists
	// the reasons.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// lastHandledReconcileAt is the text of the annotation zim.zego.im/reconcile-requested-at that was last handled.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// appRef is the ZimApp that was used when the room was confirmed; it is used from then on.
	// +optional
	AppRef *ResolvedAppReference `json:"appRef,omitempty"`

	// room is the room as ZIM confirmed it; absent until then.
	// +optional
	Room *RoomStatus `json:"room,omitempty"`
}

// ZimRoom declares a room of ZEGOCLOUD In-app Chat (ZIM) that exists, with its attributes, as long as the ZimRoom does.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:metadata:annotations="helm.sh/resource-policy=keep"
// +kubebuilder:metadata:annotations="argocd.argoproj.io/sync-options=Prune=false,Delete=false"
// +kubebuilder:resource:shortName=zr,categories=zim
// +kubebuilder:selectablefield:JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="ID",type=string,JSONPath=`.spec.id`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Recreations",type=integer,JSONPath=`.status.room.recreations`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.status.appRef.name`,priority=1
// +kubebuilder:printcolumn:name="Name",type=string,JSONPath=`.status.room.name`,priority=1
// +kubebuilder:printcolumn:name="Delay",type=string,JSONPath=`.status.room.destroyDelay`,priority=1
// +kubebuilder:printcolumn:name="Pending",type=string,JSONPath=`.status.conditions[?(@.type=="ReplacementPending")].reason`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type ZimRoom struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the user declares.
	// +required
	Spec ZimRoomSpec `json:"spec"`

	// status is what the operator last found.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status ZimRoomStatus `json:"status,omitempty"`
}

// ZimRoomList is a list of ZimRooms.
// +kubebuilder:object:root=true
type ZimRoomList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ZimRoom `json:"items"`
}
