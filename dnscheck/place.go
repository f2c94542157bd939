package dnscheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

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
	// last is when it was given, if that was not in this look; turns is set if it is
	// given by turns.
	last  time.Time
	turns bool
}

// where finds the step that publishes the address (the last one, if several do).
func (o *Observation) where(addr netip.Addr) place {
	p := place{typ: typeFor(addr)}
	for _, s := range o.Steps {
		var names []string
		var ttl uint32
		for _, a := range s.Answers {
			if a.Outcome == OK && slices.Contains(a.Addresses, addr) {
				names = append(names, a.Server.String())
				ttl = max(ttl, a.TTL)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			p.step, p.servers, p.asked, p.ttl = s, slices.Compact(names), s.asked(), ttl
		}
	}
	return p
}

// where finds the step that publishes the address, or published it a short while ago
// where addresses take turns.
func (c *Case) where(addr netip.Addr) place {
	p := c.Observed.where(addr)
	p.turns = TakesTurns(c.Observed, c.Seen, addr)
	if len(p.servers) > 0 {
		return p
	}
	for _, s := range c.Seen {
		if last := len(s.Path) - 1; s.Address == addr && last >= 0 {
			l := s.Path[last]
			p.step = Step{Name: l.Owner, Zone: s.Zone}
			if step, still := c.Observed.step(l.Owner); still {
				p.step = step
			}
			p.servers, p.ttl, p.last = c.Observed.gaveIt(s), l.TTL, s.LastSeen
			p.asked = max(len(p.servers), p.step.asked())
		}
	}
	return p
}

// text says where the address is, or was, published.
func (p place) text(addr netip.Addr, now time.Time) string {
	text := fmt.Sprintf("%s on %d of %d authoritative servers of %s", addr, len(p.servers), p.asked, p.step.Zone)
	if !p.last.IsZero() {
		text = fmt.Sprintf("%s, last given at %s by %s", addr, finding.Clock(p.last, now), finding.List(p.servers, maxServers))
	}
	if p.turns {
		text += "; the servers give these addresses by turns"
	}
	return text
}

// record describes what the RRset at this place should become.
func (p place) record(values []string) finding.Record {
	return finding.Record{Zone: p.step.Zone, Owner: p.step.Owner(), Type: string(p.typ), Values: values, TTL: p.ttl}
}

// Owner is the name to edit: the owner of the DNAME that makes the alias; the wildcard
// if it gives the very same records as the name itself, in every type; otherwise the
// name. One record of the name's own takes all its types out of the wildcard (RFC 4592
// section 2.2.1).
func (s *Step) Owner() string {
	if d := s.dname(); d != "" {
		return d
	}
	same := false
	for i := range s.Wildcard {
		w := &s.Wildcard[i]
		if w.Outcome != OK && w.Outcome != Alias {
			continue
		}
		same = anyOf(s.Answers, func(a *Answer) bool { return a.Type == w.Type && sameData(w, a) })
		if !same {
			break
		}
	}
	if s.WildcardOwner == "" || !same {
		return s.Name
	}
	return s.WildcardOwner
}

// end returns the last step that answers about a type, one that publishes
// addresses before one that denies them, and the TTL of its records.
func (o *Observation) end(t Type) (Step, uint32) {
	var end Step
	var ttl uint32
	has := false
	for _, s := range o.Steps {
		var own, any uint32
		ok, denied := false, false
		for _, a := range s.Answers {
			switch {
			case a.Outcome == OK:
				ok, any = true, max(any, a.TTL)
				if a.Type == t {
					own = max(own, a.TTL)
				}
			case a.Outcome == NoName || a.Outcome == NoData && a.Type == t:
				denied = true
			}
		}
		if ok || denied && !has {
			end, ttl, has = s, cmp.Or(own, any), has || ok
		}
	}
	return end, ttl
}

func sameFamily(addrs []netip.Addr, like netip.Addr) []netip.Addr {
	var same []netip.Addr
	for _, a := range addrs {
		if a.Is4() == like.Is4() {
			same = append(same, a)
		}
	}
	return same
}

// speakers are all servers that said something usable, sorted.
func (o *Observation) speakers() []string {
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
