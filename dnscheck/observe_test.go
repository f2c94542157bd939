package dnscheck_test

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

func TestObserveSaysWhatEachServerSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, text, host, want string }{
		{
			"every server of the zone is asked for both types",
			"www 300 A 192.0.2.2\nwww 300 A 192.0.2.1\nwww 60 AAAA 2001:db8::1", "WWW.shop.example.", `
			www.shop.example in shop.example
			  ns1.shop.example A ok 192.0.2.1 192.0.2.2 ttl 300
			  ns1.shop.example AAAA ok 2001:db8::1 ttl 60
			  ns2.shop.example A ok 192.0.2.1 192.0.2.2 ttl 300
			  ns2.shop.example AAAA ok 2001:db8::1 ttl 60
			  ns3.shop.example A ok 192.0.2.1 192.0.2.2 ttl 300
			  ns3.shop.example AAAA ok 2001:db8::1 ttl 60
			`,
		},
		{
			"a name with IPv6 only has no A record",
			"www 60 AAAA 2001:db8::1", "www.shop.example", `
			www.shop.example in shop.example
			  ns1.shop.example A nodata ttl 300
			  ns1.shop.example AAAA ok 2001:db8::1 ttl 60
			  ns2.shop.example A nodata ttl 300
			  ns2.shop.example AAAA ok 2001:db8::1 ttl 60
			  ns3.shop.example A nodata ttl 300
			  ns3.shop.example AAAA ok 2001:db8::1 ttl 60
			`,
		},
		{
			"the negative TTL is the smaller of the SOA's own TTL and its minimum",
			"@ 120 SOA ns1 hostmaster 7 7200 900 1209600 3600", "gone.shop.example", `
			gone.shop.example in shop.example
			  ns1.shop.example A nxdomain ttl 120
			  ns1.shop.example AAAA nxdomain ttl 120
			  ns2.shop.example A nxdomain ttl 120
			  ns2.shop.example AAAA nxdomain ttl 120
			  ns3.shop.example A nxdomain ttl 120
			  ns3.shop.example AAAA nxdomain ttl 120
			`,
		},
		{
			"the apex lies in its own zone, and has no wildcard",
			"@ 60 A 192.0.2.1\n* 60 A 192.0.2.1", "shop.example", `
			shop.example in shop.example
			  ns1.shop.example A ok 192.0.2.1 ttl 60
			  ns1.shop.example AAAA nodata ttl 300
			  ns2.shop.example A ok 192.0.2.1 ttl 60
			  ns2.shop.example AAAA nodata ttl 300
			  ns3.shop.example A ok 192.0.2.1 ttl 60
			  ns3.shop.example AAAA nodata ttl 300
			`,
		},
		{
			"an empty non-terminal exists without data and is no failure",
			"a.b 60 A 192.0.2.1", "b.shop.example", `
			b.shop.example in shop.example
			  ns1.shop.example A nodata ttl 300
			  ns1.shop.example AAAA nodata ttl 300
			  ns2.shop.example A nodata ttl 300
			  ns2.shop.example AAAA nodata ttl 300
			  ns3.shop.example A nodata ttl 300
			  ns3.shop.example AAAA nodata ttl 300
			`,
		},
		{
			"an undelegated zone is a denial by its parent",
			"", "www.other.example", `
			www.other.example in example: nxdomain at example, negative TTL 300
			`,
		},
		{
			"a host that is a wildcard is asked for literally",
			"* 60 A 192.0.2.1", "*.shop.example", `
			*.shop.example in shop.example
			  ns1.shop.example A ok 192.0.2.1 ttl 60
			  ns1.shop.example AAAA nodata ttl 300
			  ns2.shop.example A ok 192.0.2.1 ttl 60
			  ns2.shop.example AAAA nodata ttl 300
			  ns3.shop.example A ok 192.0.2.1 ttl 60
			  ns3.shop.example AAAA nodata ttl 300
			`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, c.text)
			expect(t, r.dns.Observe(t.Context(), c.host), c.want)
		})
	}
}

// oneServer is a zone on one server, for short expectations.
func (r realm) oneServer(zone string, last byte, text string) lab.ZoneSpec {
	return lab.ZoneSpec{Name: zone, Text: text, TTL: 3600, Servers: []lab.NameServer{{Name: "ns." + zone, Addr: r.net.Addr(last)}}}
}

