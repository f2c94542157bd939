package lbcheck

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"driftprobe/internal/inventory"
)

const (
	// keep is how long an address that a balancer has lost is remembered: records
	// that were set by hand stay behind for long.
	keep = 30 * 24 * time.Hour
	// maxPerService bounds the addresses remembered of one Service.
	maxPerService = 32
)

// Remember notes which addresses each front has at the moment. Only certain
// addresses count: a wrong memory would call a right record stale. The receiver
// is not changed.
func (h History) Remember(now time.Time, fronts map[inventory.ServiceRef]Front) History {
	type key struct {
		ref  inventory.ServiceRef
		addr netip.Addr
	}
	all := make(map[key]Sighting, len(h.Sightings))
	for _, s := range h.Sightings {
		if now.Sub(s.LastSeen) < keep {
			all[key{s.Service, s.Address}] = s
		}
	}
	for ref, f := range fronts {
		for _, a := range f.Addresses {
			s, seen := all[key{ref, a}]
			if !seen {
				s = Sighting{Service: ref, Address: a, FirstSeen: now}
			}
			if f.Balancer != nil {
				s.Balancer = f.Balancer.ID
			}
			if f.Listed.After(s.Listed) {
				s.Listed, s.Missed = f.Listed, time.Time{}
			}
			s.LastSeen = now
			all[key{ref, a}] = s
		}
	}
	next := make([]Sighting, 0, len(all))
	for _, s := range all {
		if f := fronts[s.Service]; s.Missed.IsZero() && !s.Listed.IsZero() && s.Balancer == f.Service.BalancerID {
			s.Missed = f.Missed
		}
		next = append(next, s)
	}
	slices.SortStableFunc(next, func(a, b Sighting) int {
		return cmp.Or(compareRefs(a.Service, b.Service), b.LastSeen.Compare(a.LastSeen), a.Address.Compare(b.Address))
	})
	return History{Sightings: bound(next)}
}

// bound keeps the newest sightings of each Service and orders them by address.
func bound(newestFirst []Sighting) []Sighting {
	kept := newestFirst[:0]
	var n int
	var ref inventory.ServiceRef
	for _, s := range newestFirst {
		if s.Service != ref {
			ref, n = s.Service, 0
		}
		if n++; n <= maxPerService {
			kept = append(kept, s)
		}
	}
	slices.SortStableFunc(kept, func(a, b Sighting) int {
		return cmp.Or(compareRefs(a.Service, b.Service), a.Address.Compare(b.Address))
	})
	return kept
}

func compareRefs(a, b inventory.ServiceRef) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// former returns all addresses remembered of each Service, the present ones
// included.
func (h History) former() map[inventory.ServiceRef][]netip.Addr {
	all := map[inventory.ServiceRef][]netip.Addr{}
	for _, s := range h.Sightings {
		all[s.Service] = append(all[s.Service], s.Address)
	}
	return all
}

// Of returns the sightings of one Service, newest first.
func (h History) Of(ref inventory.ServiceRef) []Sighting {
	var mine []Sighting
	for _, s := range h.Sightings {
		if s.Service == ref {
			mine = append(mine, s)
		}
	}
	slices.SortStableFunc(mine, func(a, b Sighting) int {
		return cmp.Or(b.LastSeen.Compare(a.LastSeen), b.FirstSeen.Compare(a.FirstSeen))
	})
	return mine
}
