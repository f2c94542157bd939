package dnscheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/finding"
)

// wayCases are names of which one way, or one type, fails.
func wayCases() []judged {
	const good = "ns4: a.edge.example. 60 A 203.0.113.77\n"
	const split = "ns1: www.shop.example. 60 CNAME a.edge.example.\n ns2: www.shop.example. 60 CNAME b.edge.example.\n" + good
	const turns = "ns1: www.shop.example. 60 CNAME a.edge.example.\n ns1: www.shop.example. 60 CNAME b.edge.example.\n ns1: www.shop.example. rotates\n" + good
	const one = "ns1: www.shop.example. 60 CNAME a.edge.example.\n" + good
	const disagree = "warning dns/inconsistent www.shop.example | shop.example: www.shop.example 0 AAAA | at ns1 ns2"
	const denied = "warning dns/no-record www.shop.example b.edge.example | edge.example: b.edge.example 300 A | at ns4 | clear +5m0s"
	const nx = "ns4: b.edge.example. 300 NXDOMAIN\n"
	return []judged{
		{
			rule: "an alias of one server of two that leads to no such name fails for some", expected: has("203.0.113.77"),
			seen: split + nx, want: []string{disagree, denied},
			says: []string{"www.shop.example leads some clients to b.edge.example, which has no address record", "1 of 2 servers of shop.example lead there from www.shop.example",
				"if this is the wrong name, correct the alias that leads to it: www.shop.example CNAME b.edge.example (zone shop.example)"},
		},
		{
			rule: "an alias by turns that leads to a name without addresses fails for some", expected: has("203.0.113.77"),
			seen: turns + "ns4: b.edge.example. 300 NODATA", want: []string{denied},
			says: []string{"exists without A and AAAA (NODATA)", "1 of 1 servers of shop.example lead there from www.shop.example, by turns"},
		},
		{
			rule: "if a resolver came there too it is critical", expected: has("203.0.113.77"),
			seen: turns + nx + "resolver: 8.8.8.8 60 CNAME b.edge.example. 300 NXDOMAIN",
			want: []string{"critical dns/no-record www.shop.example b.edge.example | edge.example: b.edge.example 300 A | at ns4 | clear +5m0s"},
			says: []string{"no address from 8.8.8.8"},
		},
		{
			rule: "of a way that no server answers nobody knows, and it is told", expected: has("203.0.113.77"),
			seen: split + "ns5: b.edge.example. silent", want: []string{disagree, "unknown dns/unresolvable www.shop.example b.edge.example | at ns5"},
			says: []string{"leads some clients to b.edge.example, about which no authoritative server gave a usable answer", "1 of 2 servers of shop.example lead there"},
		},
		{
			rule: "it is critical if a resolver fails too", expected: has("203.0.113.77"),
			seen: turns + "ns5: b.edge.example. silent\n resolver: 8.8.8.8 failed",
			want: []string{"critical dns/unresolvable www.shop.example b.edge.example | at ns5", "warning dns/resolver-degraded www.shop.example 8.8.8.8 | at 8.8.8.8"},
			says: []string{"SERVFAIL from 8.8.8.8"},
		},
		{
			rule: "a dead way that comes and goes is not mended by a look without it", expected: has("203.0.113.77"),
			before: map[time.Duration]string{5 * time.Minute: turns + nx, 4 * time.Minute: one, 3 * time.Minute: turns + nx, 2 * time.Minute: one, time.Minute: turns + nx},
			seen:   one,
			want:   []string{"warning dns/no-record www.shop.example b.edge.example | edge.example: b.edge.example 300 A | clear +5m0s"},
			says:   []string{"b.edge.example was denied at 11:59:00 UTC, by turns"},
		},
		{
			rule: "a dead way that was taken out once is mended", expected: has("203.0.113.77"),
			before: map[time.Duration]string{3 * time.Minute: turns + nx}, seen: one,
			want: []string{"info dns/draining www.shop.example | edge.example: b.edge.example 300 A | at ns1 ns4 | clear +5m0s"},
		},
		{
			rule: "servers that all fail for one type are not to be taken out of the delegation", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 AAAA 2001:db8::77\n ns1: api.shop.example. A failed\n ns2: api.shop.example. 60 AAAA 2001:db8::77\n ns2: api.shop.example. A failed",
			want: []string{"unknown dns/unresolvable api.shop.example api.shop.example | at ns1 ns2"},
			says: []string{"answers the question for api.shop.example A", "2 of 2 servers of shop.example: an error code"},
		},
		{
			rule: "resolvers that fail for that type make it critical, and one server that answers makes it that of the others", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 AAAA 2001:db8::77\n ns1: api.shop.example. A failed\n resolver: 8.8.8.8 failed",
			want: []string{"critical dns/unresolvable api.shop.example api.shop.example | at ns1", "warning dns/resolver-degraded api.shop.example 8.8.8.8 | at 8.8.8.8"},
		},
	}
}

