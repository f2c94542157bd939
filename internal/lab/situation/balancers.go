package situation

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// balancers are name servers that make up their answers: load balancers with a DNS of their
// own, and parking.
func balancers() []Situation {
	only := func(types ...uint16) func(lab.Query) bool {
		return func(q lab.Query) bool {
			for _, t := range types {
				if q.Type == t {
					return false
				}
			}
			return true
		}
	}
	gslb := func(name, refs string, f lab.Fault) Situation {
		return Situation{
			Name: name, Refs: refs, Clients: Works,
			Zones:  []Zone{{Name: "www.shop.example.", At: []byte{21, 22}, Text: "@ 60 A 192.0.2.1"}},
			Faults: at(f, 21, 22),
		}
	}
	// parked has an answer for whatever it is asked, as if each name were a zone.
	parked := func(name string, last ...byte) Situation {
		return Situation{Name: name, Refs: "RFC 4592 §4.2; RFC 1034 §4.2.1", Shop: right, Faults: at(lab.ForName("www.shop.example.", func(q lab.Query, _ *dns.Msg) lab.Reply {
			m := new(dns.Msg).SetReply(q.Msg)
			m.Authoritative = true
			soa := section(q.Name + " 300 SOA ns1.shop.example. h. 1 2 3 4 60")
			switch q.Type {
			case dns.TypeA:
				m.Answer = section(q.Name + " 300 A 192.0.2.9")
			case dns.TypeNS:
				m.Answer = section(q.Name+" 300 NS ns1.shop.example.", q.Name+" 300 NS ns2.shop.example.")
			case dns.TypeSOA:
				m.Answer = soa
			default:
				m.Ns = soa
			}
			return lab.Send(m)
		}), last...)}
	}
	refuses := gslb("a balancer answers for addresses alone, and refuses all else", "RFC 8906 §3.1.4; RFC 1034 §4.2.1", lab.When(only(dns.TypeA, dns.TypeAAAA), lab.Refuse))
	silent := gslb("a balancer answers for addresses alone, and is silent to all else", "RFC 8906 §3.1.4; RFC 1034 §4.2.1", lab.When(only(dns.TypeA, dns.TypeAAAA), lab.Silent))
	denies := gslb("a balancer answers for A alone, and denies all else", "RFC 4074 §4.2; RFC 8020 §2", lab.When(only(dns.TypeA), lab.NXDomain))
	four := gslb("a balancer answers for A alone, and fails for all else", "RFC 4074 §4.3", lab.When(only(dns.TypeA), lab.ServFail))
	denies.Want = wants(degraded("ns1.www.shop.example", "NXDOMAIN in place of an empty answer"), degraded("ns2.www.shop.example", "NXDOMAIN in place of an empty answer"))
	denies = denies.seen(Works, Sometimes, "BIND keeps NXDOMAIN for the whole name, and then denies the A too")
	four.Want = wants(Want{Code: "dns/unresolvable", Severity: unknown, Subject: []string{"www.shop.example"}, Texts: []string{"answers the question for www.shop.example AAAA", "SERVFAIL"}})
	one := parked("one server has parked the zone, and gives its own address for every name", 12)
	all := parked("the zone is parked on all its servers", 11, 12, 13)
	one.Clients, all.Clients = Sometimes, Stale
	one.Want = wants(stale(old, "on 1 of 3 authoritative servers of shop.example"), disagree("192.0.2.9 on ns2"))
	all.Want = wants(stale(old), missing(warning, "192.0.2.1"))
	return []Situation{refuses, silent, denies, four, one, all}
}

