package situation

import (
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

func draining(addr string, texts ...string) Want {
	return Want{Code: "dns/draining", Severity: info, Subject: []string{addr}, Texts: texts}
}

func withheld(addr string, texts ...string) Want {
	return Want{Code: "dns/draining", Severity: unknown, Subject: []string{addr}, Texts: append(texts, "may still publish")}
}

func cached(texts ...string) Want {
	return Want{Code: "dns/cached-stale", Severity: info, Texts: texts}
}

func resolver(severity string, texts ...string) Want {
	return Want{Code: "dns/resolver-degraded", Severity: severity, Texts: texts}
}

// caches are about what resolvers still hold after a change.
func caches() []Situation {
	const wrong = "www 3600 A 192.0.2.9"
	corrected := &Edit{Set: right}
	return []Situation{
		{
			Name: "the record was corrected a moment ago", Refs: "RFC 1034 §5.3.3",
			Shop: wrong, Later: corrected, After: 10 * time.Minute, Clients: Works, Note: "but not those whose resolver has read the old record",
			Want: wants(draining(old, "publishes 192.0.2.9 no more", "for another 50 min")),
		},
		{
			Name: "the record was corrected longer ago than its TTL", Refs: "RFC 1034 §5.3.3",
			Shop: wrong, Later: corrected, After: 61 * time.Minute, Clients: Works,
		},
		{
			Name: "the record was corrected, and a resolver still holds the old one", Refs: "RFC 1034 §5.3.3",
			Shop: wrong, Later: corrected, After: 10 * time.Minute, Recursive: &Recursive{}, Clients: Works,
			Want: wants(draining(old, "for another 50 min"), cached("still answers 192.0.2.9 for www.shop.example, for another 50 min")),
		},
		{
			Name: "the alias was corrected, and a resolver still follows the old one", Refs: "RFC 1034 §3.6.2, §5.3.3",
			Shop: "www 3600 CNAME old.lb.test.", Later: &Edit{Set: "www 3600 CNAME new.lb.test."}, After: 20 * time.Minute,
			Zones: lb("old 60 A 192.0.2.9\nnew 60 A 192.0.2.1"), Recursive: &Recursive{}, Clients: Works,
			Want: wants(draining(old, "for another 40 min"), cached("still answers 192.0.2.9")),
		},
		{
			Name: "the record was corrected on two servers of three", Refs: "RFC 1034 §4.3.5, §5.3.3",
			Shop: wrong, Later: corrected, After: 10 * time.Minute, Alone: map[byte]Edit{12: {Set: wrong}}, Clients: Sometimes,
			Want: wants(stale(old, "on 1 of 3 authoritative servers"), disagree("192.0.2.9 on ns2")),
		},
		{
			Name: "the alias was corrected, and one server has been silent since", Refs: "RFC 1034 §3.6.2, §4.3.5",
			Shop: "www 3600 CNAME old.lb.test.", Later: &Edit{Set: "www 3600 CNAME new.lb.test."}, After: 2 * time.Hour, Faults: at(lab.Silent, 12),
			Zones: lb("old 60 A 192.0.2.9\nnew 60 A 192.0.2.1"), Clients: Works,
			Want: wants(withheld(old, "no usable answer now from ns2"), degraded("ns2")),
		},
		{
			Name: "the record was created, and a resolver still denies it", Refs: "RFC 2308 §5",
			Shop: soa("1"), Later: corrected, After: time.Minute, Recursive: &Recursive{}, Clients: Works,
			Want: wants(
				Want{Code: "dns/draining", Severity: info, Subject: []string{"www.shop.example"}, Texts: []string{"www.shop.example has an address; caches may deny it for another 4 min"}},
				cached("still says that www.shop.example has no A record, for another 4 min")),
		},
		{
			Name: "the load balancer was replaced, and caches hold what authority publishes", Refs: "RFC 1034 §5.3.3",
			Shop: wrong, Recursive: &Recursive{}, Clients: Stale,
			Want: wants(stale(old), missing(warning, "192.0.2.1")),
		},
	}
}

// views are what resolvers say that are at odds with authority.
func views() []Situation {
	row := func(name, refs string, f lab.Fault, want ...Want) Situation {
		return Situation{Name: name, Refs: refs, Shop: right, Recursive: &Recursive{Fault: f}, Clients: Works, Want: want}
	}
	return []Situation{
		row("a resolver says what authority says", "RFC 1034 §5.3.3", nil),
		row("a resolver is silent", "RFC 1035 §7", lab.Silent, resolver(info, "no answer")),
		row("a resolver is not meant for us, and refuses", "RFC 8499 §6", lab.Refuse, resolver(info, "REFUSED")),
		row("a resolver offers no recursion", "RFC 1035 §4.1.1", lab.Lame, resolver(info, "offers no recursion")),
		row("a resolver fails though authority answers", "RFC 1035 §4.1.1", lab.ServFail, resolver(warning, "fails for www.shop.example")),
		row("a resolver's answers have a wrong ID", "RFC 5452 §9.1", lie(lab.WrongID), resolver(info, "wrong ID")),
		row("a validating resolver fails, and answers when it is not to validate", "RFC 4035 §3.2.2, §5.5; RFC 8914 §4.7",
			lab.Bogus("shop.example.", dns.ExtendedErrorCodeDNSKEYMissing), Want{Code: "dns/bogus", Severity: critical, Subject: []string{"www.shop.example"}, Texts: []string{"DNSSEC"}}),
		row("a resolver fails, and answers when it is not to validate, for a zone that is not signed", "RFC 4035 §5.2",
			lab.Bogus("shop.example."), resolver(warning, "fails for www.shop.example")),
		row("a resolver blocks the name", "RFC 8914 §4.16", forType(dns.TypeA, alter(func(m *dns.Msg) {
			m.Rcode, m.Ns, m.Answer = dns.RcodeSuccess, nil, section("www.shop.example. 3600 A 0.0.0.0")
		})), Want{Code: "dns/resolver-differs", Severity: warning, Subject: []string{"0.0.0.0"}, Texts: []string{"it filters"}}),
		row("a resolver makes IPv6 addresses for a network without IPv4", "RFC 6147 §5.1; RFC 6052 §2.1", forType(dns.TypeAAAA, alter(func(m *dns.Msg) {
			m.Rcode, m.Ns, m.Answer = dns.RcodeSuccess, nil, section("www.shop.example. 60 AAAA 64:ff9b::c000:201")
		}))),
		{
			Name: "all servers refuse, and a resolver fails for it", Refs: "RFC 1912 §2.8; RFC 8499 §7",
			Shop: right, Faults: everywhere(lab.Refuse), Recursive: &Recursive{}, Clients: Fails,
			Want: wants(unresolvable(critical, "REFUSED", "SERVFAIL from")),
		},
		{
			Name: "all servers are down, and a resolver still knows the old address", Refs: "RFC 8767 §5",
			Shop: "www 3600 A 192.0.2.9", Down: []byte{11, 12, 13}, Later: &Edit{}, After: time.Minute,
			Recursive: &Recursive{}, Clients: Fails,
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example", "UDP port closed")),
		},
	}
}
