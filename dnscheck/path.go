package dnscheck

import (
	"cmp"
	"net/netip"
	"slices"
)

// paths returns, for each published address, the records that lead to it from the
// host. If several ways lead to one address the longest-lived is given, because
// it is the one that keeps clients waiting.
func (o Observation) paths() map[netip.Addr][]Link {
	found := map[netip.Addr][]Link{}
	if len(o.Steps) > 0 {
		o.walk(o.Steps[0].Name, nil, found)
	}
	return found
}

func (o Observation) walk(name string, before []Link, found map[netip.Addr][]Link) {
	if len(before) > MaxSteps {
		return
	}
	step, ok := o.step(name)
	if !ok {
		return
	}
	for _, p := range step.links() {
		path := append(before[:len(before):len(before)], p.Link)
		switch old, seen := found[p.addr]; {
		case !p.addr.IsValid():
			if !visited(before, p.Value) {
				o.walk(p.Value, path, found)
			}
		case !seen || totalTTL(path) > totalTTL(old):
			found[p.addr] = path
		}
	}
}

func (o Observation) step(name string) (Step, bool) {
	for _, s := range o.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
}

// publishes tells whether any server gives the record now, with whatever TTL.
func (o Observation) publishes(l Link) bool {
	step, ok := o.step(l.Owner)
	if !ok {
		return false
	}
	return slices.ContainsFunc(step.links(), func(p published) bool {
		return p.Type == l.Type && p.Value == l.Value
	})
}

// published is a record that some server gives, and its address if it is an
// address record.
type published struct {
	Link
	addr netip.Addr
}

// links returns each distinct record that some server gives for the step's name,
// with the largest TTL, ordered by type and value.
func (s Step) links() []published {
	var all []published
	note := func(typ, value string, ttl uint32, addr netip.Addr) {
		for i, p := range all {
			if p.Type == typ && p.Value == value {
				all[i].TTL = max(p.TTL, ttl)
				return
			}
		}
		all = append(all, published{Link{s.Name, typ, value, ttl}, addr})
	}
	for _, a := range s.Answers {
		switch a.Outcome {
		case Alias:
			note("CNAME", a.Target, a.TTL, netip.Addr{})
		case OK:
			for _, ip := range a.Addresses {
				note(string(a.Type), ip.String(), a.TTL, ip)
			}
		}
	}
	slices.SortFunc(all, func(p, q published) int {
		return cmp.Or(cmp.Compare(p.Type, q.Type), cmp.Compare(p.Value, q.Value))
	})
	return all
}

func visited(path []Link, name string) bool {
	for _, l := range path {
		if l.Owner == name {
			return true
		}
	}
	return false
}

func totalTTL(path []Link) uint64 {
	var sum uint64
	for _, l := range path {
		sum += uint64(l.TTL)
	}
	return sum
}
