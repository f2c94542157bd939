// Package ipspace knows which addresses are special-purpose: those that a name
// in the public DNS must not lead us to, because they mean something on our own
// network (loopback, private, link-local with the clouds' metadata services, …).
package ipspace

import "net/netip"

type block struct {
	prefix netip.Prefix
	name   string
}

// blocks follow the IANA special-purpose registries (RFC 6890), less the
// documentation ranges: nothing is there to be abused, and examples need them.
func blocks() []block {
	return []block{
		{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
		{netip.MustParsePrefix("10.0.0.0/8"), "private"},
		{netip.MustParsePrefix("100.64.0.0/10"), "shared (carrier NAT)"},
		{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
		{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
		{netip.MustParsePrefix("172.16.0.0/12"), "private"},
		{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments"},
		{netip.MustParsePrefix("192.168.0.0/16"), "private"},
		{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
		{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
		{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
		{netip.MustParsePrefix("::/128"), "unspecified"},
		{netip.MustParsePrefix("::1/128"), "loopback"},
		{netip.MustParsePrefix("64:ff9b:1::/48"), "local-use translation"},
		{netip.MustParsePrefix("100::/64"), "discard-only"},
		{netip.MustParsePrefix("fc00::/7"), "unique local"},
		{netip.MustParsePrefix("fe80::/10"), "link-local"},
		{netip.MustParsePrefix("fec0::/10"), "site-local"},
		{netip.MustParsePrefix("ff00::/8"), "multicast"},
	}
}

// Space answers questions about addresses. The zero value is not ready: use New.
type Space struct{ blocks []block }

// New returns a Space over the registries' blocks.
func New() Space { return Space{blocks()} }

// Special returns the purpose of a special-purpose address ("private",
// "loopback", …), or "" for an address of the public Internet. An IPv4 address
// that is embedded in IPv6 (mapped, compatible, NAT64 RFC 6052, 6to4 RFC 3056) is
// judged as the IPv4 address that it reaches.
func (s Space) Special(a netip.Addr) string {
	a = a.WithZone("").Unmap()
	for _, b := range s.blocks {
		if b.prefix.Contains(a) {
			return b.name
		}
	}
	if inner, ok := embedded(a); ok {
		return s.Special(inner)
	}
	return ""
}

// embedded returns the IPv4 address that an IPv6 address stands for.
func embedded(a netip.Addr) (netip.Addr, bool) {
	if !a.Is6() {
		return netip.Addr{}, false
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
