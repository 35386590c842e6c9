package v1alpha1_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gcustom"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// The valid manifests that specs start from. Every field has a value, none of them its default.
const (
	roomManifest = `
apiVersion: zim.zego.im/v1alpha1
kind: ZimRoom
metadata:
  generateName: room-
spec:
  id: lobby
  name: Main lobby
  destroyDelay: 1h
  attributes:
  - key: topic
    value: welcome
    autoDelete: true
  appRef:
    name: team
    namespace: shared
  deletionPolicy: Retain
  interval: 10m
  suspend: true
`
	appManifest = `
apiVersion: zim.zego.im/v1alpha1
kind: ZimApp
metadata:
  generateName: app-
spec:
  appID: 1234567890
  serverSecretRef:
    name: zim
    key: secret
  fromUserID: operator
  endpoint: https://zim-api-sgp.zego.im
  requestsPerSecond: 100
  allowedNamespaces:
    from: Selector
    selector:
      matchLabels:
        team: chat
`
)

// change is one edit of a manifest.
type change func(object *unstructured.Unstructured)

// set gives the field at a path, such as spec.appRef.name, a value. Unlike the Go types it can express wrong ones.
func set(path string, value any) change {
	return func(object *unstructured.Unstructured) {
		GinkgoHelper()
		Expect(unstructured.SetNestedField(object.Object, value, strings.Split(path, ".")...)).To(Succeed())
	}
}

// unset leaves the field at a path out.
func unset(path string) change {
	return func(object *unstructured.Unstructured) {
		unstructured.RemoveNestedField(object.Object, strings.Split(path, ".")...)
	}
}

// newRoom returns the valid ZimRoom with changes.
func newRoom(changes ...change) *unstructured.Unstructured {
	GinkgoHelper()
	return newObject(roomManifest, changes)
}

// newApp returns the valid ZimApp with changes.
func newApp(changes ...change) *unstructured.Unstructured {
	GinkgoHelper()
	return newObject(appManifest, changes)
}

func newObject(manifest string, changes []change) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal([]byte(manifest), object)).To(Succeed())
	object.SetNamespace(namespace)
	for _, apply := range changes {
		apply(object)
	}
	return object
}

// accept creates an object whose spec must be stored as it is: what a user leaves out is not filled in.
func accept(ctx context.Context, object *unstructured.Unstructured) {
	GinkgoHelper()
	sent := object.DeepCopy()
	Expect(apiServer.Create(ctx, object)).To(Succeed())
	Expect(object.Object["spec"]).To(Equal(sent.Object["spec"]))
}

// update changes an object that is stored.
func update(ctx context.Context, object *unstructured.Unstructured, changes ...change) error {
	GinkgoHelper()
	for _, apply := range changes {
		apply(object)
	}
	return apiServer.Update(ctx, object)
}

// unreadable is what refusals contain that leave a user with an expression instead of words.
var unreadable = []string{"should match", "evaluating rule", "overload", "self."}

// beRefused matches the API server's refusal of one field, for one reason, in words that contain all of the given ones.
func beRefused(field string, words ...string) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(err error) (bool, error) {
		if !apierrors.IsInvalid(err) {
			return false, nil
		}
		causes := causesOf(err)
		if len(causes) != 1 || causes[0].Field != field {
			return false, nil
		}
		says := func(word string) bool { return strings.Contains(causes[0].Message, word) }
		return !slices.ContainsFunc(unreadable, says) &&
			!slices.ContainsFunc(words, func(word string) bool { return !says(word) }), nil
	}).WithMessage(fmt.Sprintf("refuse %s alone, in words with %q", field, words))
}

// causesOf returns what a refusal complains of. It leaves out the API server's remarks that name no field, such as that
// rules were not checked.
func causesOf(err error) []metav1.StatusCause {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(status.Status().Details.Causes), func(cause metav1.StatusCause) bool {
		return cause.Field == "<nil>"
	})
}
