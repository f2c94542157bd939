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
			Former: sorted(older(t, t.Addresses)),
		}
	}
	e := inventory.Expected{Allow: t.Allow}
	ref, rule, why := inventory.ServiceOf(t, w.Inventory.Services, w.History.former())
	if ref == (inventory.ServiceRef{}) {
		gap, blind := w.gap()
		e.Why = why
		if blind && t.Declared() {
			e.Why = gap.Why
		}
		// Ranges alone are an expectation too: everything outside them is stale, unless
		// it may be a Service's that could not be told.
		mayFront := t.Declared() && (blind || len(w.Inventory.Services) > 0)
		e.Known = len(t.Allow) > 0 && !mayFront
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
	if front.Balancer == nil || front.Balancer.Internal {
		e.Hostnames = front.Service.Hostnames
		e.OneFamily = len(e.Hostnames) == 0
	}
	if slices.Contains(e.Hostnames, t.Host) {
		// The status hands the question back: the host's own records are all there is.
		e.Addresses, e.Uncertain, e.Known = nil, nil, false
		e.Why = "the Service's status names only this very hostname, and no cloud says which address it should have"
	}
	now := slices.Concat(e.Addresses, e.Uncertain)
	e.Former = sorted(union(without(w.History.former()[ref], now), older(t, now)))
	return e
}

// older are the addresses that the declaring object's status names if it lags
// behind. A status that names one present address is up to date, and what else it
// names is another balancer's.
func older(t inventory.Target, now []netip.Addr) []netip.Addr {
	lost := without(t.StatusAddresses, now)
	if len(lost) < len(t.StatusAddresses) {
		return nil
	}
	return union(nil, lost)
}

// sorted returns the set in order; a status can name one address for each port.
func sorted(addrs []netip.Addr) []netip.Addr {
	all := slices.Clone(addrs)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
