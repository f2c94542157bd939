package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"driftprobe/finding"
)

// oddCases are TTLs that are not what they seem, DNAMEs, and servers that nobody
// reaches without loss.
func oddCases() []judged {
	const right = "ns1: api.shop.example. 60 A 203.0.113.77\n"
	return []judged{
		{
			rule: "a TTL of 0 is worth knowing, also at an alias", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: "ns1: www.shop.example. 0 CNAME lb.edge.example.\n ns4: lb.edge.example. 60 A 203.0.113.77",
			want: []string{"info dns/odd-ttl www.shop.example | shop.example: www.shop.example 0 CNAME | at ns1"},
			says: []string{"CNAME with TTL 0 (no cache keeps it", "on ns1 (192.0.2.1)", "nothing, if the provider resolves the name itself"},
		},
		{
			rule: "a TTL of more than a week is a warning in the place of ttl-exposure", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: "ns1: api.shop.example. 604801 A 203.0.113.77",
			want: []string{"warning dns/odd-ttl api.shop.example | shop.example: api.shop.example 604801 A | at ns1"},
			says: []string{"TTL 604801 s", "set one TTL for api.shop.example A in the zone shop.example"},
		},
		{
			rule: "a TTL of a week is long, and not odd", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: "ns1: api.shop.example. 604800 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure api.shop.example | shop.example: api.shop.example 604800 A 203.0.113.77 | at ns1"},
		},
		{
			rule: "beside a huge TTL the next one is exposure", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: "ns1: www.shop.example. 2000000 CNAME lb.edge.example.\n ns4: lb.edge.example. 600 A 203.0.113.77",
			want: []string{
				"warning dns/odd-ttl www.shop.example | shop.example: www.shop.example 2000000 CNAME | at ns1",
				"warning dns/ttl-exposure www.shop.example | edge.example: lb.edge.example 600 A 203.0.113.77 | at ns1 ns4",
			},
		},
		{
			rule: "whoever accepts any TTL is not warned of a huge one", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 2000000 A 203.0.113.77",
			want: []string{"info dns/odd-ttl api.shop.example | shop.example: api.shop.example 2000000 A | at ns1"},
		},
		{
			rule: "a TTL with the top bit set is told on the servers that give it", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: right + "ns2: api.shop.example. 0 A 203.0.113.77\n ns2: api.shop.example. topbit",
			want: []string{"warning dns/odd-ttl api.shop.example | shop.example: api.shop.example 0 A | at ns2"},
			says: []string{"A with the top bit of the TTL set"},
		},
		{
			rule: "different TTLs in one set are worth knowing", expected: has("203.0.113.77", "203.0.113.78"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 600 A 203.0.113.78\n ns1: api.shop.example. least 60",
			want: []string{"info dns/odd-ttl api.shop.example | shop.example: api.shop.example 600 A | at ns1"},
			says: []string{"different TTLs in one set, from 60 to 600 s"},
		},
		{
			rule: "what is odd at the end of an alias is told of that name", expected: has("203.0.113.77"),
			seen: "ns1: www.shop.example. 60 CNAME lb.edge.example.\n ns4: lb.edge.example. 0 A 203.0.113.77\n ns4: lb.edge.example. 0 AAAA 2001:db8::77",
			want: []string{
				"critical dns/stale-record www.shop.example 2001:db8::77 | edge.example: lb.edge.example 0 AAAA | at ns4 | clear +0s",
				"info dns/odd-ttl www.shop.example lb.edge.example | edge.example: lb.edge.example 0 A | at ns4",
			},
			says: []string{"A with TTL 0", "AAAA with TTL 0"},
		},

		{
			rule: "a DNAME whose TTL is too long is the record to change", expected: has("203.0.113.77"), policy: Policy{MaxTTL: time.Minute},
			seen: "ns1: x.eu.shop.example. 3600 DNAME x.edge.example. eu.shop.example.\n ns4: x.edge.example. 60 A 203.0.113.77",
			want: []string{"warning dns/ttl-exposure x.eu.shop.example | shop.example: eu.shop.example 3600 DNAME edge.example | at ns1 ns4"},
			says: []string{"lower the TTL of eu.shop.example DNAME in zone shop.example"},
		},
		{
			rule: "a DNAME that leads to a name that does not exist is named", expected: has("203.0.113.77"),
			seen: "ns1: x.eu.shop.example. 60 DNAME x.edge.example. eu.shop.example.\n ns4: x.edge.example. 300 NXDOMAIN",
			want: []string{"critical dns/no-record x.eu.shop.example | edge.example: x.edge.example 300 A 203.0.113.77 | at ns4 | clear +5m0s"},
			says: []string{"correct the alias that leads to it: eu.shop.example DNAME edge.example (zone shop.example); otherwise set x.edge.example A"},
		},
		{
			rule: "servers that disagree about a DNAME", expected: has("203.0.113.77"),
			seen: "ns1: x.eu.shop.example. 60 DNAME x.edge.example. eu.shop.example.\n ns2: x.eu.shop.example. 60 DNAME x.lb.test. eu.shop.example.\n ns4: x.edge.example. 60 A 203.0.113.77\n ns5: x.lb.test. 60 A 203.0.113.77",
			want: []string{"warning dns/inconsistent x.eu.shop.example | shop.example: eu.shop.example 0 DNAME | at ns1 ns2"},
		},
		{
			rule: "DNAMEs in a circle are named", expected: has("203.0.113.77"),
			seen: "ns1: x.a.example. 60 DNAME x.b.example. a.example.\n ns1: x.b.example. 60 DNAME x.a.example. b.example.",
			want: []string{"critical dns/unresolvable x.a.example | at ns1"},
			says: []string{"a.example DNAME b.example, b.example DNAME a.example"},
		},

		{
			rule: "servers that each answer some and miss some lose packets", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. AAAA silent\n ns2: api.shop.example. A silent\n ns2: api.shop.example. 60 AAAA 2001:db8::77",
			want: []string{
				"critical dns/stale-record api.shop.example 2001:db8::77 | shop.example: api.shop.example 60 AAAA | at ns2 | clear +1m0s",
				"info dns/packet-loss shop.example | at ns1 ns2",
			},
			says: []string{"no answer from ns1 (192.0.2.1) for AAAA", "another server answered each of these questions"},
		},
		{
			rule: "one question of one look proves nothing against a server that answers others", expected: has("203.0.113.77"),
			seen: right + "ns2: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. AAAA silent",
			want: []string{"info dns/packet-loss shop.example | at ns2"},
			says: []string{"servers that answer leave other questions unanswered"},
		},
		{
			rule: "where packets get lost short silence proves no server down", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 AAAA 2001:db8::77\n ns1: api.shop.example. again\n ns2: api.shop.example. silent",
			want: []string{"info dns/packet-loss shop.example | at ns2"},
			says: []string{"no answer from ns2 (192.0.2.2) for A, AAAA"},
		},
		{
			rule: "and long silence does", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 AAAA 2001:db8::77\n ns1: api.shop.example. again\n ns2: api.shop.example. silent\n ns2: api.shop.example. unanswered 30",
			want: []string{"warning dns/nameserver-degraded shop.example ns2 (192.0.2.2) | at ns2"},
		},
		{
			rule: "a server that refuses is to blame, also where packets get lost", expected: has("203.0.113.77", "2001:db8::77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. AAAA silent\n ns2: api.shop.example. A silent\n ns2: api.shop.example. 60 AAAA 2001:db8::77\n ns3: api.shop.example. refused",
			want: []string{"warning dns/nameserver-degraded shop.example ns3 (192.0.2.3) | at ns3", "info dns/packet-loss shop.example | at ns1 ns2"},
		},
		{
			rule: "a type that no server answers is ignored by them, and not lost", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. AAAA silent\n ns2: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. AAAA silent",
			want: []string{"unknown dns/unresolvable api.shop.example api.shop.example | at ns1 ns2"},
			says: []string{"no authoritative server of shop.example answers the question for api.shop.example AAAA", "2 of 2 servers of shop.example: no answer"},
		},
		{
			rule: "a server that denies a name of which it has a record contradicts itself", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. AAAA nxdomain",
			want: []string{"warning dns/nameserver-degraded shop.example ns1 (192.0.2.1) | at ns1"},
			says: []string{"NXDOMAIN in place of an empty answer", "for AAAA"},
		},
	}
}

// lagCases are servers that disagree, and why.
func lagCases() []judged {
	const disagree = "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.78\n"
	const finds = "warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2"
	both := has("203.0.113.77", "203.0.113.78")
	serials := func(one, two string) string {
		return disagree + "ns1: api.shop.example. serial " + one + "\n ns2: api.shop.example. serial " + two
	}
	return []judged{
		{
			rule: "a secondary with an older serial lags", expected: both, seen: serials("42", "41"), want: []string{finds},
			says: []string{"; ns2 (192.0.2.2) lags: it has serial 41, ns1 (192.0.2.1) has 42", "mend the transfer of shop.example to ns2 (192.0.2.2)"},
		},
		{
			rule: "serials go on beyond 2^32", expected: both, seen: serials("4294967295", "3"), want: []string{finds},
			says: []string{"ns1 (192.0.2.1) lags: it has serial 4294967295, ns2 (192.0.2.2) has 3", "mend the transfer of shop.example to ns1"},
		},
		{
			rule: "of serials 2^31 apart none is newer", expected: both, seen: serials("1", "2147483649"), want: []string{finds},
			says: []string{"; the serials are 1 on ns1 (192.0.2.1); 2147483649 on ns2", "the serials do not explain it"},
		},
		{
			rule: "with one serial it is no matter of transfer", expected: both, seen: serials("42", "42"), want: []string{finds},
			says: []string{"; all of them have serial 42", "this is no matter of zone transfer"},
		},
		{
			rule: "serials of different primaries do not compare", expected: both, seen: serials("42 of ns-a.test", "41 of ns-b.test"), want: []string{finds},
			says: []string{"different primary servers: ns-a.test on ns1 (192.0.2.1); ns-b.test on ns2 (192.0.2.2)", "make the change in each of them"},
		},
		{
			rule: "without serials the hint is to compare them", expected: both, seen: disagree, want: []string{finds},
			says: []string{"compare the zone's serial on each server"},
		},
		{
			rule: "a serial that one server did not tell decides nothing", expected: both, seen: disagree + "ns1: api.shop.example. serial 42", want: []string{finds},
			says: []string{"compare the zone's serial on each server"},
		},
		{
			rule: "newest copies that differ are no matter of transfer", expected: has("203.0.113.77", "203.0.113.78", "203.0.113.79"),
			seen: disagree + "ns3: api.shop.example. 60 A 203.0.113.79\n ns1: api.shop.example. serial 42\n ns2: api.shop.example. serial 42\n ns3: api.shop.example. serial 41",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2 ns3"},
			says: []string{"the serials are 41 on ns3 (192.0.2.3); 42 on ns1 (192.0.2.1), ns2 (192.0.2.2)"},
		},
		{
			rule: "a server that lags and yet says the same is not accused", expected: both,
			seen: disagree + "ns3: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. serial 42\n ns2: api.shop.example. serial 40\n ns3: api.shop.example. serial 41",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2 ns3"},
			says: []string{"; ns2 (192.0.2.2) lags: it has serial 40, ns1"},
		},
		{
			rule: "a server that is silent about one type contradicts nobody in it", expected: both,
			seen: disagree + "ns3: api.shop.example. 60 A 203.0.113.77\n ns3: api.shop.example. AAAA silent\n ns1: api.shop.example. serial 42\n ns2: api.shop.example. serial 41\n ns3: api.shop.example. serial 42",
			want: []string{
				"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 A | at ns1 ns2 ns3",
				"info dns/packet-loss shop.example | at ns3",
			},
			says: []string{"; ns2 (192.0.2.2) lags"},
		},
	}
}

func TestNewer(t *testing.T) {
	for _, c := range []struct {
		a, b uint32
		want bool
	}{{1, 0, true}, {0, 1, false}, {5, 5, false}, {0, 1<<32 - 1, true}, {1 << 31, 0, false}, {0, 1 << 31, false}, {1<<31 - 1, 0, true}, {1<<31 + 1, 0, false}} {
		if newer(c.a, c.b) != c.want {
			t.Errorf("newer(%d, %d) is not %t", c.a, c.b, c.want)
		}
	}
}

// What the looks at all hosts of a zone say together counts: one look alone shows too
// little.
func TestLossOfAZoneIsSeenOverAllItsHosts(t *testing.T) {
	var os []Observation
	for i := range 12 {
		text := fmt.Sprintf("ns1: h%d.shop.example. 60 A 203.0.113.77\n ns2: h%d.shop.example. 60 A 203.0.113.77\n", i, i)
		if i%4 == 0 {
			text += fmt.Sprintf("ns%d: h%d.shop.example. AAAA silent", 1+i/4%2, i)
		}
		os = append(os, look(t, text))
	}
	lossy := Lossy(os...)
	if !lossy["shop.example"].Even {
		t.Fatalf("lossy: %v", lossy)
	}
	codes := func(lossy map[string]Loss) []finding.Code {
		var all []finding.Code
		for _, f := range Judge(Policy{}, noon, Case{Observed: os[0], Lossy: lossy}) {
			all = append(all, f.Code)
		}
		return all
	}
	if got := codes(lossy); !slices.Equal(got, []finding.Code{finding.DNSPacketLoss}) {
		t.Errorf("with all looks: %v", got)
	}
	// A server that misses one type of two names, and no other server does, is to blame.
	two := []Observation{os[0], os[1]}
	for i := range two {
		name := fmt.Sprintf("h%d.shop.example.", i)
		two[i] = look(t, "ns1: "+name+" 60 A 203.0.113.77\n ns2: "+name+" 60 A 203.0.113.77\n ns2: "+name+" AAAA silent")
	}
	if got := Lossy(two...); got["shop.example"].Even {
		t.Error("one server leaves the same question unanswered for each name")
	}
	// A server that misses much more than the other is its own fault.
	for i := range os {
		if a := &os[i].Steps[0].Answers[0]; a.Server.Name == "ns1" {
			a.Outcome, a.Addresses = Silent, nil
		}
	}
	if got := Lossy(os...); got["shop.example"].Even {
		t.Error("one server misses half of all, the other one of 24")
	}
}

// Without IPv6 here nothing is known of a zone with IPv6 servers alone, whatever a
// resolver says: it may lack IPv6 too.
func TestServersThatNeedIPv6AreUnknownWithoutIt(t *testing.T) {
	o := look(t, "parent: api.shop.example. unreachable\n resolver: 192.0.2.53 failed\n resolver: 9.9.9.9 silent")
	o.Steps[0].Failure.Text = noIPv6
	fs := Judge(Policy{}, noon, Case{Expected: has("203.0.113.77"), Observed: o})
	if len(fs) != 1 || fs[0].Severity != finding.Unknown || fs[0].Code != finding.DNSUnresolvable {
		t.Errorf("found %+v", fs)
	}
	o.Steps[0].Failure.Text = "no server of the zone example gave a usable answer"
	if fs = Judge(Policy{}, noon, Case{Expected: has("203.0.113.77"), Observed: o}); len(fs) != 1 || fs[0].Severity != finding.Critical {
		t.Errorf("of servers that could be asked: %+v", fs)
	}
}

func TestADNAMEThatMakesTooLongANameFailsForAll(t *testing.T) {
	o := look(t, "ns1: x.eu.shop.example. failed\n ns2: x.eu.shop.example. failed")
	for i := range o.Steps[0].Answers {
		o.Steps[0].Answers[i].DNAME = "eu.shop.example"
	}
	fs := Judge(Policy{}, noon, Case{Expected: has("203.0.113.77"), Observed: o})
	if len(fs) != 1 || fs[0].Severity != finding.Critical || fs[0].Record.Owner != "eu.shop.example" || fs[0].Record.Type != "DNAME" {
		t.Errorf("found %+v", fs)
	}
	o.Steps[0].Answers[0].DNAME = ""
	if fs = Judge(Policy{}, noon, Case{Expected: has("203.0.113.77"), Observed: o}); len(fs) != 1 || fs[0].Severity != finding.Unknown {
		t.Errorf("of one server alone: %+v", fs)
	}
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// A name has one alias: a server that gives another one to the other question takes
// turns.
func TestTwoAliasesOfOneServerTakeTurns(t *testing.T) {
	s := Step{Answers: []Answer{
		{Server: Server{Name: "ns1"}, Type: A, Outcome: Alias, Target: "a.lb.test"},
		{Server: Server{Name: "ns1"}, Type: AAAA, Outcome: Alias, Target: "a.lb.test"},
		{Server: Server{Name: "ns2"}, Type: A, Outcome: Alias, Target: "b.lb.test"},
	}}
	if s.givesTwoAliases() {
		t.Error("two servers that disagree")
	}
	s.Answers[1].Target = "b.lb.test"
	if !s.givesTwoAliases() {
		t.Error("one server, two aliases")
	}
}
