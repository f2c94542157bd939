package dnscheck

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// A referral may only lead down, towards the name, with few servers, whose glue comes
// from inside the zone; and its servers are asked only at public addresses.
func FuzzReferral(f *testing.F) {
	q := question{name: "www.eu.shop.example.", qtype: dns.TypeSOA}
	down := func(m *dns.Msg) { m.Authoritative = false }
	for _, records := range [][]string{
		{"eu.shop.example. 60 NS ns1.eu.shop.example.", "eu.shop.example. 60 NS ns2.test."},
		{"shop.example. 60 NS ns1.shop.example."},
		{". 60 NS a.root."},
		{"us.shop.example. 60 NS ns1.shop.example."},
	} {
		f.Add(packetOf(f, q, down, records...))
		f.Add(packetOf(f, q, func(m *dns.Msg) {
			down(m)
			for _, glue := range []string{"ns1.eu.shop.example. 60 A 192.0.9.1", "ns1.eu.shop.example. 60 A 127.0.0.1", "ns2.test. 60 A 192.0.9.2", "ns1.eu.shop.example. 60 A 224.0.0.1"} {
				rr, err := dns.NewRR(glue)
				if err != nil {
					f.Fatal(err)
				}
				m.Extra = append(m.Extra, rr)
			}
		}, records...))
	}
	r := New(Settings{})
	f.Cleanup(r.Close)
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) < 2 {
			return
		}
		m, _ := open(packet, binary.BigEndian.Uint16(packet), q)
		if m == nil {
			return
		}
		d, ok := referral(fuzzedZone, q.name, m, 53)
		if !ok {
			return
		}
		if !strictlyBelow(fuzzedZone, d.zone) || !within(d.zone, q.name) || len(d.names) > nameLimit || d.fixed || bytesOf(d.zone, d) > mostKept {
			t.Errorf("referral to %+v", d)
		}
		for i, n := range d.names {
			if len(n.at) > glueLimit || len(n.at) > 0 && !within(fuzzedZone, n.host) {
				t.Errorf("glue of %s: %s", n.host, n.at)
			}
			// For IPv6 the system is asked for a way, which is slow.
			d.names[i].at = slices.DeleteFunc(n.at, func(at netip.AddrPort) bool { return !at.Addr().Is4() })
		}
		w := walk{r: r}
		servers, _ := w.split(d, d.names)
		for _, s := range servers {
			if a := s.Address.Addr(); r.space.Special(a) != "" || s.Address.Port() != 53 {
				t.Errorf("%s would be asked", s)
			}
		}
		if len(servers) > serverLimit {
			t.Errorf("%d servers", len(servers))
		}
	})
}
