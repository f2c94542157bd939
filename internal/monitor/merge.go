package monitor

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"driftprobe/internal/inventory"
)

// current reads what should be: the given targets and the cluster's, as far as they are in
// our shard. Services stay whole: which of them is in use elsewhere is not known here.
func (o Options) current() inventory.Inventory {
	var cluster inventory.Inventory
	if o.Cluster != nil {
		cluster = o.Cluster.Inventory()
	}
	inv := merge(o.Targets, cluster)
	inv.Targets, inv.Shard = o.Shard.Of(inv.Targets), o.Shard
	return inv
}

// merge joins configured targets with those of the cluster, sorted by key. Of two
// targets with one key the configured one stays. A configured target takes over
// what the cluster knows about its host and the configuration does not: that
// finds the Service in front, and the move that is announced. Without targets of the
// cluster those that are in order already are not copied: they are large.
func merge(configured []inventory.Target, cluster inventory.Inventory) inventory.Inventory {
	if len(cluster.Targets) == 0 && inOrderOfKeys(configured) {
		cluster.Targets = configured
		return cluster
	}
	wanted := make(map[string]bool, len(configured))
	for _, t := range configured {
		wanted[t.Host] = true
	}
	facts := map[string]inventory.Target{}
	moves := map[string]time.Time{}
	for _, t := range cluster.Targets {
		if !wanted[t.Host] {
			continue
		}
		// Of several that declare the host all must announce it, and the first end counts.
		if end, ok := moves[t.Host]; !ok || t.MoveUntil.Before(end) {
			moves[t.Host] = t.MoveUntil
		}
		if old, ok := facts[t.Host]; !ok || (!hasFacts(old) && hasFacts(t)) {
			facts[t.Host] = t
		}
	}
	targets := make([]inventory.Target, 0, len(configured)+len(cluster.Targets))
	for _, t := range configured {
		from := facts[t.Host]
		from.MoveUntil = moves[t.Host]
		targets = append(targets, withFacts(t, from))
	}
	targets = append(targets, cluster.Targets...)
	// Of one key the first stays, which is the configured one.
	slices.SortStableFunc(targets, func(a, b inventory.Target) int { return cmp.Compare(a.Key, b.Key) })
	cluster.Targets = slices.CompactFunc(targets, func(a, b inventory.Target) bool { return a.Key == b.Key })
	return cluster
}

// inOrderOfKeys tells whether each key comes after the one before, so that none is
// there twice.
func inOrderOfKeys(all []inventory.Target) bool {
	for i := 1; i < len(all); i++ {
		if all[i].Key <= all[i-1].Key {
			return false
		}
	}
	return true
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
	// Where pinned addresses should be is no matter of the cluster's.
	if len(t.Addresses) == 0 {
		t.MoveUntil = from.MoveUntil
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
