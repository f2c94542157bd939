package monitor

import (
	"testing"

	"driftprobe/internal/inventory"
)

// Hosts of the configuration and of the cluster are divided alike, all else is whole; who
// asks for one target gets it, whatever shard has it.
func TestAShardLooksAtItsHosts(t *testing.T) {
	t.Parallel()
	ref := inventory.ServiceRef{Namespace: "a", Name: "b"}
	configured := []inventory.Target{{Key: "https://a.example/", Host: "a.example"}, {Key: "https://b.example/", Host: "b.example"}}
	declared := inventory.Inventory{
		Targets:  []inventory.Target{{Key: "https://b.example/x", Host: "b.example"}, {Key: "https://q.shop.example/", Host: "q.shop.example"}},
		Services: []inventory.Service{{ServiceRef: ref}},
	}
	seen := map[string]int{}
	for i := range 3 {
		shard := inventory.Shard{Index: i, Count: 3}
		inv := Options{Targets: configured, Cluster: still{declared}, Shard: shard}.current()
		if inv.Shard != shard || len(inv.Services) != 1 {
			t.Errorf("%+v", inv)
		}
		alone := Options{Targets: configured, Shard: shard}.current()
		for _, target := range append(inv.Targets, alone.Targets...) {
			seen[target.Key]++
			if !shard.Holds(target.Host) {
				t.Errorf("shard %s looks at %s", shard, target.Host)
			}
		}
	}
	for key, want := range map[string]int{"https://a.example/": 2, "https://b.example/": 2, "https://b.example/x": 1, "https://q.shop.example/": 1} {
		if seen[key] != want {
			t.Errorf("%s is looked at %d times, want %d", key, seen[key], want)
		}
	}
}