// silentCases are servers that gave an address and then nothing.
func silentCases() []judged {
	const old = "ns1: api.shop.example. 600 A 203.0.113.10\n"
	const right = "ns1: api.shop.example. 60 A 203.0.113.77\n"
	const silent = "ns2: api.shop.example. silent\n"
	const lags = right + "ns2: api.shop.example. 600 A 203.0.113.10\n"
	const degraded = "warning dns/nameserver-degraded shop.example ns2 (192.0.2.2) | at ns2"
	const held = "unknown dns/draining api.shop.example 203.0.113.10 | at ns2"
	before := func(looks ...string) map[time.Duration]string {
		all := map[time.Duration]string{}
		for i, l := range looks {
			all[time.Duration(len(looks)-i)*time.Minute] = l
		}
		return all
	}
	return []judged{
		{
			rule: "what a server gave that is silent now is not gone", expected: has("203.0.113.77"),
			before: before(lags), seen: right + silent, want: []string{degraded, held},
			says: []string{"api.shop.example may still publish 203.0.113.10: no usable answer now from ns2 (192.0.2.2)", "last seen at 11:59:00 UTC"},
		},
		{
			rule: "also if all servers gave it before", expected: has("203.0.113.77"),
			before: before(old + "ns2: api.shop.example. 600 A 203.0.113.10"), seen: right + silent, want: []string{degraded, held},
		},
		{
			rule: "also if it fell silent while others gave it still", expected: has("203.0.113.77"),
			before: before(old+"ns2: api.shop.example. 600 A 203.0.113.10", old+silent), seen: right + silent, want: []string{degraded, held},
		},
		{
			rule: "nor is it after its TTL", expected: has("203.0.113.77"),
			before: map[time.Duration]string{61 * time.Minute: lags, time.Hour: right + silent}, seen: right + silent, want: []string{degraded, held},
		},
		{
			rule: "a server that was silent all the time gave nothing", expected: has("203.0.113.77"),
			before: before(old + silent), seen: right + silent,
			want: []string{degraded, "info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +10m0s"},
			says: []string{"1 of 2 servers of shop.example gave no answer now"},
		},
		{
			rule: "it is gone when each that gave it has spoken without it, and not at once", expected: has("203.0.113.77"),
			before: before(lags, right+silent), seen: "ns1: api.shop.example. silent\n ns2: api.shop.example. 60 A 203.0.113.77",
			want: []string{"warning dns/nameserver-degraded shop.example ns1 (192.0.2.1) | at ns1", "info dns/draining api.shop.example 203.0.113.10 | at ns2 | clear +10m0s"},
		},
		{
			rule: "it is gone when the server is taken out of the delegation", expected: has("203.0.113.77"),
			before: before(lags, right+silent), seen: right,
			want: []string{"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +10m0s"},
		},
		{
			rule: "after a week of silence it is forgotten", expected: has("203.0.113.77"),
			before: map[time.Duration]string{keep: lags, time.Hour: right + silent}, seen: right + silent, want: []string{degraded},
		},
		{
			rule: "where a server lacks the name, and those that had it are silent, nothing is to be created", expected: has("203.0.113.77"),
			before: before(right + "ns2: api.shop.example. 300 NXDOMAIN"), seen: "ns1: api.shop.example. failed\n ns2: api.shop.example. 300 NXDOMAIN",
			want: []string{
				"critical dns/no-record api.shop.example | shop.example: api.shop.example 300 A | at ns2 | clear +5m0s",
				"warning dns/nameserver-degraded shop.example ns1 (192.0.2.1) | at ns1",
			},
			says: []string{"mend ns1 (192.0.2.1) first: no usable answer comes from there, and 203.0.113.77 was published at 11:59:00 UTC"},
		},
		{
			rule: "a stale record with the largest TTL of all is in no cache for longer than a week", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 2147483647 A 203.0.113.10\n ns1: api.shop.example. 60 A 203.0.113.77",
			want: []string{
				"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 2147483647 A 203.0.113.77 | at ns1 | clear +168h0m0s",
				"info dns/odd-ttl api.shop.example | shop.example: api.shop.example 2147483647 A | at ns1",
			},
		},
	}
}

