package dnscheck

import (
	"net/netip"
	"slices"
)

// synthesised tells whether an AAAA that a resolver gave is none that anybody has
// published, but was made by the resolver of an A (DNS64, RFC 6147), and of which;
// the zero Addr if that cannot be told.
//
// The well-known prefixes say so themselves. A network's own prefix is nothing that
// can be recognised; there the address must hold an IPv4 address that is known for
// the name, and authority must deny the AAAA: only then a resolver makes one.
func synthesised(o Observation, seen []Sighting, a netip.Addr) (four netip.Addr, made bool) {
	if !a.Is6() || a.Is4In6() || slices.Contains(o.Published(), a) ||
		slices.ContainsFunc(seen, func(s Sighting) bool { return s.Address == a }) {
		return netip.Addr{}, false
	}
	wellKnown, local := netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("64:ff9b:1::/48").Contains(a)
	if !wellKnown && !local && !o.withoutIPv6() {
		return netip.Addr{}, false
	}
	for _, bits := range []int{96, 64, 56, 48, 40, 32} {
		inner, ok := embedded(a, bits)
		if ok && (wellKnown && bits == 96 || knows(o, seen, inner)) {
			return inner, true
		}
	}
	return netip.Addr{}, wellKnown || local
}

// embedded returns the IPv4 address in an IPv6 address behind a prefix of that many
// bits (RFC 6052 §2.2). Bits 64 to 71, and what is left at the end, are zero.
func embedded(a netip.Addr, bits int) (netip.Addr, bool) {
	b := a.As16()
	rest := b[bits/8:]
	if b[8] != 0 {
		return netip.Addr{}, false
	}
	if bits < 96 {
		// The octet that must be zero lies amid the address, or just before it.
		rest = append(slices.Clone(b[bits/8:8]), b[9:]...)
	}
	if slices.ContainsFunc(rest[4:], func(c byte) bool { return c != 0 }) {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(rest)), true
}

// knows tells whether an IPv4 address is, or was, one of the host: published, or
// given by a resolver.
func knows(o Observation, seen []Sighting, four netip.Addr) bool {
	return slices.Contains(o.Published(), four) ||
		slices.ContainsFunc(seen, func(s Sighting) bool { return s.Address == four }) ||
		slices.ContainsFunc(o.Resolvers, func(r ResolverAnswer) bool { return r.Outcome == OK && slices.Contains(r.Addresses, four) })
}

// withoutIPv6 tells whether authority says that there is no AAAA.
func (o *Observation) withoutIPv6() bool {
	return o.answered(AAAA) && !slices.ContainsFunc(o.Published(), netip.Addr.Is6)
}
