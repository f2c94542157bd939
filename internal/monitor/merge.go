package monitor

import (
	"cmp"
	"maps"
	"slices"

	"driftprobe/internal/inventory"
)

// current reads what should be: the given targets and the cluster's.
func (o Options) current() inventory.Inventory {
	if o.Cluster == nil {
		return merge(o.Targets, inventory.Inventory{})
	}
	return merge(o.Targets, o.Cluster.Inventory())
}

// merge joins configured targets with those of the cluster, sorted by key. Of two
// targets with one key the configured one stays. A configured target takes over
// what the cluster knows about its host and the configuration does not: that
// finds the Service in front.
func merge(configured []inventory.Target, cluster inventory.Inventory) inventory.Inventory {
	facts := map[string]inventory.Target{}
	for _, t := range cluster.Targets {
		if old, ok := facts[t.Host]; !ok || (!hasFacts(old) && hasFacts(t)) {
			facts[t.Host] = t
		}
	}
	byKey := make(map[string]inventory.Target, len(configured)+len(cluster.Targets))
	for _, t := range configured {
		if _, ok := byKey[t.Key]; !ok {
			byKey[t.Key] = withFacts(t, facts[t.Host])
		}
	}
	for _, t := range cluster.Targets {
		if _, ok := byKey[t.Key]; !ok {
			byKey[t.Key] = t
		}
	}
	targets := slices.SortedFunc(maps.Values(byKey), func(a, b inventory.Target) int {
		return cmp.Compare(a.Key, b.Key)
	})
	cluster.Targets = targets
	return cluster
}

func hasFacts(t inventory.Target) bool {
	return t.Service != inventory.ServiceRef{} || t.Declared()
}

func withFacts(t, from inventory.Target) inventory.Target {
	if t.Service == (inventory.ServiceRef{}) && len(t.Addresses) == 0 {
		t.Service = from.Service
	}
	if !t.Declared() {
		t.Declarations = from.Declarations
	}
	return t
}

// hosts are the names to resolve, sorted: each target's, and those that stand for
// addresses, in a Service's status or where records are to point.
func hosts(inv inventory.Inventory) []string {
	seen := make(map[string]struct{}, len(inv.Targets))
	for _, t := range inv.Targets {
		seen[t.Host] = struct{}{}
		for _, d := range t.Declarations {
			for _, h := range d.RecordHostnames {
				seen[h] = struct{}{}
			}
		}
	}
	for _, s := range inv.Services {
		for _, h := range s.Hostnames {
			seen[h] = struct{}{}
		}
	}
	delete(seen, "")
	return slices.Sorted(maps.Keys(seen))
}
