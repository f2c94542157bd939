package dnscheck

import (
	"net/netip"
	"testing"
)

// The examples of RFC 6052 §2.4, and addresses that are none.
func TestEmbeddedIPv4(t *testing.T) {
	for _, c := range []struct {
		bits int
		addr string
		want string
	}{
		{32, "2001:db8:c000:221::", "192.0.2.33"},
		{40, "2001:db8:1c0:2:21::", "192.0.2.33"},
		{48, "2001:db8:122:c000:2:2100::", "192.0.2.33"},
		{56, "2001:db8:122:3c0:0:221::", "192.0.2.33"},
		{64, "2001:db8:122:344:c0:2:2100::", "192.0.2.33"},
		{96, "2001:db8:122:344::192.0.2.33", "192.0.2.33"},
		{96, "64:ff9b::192.0.2.33", "192.0.2.33"},
		{32, "2001:db8:c000:221::1", ""},           // something behind the address
		{64, "2001:db8:122:344:1c0:2:2100::", ""},  // bits 64 to 71 are not zero
		{96, "2001:db8:122:344:100::c000:221", ""}, // nor here
		{64, "2001:db8:122:344:c0:2:2100:1", ""},
		{96, "2001:db8::10", "0.0.0.16"},
	} {
		got, ok := embedded(netip.MustParseAddr(c.addr), c.bits)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%s behind %d bits holds %s, %t; want %q", c.addr, c.bits, got, ok, c.want)
		}
	}
}

func TestSynthesised(t *testing.T) {
	const published = "ns1: api.shop.example. 60 A 192.0.2.33\n"
	for _, c := range []struct {
		rule string
		seen string
		// before is an earlier look
		before string
		addr   string
		want   string // "no", "unknown" or the IPv4 address
	}{
		{"the well-known prefix", published, "", "64:ff9b::192.0.2.33", "192.0.2.33"},
		{"the well-known prefix with an address that nobody knows", published, "", "64:ff9b::198.51.100.1", "198.51.100.1"},
		{"the well-known prefix although there is an AAAA by now", published + "ns1: api.shop.example. 60 AAAA 2001:db8::1", "", "64:ff9b::192.0.2.33", "192.0.2.33"},
		{"the prefix for local use, of 96 bits", published, "", "64:ff9b:1::192.0.2.33", "192.0.2.33"},
		{"the prefix for local use, of 48 bits", published, "", "64:ff9b:1:c000:2:2100::", "192.0.2.33"},
		{"the prefix for local use with an address that nobody knows", published, "", "64:ff9b:1::198.51.100.1", "unknown"},
		{"a network's own prefix", published, "", "2001:db8:122:344::192.0.2.33", "192.0.2.33"},
		{"a network's own prefix of 32 bits", published, "", "2001:db8:c000:221::", "192.0.2.33"},
		{"a network's own prefix with the address of before", published, "ns1: api.shop.example. 60 A 192.0.2.7", "2001:db8:122:344::192.0.2.7", "192.0.2.7"},
		{"a network's own prefix with an address that only a resolver gives", published + "resolver: 8.8.8.8 60 A 192.0.2.8", "", "2001:db8:122:344::192.0.2.8", "192.0.2.8"},
		{"an address that holds nothing known", published, "", "2001:db8:122:344::192.0.2.9", "no"},
		{"an AAAA is published: none is made", published + "ns1: api.shop.example. 60 AAAA 2001:db8::1", "", "2001:db8:122:344::192.0.2.33", "no"},
		{"nobody knows whether there is an AAAA", published + "ns1: api.shop.example. AAAA silent", "", "2001:db8:122:344::192.0.2.33", "no"},
		{"it was a record once", published, "ns1: api.shop.example. 60 AAAA 2001:db8:122:344::192.0.2.33", "2001:db8:122:344::192.0.2.33", "no"},
		{"it is a record now", "ns1: api.shop.example. 60 AAAA 64:ff9b::192.0.2.33", "", "64:ff9b::192.0.2.33", "no"},
		{"an IPv4 address", published, "", "192.0.2.33", "no"},
		{"a mapped IPv4 address", published, "", "::ffff:192.0.2.33", "no"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var h History
			if c.before != "" {
				h = h.Remember([]Observation{at(t, -60e9, c.before)})
			}
			got := "no"
			if four, made := synthesised(look(t, c.seen), h.Of("api.shop.example"), netip.MustParseAddr(c.addr)); made && four.IsValid() {
				got = four.String()
			} else if made {
				got = "unknown"
			}
			if got != c.want {
				t.Errorf("made of %s, want %s", got, c.want)
			}
		})
	}
}
