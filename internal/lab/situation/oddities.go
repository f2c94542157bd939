package situation

import (
	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// oddities are answers of which resolvers make the best, though nobody would write them.
func oddities() []Situation {
	row := func(name, refs, shop string, fault lab.Fault) Situation {
		return Situation{Name: name, Refs: refs, Shop: shop, Faults: everywhere(fault), Clients: Works}
	}
	authority := func(records ...string) lab.Fault {
		return forType(dns.TypeAAAA, alter(func(m *dns.Msg) { m.Ns = section(records...) }))
	}
	rows := []Situation{
		row("denials come with the zone's NS records, and without an SOA", "RFC 2308 §2.2", right, authority("shop.example. 60 NS ns1.shop.example.")),
		row("denials come with the zone's SOA and NS records", "RFC 2308 §2.2 (type 1)", right,
			authority("shop.example. 60 SOA ns1.shop.example. h. 1 2 3 4 60", "shop.example. 60 NS ns1.shop.example.")),
		row("an alias in the zone comes behind the address that it leads to", "RFC 1034 §3.7; RFC 2181 §5", "www 60 CNAME web\nweb 60 A 192.0.2.1",
			alter(func(m *dns.Msg) {
				if n := len(m.Answer); n == 2 {
					m.Answer[0], m.Answer[1] = m.Answer[1], m.Answer[0]
				}
			})),
		row("answers hold signatures that nobody asked for", "RFC 4035 §3.1; RFC 3225 §3", right, alter(func(m *dns.Msg) {
			if len(m.Answer) > 0 {
				m.Answer = append(m.Answer, record("www.shop.example. 60 RRSIG A 13 3 60 20380101000000 20260101000000 1 shop.example. AAAA"))
			}
		})),
		row("answers have the reserved bit and that of authentic data set", "RFC 1035 §4.1.1; RFC 4035 §3.1.6", right, alter(func(m *dns.Msg) { m.Zero, m.AuthenticatedData, m.RecursionAvailable = true, true, true })),
		row("answers send the OPT record back as it came", "RFC 6891 §6.1.1; RFC 7873 §5.2; RFC 8906 §3.2", right, func(q lab.Query, truth *dns.Msg) lab.Reply {
			if opt := q.Msg.IsEdns0(); opt != nil && truth.IsEdns0() != nil {
				truth.IsEdns0().Option = opt.Option
			}
			return lab.Send(truth)
		}),
		row("answers are of EDNS version 1", "RFC 6891 §6.1.3; Zonemaster NAMESERVER10", right, changeOPT(func(o *dns.OPT) { o.SetVersion(1) })),
		row("answers say for which part of the Internet they hold", "RFC 7871 §7.2.1", right, options(&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, SourceScope: 24, Address: []byte{192, 0, 2, 0}})),
		row("a name below another has an address, and the one between is denied", "RFC 8020 §2; RFC 9156 §2.3", "www.eu 60 A 192.0.2.1",
			lab.When(func(q lab.Query) bool { return q.Name == "eu.shop.example." }, denyAll)),
		row("names without the type have an SOA of their own", "RFC 2308 §2.2; RFC 2181 §6.1", right, authority("www.shop.example. 60 SOA ns1.shop.example. h. 1 2 3 4 60")),
	}
	rows[8].Host = "www.eu.shop.example"
	return rows
}

