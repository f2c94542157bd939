package kube

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"driftprobe/internal/inventory"
)

// Inventory returns what is known now: a fresh value, in an order that depends
// only on what it holds. What was known before a failure stays in it, beside a
// gap that is marked Held.
func (c *Cluster) Inventory() inventory.Inventory {
	var inv inventory.Inventory
	var declared []declaring
	behind := c.endpoints.behind()
	inv.Whole = true
	for _, f := range c.services {
		inv.Whole = inv.Whole && f.namespace == ""
		for _, b := range f.snapshot() {
			if b.alone {
				inv.LeftAlone = append(inv.LeftAlone, clone(b.service))
				continue
			}
			s := clone(b.service)
			if n, known := behind[s.ServiceRef]; known {
				s.Endpoints = &n
			}
			inv.Services = append(inv.Services, s)
			declared = append(declared, b.declares)
		}
	}
	byName := func(a, b inventory.Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	}
	slices.SortStableFunc(inv.Services, byName)
	slices.SortStableFunc(inv.LeftAlone, byName)
	for _, f := range c.declaring {
		declared = append(declared, f.values()...)
	}
	slices.SortStableFunc(declared, func(a, b declaring) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
	known := c.surroundings(slices.Concat(inv.Services, inv.LeftAlone))
	inv.Targets = c.shard.Of(targets(declared, known, c.port))
	inv.Classes = c.ofTraefik()
	inv.Notices = notices(declared, known)
	inv.Workloads, inv.Refused = c.workloads(), c.refused()
	inv.Gaps = append(c.gaps(), excess(declared)...)
	return bounded(inv, maxTargets)
}

// ofTraefik are the names of Traefik's classes.
func (c *Cluster) ofTraefik() []string {
	var names []string
	for _, k := range append(c.classes.values(), c.gatewayClasses.values()...) {
		if strings.HasPrefix(k.controller, "traefik.io/") {
			names = append(names, k.name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// maxTargets bounds the hosts of a whole cluster: any tenant can declare more.
const maxTargets = 20_000

// bounded keeps the first hosts, and says how many it leaves out.
func bounded(inv inventory.Inventory, most int) inventory.Inventory {
	over := len(inv.Targets) - most
	if over <= 0 {
		return inv
	}
	inv.Targets = inv.Targets[:most]
	inv.Gaps = append(inv.Gaps, inventory.Gap{
		Source: "kubernetes", Resources: []string{"ingresses"}, What: fmt.Sprintf("%d of the hosts that the cluster's objects declare", over),
		Why:  fmt.Sprintf("at most %d are looked at", most),
		Hint: "use shards, or watch a part of the namespaces with each driftprobe (kubernetes.namespaces)", Bound: true,
	})
	return inv
}

// clone lets nobody change what is kept.
func clone(s inventory.Service) inventory.Service {
	s.Addresses, s.Hostnames, s.Proxied = slices.Clone(s.Addresses), slices.Clone(s.Hostnames), slices.Clone(s.Proxied)
	s.Labels = maps.Clone(s.Labels)
	return s
}

// gaps returns what is missing. What only tells how certificates come to be is named when
// it was refused, and not where something else has the same cause.
func (c *Cluster) gaps() []inventory.Gap {
	needed, mild := c.feeds()
	gaps := joined(needed)
	mild = slices.DeleteFunc(mild, func(h *health) bool { return !h.hasFailed() })
	for _, m := range append(joined(mild), c.clients.unread()...) {
		if !slices.ContainsFunc(gaps, func(g inventory.Gap) bool { return oneCause(g, m) }) {
			gaps = append(gaps, m)
		}
	}
	return gaps
}

// oneCause tells whether two gaps end together: each right that is missing is granted by
// itself.
func oneCause(a, b inventory.Gap) bool { return a.Why == b.Why && a.Hint == b.Hint }

// joined returns the gaps, those with one cause as one: a cluster that is down is
// one thing to repair. Of a resource that is missing in several namespaces the
// first few are named.
func joined(feeds []*health) []inventory.Gap {
	var gaps []inventory.Gap
	for _, h := range feeds {
		g, bad := h.gap()
		if !bad {
			continue
		}
		at := slices.IndexFunc(gaps, func(o inventory.Gap) bool { return oneCause(o, g) && o.Held == g.Held })
		if at < 0 {
			gaps = append(gaps, g)
			continue
		}
		gaps[at].What += ", " + g.What
		if !gaps[at].Covers(g.Resources[0]) {
			gaps[at].Resources = append(gaps[at].Resources, g.Resources...)
		}
		if g.Since.Before(gaps[at].Since) {
			gaps[at].Since = g.Since
		}
	}
	return gaps
}

// excess says which objects have more hosts than are looked at.
func excess(declared []declaring) []inventory.Gap {
	var names []string
	for _, d := range declared {
		if d.more {
			names = append(names, d.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	what := "some hosts of " + strings.Join(names[:min(len(names), 5)], ", ")
	if len(names) > 5 {
		what += fmt.Sprintf(" and %d more", len(names)-5)
	}
	return []inventory.Gap{{
		Source: "kubernetes", Resources: []string{"ingresses"}, What: what,
		Why:  fmt.Sprintf("only %d hosts of one object are looked at", maxHosts),
		Hint: "spread them over several objects, or list them as targets in the configuration", Bound: true,
	}}
}

// maxListed bounds the notices of a whole cluster.
const maxListed = 100

// notices are what objects say that can't be used, the first of them.
func notices(declared []declaring, known surroundings) []inventory.Notice {
	var all []inventory.Notice
	left := 0
	add := func(ns []inventory.Notice) {
		room := min(maxListed-len(all), len(ns))
		all = append(all, ns[:room]...)
		left += len(ns) - room
	}
	for _, d := range declared {
		add(d.notices)
		add(known.unfit(d))
	}
	for _, name := range slices.Sorted(maps.Keys(known.gateways)) {
		add(known.gateways[name].notices)
	}
	for _, name := range slices.Sorted(maps.Keys(known.sets)) {
		add(known.sets[name].notices)
	}
	if left > 0 {
		all[maxListed-1].Why += fmt.Sprintf("; and %d more things in the cluster cannot be used", left)
	}
	return all
}
