package diagnose_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/probe"
)

// clientSituations are those in which authority is right, or was, and clients see
// something else.
func clientSituations() []situation {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	return []situation{
		{"a zone whose signatures have expired is one incident", func(t testing.TB) *builder {
			return shop(hosts(t, 3)...).bogus("8.8.8.8", dns.ExtendedErrorCodeSignatureExpired).bogus("1.1.1.1", 0)
		}, 1},
		{"one resolver of two refuses a zone", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).resolver("1.1.1.1", 300, newAddr).bogus("8.8.8.8", dns.ExtendedErrorCodeDNSKEYMissing)
			for i := range b.Observations.DNS {
				b.Observations.DNS[i].Resolvers[0].Validated = true
			}
			return b
		}, 1},
		{"resolvers refuse the zone at the end of an alias", behindABrokenZone, 1},
		{"a denied name is there again", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).denied("api.shop.example", ago(2*time.Minute)).denied("auth.shop.example", ago(4*time.Minute))
			b.resolver("8.8.8.8", 300, newAddr).resolver("1.1.1.1", 700, newAddr)
			r := &b.Observations.DNS[0].Resolvers[1]
			r.Outcome, r.Addresses = dnscheck.NoName, nil
			return b
		}, 0},
		{"of two denied names one is there again", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).denied("api.shop.example", ago(2*time.Minute))
			still := shop(hosts(t, 2)...).servers("ns", dnscheck.NoName, "").Observations.DNS[1]
			return b.replaceDNS(still)
		}, 1},
		{"a resolver serves an old address for nobody knows how long", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).had(oldAddr, ago(2*time.Hour)).published(oldAddr, 300, ago(time.Hour)).resolver("8.8.8.8", 30, oldAddr)
		}, 1},
		{"a resolver makes IPv6 addresses of the old and of the new one", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).had(oldAddr, ago(12*time.Minute)).published(oldAddr, 3600, ago(5*time.Minute))
			b.resolver("8.8.8.8", 900, "64:ff9b::203.0.113.10").resolver("1.1.1.1", 60, "2001:db8:64::203.0.113.77")
			for i := range b.Observations.DNS[0].Resolvers {
				b.Observations.DNS[0].Resolvers[i].Type = dnscheck.AAAA
			}
			return b
		}, 0},
		{"both families, from a machine without IPv6, is well as far as can be seen", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).pinned(newAddr, sixAddr)
			return b.each(func(h string) { b.publish(h, 300, newAddr, sixAddr).probe(h, sixAddr, noRoute) })
		}, 0},
		{"a stale AAAA, from a machine without IPv6, is stale all the same", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned(newAddr, sixAddr)
			return b.each(func(h string) {
				b.publish(h, 300, newAddr, "2001:db8::10").probe(h, sixAddr, noRoute).probe(h, "2001:db8::10", func(o *probe.Observation) { noRoute(o); o.Stranger = true })
			})
		}, 1},
	}
}

const sixAddr = "2001:db8::77"

// noRoute is what a machine without IPv6 makes of an IPv6 address.
func noRoute(o *probe.Observation) {
	o.Reached = probe.PhaseNone
	o.Fault = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.NoRoute, Text: "the network cannot be reached from here"}
}

// bogus adds a resolver that refuses every host, for a reason.
func (b *builder) bogus(ip string, why uint16) *builder {
	b.resolver(ip, 0, newAddr)
	for i := range b.Observations.DNS {
		list := b.Observations.DNS[i].Resolvers
		r := &list[len(list)-1]
		r.Outcome, r.Addresses, r.Detail, r.Bogus, r.EDE = dnscheck.Failed, nil, "SERVFAIL", true, why
	}
	return b
}

// denied remembers that a host was denied for 15 minutes until a moment.
func (b *builder) denied(host string, until time.Time) *builder {
	b.History.Records.Denials = append(b.History.Records.Denials, dnscheck.Denial{
		Host: host, Type: dnscheck.A, Zone: "shop.example", Owner: host, TTL: 900,
		FirstSeen: until.Add(-time.Hour), LastSeen: until.Add(-30 * time.Second), Gone: until,
	})
	return b
}

// behindABrokenZone has two names in a sound zone, one of them an alias into one that
// is not.
func behindABrokenZone(t testing.TB) *builder {
	t.Helper()
	b := shop(hosts(t, 2)...).pinned(newAddr).bogus("8.8.8.8", dns.ExtendedErrorCodeRRSIGsMissing)
	sound, broken := &b.Observations.DNS[0], &b.Observations.DNS[1]
	r := &sound.Resolvers[0]
	*r = dnscheck.ResolverAnswer{Resolver: r.Resolver, Type: r.Type, Outcome: dnscheck.OK, Addresses: ips(newAddr), TTL: 300, At: noon(), Validated: true}
	end := broken.Steps[0]
	end.Name, end.Zone, end.WildcardOwner, end.Wildcard = "lb.edge.example", "edge.example", "", nil
	first := broken.Steps[0]
	first.Answers, first.WildcardOwner, first.Wildcard = nil, "", nil
	for _, a := range end.Answers {
		first.Answers = append(first.Answers, dnscheck.Answer{Server: a.Server, Type: a.Type, Outcome: dnscheck.Alias, Target: end.Name, TTL: 300})
	}
	broken.Steps = []dnscheck.Step{first, end}
	return b
}

// A machine without IPv6 must say of no IPv6 address that it does not answer.
func TestNoVerdictAboutIPv6FromAMachineWithoutIt(t *testing.T) {
	for _, c := range clientSituations() {
		b := c.make(t)
		for i, o := range b.Observations.Probes {
			if o.Address.Addr().Is6() {
				noRoute(&b.Observations.Probes[i])
			}
		}
		for _, f := range diagnose.Diagnose(policy(), noon(), b.Snapshot).Findings {
			if at, err := netip.ParseAddr(f.Subject.Address); err == nil && at.Is6() && f.Code.Family() != "dns" && f.Severity > finding.Unknown {
				t.Errorf("%s: %s %s: %s", c.name, f.Severity, f.Code, f.Summary)
			}
		}
	}
}
