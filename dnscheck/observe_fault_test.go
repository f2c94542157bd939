package dnscheck_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

func TestAFaultOfOneServerIsItsOutcomeAndNeverAnAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		fault   lab.Fault
		outcome dnscheck.Outcome
		detail  string
	}{
		{"silence", lab.Silent, dnscheck.Silent, "no answer in"},
		{"REFUSED", lab.Refuse, dnscheck.Refused, "REFUSED"},
		{"SERVFAIL", lab.ServFail, dnscheck.Failed, "SERVFAIL"},
		{"a referral upwards", lab.Lame, dnscheck.Lame, "refers to the servers of ."},
		{"an answer without AA", lab.NotAuthoritative, dnscheck.Lame, "without AA"},
		{"only wrong IDs", lab.WrongID, dnscheck.Malformed, "wrong ID"},
		{"only answers to another question", lab.WrongQuestion, dnscheck.Malformed, "another question"},
		{"a query instead of an answer", lab.QR0, dnscheck.Malformed, "QR=0"},
		{"another source port", lab.WrongSource, dnscheck.Silent, "no answer in"},
		{"garbage", lab.Garbage, dnscheck.Malformed, "no DNS message"},
		{"TCP hangs up after truncation", lab.TCPClosed, dnscheck.Silent, "closed the TCP connection"},
		{"a foreign opcode", alter(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), dnscheck.Malformed, "opcode 4"},
		{"the wrong zone's SOA", alter(func(m *dns.Msg) {
			m.Answer, m.Ns = nil, []dns.RR{soa("example.")}
		}), dnscheck.Lame, "answers for the zone example"},
		{"records of another owner alone", alter(func(m *dns.Msg) { rename(m.Answer, "other.example.") }), dnscheck.Malformed, "other names"},
		{"an empty address record", emptyA, dnscheck.Malformed, "wrong length"},
		{"fewer records than counted", shortCount, dnscheck.Malformed, "fewer records"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "www 60 A 192.0.2.1\nwww 60 AAAA 2001:db8::1")
			r.server(12).SetFault(c.fault)
			o := r.dns.Observe(t.Context(), "www.shop.example")
			a := answersOf(t, o, "ns2.shop.example")
			if len(a) != 2 || a[0].Outcome != c.outcome || !strings.Contains(a[0].Detail, c.detail) {
				t.Errorf("ns2: %+v, want %s with %q", a, c.outcome, c.detail)
			}
			for _, a := range a {
				if len(a.Addresses) > 0 && a.Outcome != dnscheck.OK {
					t.Errorf("addresses in %+v", a)
				}
			}
			for _, name := range []string{"ns1.shop.example", "ns3.shop.example"} {
				if a := answersOf(t, o, name); len(a) != 2 || a[0].Outcome != dnscheck.OK || a[1].Outcome != dnscheck.OK {
					t.Errorf("%s: %+v, want both OK", name, a)
				}
			}
		})
	}
}

// alter is a fault that changes the answers to questions for addresses.
func alter(f func(*dns.Msg)) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Type == dns.TypeA {
			f(truth)
		}
		return lab.Send(truth)
	}
}

func soa(zone string) dns.RR {
	return &dns.SOA{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.", Mbox: "m.", Minttl: 60}
}

func rename(rrs []dns.RR, name string) {
	for _, rr := range rrs {
		rr.Header().Name = name
	}
}

func emptyA(q lab.Query, truth *dns.Msg) lab.Reply {
	for _, rr := range truth.Answer {
		if a, ok := rr.(*dns.A); ok {
			a.A = nil
		}
	}
	return lab.Send(truth)
}

// shortCount claims one answer record more than there is.
func shortCount(q lab.Query, truth *dns.Msg) lab.Reply {
	truth.Ns, truth.Extra = nil, nil
	packet, err := truth.Pack()
	if err != nil {
		return lab.Reply{}
	}
	packet[11]++
	return lab.Reply{Raw: [][]byte{packet}}
}

func TestAFaultThatHealsGivesTheTruth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		tcp   bool
	}{
		{"a forged packet before the right one is ignored", lab.SpoofFirst, false},
		{"one lost packet is asked for again", lossOf1(), false},
		{"a server without EDNS is asked without", lab.NoEDNS, false},
		{"a truncated answer is read over TCP", lab.AlwaysTruncated, true},
		{"records of a truncated answer are not used", truncatedLie, true},
		{"the case of the question may differ", alter(func(m *dns.Msg) {
			m.Question[0].Name = strings.ToUpper(m.Question[0].Name)
			rename(m.Answer, m.Question[0].Name)
		}), false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "www 60 A 192.0.2.1")
			for last := byte(11); last <= 13; last++ {
				r.server(last).SetFault(c.fault)
			}
			for _, a := range r.dns.Observe(t.Context(), "www.shop.example").Steps[0].Answers {
				if a.Type == dnscheck.A && (answerText(a) != "A ok 192.0.2.1 ttl 60" && !c.tcp || a.TCP != c.tcp || a.Outcome != dnscheck.OK) {
					t.Errorf("%s: %+v", a.Server, a)
				}
			}
		})
	}
}

