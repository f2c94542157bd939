package lbcheck

import (
	"net/netip"
	"slices"

	"driftprobe/internal/inventory"
)

// Expect says what should be published and answering for a target: pinned
// addresses, or those of the Services that front it.
func Expect(w *World, fronts map[inventory.ServiceRef]Front, t *inventory.Target) inventory.Expected {
	e := w.expect(fronts, t)
	if e.Rule != inventory.RuleConfig { // an operator's word is no object's
		e.Doubtful = w.elsewhere()
	}
	return e
}

func (w *World) expect(fronts map[inventory.ServiceRef]Front, t *inventory.Target) inventory.Expected {
	if len(t.Addresses) > 0 {
		return inventory.Expected{
			Addresses: sorted(t.Addresses), Allow: t.Allow, Known: true, Rule: inventory.RuleConfig,
			Former: sorted(older(t.Declarations, func(a netip.Addr) bool { return slices.Contains(t.Addresses, a) })),
		}
	}
	found, why := w.Inventory.FrontsOf(t, w.former())
	if len(found) == 0 {
		return w.unfronted(t, why)
	}
	if len(found) == 1 && why == "" {
		return w.behind(fronts, t, found[0])
	}
	var all []inventory.Expected
	for _, f := range found {
		e := w.behind(fronts, t, f)
		if !e.Known {
			// The name may be this one's, so nothing is stale that is not another's.
			why = e.Why
		}
		all = append(all, e)
	}
	e := inventory.Joined(all)
	if why == "" {
		return e
	}
	e.Known, e.Why = false, why
	if i := slices.IndexFunc(all, func(o inventory.Expected) bool { return !o.Known }); i >= 0 {
		e.Service, e.Rule = all[i].Service, all[i].Rule
	} else {
		// What fronts it beside these nobody can say: it is not mapped.
		e.Service, e.Rule, e.Others = inventory.ServiceRef{}, "", nil
	}
	return e
}

// unfronted is the expectation of a target that no Service was found for.
func (w *World) unfronted(t *inventory.Target, why string) inventory.Expected {
	e := inventory.Expected{Allow: t.Allow, Why: why}
	gap, blind := w.gap()
	if blind && t.Declared() {
		e.Why = gap.Why
	}
	// Ranges alone are an expectation too: everything outside them is stale, unless
	// it may be a Service's that could not be told.
	mayFront := t.Declared() && (blind || len(w.Inventory.Services)+len(w.Inventory.LeftAlone) > 0)
	e.Known = len(t.Allow) > 0 && !mayFront
	return e
}

// behind is the expectation of a target behind one front.
func (w *World) behind(fronts map[inventory.ServiceRef]Front, t *inventory.Target, f inventory.Found) inventory.Expected {
	e := inventory.Expected{Allow: t.Allow, Service: f.Service, Rule: f.Rule}
	if f.Service == (inventory.ServiceRef{}) {
		e = w.pointedAt(e, f)
		e.Told = e.Addresses
		return e
	}
	front, ok := fronts[f.Service]
	if !ok {
		e.Why = "there is no Service " + f.Service.String() + " of type LoadBalancer"
		if w.leftAlone(f.Service) {
			e.Why = "the Service " + f.Service.String() + " asks not to be looked at (driftprobe.io/ignore)"
		}
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
	if f.Rule == inventory.RuleAnnotation {
		e.Told = e.Addresses
	}
	now := func(a netip.Addr) bool { return slices.Contains(e.Addresses, a) || slices.Contains(e.Uncertain, a) }
	former := without(without(w.former()[f.Service], e.Addresses), e.Uncertain)
	e.Former = sorted(union(former, older(f.By, now)))
	return e
}

// pointedAt is the expectation of a target whose records an annotation points at
// something that is no Service of ours: a CDN, a balancer outside the cluster.
func (w *World) pointedAt(e inventory.Expected, f inventory.Found) inventory.Expected {
	e.Addresses, e.Hostnames, e.Known = f.Addresses, f.Hostnames, true
	e.OneFamily = len(f.Hostnames) == 0
	if gap, blind := w.gap(); blind {
		e.Known, e.Why = false, gap.Why
		return e
	}
	for _, h := range f.Hostnames {
		if len(w.Published[h]) == 0 {
			e.Known, e.Why = false, "the hostname "+h+", at which its records are to point, could not be resolved"
			return e
		}
		e.Addresses = union(e.Addresses, w.Published[h])
		e.Uncertain = union(e.Uncertain, w.Recent[h])
	}
	e.Addresses = sorted(e.Addresses)
	e.Uncertain = sorted(without(e.Uncertain, e.Addresses))
	return e
}

// older are the addresses that the declaring objects' statuses name if they lag
// behind. A status that names one present address is up to date, and what else it
// names is another balancer's.
func older(ds []inventory.Declaration, now func(netip.Addr) bool) []netip.Addr {
	var all []netip.Addr
	for i := range ds {
		if named := ds[i].StatusAddresses; !slices.ContainsFunc(named, now) {
			all = union(all, named)
		}
	}
	return all
}

// sorted returns the set in order; a status can name one address for each port.
func sorted(addrs []netip.Addr) []netip.Addr {
	all := slices.Clone(addrs)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}
