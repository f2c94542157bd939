package dnscheck

import (
	"net/netip"
	"slices"

	"driftprobe/finding"
)

// place is where an address is published.
type place struct {
	step Step
	typ  Type
	// servers name those that gave it; asked counts those of the zone that were
	// asked.
	servers []string
	asked   int
	ttl     uint32
}

// where finds the step that publishes the address (the last one, if several do).
func (o Observation) where(addr netip.Addr) place {
	p := place{typ: typeFor(addr)}
	for _, s := range o.Steps {
		var names []string
		asked := map[Server]bool{}
		var ttl uint32
		for _, a := range s.Answers {
			asked[a.Server] = true
			if a.Outcome == OK && slices.Contains(a.Addresses, addr) {
				names = append(names, a.Server.String())
				ttl = max(ttl, a.TTL)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			p.step, p.servers, p.asked, p.ttl = s, slices.Compact(names), len(asked), ttl
		}
	}
	return p
}

// record describes what the RRset at this place should become.
func (p place) record(values []string) finding.Record {
	return finding.Record{Zone: p.step.Zone, Owner: p.step.owner(p.typ), Type: string(p.typ), Values: values, TTL: p.ttl}
}

// owner is the name to edit: the wildcard if it gives the very same answer as the
// name itself, otherwise the name.
func (s Step) owner(t Type) string {
	if s.WildcardOwner == "" {
		return s.Name
	}
	for _, w := range s.Wildcard {
		for _, a := range s.Answers {
			if w.Type == t && a.Type == t && w.Outcome == a.Outcome && w.Target == a.Target && slices.Equal(w.Addresses, a.Addresses) {
				return s.WildcardOwner
			}
		}
	}
	// A CNAME is the same for every type.
	if t == "CNAME" {
		return s.owner(A)
	}
	return s.Name
}

// final returns the owner, zone and TTL of the address records of a type at the
// end of the alias chain.
func (o Observation) final(t Type) (owner, zone string, ttl uint32) {
	if len(o.Steps) == 0 {
		return o.Host, "", 0
	}
	last := o.Steps[len(o.Steps)-1]
	for _, a := range last.Answers {
		if a.Outcome == OK {
			ttl = max(ttl, a.TTL)
		}
	}
	owner = last.Name
	if last.WildcardOwner != "" && (last.owner(A) == last.WildcardOwner || last.owner(AAAA) == last.WildcardOwner) {
		owner = last.WildcardOwner
	}
	return owner, last.Zone, ttl
}

// family returns the published addresses of the same family.
func (o Observation) family(like netip.Addr) []netip.Addr {
	all := o.Published()
	return slices.DeleteFunc(all, func(a netip.Addr) bool { return a.Is4() != like.Is4() })
}

// speakers are all servers that said something usable, sorted.
func (o Observation) speakers() []string {
	var names []string
	for _, s := range o.Steps {
		names = append(names, s.speaking()...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func typeFor(a netip.Addr) Type {
	if a.Is4() {
		return A
	}
	return AAAA
}

// maxListed is how many addresses a text names before it counts the rest.
const maxListed = 8

func addrList(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "none"
	}
	sorted := slices.Clone(addrs)
	slices.SortFunc(sorted, netip.Addr.Compare)
	var words []string
	for _, a := range sorted {
		words = append(words, a.String())
	}
	return finding.List(words, maxListed)
}
