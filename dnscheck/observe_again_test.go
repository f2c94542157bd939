package dnscheck_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

func TestAStepWithADNAME(t *testing.T) {
	t.Parallel()
	withoutAlias := func(_ lab.Query, truth *dns.Msg) lab.Reply {
		truth.Answer = slices.DeleteFunc(truth.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCNAME })
		return lab.Send(truth)
	}
	otherAlias := func(_ lab.Query, truth *dns.Msg) lab.Reply {
		for _, rr := range truth.Answer {
			if alias, ok := rr.(*dns.CNAME); ok {
				alias.Target = "evil.test."
			}
		}
		return lab.Send(truth)
	}
	const moved = `
	a.b.eu.shop.example in shop.example
	  ns.shop.example A alias a.b.lb.test ttl 300
	  ns.shop.example AAAA alias a.b.lb.test ttl 300
	a.b.lb.test in lb.test
	  ns.lb.test A ok 192.0.2.1 ttl 30
	  ns.lb.test AAAA nodata ttl 300
	`
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		want  string
	}{
		{"with the alias that it makes", nil, moved},
		{"without it", lab.ForName("eu.shop.example.", withoutAlias), moved},
		{"with another one, on the servers' own fault", lab.ForName("eu.shop.example.", otherAlias), `
		a.b.eu.shop.example in shop.example
		  ns.shop.example A malformed
		  ns.shop.example AAAA malformed
		`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t, func(r realm) []lab.ZoneSpec {
				return []lab.ZoneSpec{r.oneServer("shop.example.", 11, "eu 300 DNAME lb.test."), r.oneServer("lb.test.", 21, "a.b 30 A 192.0.2.1")}
			}, nil)
			r.server(11).SetFault(c.fault)
			o := r.dns.Observe(t.Context(), "a.b.eu.shop.example")
			expect(t, o, c.want)
			a := o.Steps[0].Answers[0]
			if a.Outcome == dnscheck.Alias && a.DNAME != "eu.shop.example" || a.Outcome != dnscheck.Alias && !strings.Contains(a.Detail, "other than the one that its DNAME") {
				t.Errorf("by the DNAME of %q: %s", a.DNAME, a.Detail)
			}
			if got := o.Steps[0].Owner(); c.fault == nil && got != "eu.shop.example" {
				t.Errorf("the record to edit is that of %s", got)
			}
		})
	}
}

func TestANameDeepBelowADNAMEIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.oneServer("shop.example.", 11, "eu 300 DNAME lb.test."), r.oneServer("lb.test.", 21, "* 30 A 192.0.2.1")}
	}, nil)
	o := r.dns.Observe(t.Context(), strings.Repeat("a.", 12)+"eu.shop.example")
	forSOA := func(q lab.Query) bool { return q.Type == dns.TypeSOA }
	if n := r.count(forSOA, 11); n > 2 || len(o.Published()) != 1 || o.Cut != "" {
		t.Errorf("%d questions to find the zone\n%s", n, told(o))
	}
}

// A DNAME that makes the name grow ends at the limit of names or of steps.
func TestADNAMEIntoItselfEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, host string }{
		{"eu 60 DNAME eu.eu", "x.eu.shop.example"},
		{"eu 60 DNAME " + strings.Repeat("l", 60) + "." + strings.Repeat("m", 60) + ".eu", "x.eu.shop.example"},
		{"a 60 DNAME b\nb 60 DNAME a", "x.a.shop.example"},
	} {
		r := newRealm(t, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.oneServer("shop.example.", 11, c.text)} }, nil)
		o := r.dns.Observe(t.Context(), c.host)
		if len(o.Steps) > dnscheck.MaxSteps || len(o.Published()) > 0 || !o.Heard {
			t.Errorf("%s: %d steps, cut %q", c.text, len(o.Steps), o.Cut)
		}
		fs := dnscheck.Judge(dnscheck.Policy{}, o.At, dnscheck.Case{Observed: o})
		if len(fs) == 0 || fs[0].Code != finding.DNSUnresolvable {
			t.Errorf("%s: found %+v", c.text, fs)
		}
	}
}

// lagging is a shop whose second server has an older copy of the zone.
func lagging(t *testing.T) realm {
	t.Helper()
	r := newShop(t, "@ SOA ns1 hostmaster 42 7200 900 1209600 300\n* 60 A 192.0.2.77")
	if err := r.tree.SetRecords("shop.example.", "@ SOA ns1 hostmaster 41 7200 900 1209600 300\n* 60 A 192.0.2.10", r.net.Addr(12)); err != nil {
		t.Fatal(err)
	}
	return r
}

// serials are those of the answers of the first step.
func serials(o dnscheck.Observation) string {
	var all []uint32
	for _, s := range o.Steps[:min(1, len(o.Steps))] {
		for _, a := range s.Answers {
			all = append(all, a.Serial)
		}
	}
	return fmt.Sprint(all)
}

