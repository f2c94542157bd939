package dnscheck

import (
	"slices"
)

func conformanceCases() []zoneCase {
	return []zoneCase{
		{
			"a server without TCP",
			func(o *ZoneObservation) {
				o.Servers[1].TCP, o.Servers[1].TCPDetail = Unreachable, "TCP port closed"
			},
			[]string{"warning dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"does not answer over TCP: nothing listens on its DNS port (TCP port closed)", "open TCP port 53"},
		},
		{
			"no TCP anywhere may be our own firewall",
			func(o *ZoneObservation) {
				o.TCPLeaves = false
				o.Servers[0].TCP, o.Servers[1].TCP = Silent, Silent
			}, nil, nil,
		},
		{
			"a server that rejects EDNS, as it should",
			func(o *ZoneObservation) {
				o.Servers[1].EDNS, o.Servers[1].EDNSDetail = EDNSRejected, "FORMERR"
			},
			[]string{"info dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"does not know EDNS (FORMERR)"},
		},
		{
			"a server that drops EDNS does not serve resolvers",
			func(o *ZoneObservation) { o.Servers[1].EDNS = EDNSDropped },
			[]string{"warning dns/nameserver-degraded shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"only if it is asked without EDNS"},
		},
		{
			"a zone of which all servers drop EDNS is lost for resolvers",
			func(o *ZoneObservation) { o.Servers[0].EDNS, o.Servers[1].EDNS = EDNSDropped, EDNSDropped },
			[]string{
				"critical dns/nameserver-degraded shop.example ns1.shop.example (192.0.2.1) | at ns1.shop.example",
				"critical dns/nameserver-degraded shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example",
			}, nil,
		},
		{
			"two faults of one server are one finding, and the worse counts",
			func(o *ZoneObservation) {
				o.Servers[1].EDNS, o.Servers[1].EDNSDetail, o.Servers[1].TCP = EDNSRejected, "NOTIMP", Silent
			},
			[]string{"warning dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"does not answer over TCP: no answer, and does not know EDNS (NOTIMP)"},
		},
		{
			"where packets get lost nothing is said of a short silence, of TCP, EDNS and cookies",
			func(o *ZoneObservation) {
				third, fourth := o.Servers[1], o.Servers[1]
				o.Servers[0].Again, o.Servers[0].TCP = true, Silent
				o.fail(1, Silent, "no answer in 2 s")
				third.EDNS, fourth.DropsCookies = EDNSDropped, true
				o.Servers = append(o.Servers, third, fourth)
			},
			[]string{"info dns/packet-loss shop.example | at ns2.shop.example"},
			[]string{"no answer from ns2.shop.example (192.0.2.2) for NS, SOA"},
		},
		{
			"a long silence is the server's own",
			func(o *ZoneObservation) {
				o.Servers[0].Again = true
				o.fail(1, Silent, "no answer in 2 s")
				o.Servers[1].Unanswered = surelySilent
			},
			[]string{"warning dns/nameserver-degraded shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"}, nil,
		},
		{
			"a server that speaks over TCP alone",
			func(o *ZoneObservation) {
				o.fail(1, Silent, "no answer in 2 s")
				o.Servers[1].TCP = OK
			},
			[]string{"warning dns/nameserver-degraded shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"it answers over TCP", "take it out of the delegation"},
		},
		{
			"a lost packet of a server that answered for NS is no fault",
			func(o *ZoneObservation) { o.Servers[1].Outcome = Silent }, nil, nil,
		},
		{
			"a server that answers for SOA and not for NS",
			func(o *ZoneObservation) {
				o.Servers[1].NSOutcome, o.Servers[1].NS, o.Servers[1].NSDetail = Refused, nil, "REFUSED"
			},
			[]string{"info dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"}, nil,
		},
		{
			"a server's name that is an alias of a name without an address",
			func(o *ZoneObservation) {
				o.Names[1] = ServerName{Name: "ns2.shop.example", Missing: "no address was found for ns2.shop.example: it is an alias, and no address was found for web.shop.example: NXDOMAIN", Alias: "web.shop.example"}
				o.Servers = o.Servers[:1]
			},
			[]string{
				"warning dns/nameserver-degraded shop.example ns2.shop.example | at ns2.shop.example",
				"info dns/nonconformant shop.example | at ns1.shop.example",
			},
			[]string{"it is an alias, and no address was found for web.shop.example: NXDOMAIN", "one IPv4 address, 192.0.2.1"},
		},
		{
			"a server's name that is an alias in the zone, behind glue",
			func(o *ZoneObservation) {
				o.Names[1].Alias = "web.shop.example"
				for i := range o.Names[1].Own {
					o.Names[1].Own[i].Outcome, o.Names[1].Own[i].Target = Alias, "web.shop.example"
				}
			},
			[]string{"warning dns/nonconformant shop.example ns2.shop.example | at ns2.shop.example"},
			[]string{"is an alias of web.shop.example", "Unbound follows the alias, BIND does not use such a server"},
		},
		{
			"a server that rejects cookies, and knows EDNS",
			func(o *ZoneObservation) {
				o.Servers[1].EDNS, o.Servers[1].EDNSDetail = EDNSRejected, cookieRejected
			},
			[]string{"warning dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"answers FORMERR to a question with a DNS cookie", "BIND sends a cookie each time and does not ask again"},
		},
		{
			"a server that drops cookies",
			func(o *ZoneObservation) { o.Servers[1].DropsCookies = true },
			[]string{"warning dns/nonconformant shop.example ns2.shop.example (192.0.2.2) | at ns2.shop.example"},
			[]string{"silent to questions with a DNS cookie", "BIND sends a cookie each time"},
		},
		{
			"a server's name that does not exist",
			func(o *ZoneObservation) {
				o.Names = append(o.Names, ServerName{Name: "ns3.gone.example", Missing: "no address was found for ns3.gone.example: NXDOMAIN"})
				o.hand(func(h *Handed) { h.NS = append(slices.Clone(h.NS), "ns3.gone.example") })
				for i := range o.Servers {
					o.Servers[i].NS = o.Handed[0].NS
				}
			},
			[]string{"warning dns/nameserver-degraded shop.example ns3.gone.example | at ns3.gone.example"},
			[]string{"no address was found for ns3.gone.example: NXDOMAIN", "out of the delegation (at the registrar, or in the zone example) and out of the zone's NS records"},
		},
		{
			"NS records that differ at one serial stay different",
			func(o *ZoneObservation) {
				o.Servers[1].NS = []string{"ns1.shop.example", "ns2.shop.example", "ns3.shop.example"}
			},
			[]string{"warning dns/nonconformant shop.example | at ns1.shop.example ns2.shop.example"},
			[]string{"has different NS records on its servers"},
		},
		{
			"NS records that differ with the serial may be on their way",
			func(o *ZoneObservation) {
				o.Servers[1].NS = []string{"ns1.shop.example", "ns2.shop.example", "ns3.shop.example"}
				o.Servers[1].Serial = 8
			},
			[]string{"info dns/nonconformant shop.example | at ns1.shop.example ns2.shop.example"},
			[]string{"7 on ns1.shop.example (192.0.2.1); 8 on ns2.shop.example"},
		},
		{
			"serials of different primaries do not compare, and explain no NS records that differ",
			func(o *ZoneObservation) {
				o.Servers[1].NS = []string{"ns1.shop.example", "ns2.shop.example", "ns3.shop.example"}
				o.Servers[0].Primary, o.Servers[1].Primary, o.Servers[1].Serial = "ns1.a.test", "ns1.b.test", 8
			},
			[]string{"warning dns/nonconformant shop.example | at ns1.shop.example ns2.shop.example"},
			[]string{"copies of the zone that are kept apart", "give each of them the NS records of all"},
		},
		{
			"two providers with serials of their own are well",
			func(o *ZoneObservation) {
				o.Servers[0].Primary, o.Servers[1].Primary, o.Servers[1].Serial = "ns1.a.test", "ns1.b.test", 8
			}, nil, nil,
		},
		{
			"silence to the question for NS records proves nothing",
			func(o *ZoneObservation) { o.Servers[1].NSOutcome, o.Servers[1].NS = Silent, nil }, nil, nil,
		},
		{
			"a server that was seen to take EDNS keeps the zone",
			func(o *ZoneObservation) {
				o.Servers[0].EDNS = EDNSDropped
				o.Servers[1] = ZoneServer{Server: o.Servers[1].Server, EDNS: EDNSOK}
			},
			[]string{"warning dns/nameserver-degraded shop.example ns1.shop.example (192.0.2.1) | at ns1.shop.example"}, nil,
		},
		{
			"serials that differ are only worth knowing",
			func(o *ZoneObservation) { o.Servers[1].Serial = 8 },
			[]string{"info dns/nonconformant shop.example | at ns1.shop.example ns2.shop.example"}, nil,
		},
		{
			"all servers at one address are one server",
			func(o *ZoneObservation) {
				o.Servers = o.Servers[:1]
				o.hand(func(h *Handed) { h.Glue[1].Addresses = ips("192.0.2.1") })
				for i := range o.Names[1].Own {
					if a := &o.Names[1].Own[i]; a.Type == A {
						a.Addresses = ips("192.0.2.1")
					}
				}
			},
			[]string{"info dns/nonconformant shop.example | at ns1.shop.example"},
			[]string{"has all its name servers at one IPv4 address, 192.0.2.1"},
		},
		{
			"a look that was cut short does not count servers",
			func(o *ZoneObservation) {
				o.Servers = o.Servers[:1]
				o.Cut = "time ran out"
			}, nil, nil,
		},
	}
}