// Where an older copy of the zone is all that is wrong, the record is right already.
func TestAStaleRecordOfAServerThatLagsIsNotSet(t *testing.T) {
	const disagree = "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.10\n"
	for serials, want := range map[string]string{
		"ns1: api.shop.example. serial 42\n ns2: api.shop.example. serial 41": "mend the transfer of shop.example to ns2",
		"ns1: api.shop.example. serial 41\n ns2: api.shop.example. serial 42": "set api.shop.example A 203.0.113.77",
		"ns1: api.shop.example. serial 42\n ns2: api.shop.example. serial 42": "set api.shop.example A 203.0.113.77",
	} {
		fs := Judge(Policy{}, noon, judged{expected: has("203.0.113.77"), seen: disagree + serials}.given(t))
		if fs[0].Code != finding.DNSStaleRecord || !strings.HasPrefix(fs[0].Hint, want) {
			t.Errorf("%s: %s, hint %q, want %q", serials, line(fs[0]), fs[0].Hint, want)
		}
	}
}

// What caches still hold is not forgotten for what they do not.
func TestADrainingAddressOutlivesTheTurnsOfABalancer(t *testing.T) {
	h := History{}.Remember([]Observation{at(t, 0, "ns1: api.shop.example. 7200 A 203.0.113.10")})
	for i := range 30 {
		text := ""
		for k := range 4 {
			text += fmt.Sprintf("ns1: api.shop.example. 60 A 198.51.100.%d\n", 4*i+k)
		}
		h = h.Remember([]Observation{at(t, time.Duration(i+1)*time.Minute, text)})
	}
	all := h.Of("api.shop.example")
	if len(all) != maxPerHost || !slices.ContainsFunc(all, func(s Sighting) bool { return s.Address == addr("203.0.113.10") }) {
		t.Errorf("kept %q", sightings(h))
	}
}

// Resolvers that do not insist on authority use what such a server gives: it is told.
func TestAnAnswerWithoutAuthorityIsToldWithWhatItGives(t *testing.T) {
	q := question{name: "api.shop.example.", qtype: dns.TypeA}
	withoutAA := onMessage(func(m *dns.Msg) { m.Authoritative = false })
	a := told(1, q, withoutAA(right(t, q, addr("203.0.113.66"))), 7)
	if a.Outcome != Lame || len(a.Addresses) > 0 || a.Detail != "not authoritative: answers without AA; gives 203.0.113.66 all the same, and many resolvers believe it" {
		t.Errorf("%+v", a)
	}
}
