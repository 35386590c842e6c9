package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/zim-operator/zim-operator/internal/zim"
)

func newTestRegistry() *appRegistry {
	return newAppRegistry(func(types.NamespacedName, bool) {}, func(...reconcile.Request) {})
}

// Only apps that ZIM has accepted have a say in their account's rate: anyone may write somebody else's AppID into a
// ZimApp.
func TestAccountRateIsTheSmallestOfItsAcceptedApps(t *testing.T) {
	registry := newTestRegistry()
	registry.limiter(oneAccount, 20)
	expect := func(want int) {
		t.Helper()
		if got := registry.pace(oneAccount).Allowed; got != want {
			t.Errorf("rate %d, want %d", got, want)
		}
	}
	entry := func(name string, account zim.Account, rate int, accepted bool) *app {
		return &app{name: types.NamespacedName{Name: name}, account: account, rate: rate, accepted: accepted}
	}
	registry.put(entry("owner", oneAccount, 20, true))
	registry.put(entry("forged", oneAccount, 1, false))
	registry.put(entry("other account", anotherAccount, 2, true))
	expect(20)
	registry.put(entry("second", oneAccount, 5, true))
	expect(5)
	registry.put(entry("second", anotherAccount, 5, true))
	expect(20)
	registry.put(entry("second", oneAccount, 5, true))
	registry.remove(types.NamespacedName{Name: "second"})
	expect(20)
	registry.remove(types.NamespacedName{Name: "owner"})
	expect(0) // Nobody speaks for the account: what is left in line there finds that out.
	if paces := registry.paces(); len(paces) > 0 {
		t.Errorf("paces %v of accounts without an accepted app", paces)
	}
}

// An answer to a client that was replaced meanwhile, by a new Secret for instance, freezes nothing.
func TestFreezeHitsTheClientThatWasRefusedOnly(t *testing.T) {
	registry := newTestRegistry()
	before, after := &zim.Client{}, &zim.Client{}
	name := types.NamespacedName{Name: "app"}
	registry.put(&app{name: name, client: after, accepted: true})
	now := testTime()
	registry.freeze(name, before, verdict{reason: "Refused"}, now)
	if registry.get(name).refusal != nil {
		t.Error("frozen by an answer to another client")
	}
	registry.freeze(name, after, verdict{reason: "Refused"}, now)
	registry.freeze(name, after, verdict{reason: "Again"}, now)
	got := registry.get(name)
	if got.refusalReason() != "Refused" || got.failures != 1 || !got.nextProbe.After(now) {
		t.Errorf("got %+v", got)
	}
}
