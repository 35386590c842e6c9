package controllers_test

import (
	"fmt"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	zimv1alpha1 "github.com/zim-operator/zim-operator/api/v1alpha1"
)

// beReady matches a ZimRoom or ZimApp whose Ready condition has a status and reason.
func beReady(status metav1.ConditionStatus, reason string) types.GomegaMatcher {
	return haveCondition(zimv1alpha1.ReadyCondition, status, reason)
}

// beReconciling matches an object that goes on working, for a reason.
func beReconciling(reason string) types.GomegaMatcher {
	return haveCondition(zimv1alpha1.ReconcilingCondition, metav1.ConditionTrue, reason)
}

// beStalled matches an object that waits for a person, for a reason.
func beStalled(reason string) types.GomegaMatcher {
	return haveCondition(zimv1alpha1.StalledCondition, metav1.ConditionTrue, reason)
}

// bePending matches a ZimRoom whose name or delay waits, for a reason.
func bePending(reason string) types.GomegaMatcher {
	return haveCondition(zimv1alpha1.ReplacementPendingCondition, metav1.ConditionTrue, reason)
}

func haveCondition(conditionType string, status metav1.ConditionStatus, reason string) types.GomegaMatcher {
	return WithTransform(conditionsOf, ContainElement(And(
		HaveField("Type", conditionType), HaveField("Status", status), HaveField("Reason", reason))))
}

// haveNoCondition matches an object without a condition of a type.
func haveNoCondition(conditionType string) types.GomegaMatcher {
	return WithTransform(conditionsOf, Not(ContainElement(HaveField("Type", conditionType))))
}

func conditionsOf(object any) ([]metav1.Condition, error) {
	switch typed := object.(type) {
	case *zimv1alpha1.ZimRoom:
		return typed.Status.Conditions, nil
	case *zimv1alpha1.ZimApp:
		return typed.Status.Conditions, nil
	}
	return nil, fmt.Errorf("%T has no conditions", object)
}
