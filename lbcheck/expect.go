package lbcheck

import (
	"net/netip"
	"slices"

	"driftprobe/internal/inventory"
)

// Expect says what should be published and answering for a target: pinned
// addresses, or those of the Service that fronts it.
func Expect(w World, fronts map[inventory.ServiceRef]Front, t inventory.Target) inventory.Expected {
	if len(t.Addresses) > 0 {
		return inventory.Expected{
			Addresses: sorted(t.Addresses), Allow: t.Allow, Known: true, Rule: inventory.RuleConfig,
			Former: former(t.StatusAddresses, t.Addresses),
		}
	}
	e := inventory.Expected{Allow: t.Allow}
	ref, rule, why := inventory.ServiceOf(t, w.Inventory.Services, w.History.former())
	if ref == (inventory.ServiceRef{}) {
		e.Why = why
		if gap, ok := w.gap(); ok && (rule == inventory.RuleConfig || t.Class != "") {
			e.Why = gap.Why
		}
		// Ranges alone are an expectation too: everything outside them is stale.
		e.Known = len(t.Allow) > 0
		return e
	}
	e.Service, e.Rule = ref, rule
	front, ok := fronts[ref]
	if !ok {
		e.Why = "there is no Service " + ref.String() + " of type LoadBalancer"
		if gap, ok := w.gap(); ok {
			e.Why = gap.Why
		}
		return e
	}
	e.Addresses, e.Uncertain, e.Known, e.Why = front.Addresses, front.Uncertain, front.Known, front.Why
	if slices.Contains(front.Service.Hostnames, t.Host) && front.Balancer == nil {
		// The status hands the question back: the host's own records are all there is.
		e.Addresses, e.Known = nil, false
		e.Why = "the Service's status names only this very hostname, and no cloud says which address it should have"
	}
	now := slices.Concat(e.Addresses, e.Uncertain)
	e.Former = former(slices.Concat(w.History.former()[ref], t.StatusAddresses), now)
	return e
}

// former are the addresses that the balancer had and has no more.
func former(had, now []netip.Addr) []netip.Addr {
	var lost []netip.Addr
	for _, a := range had {
		if !slices.Contains(now, a) && !slices.Contains(lost, a) {
			lost = append(lost, a)
		}
	}
	return sorted(lost)
}

func sorted(addrs []netip.Addr) []netip.Addr {
	all := slices.Clone(addrs)
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}
