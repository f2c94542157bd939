package dnscheck

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// said is an authoritative answer of shop.example to a question for A records, with
// these records in the answer section.
func said(tb testing.TB, name, records string) *dns.Msg {
	tb.Helper()
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}}
	m.Question = []dns.Question{{Name: name, Qtype: dns.TypeA, Qclass: dns.ClassINET}}
	for line := range strings.Lines(records) {
		rr, err := dns.NewRR(line)
		if err != nil {
			tb.Fatal(err)
		}
		if rr != nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

func summaryOf(a Answer) string {
	text := fmt.Sprintf("%s %v %s ttl %d", a.Outcome, a.Addresses, a.Target, a.TTL)
	if a.DNAME != "" {
		text += " by " + a.DNAME
	}
	if a.Odd != nil {
		text += fmt.Sprintf(" odd from %d, top bit %t", a.Odd.Least, a.Odd.TopBit)
	}
	if a.Detail != "" {
		text += ": " + a.Detail
	}
	return text
}

func TestReadAnswerWithOddTTLsAndDNAMEs(t *testing.T) {
	const long = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.eu.shop.example."
	huge := strings.Repeat(strings.Repeat("m", 62)+".", 3) + "test."
	for _, c := range []struct{ rule, name, records, want string }{
		{"one TTL for the set", "www.shop.example.", "www.shop.example. 60 A 192.0.2.1\nwww.shop.example. 60 A 192.0.2.2", "ok [192.0.2.1 192.0.2.2]  ttl 60"},
		{"different TTLs: the largest counts, and the least is told", "www.shop.example.", "www.shop.example. 60 A 192.0.2.1\nwww.shop.example. 3600 A 192.0.2.2", "ok [192.0.2.1 192.0.2.2]  ttl 3600 odd from 60, top bit false"},
		{"the top bit makes a TTL of 0", "www.shop.example.", "www.shop.example. 2147483648 A 192.0.2.1", "ok [192.0.2.1]  ttl 0 odd from 0, top bit true"},
		{"the top bit beside a TTL", "www.shop.example.", "www.shop.example. 4294967295 A 192.0.2.1\nwww.shop.example. 60 A 192.0.2.2", "ok [192.0.2.1 192.0.2.2]  ttl 60 odd from 0, top bit true"},
		{"the largest TTL has no top bit", "www.shop.example.", "www.shop.example. 2147483647 A 192.0.2.1", "ok [192.0.2.1]  ttl 2147483647"},
		{"the TTL of another owner is not of the set", "www.shop.example.", "www.shop.example. 60 CNAME a.shop.example.\na.shop.example. 5 A 192.0.2.1", "alias [] a.shop.example ttl 60"},

		{"a DNAME with its alias", "x.eu.shop.example.", "eu.shop.example. 300 DNAME lb.test.\nx.eu.shop.example. 300 CNAME x.lb.test.", "alias [] x.lb.test ttl 300 by eu.shop.example"},
		{"a DNAME whose alias has the TTL 0 of old servers", "x.eu.shop.example.", "eu.shop.example. 300 DNAME lb.test.\nx.eu.shop.example. 0 CNAME x.lb.test.", "alias [] x.lb.test ttl 300 by eu.shop.example"},
		{"an alias with a larger TTL than its DNAME", "x.eu.shop.example.", "eu.shop.example. 60 DNAME lb.test.\nx.eu.shop.example. 300 CNAME x.lb.test.", "alias [] x.lb.test ttl 300 by eu.shop.example"},
		{"a DNAME with the top bit set in its TTL", "x.eu.shop.example.", "eu.shop.example. 2147483648 DNAME lb.test.", "alias [] x.lb.test ttl 0 by eu.shop.example odd from 0, top bit true"},
		{"a DNAME without its alias", "x.y.eu.shop.example.", "eu.shop.example. 300 DNAME lb.test.", "alias [] x.y.lb.test ttl 300 by eu.shop.example"},
		{"a DNAME in capitals", "x.eu.shop.example.", "EU.Shop.example. 300 DNAME LB.test.\nX.eu.shop.example. 300 CNAME x.lb.TEST.", "alias [] x.lb.test ttl 300 by eu.shop.example"},
		{"a DNAME to the root", "x.eu.shop.example.", "eu.shop.example. 300 DNAME .", "alias [] x ttl 300 by eu.shop.example"},
		{"a DNAME at the apex", "x.eu.shop.example.", "shop.example. 300 DNAME lb.test.", "alias [] x.eu.lb.test ttl 300 by shop.example"},
		{"of two DNAMEs one hides the other", "x.eu.shop.example.", "eu.shop.example. 300 DNAME a.test.\nshop.example. 300 DNAME b.test.", "alias [] x.eu.b.test ttl 300 by shop.example"},
		{"the chain goes through another DNAME", "x.eu.shop.example.", "eu.shop.example. 300 DNAME us.shop.example.\nx.eu.shop.example. 300 CNAME x.us.shop.example.\nus.shop.example. 60 DNAME lb.test.\nx.us.shop.example. 60 CNAME x.lb.test.", "alias [] x.us.shop.example ttl 300 by eu.shop.example"},
		{"an alias that its DNAME does not make", "x.eu.shop.example.", "eu.shop.example. 300 DNAME lb.test.\nx.eu.shop.example. 300 CNAME y.lb.test.", "malformed []  ttl 0: sent an alias other than the one that its DNAME record makes"},
		{"two DNAMEs for one name", "x.eu.shop.example.", "eu.shop.example. 300 DNAME a.test.\neu.shop.example. 300 DNAME b.test.", "malformed []  ttl 0: sent two DNAME records for one name"},
		{"addresses below a DNAME", "x.eu.shop.example.", "eu.shop.example. 300 DNAME a.test.\nx.eu.shop.example. 300 A 192.0.2.9", "malformed []  ttl 0: sent addresses for a name below a DNAME record"},
		{"a DNAME of its own name moves nothing", "eu.shop.example.", "eu.shop.example. 300 DNAME a.test.\neu.shop.example. 60 A 192.0.2.1", "ok [192.0.2.1]  ttl 60"},
		{"a DNAME from above the zone is not believed", "x.eu.shop.example.", "example. 300 DNAME evil.test.", "malformed []  ttl 0: sent records of other names than the one asked for"},
		{"a DNAME from beside the name is not believed", "x.eu.shop.example.", "us.shop.example. 300 DNAME evil.test.", "malformed []  ttl 0: sent records of other names than the one asked for"},
		{"a DNAME that makes a name too long", long, "eu.shop.example. 300 DNAME " + huge, "failed []  ttl 0 by eu.shop.example: the DNAME record at eu.shop.example makes a name that is too long (YXDOMAIN)"},
		{"a DNAME that makes a name too long, with an alias nonetheless", long, "eu.shop.example. 300 DNAME " + huge + "\n" + long + " 60 CNAME a." + huge, "malformed []  ttl 0: sent an alias other than the one that its DNAME record makes"},
		{"an escaped dot is part of a label", `a\.eu.shop.example.`, "eu.shop.example. 300 DNAME evil.test.", "malformed []  ttl 0: sent records of other names than the one asked for"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			m := said(t, c.name, c.records)
			for range 2 {
				if got := summaryOf(readAnswer("shop.example.", question{name: canonical(c.name), qtype: dns.TypeA}, m)); got != c.want {
					t.Errorf("%v\nread as %s\nwant    %s", m.Answer, got, c.want)
				}
				slices.Reverse(m.Answer)
			}
		})
	}
}

