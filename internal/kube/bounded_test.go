package kube

import (
	"slices"
	"testing"

	"driftprobe/internal/inventory"
)

func TestHostsOfAClusterAreBoundedAndTheRestIsSaid(t *testing.T) {
	inv := inventory.Inventory{Targets: []inventory.Target{{Host: "a.example"}, {Host: "b.example"}, {Host: "c.example"}}}
	if got := bounded(inv, 3); len(got.Targets) != 3 || len(got.Gaps) != 0 {
		t.Errorf("at the bound: %+v", got)
	}
	got := bounded(inv, 1)
	if len(got.Targets) != 1 || len(got.Gaps) != 1 || !got.Gaps[0].Bound || got.Gaps[0].What != "2 of the hosts that the cluster's objects declare" {
		t.Errorf("over the bound: %+v", got)
	}
}

// The limit is on the hosts of a shard, so hosts of others are left out before they are
// counted. Services stay whole.
func TestAShardHasItsHostsAndAllServices(t *testing.T) {
	t.Parallel()
	all := []string{"a.shop.example", "b.shop.example", "c.shop.example", "d.shop.example", "e.shop.example"}
	k := newServer(t, ingressOf("shop", "web", "", all...), service("a", "one"), service("a", "two"))
	var together []string
	for i := range 2 {
		inv := synced(t, k, Settings{Shard: inventory.Shard{Index: i, Count: 2}}).Inventory()
		if own := hosts(inv); len(own) == 0 || len(own) == len(all) || len(inv.Services) != 2 {
			t.Errorf("shard %d has %v and %d Services", i, own, len(inv.Services))
		} else {
			together = append(together, own...)
		}
	}
	if slices.Sort(together); !slices.Equal(together, all) {
		t.Errorf("both have %v", together)
	}
}