func TestASecondaryThatLagsIsNamed(t *testing.T) {
	t.Parallel()
	r := lagging(t)
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if s := o.Steps[0]; s.Rotates || serials(o) != "[42 42 41 41 42 42]" || s.Answers[2].Primary != "ns1.shop.example" {
		t.Errorf("%+v", s)
	}
	said := ""
	for _, f := range dnscheck.Judge(dnscheck.Policy{}, o.At, dnscheck.Case{Observed: o}) {
		said += f.Observed + "\n" + f.Hint
	}
	if !strings.Contains(said, "ns2.shop.example") || !strings.Contains(said, "lags: it has serial 41, ns1.shop.example") {
		t.Error(said)
	}
	forAddresses := func(q lab.Query) bool { return q.Name == "www.shop.example." && q.Type != dns.TypeSOA }
	if n := r.count(forAddresses, 11, 12, 13); n > 3*2 {
		t.Errorf("%d questions for addresses; what serials explain is not asked again", n)
	}
}

// Many names of one zone that lags share the question for its SOA.
func TestTheSerialsOfALaggingZoneAreAskedOnceForAllItsNames(t *testing.T) {
	t.Parallel()
	r := lagging(t)
	began := time.Now()
	var looks sync.WaitGroup
	for i := range 100 {
		looks.Go(func() {
			o := r.dns.Observe(t.Context(), fmt.Sprintf("h%d.shop.example", i))
			if got := serials(o); got != "[42 42 41 41 42 42]" {
				t.Errorf("h%d: serials %s\n%s", i, got, told(o))
			}
		})
	}
	looks.Wait()
	most := 1 + int(time.Since(began)/(10*time.Second)) // they share it for ten seconds
	forSOA := func(q lab.Query) bool { return q.Name == "shop.example." && q.Type == dns.TypeSOA }
	for last := byte(11); last <= 13; last++ {
		if soa := r.count(forSOA, last); soa < 1 || soa > most {
			t.Errorf("%d questions for the SOA at server %d", soa, last)
		}
	}
}

// A server that loses eight packets in a row is there: what it says counts. One that loses
// all is silent, and known to have been so for each question.
func TestASilentServerIsAskedOnceMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault lab.Fault
		want  dnscheck.Outcome
	}{
		"it has lost some":    {lab.Times(8, lab.Silent), dnscheck.OK},
		"it loses everything": {lab.Silent, dnscheck.Silent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "www 60 A 192.0.2.1\nwww 60 AAAA 2001:db8::1")
			r.server(12).SetFault(c.fault)
			o := r.fresh(t, inSilence).Observe(t.Context(), "www.shop.example")
			// A slow machine insists less often than it might, and gives up what it was
			// asked for to find the zone.
			most := len(questions(&r.server(12).Queries))
			for _, a := range o.Steps[0].Answers[2:4] {
				if a.Outcome != c.want || a.Again != (c.want == dnscheck.OK) || c.want == dnscheck.Silent && (a.Unanswered < 4 || a.Unanswered > most) {
					t.Errorf("%+v", a)
				}
			}
			fs := dnscheck.Judge(dnscheck.Policy{}, o.At, dnscheck.Case{Observed: o})
			if found := len(fs) == 1 && fs[0].Code == finding.DNSServerDegraded; found != (c.want == dnscheck.Silent) {
				t.Errorf("found %+v", fs)
			}
		})
	}
}

func TestServersThatRotateDoNotDisagree(t *testing.T) {
	t.Parallel()
	r := newShop(t, "@ SOA ns1 hostmaster 42 7200 900 1209600 300\nwww 60 A 192.0.2.1\nwww 60 A 192.0.2.2\nwww 60 A 192.0.2.3\nwww 60 A 192.0.2.4")
	// By turns for sure: each answer of a server is the next address.
	for last := byte(11); last <= 13; last++ {
		var mu sync.Mutex
		n := int(last)
		r.server(last).SetFault(func(q lab.Query, truth *dns.Msg) lab.Reply {
			mu.Lock()
			defer mu.Unlock()
			if q.Type == dns.TypeA && len(truth.Answer) == 4 {
				truth.Answer = truth.Answer[n%4:][:1]
				n++
			}
			return lab.Send(truth)
		})
	}
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if s := o.Steps[0]; !s.Rotates || len(s.Answers) != 6 || len(s.Answers[0].Addresses) != 2 {
		t.Errorf("%+v", s)
	}
	if len(o.Published()) != 4 {
		t.Errorf("published: %v", o.Published())
	}
	if fs := dnscheck.Judge(dnscheck.Policy{}, o.At, dnscheck.Case{Observed: o}); len(fs) > 0 {
		t.Errorf("found %+v", fs)
	}
	for last := byte(11); last <= 13; last++ {
		of := func(qtype uint16) int {
			return r.count(func(q lab.Query) bool { return q.Name == "www.shop.example." && q.Type == qtype }, last)
		}
		a, aaaa := of(dns.TypeA), of(dns.TypeAAAA)
		if a != 2 || aaaa != 1 {
			t.Errorf("server %d was asked %d times for A, %d for AAAA", last, a, aaaa)
		}
	}
}

