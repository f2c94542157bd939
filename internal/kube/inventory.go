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
	for _, f := range c.services {
		for _, s := range f.snapshot() {
			inv.Services = append(inv.Services, clone(s))
		}
	}
	slices.SortFunc(inv.Services, func(a, b inventory.Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	var declared []ingress
	for _, f := range c.ingresses {
		for _, i := range f.snapshot() {
			declared = append(declared, i)
		}
	}
	slices.SortFunc(declared, func(a, b ingress) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	})
	inv.Targets = targets(declared, classesOf(c.classes.snapshot()), c.port)
	inv.Gaps = append(joined(c.feeds()), excess(declared)...)
	return bounded(inv, maxTargets)
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
		Source: "kubernetes", Resources: []string{"ingresses"}, What: fmt.Sprintf("%d of the hosts that Ingresses declare", over),
		Why:  fmt.Sprintf("at most %d are looked at", most),
		Hint: "watch a part of the namespaces with each driftprobe (kubernetes.namespaces)",
	})
	return inv
}

// clone lets nobody change what is kept.
func clone(s inventory.Service) inventory.Service {
	s.Addresses, s.Hostnames = slices.Clone(s.Addresses), slices.Clone(s.Hostnames)
	s.Labels = maps.Clone(s.Labels)
	return s
}

// classSet answers which controller serves a class.
type classSet struct {
	controllers map[string]string
	fallback    string // the default class; empty if there is none
}

// classesOf picks the default class as the API server does where several claim
// it: the youngest, then the first by name.
func classesOf(known map[string]class) classSet {
	set := classSet{controllers: map[string]string{}}
	var claims []class
	for _, k := range known {
		set.controllers[k.name] = k.controller
		if k.isDefault {
			claims = append(claims, k)
		}
	}
	slices.SortFunc(claims, func(a, b class) int {
		return cmp.Or(b.created.Compare(a.created), cmp.Compare(a.name, b.name))
	})
	if len(claims) > 0 {
		set.fallback = claims[0].name
	}
	return set
}

// targets makes one target for each host; where several Ingresses declare a host
// (one for each path), the first by namespace and name speaks for it.
func targets(declared []ingress, classes classSet, port uint16) []inventory.Target {
	var list []inventory.Target
	seen := map[string]bool{}
	for _, i := range declared {
		name := cmp.Or(i.class, classes.fallback)
		for _, host := range i.hosts {
			if seen[host] {
				continue
			}
			seen[host] = true
			list = append(list, inventory.Target{
				Key: "https://" + authority(host, port) + "/", Host: host, Port: port, Path: "/",
				Origin: "Ingress " + i.String(),
				Class:  name, Controller: classes.controllers[name],
				StatusAddresses: slices.Clone(i.addresses), StatusHostnames: slices.Clone(i.hostnames),
			})
		}
	}
	slices.SortFunc(list, func(a, b inventory.Target) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

func authority(host string, port uint16) string {
	if port == 443 {
		return host
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// joined returns the gaps, those with one cause as one: a cluster that is down is
// one thing to repair.
func joined(feeds []*health) []inventory.Gap {
	var gaps []inventory.Gap
	for _, h := range feeds {
		g, bad := h.gap()
		if !bad {
			continue
		}
		at := slices.IndexFunc(gaps, func(o inventory.Gap) bool { return o.Why == g.Why && o.Held == g.Held })
		if at < 0 {
			gaps = append(gaps, g)
			continue
		}
		gaps[at].What += ", " + g.What
		gaps[at].Resources = append(gaps[at].Resources, g.Resources...)
		if g.Since.Before(gaps[at].Since) {
			gaps[at].Since = g.Since
		}
	}
	return gaps
}

// excess says which Ingresses have more hosts than are looked at.
func excess(declared []ingress) []inventory.Gap {
	var names []string
	for _, i := range declared {
		if i.more {
			names = append(names, i.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	what := "hosts of Ingress " + strings.Join(names[:min(len(names), 5)], ", ")
	if len(names) > 5 {
		what += fmt.Sprintf(" and %d more", len(names)-5)
	}
	return []inventory.Gap{{
		Source: "kubernetes", Resources: []string{"ingresses"}, What: what,
		Why:  fmt.Sprintf("only %d hosts of one object are looked at", maxHosts),
		Hint: "spread them over several Ingresses, or list them as targets in the configuration",
	}}
}
