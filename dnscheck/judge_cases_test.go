package dnscheck

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

func absenceCases() []judged {
	return []judged{
		{
			rule: "NXDOMAIN by all is no record, for the negative TTL", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 300 NXDOMAIN\n ns2: api.shop.example. 900 NXDOMAIN",
			want: []string{"critical dns/no-record api.shop.example | shop.example: api.shop.example 900 A 203.0.113.77 | at ns1 ns2 | clear +15m0s"},
			says: []string{"NXDOMAIN), on 2 of 2 authoritative servers of shop.example", "A 203.0.113.77 (traefik/traefik)", "up to 15 min"},
		},
		{
			rule: "NODATA in both families is no record, also if nothing is expected",
			seen: "ns1: api.shop.example. 300 NODATA",
			want: []string{"critical dns/no-record api.shop.example | shop.example: api.shop.example 300 A | at ns1 | clear +5m0s"},
			says: []string{"exists without A and AAAA (NODATA)"},
		},
		{
			rule: "silence beside a denial does not soften it", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 300 NXDOMAIN\n ns2: api.shop.example. silent",
			want: []string{
				"critical dns/no-record api.shop.example | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1 | clear +5m0s",
				"warning dns/nameserver-degraded shop.example ns2 (192.0.2.2) | at ns2",
			},
			says: []string{"on 1 of 2 authoritative servers"},
		},
		{
			rule: "a name that one server denies and another has is inconsistent, not absent", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 300 NXDOMAIN",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 AAAA | at ns1 ns2"},
			says: []string{"A NXDOMAIN on ns2 (192.0.2.2)", "AAAA no record on ns1 (192.0.2.1)"},
		},
		{
			rule: "a denial of one family with silence about the other leaves the name open", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. AAAA silent",
			want: []string{
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 0 A 203.0.113.77 | at ns1",
				"warning dns/nameserver-degraded shop.example ns1 (192.0.2.1) | at ns1",
				"unknown dns/unresolvable api.shop.example | at ns1",
			},
			says: []string{"answers only some questions about the zone shop.example: no answer for AAAA"},
		},
		{
			rule: "a family about which no server spoke is neither missing nor the fault of each server", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. AAAA silent",
			want: []string{"unknown dns/unresolvable api.shop.example api.shop.example | at ns1"},
		},
		{
			rule: "a delegation that the parent denies is no record", expected: has("203.0.113.77"),
			seen: "parent: api.shop.example. 900 NXDOMAIN",
			want: []string{"critical dns/no-record api.shop.example | example: api.shop.example 900 A 203.0.113.77 | clear +15m0s"},
			says: []string{"the zone example says that api.shop.example does not exist (NXDOMAIN)", "find out why example does not delegate it"},
		},
		{
			rule: "an alias to a name that does not exist is no record, at the alias's target", expected: has("203.0.113.77"),
			seen: "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 300 NXDOMAIN",
			want: []string{"critical dns/no-record www.shop.example | edge.example: lb.edge.example 300 A 203.0.113.77 | at ns4 | clear +5m0s"},
		},
		{
			rule: "an alias into a silent zone is unknown, and its addresses are neither missing nor draining", expected: has("203.0.113.77"),
			before: map[time.Duration]string{time.Minute: "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 600 A 203.0.113.10"},
			seen:   "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. silent\n ns5: lb.edge.example. refused\n resolver: 8.8.8.8 60 A 203.0.113.10",
			want:   []string{"unknown dns/unresolvable www.shop.example | at ns4 ns5"},
			says:   []string{"www.shop.example leads to lb.edge.example", "1 of 2 servers of edge.example: REFUSED", "1 of 2 servers of edge.example: no answer"},
		},
		{
			rule: "of two ways the silent one keeps the name from being denied", expected: has("203.0.113.77"),
			seen: "ns1: www.shop.example. 60 CNAME a.edge.example.\n ns2: www.shop.example. 60 CNAME b.edge.example.\n ns4: a.edge.example. silent\n ns4: b.edge.example. 300 NXDOMAIN",
			want: []string{
				"warning dns/inconsistent www.shop.example | shop.example: www.shop.example 0 AAAA | at ns1 ns2",
				"unknown dns/unresolvable www.shop.example | at ns4",
			},
		},
		{
			rule: "aliases that lead in a circle fail for every client", expected: has("203.0.113.77"),
			seen: "ns1: a.shop.example. 60 CNAME b.shop.example.\n ns1: b.shop.example. 60 CNAME a.shop.example.",
			want: []string{"critical dns/unresolvable a.shop.example | at ns1"},
			says: []string{"a.shop.example CNAME b.shop.example, b.shop.example CNAME a.shop.example"},
		},
		{
			rule: "an alias that was not followed leaves the name open", expected: has("203.0.113.77"),
			seen: "ns1: a.shop.example. 60 CNAME b.shop.example.",
			want: []string{"unknown dns/unresolvable a.shop.example | at ns1"},
		},
	}
}