// choices are addresses that servers choose from.
func choices() []Situation {
	return []Situation{
		{
			Name: "a CDN draws an address for each question, with TTL 0", Refs: "RFC 1794 §3; RFC 1035 §3.2.1",
			Shop:     "www 60 CNAME shop.cdn.test.",
			Zones:    []Zone{{Name: "cdn.test.", At: []byte{21, 22}, Text: "shop 0 A 192.0.2.1\nshop 0 A 192.0.2.2\nshop 0 A 192.0.2.3\nshop 0 A 192.0.2.4"}},
			Expected: ips("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"), Clients: Works, Want: wants(odd(info, "TTL 0")),
			Faults: func() map[byte]lab.Fault {
				faults := map[byte]lab.Fault{}
				for i, last := range []byte{21, 22} {
					faults[last] = turningAt("shop.cdn.test.", func(n int, m *dns.Msg) {
						n = (2*n + i) % len(m.Answer)
						m.Answer = m.Answer[n : n+1]
					})
				}
				return faults
			}(),
		},
		{
			Name: "the name was switched from one address of the balancer to the other", Refs: "RFC 1794 §3",
			Shop: right, Expected: ips("192.0.2.1", "192.0.2.2"), Later: &Edit{Set: "www 60 A 192.0.2.2"}, Clients: Works,
			Want: wants(missing(info, "192.0.2.1", "the name was switched to these from 192.0.2.1")),
		},
		{
			Name: "one of two addresses of the balancer was taken out", Refs: "RFC 1035 §3.4.1",
			Shop: right + "\nwww 60 A 192.0.2.2", Expected: ips("192.0.2.1", "192.0.2.2"), Later: &Edit{Set: right}, Clients: Works,
			Want: wants(missing(warning, "192.0.2.2", "published: 192.0.2.1")),
		},
	}
}

// serials are about how servers of one zone count.
func serials() []Situation {
	behind := func(name, refs, newer, older string, says ...string) Situation {
		return Situation{
			Name: name, Refs: refs, Clients: Sometimes,
			Shop: right + soa(newer), Alone: map[byte]Edit{12: {Set: "www 60 A 192.0.2.9" + soa(older)}},
			Want: wants(stale(old, "on 1 of 3 authoritative servers"), disagree(append(says, "192.0.2.9 on ns2")...)),
			Zone: wants(nonconformant(info, "", "different serials on its servers")),
		}
	}
	return []Situation{
		behind("one server is behind, and the serial has begun anew since", "RFC 1982 §3.2, §7", "1", "4294967295", "lags: it has serial 4294967295"),
		behind("one server is behind, and the serial is 0 by now", "RFC 1982 §3.2, §7", "0", "4294967295"),
		behind("two servers have serials of which none is the newer one", "RFC 1982 §3.2", "2147483649", "1"),
	}
}

// glue is about the addresses that a parent gives along.
func glue() []Situation {
	return []Situation{
		{
			Name: "the server is named in a zone beside, whose address the parent gives along", Refs: "RFC 9471 §2.2, §3.2", Clients: Works,
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns.host.example. 21"}, Text: right, Delegation: "shop NS ns.host\nns.host A {21}"},
				{Name: "host.example.", Servers: []string{"ns.host.example. 21"}, Delegation: "host NS ns.host\nns.host A {21}"},
			},
			Zone: wants(lonely()),
		},
		{
			Name: "two zones have their servers in each other, and the parent gives the addresses", Refs: "RFC 9471 §2.3, §3.2",
			Clients: Works, BIND: Fails, Note: "BIND 9.18 takes no address of a zone beside",
			Zones: []Zone{
				{Name: "shop.example.", Servers: []string{"ns.host.example. 21"}, Text: right + "\nns A {22}", Delegation: "shop NS ns.host\nns.host A {21}"},
				{Name: "host.example.", Servers: []string{"ns.shop.example. 22"}, Text: "ns A {21}", Delegation: "host NS ns.shop\nns.shop A {22}"},
			},
			Zone: wants(lonely()),
		},
		{
			Name: "the delegation is in capitals, and its records have a TTL of 0", Refs: "RFC 4343 §3; RFC 1034 §3.1", Clients: Works,
			Zones: []Zone{{Name: "shop.example.", At: []byte{11, 12}, Text: right, Delegation: "SHOP 0 NS NS1.Shop\nshop 0 NS nS2.shop\nNS1.SHOP 0 A {11}\nns2.shop 0 A {12}"}},
		},
		{
			Name: "the referral is too large for UDP", Refs: "RFC 9471 §3.1; RFC 7766 §5", Clients: Works,
			Zones: []Zone{{Name: "shop.example.", At: []byte{11, 12, 13}, Text: right + "\n@ NS ns1\n@ NS ns2\n@ NS ns3" + manyServers(15, ""), Delegation: three + manyServers(15, ".shop")}},
		},
	}
}

// manyServers are n more servers of shop.example with long names, at the addresses of the
// first three; zone is how it is named.
func manyServers(n int, zone string) string {
	text := ""
	for i := range n {
		name := strings.Repeat(string(rune('a'+i)), 60) + zone
		text += fmt.Sprintf("\n%s NS %s\n%s A {1%d}", cmp.Or(strings.TrimPrefix(zone, "."), "@"), name, name, 1+i%3)
	}
	return text
}