// coverings are wildcards and DNAME records that give aliases.
func coverings() []Situation {
	return []Situation{
		{
			Name: "a wildcard is an alias, and right at its end", Refs: "RFC 4592 §3.3.3, §4.2",
			Shop: "* 60 CNAME web\nweb 60 A 192.0.2.1", Clients: Works,
		},
		{
			Name: "a wildcard is an alias that it covers itself", Refs: "RFC 4592 §3.3.3; RFC 1034 §5.2.2",
			Shop: "* 60 CNAME gone", Clients: Fails,
			Want: wants(unresolvable(critical, "its aliases lead in a circle", "let *.shop.example CNAME gone.shop.example lead to a name")),
		},
		{
			Name: "the whole zone below its apex is redirected by DNAME to a stale record", Refs: "RFC 6672 §2.3",
			Shop: "@ 60 DNAME lb.test.", Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns.host.test. 11"}, Text: "@ 60 DNAME lb.test.", Delegation: "shop NS ns.host.test."},
				{Name: "host.test.", At: []byte{22}, Text: "ns A {11}"},
				{Name: "lb.test.", At: []byte{21}, Text: "www 60 A 192.0.2.9"},
			}, Clients: Stale,
			Want: wants(stale(old, "set www.lb.test A 192.0.2.1 (zone lb.test)"), missing(warning, "192.0.2.1")),
			Zone: wants(lonely()),
		},
		{
			Name: "a DNAME leads to a branch below itself", Refs: "RFC 6672 §2.2, §3.2; RFC 1034 §5.2.2",
			Shop: "eu 60 DNAME x.eu", Host: "www.eu.shop.example", Clients: Fails,
			Want: wants(unresolvable(critical, "let eu.shop.example DNAME x.eu.shop.example lead to a name that this record does not cover itself")),
		},
		{
			Name: "a DNAME of an hour gives aliases of 0 s, as old servers do", Refs: "RFC 6672 §3.1, Appendix A",
			Shop: "eu 3600 DNAME lb.test.", Zones: lb("www 60 A 192.0.2.1"), Host: "www.eu.shop.example", MaxTTL: 300e9, Clients: Works,
			Faults: everywhere(lab.ForName("www.eu.shop.example.", alter(func(m *dns.Msg) {
				if len(m.Answer) > 1 {
					m.Answer[1].Header().Ttl = 0
				}
			}))),
			Want: wants(exposed("eu.shop.example DNAME with TTL 3600 s")),
		},
		{
			Name: "one server makes another alias than its DNAME says", Refs: "RFC 6672 §3.2",
			Shop: "eu 60 DNAME lb.test.", Zones: lb("www 60 A 192.0.2.1\nother 60 A 192.0.2.9"), Host: "www.eu.shop.example", Clients: Works,
			Faults: at(lab.ForName("www.eu.shop.example.", alter(func(m *dns.Msg) {
				m.Answer = append(m.Answer[:1], record("www.eu.shop.example. 60 CNAME other.lb.test."))
			})), 12),
			Want: wants(degraded("ns2", "an alias other than the one that its DNAME record makes")),
		},
	}
}

// extremes are values at the end of what is allowed, or behind it.
func extremes() []Situation {
	return []Situation{
		{
			Name: "a denial may not be kept at all", Refs: "RFC 2308 §5, §7",
			Shop: "@ 300 SOA ns1 hostmaster 1 7200 900 1209600 0", Clients: Fails,
			Want: wants(absent("www.shop.example does not exist (NXDOMAIN)", "for up to 0 s")),
		},
		{
			Name: "the AAAA record holds an IPv4 address", Refs: "RFC 4291 §2.5.5.2; RFC 6890",
			Shop: right + "\nwww 60 AAAA ::ffff:192.0.2.1", Public: true, Clients: Stale,
			Want: wants(stale("::ffff:192.0.2.1", "delete www.shop.example AAAA ::ffff:192.0.2.1")),
		},
		{
			Name: "a public name has the address of a group", Refs: "RFC 5771 §4; RFC 6890",
			Shop: "www 60 A 233.252.0.1", Unmapped: true, Public: true, Clients: Works,
			Note: "the address is given, and leads nowhere",
			Want: wants(special("233.252.0.1", "multicast")),
		},
		{
			Name: "the host is a top-level domain", Refs: "RFC 7085 §1; RFC 1034 §4.2.1",
			Zones: []Zone{{Name: "test.", Servers: []string{"a.nic.test. 3"}, Text: "@ 60 A 192.0.2.9"}}, Host: "test", Clients: Stale,
			Want: wants(stale(old, "set test A 192.0.2.1 (zone test)"), missing(warning, "192.0.2.1")),
			Zone: wants(lonely()),
		},
	}
}

