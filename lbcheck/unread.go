package lbcheck

import (
	"fmt"
	"net/netip"
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// unread are the gaps in what declares hosts. An object in one may have any host at any
// load balancer of ours.
func (w *World) unread() []inventory.Gap {
	var all []inventory.Gap
	for _, g := range w.Inventory.Gaps {
		if g.Source == "kubernetes" && !g.Bound && (len(g.Resources) == 0 || slices.ContainsFunc(g.Resources, needed)) {
			all = append(all, g)
		}
	}
	return all
}

// elsewhere are the addresses of all load balancers of ours, sorted, if objects that
// declare hosts could not be read: a record at one of them may be right. An address that
// no load balancer has is not among them, and neither is one that a Service has lost and
// none has taken over: what a replaced load balancer leaves behind stays stale.
func (w *World) elsewhere() []netip.Addr {
	if w.indexed {
		return w.others
	}
	if len(w.unread()) == 0 {
		return nil
	}
	var all, lost []netip.Addr
	owned := map[string]bool{}
	for _, s := range slices.Concat(w.Inventory.Services, w.Inventory.LeftAlone) {
		f := w.join(s)
		if f.Balancer != nil {
			owned[f.Balancer.ID] = true
		}
		if !f.Lost { // what the cloud has no more is nobody's
			all = append(append(all, f.Addresses...), f.Uncertain...)
		}
	}
	for _, s := range w.History.Sightings {
		lost = append(lost, s.Address)
	}
	orphans := w.orphans()
	for _, c := range w.Clouds {
		for _, b := range c.Balancers {
			if !owned[b.ID] && !slices.ContainsFunc(orphans, func(o Balancer) bool { return o.ID == b.ID }) {
				all = append(all, without(b.Addresses, lost)...)
			}
		}
	}
	return sorted(all)
}

// JudgeDoubt tells of the published addresses of a host that are neither right nor stale:
// another load balancer of ours has them, and what could not be read may have the host
// there.
func JudgeDoubt(w *World, fronts map[inventory.ServiceRef]Front, host string, e *inventory.Expected, published []netip.Addr) []finding.Finding {
	var fs []finding.Finding
	for _, a := range published {
		if !e.Doubts(a) {
			continue
		}
		var kinds []string
		var why, hint string
		for _, g := range w.unread() {
			kinds, why, hint = append(kinds, g.What), addPart(why, "; ", g.Why), addPart(hint, "\n", g.Hint)
		}
		whose, what, right := w.whose(fronts, a), finding.List(kinds, 3), list(e.Addresses)
		if len(e.Addresses) == 0 {
			right = "the allowed ranges"
		}
		f := finding.Finding{
			Code: finding.SelfNotObserved, Severity: finding.Unknown,
			Subject:  finding.Subject{Host: host, Address: a.String(), Source: "kubernetes"},
			Summary:  fmt.Sprintf("whether %s is right for %s could not be told: it is the address of %s, and %s could not be read", a, host, whose, what),
			Expected: "by what could be read " + right,
			Observed: fmt.Sprintf("%s, the address of %s; what could not be read may have the name there: %s", a, whose, why),
			Hint:     addPart(hint, "\n", "or say which load balancer is meant: targets[].service"),
			SeenAt:   []string{a.String()},
		}
		if name := e.Fronts(); name != "" {
			f.Expected += " (" + name + ")"
		}
		fs = append(fs, f)
	}
	return fs
}

// whose names the load balancer that has an address: of several Services the first by
// name.
func (w *World) whose(fronts map[inventory.ServiceRef]Front, a netip.Addr) string {
	var first inventory.ServiceRef
	for ref, f := range fronts {
		has := slices.Contains(f.Addresses, a) || slices.Contains(f.Uncertain, a)
		if has && (first == inventory.ServiceRef{} || compareRefs(ref, first) < 0) {
			first = ref
		}
	}
	if first != (inventory.ServiceRef{}) {
		return "the Service " + first.String()
	}
	for _, c := range w.Clouds {
		for _, b := range c.Balancers {
			if slices.Contains(b.Addresses, a) {
				return fmt.Sprintf("the load balancer %s of %s", b.ID, c.Provider)
			}
		}
	}
	return "another load balancer"
}
