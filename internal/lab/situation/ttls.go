package situation

import (
	"time"

	"github.com/miekg/dns"

	"driftprobe/internal/lab"
)

// ttls are about how long caches keep what they have read.
func ttls() []Situation {
	const limit = 5 * time.Minute
	return []Situation{
		{
			Name: "the TTL is at the operator's limit", Refs: "RFC 1035 §3.2.1",
			Shop: "www 300 A 192.0.2.1", MaxTTL: limit, Clients: Works,
		},
		{
			Name: "the TTL is over the operator's limit", Refs: "RFC 1035 §3.2.1",
			Shop: "www 3600 A 192.0.2.1", MaxTTL: limit, Clients: Works,
			Want: wants(exposed("www.shop.example A with TTL 3600 s", "up to 60 min", "lower the TTL of www.shop.example A in zone shop.example to 300")),
		},
		{
			Name: "the TTL of an alias is over the operator's limit", Refs: "RFC 1035 §3.2.1; RFC 1034 §3.6.2",
			Shop: "www 86400 CNAME pool.lb.test.", Zones: lb("pool 60 A 192.0.2.1"), MaxTTL: limit, Clients: Works,
			Want: wants(exposed("www.shop.example CNAME with TTL 86400 s", "in zone shop.example")),
		},
		{
			Name: "the TTL of the record behind an alias is over the operator's limit", Refs: "RFC 1035 §3.2.1; RFC 1034 §3.6.2",
			Shop: "www 60 CNAME pool.lb.test.", Zones: lb("pool 7200 A 192.0.2.1"), MaxTTL: limit, Clients: Works,
			Want: wants(exposed("pool.lb.test A with TTL 7200 s", "in zone lb.test")),
		},
		{
			Name: "the TTL of a wildcard is over the operator's limit", Refs: "RFC 4592 §2.2.1; RFC 1035 §3.2.1",
			Shop: "* 7200 A 192.0.2.1", MaxTTL: limit, Clients: Works,
			Want: wants(exposed("*.shop.example A with TTL 7200 s")),
		},
		{
			Name: "the TTL is over the operator's limit on one server", Refs: "RFC 2181 §5.2; RFC 1035 §3.2.1",
			Shop: right, Alone: map[byte]Edit{12: {Set: "www 86400 A 192.0.2.1"}}, MaxTTL: limit, Clients: Works,
			Want: wants(exposed("www.shop.example A with TTL 86400 s")),
		},
		{
			Name: "a stale record has a long TTL", Refs: "RFC 1035 §3.2.1",
			Shop: "www 86400 A 192.0.2.9", MaxTTL: limit, Clients: Stale,
			Want: wants(stale(old), missing(warning, "192.0.2.1")),
		},
	}
}

func odd(severity string, texts ...string) Want {
	return Want{Code: "dns/odd-ttl", Severity: severity, Texts: texts}
}

// oddTTLs are TTLs that mean something else than they say.
func oddTTLs() []Situation {
	ttl := func(ttls ...uint32) lab.Fault {
		return alter(func(m *dns.Msg) {
			for i, rr := range m.Answer {
				rr.Header().Ttl = ttls[i%len(ttls)]
			}
		})
	}
	const limit = 5 * time.Minute
	return []Situation{
		{
			Name: "the TTL is 0", Refs: "RFC 1035 §3.2.1; RFC 2181 §8",
			Shop: "www 0 A 192.0.2.1", Clients: Works, Want: wants(odd(info, "TTL 0")),
		},
		{
			Name: "the TTL has the top bit set", Refs: "RFC 2181 §8; RFC 8767 §4",
			Shop: right, Faults: everywhere(ttl(1<<31 + 60)), MaxTTL: limit, Clients: Works, Want: wants(odd(warning, "the top bit of the TTL set")),
		},
		{
			Name: "the TTL is 68 years", Refs: "RFC 2181 §8; RFC 8767 §4; Unbound cache-max-ttl; BIND max-cache-ttl",
			Shop: "www 2147483647 A 192.0.2.1", MaxTTL: limit, Clients: Works, Want: wants(odd(warning, "TTL 2147483647 s")),
		},
		{
			Name: "a stale record has a TTL of 68 years", Refs: "RFC 2181 §8; RFC 8767 §4",
			Shop: "www 2147483647 A 192.0.2.9", Clients: Stale,
			Want: wants(stale(old), missing(warning, "192.0.2.1"), odd(info, "TTL 2147483647 s")),
		},
		{
			Name: "the records of one set have different TTLs", Refs: "RFC 2181 §5.2",
			Shop: right + "\nwww 60 A 192.0.2.2", Expected: ips("192.0.2.1", "192.0.2.2"), Faults: everywhere(ttl(60, 3600)), Clients: Works,
			Want: wants(odd(info, "different TTLs in one set, from 60 to 3600 s")),
		},
	}
}

