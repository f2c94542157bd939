package dnscheck_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/lab"
)

// besideShop is shop.example on ns1 and ns2, and on ns1.olddns.test, which only the zone
// itself names.
func besideShop(tb testing.TB, text string) realm {
	tb.Helper()
	return newRealm(tb, func(r realm) []lab.ZoneSpec {
		z := r.shop(text)
		z.Servers = append(z.Servers[:2], lab.NameServer{Name: "ns1.olddns.test.", Addr: r.net.Addr(31)})
		z.Delegation = fmt.Sprintf("shop NS ns1.shop\nshop NS ns2.shop\nns1.shop A %s\nns2.shop A %s", r.net.Addr(11), r.net.Addr(12))
		return []lab.ZoneSpec{z, r.oneServer("olddns.test.", 31, "")}
	}, nil)
}

func TestServersBesideTheDelegationAreFoundOnceForAllNames(t *testing.T) {
	t.Parallel()
	r := besideShop(t, "* 60 A 192.0.2.1")
	var looks sync.WaitGroup
	for i := range 20 {
		looks.Go(func() {
			host := fmt.Sprintf("h%d.shop.example", i)
			o := r.dns.Observe(t.Context(), host)
			if s := o.Steps[0]; len(s.Answers) != 6 || o.Cut != "" {
				t.Errorf("%s: cut %q, want two answers of three servers:\n%s", host, o.Cut, told(o))
			}
		})
	}
	looks.Wait()
	ns := func(q lab.Query) bool { return q.Type == dns.TypeNS }
	if above, below := r.count(ns, 2), r.count(ns, 11, 12, 31); above != 1 || below != 1 {
		t.Errorf("%d questions for NS to the parent and %d to the zone, want one each", above, below)
	}
	if n := r.count(func(q lab.Query) bool { return q.Name == "ns1.olddns.test." && q.Type == dns.TypeA }, 31); n != 1 {
		t.Errorf("the address of ns1.olddns.test was asked for %d times, want once", n)
	}
}

// What a look at the zone met serves the looks at its names.
func TestALookAtTheZoneFindsTheServersBesideTheDelegation(t *testing.T) {
	t.Parallel()
	r := besideShop(t, "www 60 A 192.0.2.1")
	r.dns.ObserveZone(t.Context(), "shop.example")
	ns := func(q lab.Query) bool { return q.Type == dns.TypeNS }
	before := r.count(ns, 2, 11, 12, 31)
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if n := r.count(ns, 2, 11, 12, 31) - before; n != 0 || len(o.Steps[0].Answers) != 6 {
		t.Errorf("%d more questions for NS, want none, and two answers of three servers:\n%s", n, told(o))
	}
}

// JudgeZone tells of a server that only the zone names and that fails.
func TestAFailingServerBesideTheDelegationIsNoMatterOfTheName(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]lab.Fault{"silent": lab.Silent, "refuses": lab.Refuse, "fails": lab.ServFail} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := besideShop(t, "www 60 A 192.0.2.1")
			r.server(31).SetFault(lab.When(func(q lab.Query) bool { return strings.HasSuffix(q.Name, "shop.example.") }, fault))
			o := r.fresh(t, inSilence).Observe(t.Context(), "www.shop.example")
			c := dnscheck.Case{Observed: o, Expected: inventory.Expected{Known: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}}
			if fs := dnscheck.Judge(dnscheck.Policy{}, o.At, c); len(fs) > 0 || o.Cut != "" || r.asked("www.shop.example.", 31) == 0 {
				t.Errorf("cut %q, found\n%s\n%s", o.Cut, findingTexts(fs), told(o))
			}
		})
	}
}

// The servers of a zone that is configured are those to ask, whatever it names.
func TestAConfiguredZoneHasNoServersBeside(t *testing.T) {
	t.Parallel()
	r := besideShop(t, "www 60 A 192.0.2.1")
	d := r.fresh(t, func(s *dnscheck.Settings) {
		s.Servers = map[string][]netip.AddrPort{"shop.example": {netip.AddrPortFrom(r.net.Addr(11), r.tree.Port())}}
	})
	o := d.Observe(t.Context(), "www.shop.example")
	if len(o.Steps[0].Answers) != 2 || r.asked("www.shop.example.", 31) != 0 {
		t.Error(told(o))
	}
}

// A server that only the zone names has an old record and falls silent: nothing is clear,
// also after the zone was looked at, until it speaks again.
func TestAServerBesideTheDelegationThatFallsSilentClearsNothing(t *testing.T) {
	t.Parallel()
	r := besideShop(t, "www 60 A 192.0.2.1")
	if err := r.tree.SetRecords("shop.example.", "www 60 A 192.0.2.9", r.net.Addr(31)); err != nil {
		t.Fatal(err)
	}
	d := r.fresh(t, inSilence)
	var h dnscheck.History
	verdict := func() string {
		o := d.Observe(t.Context(), "www.shop.example")
		h = h.Remember([]dnscheck.Observation{o})
		words := ""
		for _, f := range dnscheck.Judge(dnscheck.Policy{}, o.At, dnscheck.Case{
			Observed: o, Seen: h.Of(o.Host), Expected: inventory.Expected{Known: true, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
		}) {
			words += fmt.Sprintf("%s %s %s\n", f.Severity, f.Code, f.Subject.Address)
		}
		return words
	}
	if got := verdict(); !strings.Contains(got, "critical dns/stale-record 192.0.2.9") {
		t.Errorf("at first:\n%s", got)
	}
	r.server(31).SetFault(lab.When(func(q lab.Query) bool { return strings.HasSuffix(q.Name, "shop.example.") }, lab.Silent))
	const unproven = "unknown dns/draining 192.0.2.9\n"
	if got := verdict(); got != unproven {
		t.Errorf("in silence:\n%s", got)
	}
	d.ObserveZone(t.Context(), "shop.example")
	if got := verdict(); got != unproven {
		t.Errorf("after a look at the zone:\n%s", got)
	}
	r.server(31).SetFault(nil)
	if err := r.tree.SetRecords("shop.example.", "www 60 A 192.0.2.1", r.net.Addr(31)); err != nil {
		t.Fatal(err)
	}
	if got := verdict(); got != "info dns/draining 192.0.2.9\n" {
		t.Errorf("when it speaks:\n%s", got)
	}
}
