package kube

import (
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
