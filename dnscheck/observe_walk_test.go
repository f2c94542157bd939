package dnscheck_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

func TestTheWalkFindsTheServersOfAZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		zones func(realm) []lab.ZoneSpec
		host  string
		want  string
	}{
		{
			"a server named in another domain is found by a walk of its own",
			func(r realm) []lab.ZoneSpec {
				return []lab.ZoneSpec{
					{Name: "shop.example.", Text: "www 60 A 192.0.2.1", Servers: []lab.NameServer{{Name: "ns.host.test.", Addr: r.net.Addr(21)}}},
					r.oneServer("host.test.", 21, ""),
				}
			},
			"www.shop.example", `
			www.shop.example in shop.example
			  ns.host.test A ok 192.0.2.1 ttl 60
			  ns.host.test AAAA nodata ttl 300
			`,
		},
		{
			"servers that need each other to be found have no address",
			func(r realm) []lab.ZoneSpec {
				return []lab.ZoneSpec{
					{Name: "a.example.", Delegation: "a NS ns.b.test.", Servers: []lab.NameServer{{Name: "ns.b.test.", Addr: r.net.Addr(21)}}},
					{Name: "b.test.", Delegation: "b NS ns.a.example.", Servers: []lab.NameServer{{Name: "ns.a.example.", Addr: r.net.Addr(22)}}},
				}
			},
			"www.a.example", `
			www.a.example in a.example
			  ns.b.test A unreachable
			  ns.b.test AAAA unreachable
			`,
		},
		{
			"a server whose name does not exist is told beside the one that answers",
			func(r realm) []lab.ZoneSpec {
				z := r.oneServer("shop.example.", 11, "www 60 A 192.0.2.1")
				z.Delegation = "shop NS ns.shop\nshop NS ns.gone.test.\nns.shop A " + r.net.Addr(11).String()
				return []lab.ZoneSpec{z}
			},
			"www.shop.example", `
			www.shop.example in shop.example
			  ns.gone.test A unreachable
			  ns.gone.test AAAA unreachable
			  ns.shop.example A ok 192.0.2.1 ttl 60
			  ns.shop.example AAAA nodata ttl 300
			`,
		},
		{
			"a server that is an alias is asked, as Unbound does, if the alias leads to an address at once",
			func(r realm) []lab.ZoneSpec {
				z := r.oneServer("shop.example.", 11, "www 60 A 192.0.2.1")
				z.Delegation = "shop NS ns.shop\nshop NS alias.host.test.\nshop NS twice.host.test.\nns.shop A " + r.net.Addr(11).String()
				z.Servers = append(z.Servers, lab.NameServer{Name: "web.host.test.", Addr: r.net.Addr(12)})
				return []lab.ZoneSpec{z, r.oneServer("host.test.", 21, "alias CNAME web\ntwice CNAME alias\nweb A "+r.net.Addr(12).String())}
			},
			"www.shop.example", `
			www.shop.example in shop.example
			  alias.host.test A ok 192.0.2.1 ttl 60
			  alias.host.test AAAA nodata ttl 300
			  ns.shop.example A ok 192.0.2.1 ttl 60
			  ns.shop.example AAAA nodata ttl 300
			  twice.host.test A unreachable
			  twice.host.test AAAA unreachable
			`,
		},
		{
			"a zone cut below is followed",
			func(r realm) []lab.ZoneSpec {
				return []lab.ZoneSpec{r.oneServer("shop.example.", 11, ""), r.oneServer("eu.shop.example.", 12, "www 60 A 192.0.2.1")}
			},
			"www.eu.shop.example", `
			www.eu.shop.example in eu.shop.example
			  ns.eu.shop.example A ok 192.0.2.1 ttl 60
			  ns.eu.shop.example AAAA nodata ttl 300
			`,
		},
		{
			"a zone whose parent is on the same server is found without a referral",
			func(r realm) []lab.ZoneSpec {
				child := r.oneServer("eu.shop.example.", 11, "www 60 A 192.0.2.1\nalias 60 CNAME www")
				child.Servers = append(child.Servers, lab.NameServer{Name: "ns2.eu.shop.example.", Addr: r.net.Addr(12)})
				return []lab.ZoneSpec{r.oneServer("shop.example.", 11, ""), child}
			},
			"alias.eu.shop.example", `
			alias.eu.shop.example in eu.shop.example
			  ns.eu.shop.example A alias www.eu.shop.example ttl 60
			  ns.eu.shop.example AAAA alias www.eu.shop.example ttl 60
			  ns2.eu.shop.example A alias www.eu.shop.example ttl 60
			  ns2.eu.shop.example AAAA alias www.eu.shop.example ttl 60
			www.eu.shop.example in eu.shop.example
			  ns.eu.shop.example A ok 192.0.2.1 ttl 60
			  ns.eu.shop.example AAAA nodata ttl 300
			  ns2.eu.shop.example A ok 192.0.2.1 ttl 60
			  ns2.eu.shop.example AAAA nodata ttl 300
			`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t, c.zones, nil)
			expect(t, r.dns.Observe(t.Context(), c.host), c.want)
			expect(t, r.dns.Observe(t.Context(), c.host), c.want) // and again, from what is remembered
		})
	}
}

