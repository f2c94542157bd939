package config

import (
	"net/netip"
	"strings"
)

// parseAddr reads one address that can be connected to. An IPv4 address
// written as IPv6 (::ffff:192.0.2.1) becomes the IPv4 address it means.
func parseAddr(text string) (netip.Addr, *fault) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		hint := ""
		if _, err := netip.ParsePrefix(text); err == nil {
			hint = "one address belongs here; a network may stand under allow or probe.allow_addresses"
		} else if _, err := netip.ParseAddrPort(text); err == nil {
			hint = "leave the port out"
		}
		return mismatch[netip.Addr](text, hint)
	}
	return connectable(addr, text)
}

func connectable(addr netip.Addr, text string) (netip.Addr, *fault) {
	addr = addr.Unmap()
	switch {
	case addr.Zone() != "":
		return addr, faultf("write the address without % and what follows", "an address with a zone (%%) means nothing elsewhere, found %s", shown(text))
	case addr.IsUnspecified():
		return addr, faultf("name one address", "%s is the unspecified address; nothing can be reached there", shown(text))
	case addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return addr, faultf("name the address of one host", "%s is a multicast or broadcast address", shown(text))
	}
	return addr, nil
}

// parseServer reads ADDRESS or ADDRESS:PORT; port 0 stands for "none given".
func parseServer(text string) (netip.AddrPort, *fault) {
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil {
		addr, f := connectable(addr, text)
		return netip.AddrPortFrom(addr, 0), f
	}
	server, err := netip.ParseAddrPort(text)
	if err != nil || server.Port() == 0 {
		hint := ""
		if _, _, f := splitHost(text); f == nil {
			hint = "name the server by its address, not by a name"
		}
		return mismatch[netip.AddrPort](text, hint)
	}
	addr, f := connectable(server.Addr(), text)
	return netip.AddrPortFrom(addr, server.Port()), f
}

// parsePrefix reads a network; a single address is the network of that one.
func parsePrefix(text string) (netip.Prefix, *fault) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return mismatch[netip.Prefix](text, "")
		}
		addr, f := connectable(addr, text)
		if f != nil {
			return netip.Prefix{}, f
		}
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return mismatch[netip.Prefix](text, "")
	}
	if addr := prefix.Addr(); addr.Is4In6() {
		if prefix.Bits() < 96 {
			return mismatch[netip.Prefix](text, "write the IPv4 network itself, such as 198.51.100.0/24")
		}
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	if masked := prefix.Masked(); masked != prefix {
		return prefix, faultf("write "+masked.String()+" for the network, or the address alone for just that one",
			"%s is an address inside a network, not a network", shown(text))
	}
	return prefix, nil
}