func serverCases() []judged {
	return []judged{
		{
			rule: "a server that fails is told once, though it failed at A and AAAA and for two names", expected: has("203.0.113.77"),
			seen: `ns1: www.shop.example. 60 CNAME api.shop.example.
				ns2: www.shop.example. refused
				ns1: api.shop.example. 60 A 203.0.113.77
				ns2: api.shop.example. refused`,
			want: []string{"warning dns/nameserver-degraded shop.example ns2 (192.0.2.2) | at ns2"},
			says: []string{"ns2 (192.0.2.2) does not serve the zone shop.example: REFUSED"},
		},
		{
			rule: "silence everywhere is unknown: neither stale, nor absent, nor draining", expected: has("203.0.113.77"),
			before: map[time.Duration]string{time.Minute: "ns1: api.shop.example. 600 A 203.0.113.10"},
			seen:   "ns1: api.shop.example. silent\n ns2: api.shop.example. silent\n resolver: 8.8.8.8 60 A 203.0.113.10",
			want:   []string{"unknown dns/unresolvable api.shop.example | at ns1 ns2"},
			says:   []string{"2 of 2 servers of shop.example: no answer"},
		},
		{
			rule: "REFUSED everywhere is unknown", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. refused\n ns2: api.shop.example. refused",
			want: []string{"unknown dns/unresolvable api.shop.example | at ns1 ns2"},
		},
		{
			rule: "REFUSED everywhere is critical if a resolver fails too", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. refused\n resolver: 8.8.8.8 failed\n resolver: 9.9.9.9 silent",
			want: []string{"critical dns/unresolvable api.shop.example | at ns1"},
			says: []string{"SERVFAIL from 8.8.8.8"},
		},
		{
			rule: "REFUSED everywhere stays unknown if one resolver of two has an answer", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. refused\n resolver: 8.8.8.8 failed\n resolver: 9.9.9.9 60 A 203.0.113.77",
			want: []string{"unknown dns/unresolvable api.shop.example | at ns1"},
		},
		{
			rule: "a parent that does not answer is named", expected: has("203.0.113.77"),
			seen: "parent: api.shop.example. silent",
			want: []string{"unknown dns/unresolvable api.shop.example"},
			says: []string{"the servers of example: no answer"},
		},
		{
			rule: "nothing observed at all is unknown", expected: has("203.0.113.77"),
			want: []string{"unknown dns/unresolvable"},
			says: []string{"no server of the zone is known"},
		},
		{
			rule: "sets that differ only where a text would cut them are inconsistent", expected: inventory.Expected{},
			seen: many("ns1", 10) + many("ns2", 9) + "ns2: api.shop.example. 60 A 203.0.113.99",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2"},
			says: []string{"203.0.113.8 and 2 more on ns1"},
		},
		{
			rule: "a resolver that does not answer is worth knowing, once", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n resolver: 8.8.8.8 silent",
			want: []string{"info dns/resolver-degraded 8.8.8.8 | at 8.8.8.8"},
		},
		{
			rule: "a resolver that fails although authority answers fails its users", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n resolver: 8.8.8.8 failed",
			want: []string{"warning dns/resolver-degraded api.shop.example 8.8.8.8 | at 8.8.8.8"},
		},
	}
}