func TestGlueFromOutsideTheParentIsNotUsed(t *testing.T) {
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{
			{Name: "shop.example.", Text: "www 60 A 192.0.2.1", Servers: []lab.NameServer{{Name: "ns.host.test.", Addr: r.net.Addr(21)}}},
			r.oneServer("host.test.", 21, ""),
		}
	}, nil)
	r.server(2).SetFault(func(_ lab.Query, truth *dns.Msg) lab.Reply {
		truth.Extra = append(truth.Extra, &dns.A{
			Hdr: dns.RR_Header{Name: "ns.host.test.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
			A:   r.net.Addr(66).AsSlice(),
		})
		return lab.Send(truth)
	})
	for _, a := range r.dns.Observe(t.Context(), "www.shop.example").Steps[0].Answers {
		if a.Server.Address.Addr() != r.net.Addr(21) || !a.Outcome.Speaks() {
			t.Errorf("%s: %s", a.Server, answerText(a))
		}
	}
}

func TestEndlessReferralsEndWithACut(t *testing.T) {
	r := newShop(t, "")
	// Each answer refers one label further down, to the same server.
	r.server(11).SetFault(referDown(r.net.Addr(11)))
	r.server(12).SetFault(referDown(r.net.Addr(12)))
	r.server(13).SetFault(referDown(r.net.Addr(13)))
	host := strings.Repeat("a.", 60) + "shop.example"
	o := r.dns.Observe(t.Context(), host)
	if o.Cut == "" || len(o.Published()) > 0 {
		t.Errorf("cut %q, published %s", o.Cut, o.Published())
	}
	if total := r.count(func(lab.Query) bool { return true }, 11, 12, 13); total > 100 {
		t.Errorf("%d questions for one hostile name", total)
	}
}

func referDown(addr netip.Addr) lab.Fault {
	depth := 0
	var mu sync.Mutex
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		mu.Lock()
		depth++
		labels := dns.SplitDomainName(q.Name)
		zone := dns.Fqdn(strings.Join(labels[max(0, len(labels)-2-depth):], "."))
		mu.Unlock()
		m := new(dns.Msg).SetReply(q.Msg)
		ns, err := dns.NewRR(zone + " 60 NS ns." + zone)
		if err != nil {
			return lab.Reply{}
		}
		glue, err := dns.NewRR("ns." + zone + " 60 A " + addr.String())
		if err != nil {
			return lab.Reply{}
		}
		m.Ns, m.Extra = []dns.RR{ns}, []dns.RR{glue}
		return lab.Send(m)
	}
}

func TestAZoneWithVeryManyServersIsCut(t *testing.T) {
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		z := r.oneServer("shop.example.", 11, "www 60 A 192.0.2.1")
		for i := range 40 {
			z.Delegation += fmt.Sprintf("shop NS n%d.shop\nn%d.shop A %s\n", i, i, r.net.Addr(byte(100+i)))
		}
		return []lab.ZoneSpec{z}
	}, nil)
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if n := len(o.Steps[0].Answers); n > 52 {
		t.Errorf("%d answers, want at most two for each of 26 addresses", n)
	}
}

func TestManyObservationsShareOneWalk(t *testing.T) {
	r := newShop(t, "* 60 A 192.0.2.1")
	const n = 60
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			o := r.dns.Observe(t.Context(), fmt.Sprintf("h%d.shop.example", i))
			if len(o.Published()) != 1 || o.Steps[0].WildcardOwner != "*.shop.example" {
				t.Errorf("observed:\n%s", told(o))
			}
		})
	}
	all.Wait()
	if n := len(questions(&r.server(1).Queries)); n > 5 {
		t.Errorf("%d questions to the root for %d names of one zone", n, 60)
	}
	if n := len(questions(&r.server(2).Queries)); n > 5 {
		t.Errorf("%d questions to the parent for %d names of one zone", n, 60)
	}
	if n := r.asked("*.shop.example.", 11, 12, 13); n != 1 {
		t.Errorf("%d questions for the wildcard", n)
	}
}

func TestConfiguredServersAreAskedInsteadOfTheDelegation(t *testing.T) {
	inner, err := lab.NewZone("shop.example. 60 SOA ns.inner. m.inner. 1 2 3 4 5\nwww.shop.example. 60 A 10.1.1.1\neu.shop.example. 60 A 10.1.1.2")
	if err != nil {
		t.Fatal(err)
	}
	n, err := lab.RandomNet()
	if err != nil {
		t.Fatal(err)
	}
	server, err := lab.NewDNSServer(netip.AddrPortFrom(n.Addr(77), 0), inner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	r := newRealm(t, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.shop("www 60 A 192.0.2.1")} },
		func(s *dnscheck.Settings, _ *lab.DNSTree) {
			s.Servers = map[string][]netip.AddrPort{
				"Shop.Example": {server.Addr()},
				"example":      {netip.AddrPortFrom(n.Addr(78), 9)},
			}
		})
	o := r.dns.Observe(t.Context(), "www.shop.example")
	expect(t, o, "www.shop.example in shop.example\n   A ok 10.1.1.1 ttl 60\n   AAAA nodata ttl 5\n")
	if got := r.server(1).Queries.Len() + r.server(11).Queries.Len(); got != 0 {
		t.Errorf("%d questions to the public servers", got)
	}
}