// halves are servers of which a part of what they say holds.
func halves() []Situation {
	cookie := func(q lab.Query) bool { return cookieOf(q) != "" }
	return []Situation{
		{
			Name: "a balancer's servers hold the zone above, and say so when they have nothing", Refs: "RFC 2308 §2.2; RFC 1034 §4.2.1",
			Zones: []Zone{{Name: "www.shop.example.", At: []byte{21, 22}, Text: "@ 60 A 192.0.2.1"}}, Clients: Works,
			Faults: at(alter(func(m *dns.Msg) {
				if len(m.Answer) == 0 {
					m.Ns = section("shop.example. 60 SOA ns1.shop.example. h. 1 2 3 4 60")
				}
			}), 21, 22),
		},
		{
			Name: "servers give an alias to who asks for A, and nothing to who asks for AAAA", Refs: "RFC 1034 §3.6.2; RFC 4074 §4",
			Shop: "www 60 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.1"), Clients: Works,
			Faults: everywhere(lab.ForName("www.shop.example.", forType(dns.TypeAAAA, alter(func(m *dns.Msg) {
				m.Answer, m.Ns = nil, section("shop.example. 60 SOA ns1.shop.example. h. 1 2 3 4 60")
			})))),
		},
		{
			Name: "an alias leads to a name with a dot inside a label", Refs: "RFC 1035 §5.1; RFC 2181 §11",
			Shop: `www 60 CNAME a\.b.lb.test.`, Zones: lb(`a\.b 60 A 192.0.2.9`), Clients: Stale,
			Want: wants(stale(old, `set a\.b.lb.test A 192.0.2.1 (zone lb.test)`), missing(warning, "192.0.2.1")),
		},
		{
			Name: "servers know EDNS, and say FORMERR to a cookie", Refs: "RFC 7873 §5.2.2; RFC 6891 §6.1.2; RFC 8906 §3.2",
			Shop: right, Clients: Works, BIND: Fails, Note: "BIND sends a cookie each time, and asks again only after FORMERR without EDNS",
			Faults: everywhere(lab.When(cookie, func(q lab.Query, _ *dns.Msg) lab.Reply {
				m := new(dns.Msg).SetRcode(q.Msg, dns.RcodeFormatError)
				return lab.Send(m.SetEdns0(1232, false))
			})),
			Zone: wants(nonconformant(warning, "", "answers FORMERR to a question with a DNS cookie").Times(3)),
		},
		{
			Name: "the delegation names the root where a server belongs", Refs: "RFC 1035 §3.3.11; RFC 7505 §3", Clients: Fails,
			Zones: []Zone{{Name: "shop.example.", Servers: []string{"ns.shop.example. 11"}, Text: right, Delegation: "shop NS ."}},
			Want:  wants(unresolvable(unknown)),
		},
		{
			Name: "the name does not exist, and a resolver makes up an address", Refs: "RFC 8020 §2; RFC 2308 §5",
			Recursive: &Recursive{Fault: forType(dns.TypeA, alter(func(m *dns.Msg) {
				m.Rcode, m.Ns, m.Answer = dns.RcodeSuccess, nil, section("www.shop.example. 60 A 192.0.2.66")
			}))}, Clients: Fails,
			Want: wants(absent("www.shop.example does not exist (NXDOMAIN)"), cached(forged)),
		},
		{
			Name: "a resolver keeps what it reads for longer than the TTL", Refs: "RFC 2181 §5.2; Unbound cache-min-ttl",
			Shop: right, Clients: Works, Recursive: &Recursive{Fault: alter(func(m *dns.Msg) {
				for _, rr := range m.Answer {
					rr.Header().Ttl = 3600
				}
			})},
		},
	}
}

func denyAll(q lab.Query, _ *dns.Msg) lab.Reply {
	m := new(dns.Msg).SetRcode(q.Msg, dns.RcodeNameError)
	m.Authoritative = true
	m.Ns = section("shop.example. 60 SOA ns1.shop.example. h. 1 2 3 4 60")
	return lab.Send(m)
}
