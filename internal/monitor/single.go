package monitor

import (
	"context"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
)

// Single looks at one target now: at its records, and then at its addresses. What
// should be is that of the last snapshot, and so are the load balancers: only the
// target is gone to. Its maintenance does not count.
func Single(ctx context.Context, o Options, last snapshot.Snapshot, t inventory.Target) (snapshot.Snapshot, finding.Report) {
	t.Maintenance, o.Policy.Maintenance = nil, nil
	known := last.Inventory
	known.Targets = nil
	o.Targets, o.Cluster, o.Shard = []inventory.Target{t}, still{known}, inventory.Shard{}
	o.ResolveZone, o.Hosted, o.Clouds, o.Logs = nil, nil, nil, nil
	for _, c := range last.Observations.Clouds {
		o.Clouds = append(o.Clouds, func(context.Context, []string) lbcheck.Observation { return c })
	}
	o.Previous = snapshot.Snapshot{History: last.History}
	return Once(ctx, o, nil)
}

// still is a cluster that does not change.
type still struct{ inventory inventory.Inventory }

// Inventory is part of Cluster.
func (s still) Inventory() inventory.Inventory { return s.inventory }

// Changed is part of Cluster.
func (still) Changed() <-chan struct{} { return nil }