func TestYXDOMAINIsTheLastNamesOwn(t *testing.T) {
	m := said(t, "www.shop.example.", "www.shop.example. 60 CNAME a.eu.shop.example.")
	m.Rcode = dns.RcodeYXDomain
	if got := summaryOf(readAnswer("shop.example.", question{name: "www.shop.example.", qtype: dns.TypeA}, m)); got != "alias [] a.eu.shop.example ttl 60" {
		t.Error(got)
	}
	m.Answer = nil
	if got := summaryOf(readAnswer("shop.example.", question{name: "www.shop.example.", qtype: dns.TypeA}, m)); got != "failed []  ttl 0: YXDOMAIN" {
		t.Error(got)
	}
}

// The serial is the zone's own, and not that of the zone at the end of an alias.
func TestTheSerialIsTheZonesOwn(t *testing.T) {
	m := said(t, "www.shop.example.", "www.shop.example. 60 CNAME a.example.")
	soa := &dns.SOA{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Serial: 7, Ns: "ns.", Mbox: "m."}
	m.Ns = []dns.RR{soa}
	m.Rcode = dns.RcodeNameError
	if a := readAnswer("shop.example.", question{name: "www.shop.example.", qtype: dns.TypeA}, m); a.Serial != 0 {
		t.Errorf("serial %d of another zone", a.Serial)
	}
	soa.Hdr.Name = "shop.example."
	if a := readAnswer("shop.example.", question{name: "www.shop.example.", qtype: dns.TypeA}, m); a.Serial != 7 {
		t.Errorf("serial %d, want 7", a.Serial)
	}
}

// FuzzDNAME: what is put together fits, and what is taken apart again is the same.
func FuzzDNAME(f *testing.F) {
	f.Add("x.eu.shop.example.", "eu.shop.example.", "lb.test.")
	f.Add(`a\.b.c.`, ".", ".")
	f.Fuzz(func(t *testing.T, name, owner, target string) {
		for _, n := range []string{name, owner, target} {
			if _, ok := dns.IsDomainName(n); !ok || canonical(n) != n {
				return
			}
		}
		packed := make([]byte, 255)
		if _, err := dns.PackDomainName(name, packed, 0, nil, false); err != nil || !strictlyBelow(owner, name) {
			return
		}
		made, fits := redirected(name, owner, target)
		if !fits {
			return
		}
		if !within(target, made) || dns.CountLabel(made) != dns.CountLabel(name)-dns.CountLabel(owner)+dns.CountLabel(target) {
			t.Fatalf("%q under %q → %q made %q", name, owner, target, made)
		}
		if got := dnameTarget(bare(name), bare(owner), bare(made)); canonical(got) != target {
			t.Fatalf("of %q under %q to %q the target is %q, not %q", name, owner, made, got, target)
		}
	})
}