// denials are names that the zone, or a zone above, says do not exist.
func denials() []Situation {
	return []Situation{
		{
			Name: "the name does not exist", Refs: "RFC 2308 §2.1",
			Clients: Fails, Want: wants(absent("www.shop.example does not exist (NXDOMAIN)", "on 3 of 3 authoritative servers", "up to 5 min")),
		},
		{
			Name: "the denial is kept for the SOA's minimum, which is less than its TTL", Refs: "RFC 2308 §5",
			Shop: "@ 7200 SOA ns1 hostmaster 1 7200 900 1209600 120", Clients: Fails, Want: wants(absent("for up to 2 min")),
		},
		{
			Name: "the denial is kept for the SOA's TTL, which is less than its minimum", Refs: "RFC 2308 §5",
			Shop: "@ 180 SOA ns1 hostmaster 1 7200 900 1209600 86400", Clients: Fails, Want: wants(absent("for up to 3 min")),
		},
		{
			Name: "the denial is kept for two days", Refs: "RFC 2308 §5; Zonemaster ZONE06",
			Shop: "@ 172800 SOA ns1 hostmaster 1 7200 900 1209600 172800", Clients: Fails, Want: wants(absent("for up to 2 days")),
		},
		{
			Name: "the name was taken away on one server alone", Refs: "RFC 1034 §4.3.5",
			Shop: right, Alone: map[byte]Edit{13: {Remove: []string{"www.shop.example."}}}, Clients: Sometimes,
			Want: wants(disagree("NXDOMAIN on ns3", "192.0.2.1 on ns1")),
		},
		{
			Name: "the name was created on one server alone", Refs: "RFC 1034 §4.3.5",
			Alone: map[byte]Edit{11: {Set: right}}, Clients: Sometimes,
			Want: wants(disagree("192.0.2.1 on ns1", "NXDOMAIN on ns2")),
		},
		{
			Name: "the domain is not delegated", Refs: "RFC 2308 §2.1; Zonemaster BASIC01",
			Host: "www.expired.example", Clients: Fails,
			Want: wants(absent("the zone example says that www.expired.example does not exist (NXDOMAIN)", "find out why example does not delegate it")),
		},
		{
			Name: "the top-level domain does not exist", Refs: "RFC 2308 §2.1; RFC 6761 §6.4",
			Host: "www.shop.invalid", Clients: Fails,
			Want: wants(absent("the zone . says that www.shop.invalid does not exist (NXDOMAIN)")),
		},
		{
			Name: "one server denies a name that has names below it", Refs: "RFC 8020 §2; RFC 4592 §2.2.2",
			Shop: "www.eu 60 A 192.0.2.1", Host: "www.eu.shop.example", Clients: Works,
			Faults: at(lab.When(func(q lab.Query) bool { return q.Name == "eu.shop.example." }, lab.NXDomain), 12),
		},
		{
			Name: "names without the type are denied without an SOA", Refs: "RFC 2308 §2.2, §5",
			Shop: right, Clients: Works,
			Faults: everywhere(forType(dns.TypeAAAA, alter(func(m *dns.Msg) { m.Ns = nil }))),
		},
	}
}