func TestObserveFollowsAliases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, shop, lb, host, want string }{
		{
			"an alias into another zone is asked of that zone's own servers",
			"www 300 CNAME pool.lb.test.\n", "pool 30 A 192.0.2.1", "www.shop.example", `
			www.shop.example in shop.example
			  ns.shop.example A alias pool.lb.test ttl 300
			  ns.shop.example AAAA alias pool.lb.test ttl 300
			pool.lb.test in lb.test
			  ns.lb.test A ok 192.0.2.1 ttl 30
			  ns.lb.test AAAA nodata ttl 300
			`,
		},
		{
			"an alias within the zone is a step of its own, with its own TTL",
			"www 300 CNAME web\nweb 30 A 192.0.2.1", "", "www.shop.example", `
			www.shop.example in shop.example
			  ns.shop.example A alias web.shop.example ttl 300
			  ns.shop.example AAAA alias web.shop.example ttl 300
			web.shop.example in shop.example
			  ns.shop.example A ok 192.0.2.1 ttl 30
			  ns.shop.example AAAA nodata ttl 300
			`,
		},
		{
			"an alias at the apex, which no zone may have, is followed as it is given",
			"@ 300 CNAME pool.lb.test.", "pool 30 A 192.0.2.1", "shop.example", `
			shop.example in shop.example
			  ns.shop.example A alias pool.lb.test ttl 300
			  ns.shop.example AAAA alias pool.lb.test ttl 300
			pool.lb.test in lb.test
			  ns.lb.test A ok 192.0.2.1 ttl 30
			  ns.lb.test AAAA nodata ttl 300
			`,
		},
		{
			"a loop of aliases ends when a name comes again",
			"a 60 CNAME b.lb.test.", "b 60 CNAME a.shop.example.", "a.shop.example", `
			a.shop.example in shop.example
			  ns.shop.example A alias b.lb.test ttl 60
			  ns.shop.example AAAA alias b.lb.test ttl 60
			b.lb.test in lb.test
			  ns.lb.test A alias a.shop.example ttl 60
			  ns.lb.test AAAA alias a.shop.example ttl 60
			`,
		},
		{
			"an alias to itself is one step",
			"a 60 CNAME a", "", "a.shop.example", `
			a.shop.example in shop.example
			  ns.shop.example A alias a.shop.example ttl 60
			  ns.shop.example AAAA alias a.shop.example ttl 60
			`,
		},
		{
			"a DNAME works through the alias that is made from it",
			"eu 300 DNAME lb.test.", "pool 30 A 192.0.2.1", "pool.eu.shop.example", `
			pool.eu.shop.example in shop.example
			  ns.shop.example A alias pool.lb.test ttl 300
			  ns.shop.example AAAA alias pool.lb.test ttl 300
			pool.lb.test in lb.test
			  ns.lb.test A ok 192.0.2.1 ttl 30
			  ns.lb.test AAAA nodata ttl 300
			`,
		},
		{
			"an alias to nowhere is an alias, though the answer says NXDOMAIN",
			"www 300 CNAME gone", "", "www.shop.example", `
			www.shop.example in shop.example
			  ns.shop.example A alias gone.shop.example ttl 300
			  ns.shop.example AAAA alias gone.shop.example ttl 300
			gone.shop.example in shop.example
			  ns.shop.example A nxdomain ttl 300
			  ns.shop.example AAAA nxdomain ttl 300
			`,
		},
		{
			"an alias into a zone that is not delegated ends there",
			"www 300 CNAME x.gone.test.", "", "www.shop.example", `
			www.shop.example in shop.example
			  ns.shop.example A alias x.gone.test ttl 300
			  ns.shop.example AAAA alias x.gone.test ttl 300
			x.gone.test in test: nxdomain at test, negative TTL 300
			`,
		},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t, func(r realm) []lab.ZoneSpec {
				return []lab.ZoneSpec{r.oneServer("shop.example.", 11, c.shop), r.oneServer("lb.test.", 21, c.lb)}
			}, nil)
			expect(t, r.dns.Observe(t.Context(), c.host), c.want)
		})
	}
}

func TestAChainOfAliasesIsCutAtMaxSteps(t *testing.T) {
	t.Parallel()
	text := ""
	for i := range 20 {
		text += "c" + string(rune('a'+i)) + " 60 CNAME c" + string(rune('b'+i)) + "\n"
	}
	r := newRealm(t, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.oneServer("shop.example.", 11, text)} }, nil)
	o := r.dns.Observe(t.Context(), "ca.shop.example")
	if len(o.Steps) != dnscheck.MaxSteps || o.Cut != "the chain of aliases is too long" {
		t.Errorf("%d steps, cut %q", len(o.Steps), o.Cut)
	}
}

func TestServersThatDisagreeAreHeardOneByOne(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	if err := r.tree.SetRecords("shop.example.", "www 600 A 192.0.2.9\nwww 600 A 192.0.2.1", r.net.Addr(12)); err != nil {
		t.Fatal(err)
	}
	if err := r.tree.RemoveRecords("shop.example.", "www.shop.example.", dns.TypeANY, r.net.Addr(13)); err != nil {
		t.Fatal(err)
	}
	expect(t, r.dns.Observe(t.Context(), "www.shop.example"), `
	www.shop.example in shop.example
	  ns1.shop.example A ok 192.0.2.1 ttl 60
	  ns1.shop.example AAAA nodata ttl 300
	  ns2.shop.example A ok 192.0.2.1 192.0.2.9 ttl 600
	  ns2.shop.example AAAA nodata ttl 300
	  ns3.shop.example A nxdomain ttl 300
	  ns3.shop.example AAAA nxdomain ttl 300
	`)
}

func TestAnswerCarriesTheServerAndTheSerial(t *testing.T) {
	r := newShop(t, "@ SOA ns1 hostmaster 42 7200 900 1209600 300")
	o := r.dns.Observe(t.Context(), "gone.shop.example")
	answers := answersOf(t, o, "ns2.shop.example")
	want := netip.AddrPortFrom(r.net.Addr(12), r.tree.Port())
	if len(answers) != 2 || answers[0].Serial != 42 || answers[0].Server.Address != want {
		t.Errorf("answers of ns2: %+v, want serial 42 from %s", answers, want)
	}
	if o.Host != "gone.shop.example" || o.At.IsZero() {
		t.Errorf("host %q at %s", o.Host, o.At)
	}
}

func TestWhatIsNoDomainNameIsSaidSo(t *testing.T) {
	r := newShop(t, "")
	for _, host := range []string{"", "a..b", string(make([]byte, 300))} {
		o := r.dns.Observe(t.Context(), host)
		if len(o.Steps) != 1 || o.Steps[0].Failure.Outcome != dnscheck.Malformed {
			t.Errorf("Observe(%q) = %+v, want a failure", host, o)
		}
	}
}