func TestBothAliasesOfAServerThatRotatesAreFollowed(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.shop("@ SOA ns1 hostmaster 42 7200 900 1209600 300\nwww 60 TXT x"), r.oneServer("lb.test.", 21, "a 30 A 192.0.2.1\nb 30 A 192.0.2.2\nc 30 A 192.0.2.3")}
	}, nil)
	for last := byte(11); last <= 13; last++ {
		var mu sync.Mutex
		asked := map[uint16]int{}
		r.server(last).SetFault(lab.ForName("www.shop.example.", func(q lab.Query, truth *dns.Msg) lab.Reply {
			mu.Lock()
			defer mu.Unlock()
			if q.Type != dns.TypeA && q.Type != dns.TypeAAAA {
				return lab.Send(truth)
			}
			alias, err := dns.NewRR(fmt.Sprintf("www.shop.example. 60 CNAME %c.lb.test.", 'a'+(int(last)+asked[q.Type])%3))
			if err != nil {
				t.Error(err)
			}
			asked[q.Type]++
			truth.Answer, truth.Ns = []dns.RR{alias}, nil
			return lab.Send(truth)
		}))
	}
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if !o.Steps[0].Rotates || len(o.Steps) != 4 || len(o.Steps[0].Answers) != 12 || len(o.Published()) != 3 {
		t.Errorf("%s", told(o))
	}
	if fs := dnscheck.Judge(dnscheck.Policy{}, o.At, dnscheck.Case{Observed: o}); len(fs) > 0 {
		t.Errorf("found %+v", fs)
	}
}

// TestOneVerdictOverManyRounds looks at names whose answers are drawn, round after
// round, with the history and the judge behind it: after the first rounds the same is
// found, and the stale address among them is never lost.
func TestOneVerdictOverManyRounds(t *testing.T) {
	t.Parallel()
	four := "www 60 A 192.0.2.10\nwww 60 A 192.0.2.11\nwww 60 A 192.0.2.12\nwww 60 A 192.0.2.13\n"
	eight := four + "www 60 A 192.0.2.14\nwww 60 A 192.0.2.15\nwww 60 A 192.0.2.16\nwww 60 A 192.0.2.17\n"
	pool := "a 60 A 192.0.2.10\nb 60 A 192.0.2.11\nc 60 A 192.0.2.12\n"
	targets := []string{"a.lb.test.", "b.lb.test.", "c.lb.test."}
	for _, c := range []struct {
		rule, shop string
		fault      func(seed uint64) lab.Fault
	}{
		{"1 of 4", four, func(seed uint64) lab.Fault { return lab.NewTurns(seed).Subset(1) }},
		{"1 of 4 by weight", four, func(seed uint64) lab.Fault { return lab.NewTurns(seed).Weighted(2, 3, 3, 2) }},
		{"2 of 8", eight, func(seed uint64) lab.Fault { return lab.NewTurns(seed).Subset(2) }},
		{"aliases by weight", "www 60 TXT x", func(seed uint64) lab.Fault {
			return lab.NewTurns(seed).Alias("www.shop.example.", targets, 2, 1, 1)
		}},
	} {
		for _, servers := range []byte{1, 3} {
			t.Run(fmt.Sprintf("%s, %d servers", c.rule, servers), func(t *testing.T) {
				t.Parallel()
				r := newRealm(t, func(r realm) []lab.ZoneSpec {
					z := r.shop("@ SOA ns1 hostmaster 42 7200 900 1209600 300\n" + c.shop)
					z.Servers = z.Servers[:servers]
					return []lab.ZoneSpec{z, r.oneServer("lb.test.", 21, pool)}
				}, nil)
				for last := byte(11); last < 11+servers; last++ {
					r.server(last).SetFault(c.fault(uint64(last)))
				}
				verdicts(t, r)
			})
		}
	}
}

// verdicts looks every 30 s, of which it makes the times itself, and checks what is
// found from round 20 on. 192.0.2.10 is stale, and nothing else is wrong.
func verdicts(t *testing.T, r realm) {
	t.Helper()
	expected := inventory.Expected{Known: true}
	var h dnscheck.History
	noon := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	for round := range 60 {
		o := r.dns.Observe(t.Context(), "www.shop.example")
		o.At = noon.Add(time.Duration(round) * 30 * time.Second)
		h = h.Remember([]dnscheck.Observation{o})
		for _, a := range dnscheck.Published(o, h.Of(o.Host)) {
			if a.String() != "192.0.2.10" && !expected.Has(a) {
				expected.Addresses = append(expected.Addresses, a)
			}
		}
		if round < 20 {
			continue // the test learns here what the pool is
		}
		var got []string
		for _, f := range dnscheck.Judge(dnscheck.Policy{MaxTTL: time.Hour}, o.At, dnscheck.Case{Expected: expected, Observed: o, Seen: h.Of(o.Host)}) {
			got = append(got, fmt.Sprintf("%s %s %s", f.Severity, f.Code, f.Subject.Address))
		}
		if want := []string{"critical dns/stale-record 192.0.2.10"}; !slices.Equal(got, want) {
			t.Fatalf("round %d: found %q\n%s", round, got, told(o))
		}
	}
}