// lossOf1 drops questions for addresses unless they come a second time from the
// same port.
func lossOf1() lab.Fault {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		key := q.From.String() + q.String()
		mu.Lock()
		defer mu.Unlock()
		if q.Type == dns.TypeA && !seen[key] {
			seen[key] = true
			return lab.Reply{}
		}
		return lab.Send(truth)
	}
}

func truncatedLie(q lab.Query, truth *dns.Msg) lab.Reply {
	if q.Proto == "udp" {
		truth.Truncated = true
		for _, rr := range truth.Answer {
			if a, ok := rr.(*dns.A); ok {
				a.A = []byte{203, 0, 113, 66}
			}
		}
	}
	return lab.Send(truth)
}

func TestAStoppedServerIsUnreachableAndTheOthersSpeak(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	if err := r.server(11).Stop(); err != nil {
		t.Fatal(err)
	}
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in shop.example
	  ns1.shop.example A unreachable
	  ns1.shop.example AAAA unreachable
	  ns2.shop.example A ok 192.0.2.1 ttl 60
	  ns2.shop.example AAAA nodata ttl 300
	  ns3.shop.example A ok 192.0.2.1 ttl 60
	  ns3.shop.example AAAA nodata ttl 300
	`)
}

func TestWhenNobodyOfAZoneAnswersTheZoneIsNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		at    []byte
		want  string
	}{
		{"silent roots", lab.Silent, []byte{1}, `
		www.shop.example in .: silent at ., negative TTL 0
		`},
		{"a top-level domain that refuses", lab.Refuse, []byte{2}, `
		www.shop.example in example: refused at example, negative TTL 0
		`},
		{"all servers of the zone lame: each of them is heard", lab.Lame, []byte{11, 12, 13}, `
		www.shop.example in shop.example
		  ns1.shop.example A lame
		  ns1.shop.example AAAA lame
		  ns2.shop.example A lame
		  ns2.shop.example AAAA lame
		  ns3.shop.example A lame
		  ns3.shop.example AAAA lame
		`},
		{"all servers of the zone silent: each of them is heard", lab.Silent, []byte{11, 12, 13}, `
		www.shop.example in shop.example
		  ns1.shop.example A silent
		  ns1.shop.example AAAA silent
		  ns2.shop.example A silent
		  ns2.shop.example AAAA silent
		  ns3.shop.example A silent
		  ns3.shop.example AAAA silent
		`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "www 60 A 192.0.2.1")
			for _, last := range c.at {
				r.server(last).SetFault(c.fault)
			}
			expect(t, r.dns.Observe(t.Context(), "www.shop.example"), c.want)
		})
	}
}

func TestStoppedRootsAreUnreachable(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	if err := r.server(1).Stop(); err != nil {
		t.Fatal(err)
	}
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in .: unreachable at ., negative TTL 0
	`)
}

func TestASilentServerDoesNotDelayTheAlias(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.shop("www 60 CNAME pool.lb.test."), r.oneServer("lb.test.", 21, "pool 30 A 192.0.2.1")}
	}, func(s *dnscheck.Settings, _ *lab.DNSTree) { s.Timeout = 2 * time.Second })
	r.server(13).SetFault(lab.Silent)
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if len(o.Steps) != 2 || len(o.Published()) != 1 || o.Cut != "" {
		t.Errorf("observed:\n%s", told(o))
	}
	if a := answersOf(t, o, "ns3.shop.example"); len(a) != 2 || a[0].Outcome != dnscheck.Silent {
		t.Errorf("ns3: %+v", a)
	}
}

func TestAfterAFaultTheDelegationIsReadAnew(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	r.dns.Observe(t.Context(), "www.shop.example")
	for last := byte(11); last <= 13; last++ {
		r.server(last).RemoveZone("shop.example.")
	}
	// The zone moves to the server of its parent's other child.
	moved, err := lab.NewZone("shop.example. 60 SOA ns.new. m.new. 1 2 3 4 5\nshop.example. 60 NS new.shop.example.\nwww.shop.example. 60 A 192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	r.server(3).SetZone(moved)
	text := "shop 60 NS new.shop\nnew.shop 60 A " + r.net.Addr(3).String()
	if err := r.tree.SetRecords("example.", text); err != nil {
		t.Fatal(err)
	}
	r.dns.Observe(t.Context(), "www.shop.example")
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in shop.example
	  new.shop.example A ok 192.0.2.7 ttl 60
	  new.shop.example AAAA nodata ttl 5
	`)
}