func many(server string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s: api.shop.example. 60 A 203.0.113.%d\n", server, i+1)
	}
	return b.String()
}

func recordCases() []judged {
	return []judged{
		{
			rule: "the record is the wildcard if the wildcard gives the answer", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10\n ns1: api.shop.example. 60 A 203.0.113.77\n wildcard: *.shop.example. 60 A 203.0.113.10\n wildcard: *.shop.example. 60 A 203.0.113.77",
			want: []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: *.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s"},
		},
		{
			rule: "an explicit record beside a wildcard is the record, in every type", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n wildcard: *.shop.example. 60 A 203.0.113.10",
			want: []string{"info dns/missing-record api.shop.example 2001:db8::77 | shop.example: api.shop.example 60 AAAA 2001:db8::77 | at ns1"},
		},
		{
			rule: "a type that is missing at a wildcard is added there", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n wildcard: *.shop.example. 60 A 203.0.113.77",
			want: []string{"info dns/missing-record api.shop.example 2001:db8::77 | shop.example: *.shop.example 60 AAAA 2001:db8::77 | at ns1"},
		},
		{
			rule: "an alias into another zone: record and zone are those of the last step", expected: has("203.0.113.77"),
			seen: "ns1: www.shop.example. 3600 CNAME lb.edge.example.\n ns4: lb.edge.example. 120 A 203.0.113.10\n ns4: lb.edge.example. 120 A 203.0.113.77",
			want: []string{"critical dns/stale-record www.shop.example 203.0.113.10 | edge.example: lb.edge.example 120 A 203.0.113.77 | at ns4 | clear +2m0s"},
			says: []string{"203.0.113.10 on 1 of 1 authoritative servers of edge.example"},
		},
		{
			rule: "the largest TTL on the way counts, also an alias's", expected: has("203.0.113.77"), policy: Policy{MaxTTL: 5 * time.Minute},
			seen: "ns1: www.shop.example. 3600 CNAME lb.edge.example.\n ns4: lb.edge.example. 600 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure www.shop.example | shop.example: www.shop.example 3600 CNAME lb.edge.example | at ns1 ns4"},
			says: []string{"up to 60 min", "to 300"},
		},
		{
			rule: "a TTL at the limit is accepted", expected: has("203.0.113.77"), policy: Policy{MaxTTL: 5 * time.Minute},
			seen: "ns1: api.shop.example. 300 A 203.0.113.77",
		},
		{
			rule: "the TTL of an address in an allowed range is not ours to judge", policy: Policy{MaxTTL: time.Minute},
			expected: inventory.Expected{Known: true, Allow: prefixes("198.51.100.0/24")},
			seen:     "ns1: api.shop.example. 3600 A 198.51.100.7",
		},
		{
			rule: "a TTL at a wildcard is lowered there", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: "ns1: www.shop.example. 3600 CNAME lb.edge.example.\n wildcard: *.shop.example. 3600 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure www.shop.example | shop.example: *.shop.example 3600 CNAME lb.edge.example | at ns1 ns4"},
		},
	}
}

