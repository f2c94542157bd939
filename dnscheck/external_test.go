package dnscheck

import (
	"time"

	"driftprobe/internal/inventory"
)

// externalCases are of records that external-dns writes.
func externalCases() []judged {
	told := func(ttl uint32, at ...string) inventory.Declaration {
		return inventory.Declaration{Object: "Ingress shop/web", ExternalDNS: "external-dns.alpha.kubernetes.io/", RecordTTL: ttl, RecordAddresses: ips(at...)}
	}
	minute := Policy{MaxTTL: time.Minute}
	routed := told(0, "203.0.113.10")
	routed.Object, routed.Gateway = "HTTPRoute shop/web", "infra/edge"
	return []judged{
		{
			rule: "a TTL that is too long is changed where external-dns is told", expected: has("203.0.113.77"), policy: minute, publisher: told(0),
			seen: "ns1: api.shop.example. 300 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure api.shop.example | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1"},
			says: []string{`set the annotation external-dns.alpha.kubernetes.io/ttl: "60" on Ingress shop/web; external-dns undoes a change by hand`},
		},
		{
			rule: "also if it is told a TTL that is too long", expected: has("203.0.113.77"), policy: minute, publisher: told(300),
			seen: "ns1: api.shop.example. 300 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure api.shop.example | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1"},
			says: []string{`ttl: "60" on Ingress shop/web`},
		},
		{
			rule: "what it is told and has not written is told once", expected: has("203.0.113.77"), policy: minute, publisher: told(30),
			seen: "ns1: api.shop.example. 300 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure api.shop.example | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1"},
			says: []string{"see why external-dns does not write the TTL 30 that external-dns.alpha.kubernetes.io/ttl of Ingress shop/web asks for"},
		},
		{
			rule: "a wildcard's TTL is not external-dns's", expected: has("203.0.113.77"), policy: minute, publisher: told(30),
			seen: "ns1: api.shop.example. 300 A 203.0.113.77\n wildcard: *.shop.example. 300 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure api.shop.example | shop.example: *.shop.example 300 A 203.0.113.77 | at ns1"},
			says: []string{"lower the TTL of *.shop.example A"},
		},
		{
			rule: "nor is what an alias leads to", expected: has("203.0.113.77"), policy: minute, publisher: told(30),
			seen: "ns1: www.shop.example. 30 CNAME lb.edge.example.\n ns4: lb.edge.example. 600 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure www.shop.example | edge.example: lb.edge.example 600 A 203.0.113.77 | at ns1 ns4"},
			says: []string{"lower the TTL of lb.edge.example A"},
		},
		{
			rule: "a TTL that is longer than told is worth knowing", expected: has("203.0.113.77"), policy: minute, publisher: told(30),
			seen: "ns1: api.shop.example. 45 A 203.0.113.77\n ns2: api.shop.example. 30 A 203.0.113.77",
			want: []string{"info dns/odd-ttl api.shop.example | shop.example: api.shop.example 45 A | at ns1"},
			says: []string{"TTL 30 s, by external-dns.alpha.kubernetes.io/ttl of Ingress shop/web", "A with TTL 45 s"},
		},
		{
			rule: "one that is shorter is not", expected: has("203.0.113.77"), policy: minute, publisher: told(300),
			seen: "ns1: api.shop.example. 45 A 203.0.113.77",
		},
		{
			rule: "with no TTL told there is none to differ from", expected: has("203.0.113.77"), policy: minute, publisher: told(0),
			seen: "ns1: api.shop.example. 45 A 203.0.113.77",
		},
		{
			rule: "where the load balancer is not known there is no exposure, and the TTL is told", publisher: told(30), policy: minute,
			seen: "ns1: api.shop.example. 3600 A 203.0.113.77",
			want: []string{"info dns/odd-ttl api.shop.example | shop.example: api.shop.example 3600 A | at ns1"},
		},
		{
			rule: "a stale record is corrected by hand, and its cause is external-dns's", expected: has("203.0.113.77"), publisher: told(0),
			seen: "ns1: api.shop.example. 300 A 203.0.113.10",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1 | clear +5m0s",
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1",
			},
			says: []string{"A 203.0.113.77", "; external-dns should have done it (Ingress shop/web is annotated for it): see its log"},
		},
		{
			rule: "unless it does what it is told", expected: has("203.0.113.77"), publisher: told(0, "203.0.113.10"),
			seen: "ns1: api.shop.example. 300 A 203.0.113.10",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1 | clear +5m0s",
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1",
			},
			says: []string{"; and correct external-dns.alpha.kubernetes.io/target of Ingress shop/web, which tells external-dns to publish 203.0.113.10"},
		},
		{
			rule: "by the Gateway, if it is a route", expected: has("203.0.113.77"), publisher: routed,
			seen: "ns1: api.shop.example. 300 A 203.0.113.10",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1 | clear +5m0s",
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1",
			},
			says: []string{"target of Gateway infra/edge, which"},
		},
	}
}
