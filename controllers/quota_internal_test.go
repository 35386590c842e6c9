package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

func TestRoomQuotaCallsOneForEachRoomThatGoes(t *testing.T) {
	var woken []string
	quota := newRoomQuota(func(requests ...reconcile.Request) {
		for _, request := range requests {
			woken = append(woken, request.Name)
		}
	})
	quota.free(oneAccount) // Nobody waits.
	for _, name := range []string{"a", "b", "a", "c", "d"} {
		quota.wait(oneAccount, requestNamed(name))
	}
	quota.wait(anotherAccount, requestNamed("other"))

	quota.free(oneAccount)
	if !quota.isCalled(requestNamed("a")) || quota.isCalled(requestNamed("b")) {
		t.Error("the first in line is to be called, and no other")
	}
	quota.take(requestNamed("a"))
	if quota.isCalled(requestNamed("a")) {
		t.Error("called again for the same room")
	}
	quota.free(oneAccount)
	quota.leave(requestNamed("b")) // It is deleted before it can try: c is called instead.
	quota.leave(requestNamed("d")) // It is deleted while it waits.
	quota.free(oneAccount)         // Nobody is left.
	if diff := cmp.Diff([]string{"a", "b", "c"}, woken); diff != "" {
		t.Error(diff)
	}
}
