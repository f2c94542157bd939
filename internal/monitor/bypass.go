package monitor

import (
	"slices"

	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// marked tells the steps of a probe inside the cluster which of them go past the load
// balancer. PROXY protocol is spoken only to an address that is the target's own.
func marked(steps []step, inv inventory.Inventory, expected map[string]inventory.Expected) []step {
	for i, s := range steps {
		a := s.address.Addr()
		service := inv.Bypassing(a)
		if service.ServiceRef == (inventory.ServiceRef{}) {
			continue
		}
		e := expected[s.target.Key]
		own := !s.stranger && (e.Has(a) || slices.Contains(e.Uncertain, a) || e.Doubts(a))
		steps[i].bypass = &probe.Bypass{
			Service: service.ServiceRef, ProxyProtocol: own && service.ProxyProtocol, TerminatesTLS: service.TerminatesTLS,
		}
	}
	return steps
}

// sameWay tells whether two probes go to their address in the same way.
func sameWay(a, b step) bool {
	x, y := a.bypass, b.bypass
	return a.trusted == b.trusted && a.stranger == b.stranger &&
		(x == nil) == (y == nil) && (x == nil || *x == *y)
}