func cacheCases() []judged {
	const right = "ns1: api.shop.example. 60 A 203.0.113.77\n"
	const wrong = "ns1: api.shop.example. 3600 A 203.0.113.10"
	was := map[time.Duration]string{10 * time.Minute: wrong, 9 * time.Minute: right}
	return []judged{
		{
			rule: "after the fix caches drain for the TTL that the old address had", expected: has("203.0.113.77"), before: was, seen: right,
			want: []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +51m0s"},
			says: []string{"publishes 203.0.113.10 no more; caches may give it for another 51 min", "last seen on an authoritative server at 11:50:00 UTC, gone at 11:51:00 UTC", "wait until 12:51:00 UTC"},
		},
		{
			rule: "a TTL that was lowered before the address was corrected does not shorten what caches hold", expected: has("203.0.113.77"), seen: right,
			before: map[time.Duration]string{12 * time.Minute: wrong, 10 * time.Minute: "ns1: api.shop.example. 60 A 203.0.113.10", 9 * time.Minute: right},
			want:   []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +50m0s"},
		},
		{
			rule: "a stale address whose TTL was just lowered is still in caches by the old one", expected: has("203.0.113.77"),
			before: map[time.Duration]string{12 * time.Minute: wrong}, seen: "ns1: api.shop.example. 60 A 203.0.113.10",
			want: []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1h0m0s",
				"warning dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1"},
		},
		{
			rule: "an alias that was replaced by a short record to the same old address is still in caches", expected: has("203.0.113.77"), seen: right,
			before: map[time.Duration]string{
				12 * time.Minute: "ns1: api.shop.example. 3600 CNAME old.edge.example.\n ns4: old.edge.example. 60 A 203.0.113.10",
				10 * time.Minute: "ns1: api.shop.example. 60 A 203.0.113.10", 9 * time.Minute: right,
			},
			want: []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +50m0s"},
		},
		{
			rule: "a time remembered from a clock that was far ahead does not prolong the wait", expected: has("203.0.113.77"), seen: right,
			before: map[time.Duration]string{-90 * 24 * time.Hour: wrong},
			want:   []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +1h0m0s"},
		},
		{
			rule: "a resolver that still denies what is published again is measured", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n resolver: 8.8.8.8 2400 NXDOMAIN",
			want: []string{"info dns/cached-stale api.shop.example 8.8.8.8 | at 8.8.8.8 | clear +40m0s"},
			says: []string{"the resolver 8.8.8.8 still says that api.shop.example has no A record, for another 40 min"},
		},
		{
			rule: "a resolver that denies what a server denies too is no stale cache", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 NODATA\n resolver: 8.8.8.8 2400 NXDOMAIN",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2"},
		},
		{
			rule: "drained caches are nothing to tell", expected: has("203.0.113.77"), seen: right,
			before: map[time.Duration]string{2 * time.Hour: wrong, time.Hour: right},
		},
		{
			rule: "between two looks that are far apart nobody knows when it was corrected: the later one counts", expected: has("203.0.113.77"), seen: right,
			before: map[time.Duration]string{3 * time.Hour: wrong},
			want:   []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +1h0m0s"},
			says:   []string{"last seen on an authoritative server at 09:00:00 UTC, gone at 12:00:00 UTC"},
		},
		{
			rule: "an old address that is still expected does not drain", expected: has("203.0.113.77", "203.0.113.10"), before: was, seen: right,
			want: []string{"info dns/missing-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.10 203.0.113.77 | at ns1"},
		},
		{
			rule: "a server that is silent now may still publish the old address", expected: has("203.0.113.77"), before: was, seen: right + "ns2: api.shop.example. silent",
			want: []string{
				"warning dns/nameserver-degraded shop.example ns2 (192.0.2.2) | at ns2",
				"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +51m0s",
			},
			says: []string{"1 of 2 servers of shop.example gave no answer now"},
		},
		{
			rule: "a resolver that still gives the old address is measured", expected: has("203.0.113.77"), before: was,
			seen: right + "resolver: 8.8.8.8 2400 A 203.0.113.10\n resolver: 1.1.1.1 60 A 203.0.113.77",
			want: []string{
				"info dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +40m0s",
				"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +51m0s",
			},
			says: []string{"the resolver 8.8.8.8 still answers 203.0.113.10", "until 12:40:00 UTC"},
		},
		{
			rule: "a resolver that outlives the TTL ignores it", expected: has("203.0.113.77"), before: was,
			seen: right + "resolver: 8.8.8.8 7200 A 203.0.113.10",
			want: []string{
				"warning dns/cached-stale api.shop.example 203.0.113.10 8.8.8.8 | at 8.8.8.8 | clear +2h0m0s",
				"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +51m0s",
			},
			says: []string{"beyond the record's TTL, which ended at 12:51:00 UTC"},
		},
		{
			rule: "an alias to the hostname of the balancer is right whatever it resolves to", expected: named("203.0.113.77"),
			seen: "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.10",
		},
		{
			rule: "behind a hostname an address that presents the certificate is one of the rotation", expected: named("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10", met: map[netip.Addr]Stranger{ips("203.0.113.10")[0]: {Valid: true}},
		},
		{
			rule: "behind a hostname an address that presents nothing is stale", expected: named("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10",
			want: []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s"},
		},
		{
			rule: "a family that a status alone leaves out is not judged", expected: oneFamily("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 AAAA 2001:db8::10",
		},
		{
			rule: "an old address that authority still publishes is stale, not cached", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.10\n ns1: api.shop.example. 60 A 203.0.113.77\n resolver: 8.8.8.8 40 A 203.0.113.10",
			want: []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s"},
		},
	}
}

// named expects a balancer that is known by a hostname; oneFamily one that only a
// Service's status tells of.
func named(words ...string) inventory.Expected {
	e := has(words...)
	e.Hostnames = []string{"lb.edge.example"}
	return e
}

func oneFamily(words ...string) inventory.Expected {
	e := has(words...)
	e.OneFamily = true
	return e
}

func TestASetLargerThanBINDTakesIsTold(t *testing.T) {
	for _, c := range []struct {
		n       int
		rotates bool
		want    string
	}{
		{100, false, ""},
		{101, false, "101 A records of api.shop.example in the zone shop.example"},
		{101, true, ""}, // no single answer had as many
		{addressLimit, false, "at least 256 A records"},
	} {
		o := look(t, "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.77")
		s := &o.Steps[0]
		s.Rotates = c.rotates
		for i := range c.n {
			s.Answers[1].Addresses = append(s.Answers[1].Addresses[:i:i], netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
		}
		fs := judgeSizes(&Case{Observed: o})
		sound(t, fs)
		if told := texts(fs); len(fs) > 1 || (told == "") != (c.want == "") || !strings.Contains(told, c.want) {
			t.Errorf("%d addresses, rotates %t: %s", c.n, c.rotates, told)
		}
	}
}

func TestBigSetsAreCut(t *testing.T) {
	o := Observation{Host: "api.shop.example", At: noon, Steps: []Step{{Name: "api.shop.example", Zone: "shop.example"}}}
	ns := look(t, "ns1: x.shop.example. silent").Steps[0].Answers[0].Server
	a := Answer{Server: ns, Type: A, Outcome: OK, TTL: 60}
	for i := range 4000 {
		ip := ips("198.18.0.0")[0].As4()
		ip[2], ip[3] = byte(i>>8), byte(i)
		a.Addresses = append(a.Addresses, ips(fmt.Sprintf("%d.%d.%d.%d", ip[0], ip[1], ip[2], ip[3]))...)
	}
	o.Steps[0].Answers = []Answer{a}
	fs := Judge(Policy{}, noon, Case{Expected: has("203.0.113.77"), Observed: o})
	sound(t, fs)
	if len(fs) != maxUnexpected+2 || // with the missing one, and the size of the set
		!strings.Contains(texts(fs), "beside 3999 other addresses") {
		t.Errorf("%d findings:\n%.500s", len(fs), texts(fs))
	}
}
