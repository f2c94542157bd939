package situation

import (
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// silence are servers that cannot be heard.
func silence() []Situation {
	return []Situation{
		{
			Name: "one server of three is silent", Refs: "RFC 2182 §3; Zonemaster CONNECTIVITY01",
			Shop: right, Faults: at(lab.Silent, 12), Clients: Works,
			Want: wants(degraded("ns2.shop.example", "no answer")),
		},
		{
			Name: "all servers are silent", Refs: "RFC 2182 §3; Zonemaster BASIC02",
			Shop: right, Faults: everywhere(lab.Silent), Clients: Fails,
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example: no answer")),
		},
		{
			Name: "one server of three is down", Refs: "RFC 2182 §3; Zonemaster CONNECTIVITY01",
			Shop: right, Down: []byte{13}, Clients: Works,
			Want: wants(degraded("ns3.shop.example", "UDP port closed")),
		},
		{
			Name: "all servers are down", Refs: "RFC 2182 §3.3; Zonemaster BASIC02",
			Shop: right, Down: []byte{11, 12, 13}, Clients: Fails,
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example", "UDP port closed")),
		},
		{
			Name: "one server is down and another has a stale record", Refs: "RFC 1034 §4.3.5",
			Shop: right, Down: []byte{11}, Alone: map[byte]Edit{12: {Set: "www 60 A 192.0.2.9"}}, Clients: Sometimes,
			Want: wants(stale(old, "on 1 of 3 authoritative servers"), degraded("ns1"), disagree("192.0.2.9 on ns2")),
		},
		{
			Name: "a server is slow and right", Refs: "RFC 1035 §7.2",
			Shop: right, Faults: at(lab.Slow(200*time.Millisecond), 12), Clients: Works,
		},
		{
			Name: "a server answers the second question", Refs: "RFC 1035 §7.2",
			Shop: right, Faults: at(lossOfFirst(), 11), Clients: Works,
		},
		{
			Name: "the servers of the top-level domain are down", Refs: "RFC 2182 §3",
			Shop: right, Down: []byte{2}, Clients: Fails,
			Want: wants(unresolvable(unknown, "no server of the zone example gave a usable answer", "UDP port closed")),
		},
		{
			Name: "the root is silent", Refs: "RFC 2870 §2",
			Shop: right, Faults: at(lab.Silent, 1), Clients: Fails,
			Want: wants(unresolvable(unknown, "no server of the zone . gave a usable answer")),
		},
		{
			Name: "all servers have IPv6 alone", Refs: "RFC 3901 §4",
			Zones: []Zone{{Name: "shop.example.", At: []byte{11}, Text: right, Delegation: "shop NS ns.shop\nns.shop AAAA fe80::1"}},
			Want:  wants(unresolvable(unknown, "there is no IPv6 here")), Clients: Fails,
			Note: "for those behind resolvers without IPv6",
		},
	}
}

// refusals are servers that answer with an error.
func refusals() []Situation {
	const one = 12
	row := func(name, refs string, fault lab.Fault, text string) Situation {
		return Situation{Name: name, Refs: refs, Shop: right, Faults: at(fault, one), Clients: Works, Want: wants(degraded("ns2.shop.example", text))}
	}
	all := func(name, refs string, fault lab.Fault, text string) Situation {
		return Situation{Name: name, Refs: refs, Shop: right, Faults: everywhere(fault), Clients: Fails,
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example", text))}
	}
	return []Situation{
		row("one server answers SERVFAIL", "RFC 1035 §4.1.1; RFC 8906 §3", lab.ServFail, "SERVFAIL"),
		row("one server answers NOTIMP to everything", "RFC 1035 §4.1.1", rcode(dns.RcodeNotImplemented), "NOTIMP"),
		row("one server answers FORMERR to everything", "RFC 1035 §4.1.1", rcode(dns.RcodeFormatError), "FORMERR"),
		row("one server answers NOTAUTH", "RFC 2136 §2.2; RFC 8906 §3", rcode(dns.RcodeNotAuth), "NOTAUTH"),
		row("one server answers with a code that nobody has defined", "RFC 6895 §2.3", rcode(13), "RCODE 13"),
		all("all servers answer SERVFAIL", "RFC 1035 §4.1.1; Zonemaster BASIC02", lab.ServFail, "SERVFAIL"),
		all("the zone's provider has dropped it, and refuses everywhere", "RFC 1912 §2.8; RFC 8499 §7; Zonemaster DELEGATION04", lab.Refuse, "REFUSED"),
		{
			Name: "one server does not have the zone that is delegated to it, and refuses", Refs: "RFC 1912 §2.8; RFC 8499 §7; Zonemaster DELEGATION04",
			Shop: right, Empty: []byte{11}, Clients: Works,
			Want: wants(degraded("ns1.shop.example", "REFUSED")),
		},
	}
}

// partial are servers that answer some questions and not others, as load balancers
// with a DNS of their own are known to.
func partial() []Situation {
	const every = 3
	return []Situation{
		{
			Name: "servers leave questions for AAAA unanswered", Refs: "RFC 4074 §4.1; Zonemaster NAMESERVER05",
			Shop: right, Faults: everywhere(forType(dns.TypeAAAA, lab.Silent)), Clients: Works,
			Want: wants(Want{Code: "dns/unresolvable", Severity: unknown, Subject: []string{"www.shop.example"}, Texts: []string{"no authoritative server of shop.example answers the question for www.shop.example AAAA", "3 of 3", "no answer"}}),
		},
		{
			Name: "each server leaves another question unanswered", Refs: "RFC 1035 §4.2.1",
			Shop: right, Clients: Works,
			Faults: map[byte]lab.Fault{11: forType(dns.TypeA, lab.Silent), 12: forType(dns.TypeAAAA, lab.Silent), 13: forType(dns.TypeA, lab.Silent)},
			Want:   wants(Want{Code: "dns/packet-loss", Severity: info, Subject: []string{"shop.example"}, Texts: []string{"packets between here and the name servers of shop.example get lost"}}),
		},
		{
			Name: "servers answer NOTIMP to questions for AAAA", Refs: "RFC 4074 §4.3; Zonemaster NAMESERVER05",
			Shop: right, Faults: everywhere(forType(dns.TypeAAAA, rcode(dns.RcodeNotImplemented))), Clients: Works,
			Want: wants(Want{Code: "dns/unresolvable", Severity: unknown, Subject: []string{"www.shop.example"}, Texts: []string{"answers the question for www.shop.example AAAA", "3 of 3", "NOTIMP"}}),
		},
		{
			Name: "servers answer questions for AAAA with NXDOMAIN, though there is an A", Refs: "RFC 4074 §4.2; RFC 8020 §2; Zonemaster NAMESERVER05",
			Shop: right, Faults: everywhere(forType(dns.TypeAAAA, alter(func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }))), Clients: Works, BIND: Sometimes,
			Note: "BIND keeps NXDOMAIN for the whole name, and then denies the A too",
			Want: wants(Want{Code: "dns/nameserver-degraded", Severity: warning, Texts: []string{"NXDOMAIN in place of an empty answer", "for AAAA"}}.Times(every)),
		},
		{
			Name: "servers answer questions for AAAA with an A", Refs: "RFC 4074 §4.4; Zonemaster NAMESERVER05",
			Shop: right, Faults: everywhere(forType(dns.TypeAAAA, alter(func(m *dns.Msg) {
				m.Ns, m.Answer = nil, section("www.shop.example. 60 A 192.0.2.1")
			}))), Clients: Works,
		},
	}
}

// authority are servers that speak, but not as an authority for the zone.
func authority() []Situation {
	rows := []Situation{
		{
			Name: "one server gives the right answer without AA", Refs: "RFC 1035 §4.1.1; Zonemaster DELEGATION04", Clients: Works,
			Faults: at(lab.NotAuthoritative, 12), Want: wants(degraded("ns2.shop.example", "answers without AA")),
		},
		{
			Name: "all servers give the right answer without AA", Refs: "RFC 1035 §4.1.1; Zonemaster DELEGATION04", Clients: Works,
			Faults: everywhere(lab.NotAuthoritative), Note: "Unbound and BIND believe it",
			Want: wants(unresolvable(unknown, "3 of 3 servers of shop.example", "answers without AA")),
		},
		{
			Name: "one server is a resolver that answers from its cache, and is behind", Refs: "RFC 1035 §4.1.1; Zonemaster NAMESERVER01", Clients: Sometimes,
			Faults: at(lie(lab.NotAuthoritative), 12), Note: "Unbound and BIND believe it",
			Want: wants(degraded("ns2.shop.example", "answers without AA")),
		},
		{
			Name: "one server refers upwards to the root", Refs: "RFC 1034 §4.3.2; Zonemaster NAMESERVER07", Clients: Works,
			Faults: at(lab.Lame, 12), Want: wants(degraded("ns2.shop.example", "not authoritative: refers to the servers of .")),
		},
		{
			Name: "one server refers sideways to the servers of the zone itself", Refs: "RFC 1034 §4.3.2; RFC 8499 §7", Clients: Sometimes, BIND: Works, Note: "Unbound takes it for no data",
			Faults: at(alter(func(m *dns.Msg) {
				m.Authoritative, m.Answer, m.Ns = false, nil, section("shop.example. 60 NS ns1.shop.example.")
			}), 12), Want: wants(degraded("ns2.shop.example", "not authoritative: refers to the servers of shop.example")),
		},
		{
			Name: "one server has delegated the name to a zone of its own", Refs: "RFC 1034 §4.2.1", Clients: Sometimes,
			Faults: at(alter(func(m *dns.Msg) {
				m.Authoritative, m.Answer, m.Ns = false, nil, section("www.shop.example. 60 NS ns.gone.test.")
			}), 12), Note: "a resolver that meets the referral follows it to the end",
			Want: wants(degraded("ns2.shop.example", "refers to the servers of www.shop.example")),
		},
		{
			Name: "one server was set up for the parent zone, and denies", Refs: "RFC 2308 §2; Zonemaster DELEGATION06", Clients: Sometimes, Note: "Unbound and BIND believe it",
			Faults: at(alter(func(m *dns.Msg) {
				m.Answer, m.Ns = nil, section("example. 60 SOA a.nic.example. h. 1 2 3 4 60")
				m.Rcode = dns.RcodeNameError
			}), 12), Want: wants(degraded("ns2.shop.example", "answers for the zone example")),
		},
		{
			Name: "one server denies every name with AA, and names no zone", Refs: "RFC 2308 §2.1, §5", Clients: Sometimes,
			Faults: at(lab.NXDomain, 12), Want: wants(disagree("NXDOMAIN on ns2", "192.0.2.1 on ns1")),
		},
		{
			Name: "all servers deny every name with AA, and name no zone", Refs: "RFC 2308 §2.1, §5", Clients: Fails,
			Faults: everywhere(lab.NXDomain), Want: wants(absent("www.shop.example does not exist (NXDOMAIN)")),
			Zone: wants(Want{Code: "dns/delegation-mismatch", Severity: warning, Texts: []string{"the zone shop.example has none"}}.Times(3)),
		},
	}
	for i := range rows {
		rows[i].Shop = right
	}
	return rows
}
