package diagnose_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/report"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

var update = flag.Bool("update", false, "write the goldens")

func policy() diagnose.Policy {
	return diagnose.Policy{
		MaxTTL: 5 * time.Minute, Public: true,
		Certificates: issuance.Policy{Authorities: []string{"Let's Encrypt", "Example Trust"}},
	}
}

type situation struct {
	name string
	make func(t testing.TB) *builder
	// exit is the exit code with the default --fail-on.
	exit int
}

func situations() []situation {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	return []situation{
		{"all well", func(t testing.TB) *builder { return shop(hosts(t, 5)...) }, 0},
		{"a replaced balancer is one incident for all hostnames", func(t testing.TB) *builder {
			b := shop(hosts(t, 5)...).had(oldAddr, ago(7*time.Minute))
			return b.each(func(h string) { b.publish(h, 3600, oldAddr).probe(h, oldAddr, stranger) }).resolver("8.8.8.8", 2460, oldAddr)
		}, 1},
		{"without a memory the older Ingress status tells of the replacement", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			for i := range b.Inventory.Targets {
				b.Inventory.Targets[i].Declarations[0].StatusAddresses = ips(oldAddr)
			}
			return b.each(func(h string) { b.publish(h, 3600, oldAddr).probe(h, oldAddr, refused).probe(h, oldAddr, stranger) })
		}, 1},
		{"a wrong address that nobody knows", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned(newAddr)
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, stranger) })
		}, 1},
		{"one stale address beside a good one", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).had(oldAddr, ago(time.Hour))
			return b.each(func(h string) { b.publish(h, 300, oldAddr, newAddr).probe(h, oldAddr, stranger) })
		}, 1},
		{"stale on one server of three", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).had(oldAddr, ago(time.Hour))
			return b.each(func(h string) { b.publish(h, 300, newAddr, "-"+oldAddr).probe(h, oldAddr, stranger) })
		}, 1},
		{"an old balancer that still answers is a warning", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).had(oldAddr, ago(time.Hour))
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, strangerAlive) })
		}, 1},
		{"stale records and a balancer that does not answer are two incidents", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).had(oldAddr, ago(time.Hour))
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, stranger).probe(h, newAddr, refused) })
		}, 1},
		{"IPv6 is stale, IPv4 is right", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			return b.each(func(h string) { b.publish(h, 300, newAddr, "2001:db8::10").probe(h, "2001:db8::10", stranger) })
		}, 1},
		{"draining after the fix", func(t testing.TB) *builder {
			b := shop(hosts(t, 5)...).had(oldAddr, ago(12*time.Minute)).published(oldAddr, 3600, ago(5*time.Minute))
			b.resolver("8.8.8.8", 2280, oldAddr)
			return b.resolver("1.1.1.1", 300, newAddr)
		}, 0},
		{"a zone that moved, and a former server of it still gives the old address", func(t testing.TB) *builder {
			b := shop(hosts(t, 5)...).had(oldAddr, ago(12*time.Minute)).published(oldAddr, 3600, ago(5*time.Minute))
			former := dnscheck.Answer{Server: dnscheck.Server{Name: "ns1.old.example", Address: netip.MustParseAddrPort("192.0.2.99:53")}, Type: dnscheck.A, Outcome: dnscheck.OK, Addresses: ips(oldAddr), TTL: 3600}
			for i := range b.Observations.DNS {
				b.Observations.DNS[i].Steps[0].Former = []dnscheck.Former{{Answer: former, Until: noon().Add(46 * time.Hour)}}
			}
			return b.resolver("8.8.8.8", 2280, oldAddr)
		}, 1},
		{"drained", func(t testing.TB) *builder {
			return shop(hosts(t, 5)...).had(oldAddr, ago(3*time.Hour)).published(oldAddr, 3600, ago(2*time.Hour))
		}, 0},
		{"the Service was deleted", func(t testing.TB) *builder {
			b := shop(hosts(t, 5)...).pinned()
			b.each(func(h string) { b.publish(h, 3600, oldAddr).probe(h, newAddr, good) })
			b.Observations.Probes = nil
			for i := range b.Inventory.Targets {
				tg := &b.Inventory.Targets[i]
				tg.Origin = "Ingress shop/web"
				tg.Declarations = []inventory.Declaration{{Object: tg.Origin, Class: "traefik", StatusAddresses: ips(oldAddr)}}
				b.probe(tg.Host, oldAddr, refused)
			}
			return b.had(oldAddr, ago(2*time.Minute))
		}, 1},
		{"the cloud lost the balancer", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...)
			b.Observations.Clouds[0].Balancers = nil
			b.History.Addresses.Sightings = []lbcheck.Sighting{{
				Service: traefik(), Address: ips(newAddr)[0], Balancer: b.Inventory.Services[0].BalancerID, LastSeen: ago(2 * time.Minute),
			}}
			return b.probes(newAddr, silent)
		}, 1},
		{"Kubernetes and the cloud disagree, nothing is called stale", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...)
			b.Inventory.Services[0].Addresses = ips(oldAddr)
			return b
		}, 1},
		{"the address is dead for everyone", func(t testing.TB) *builder { return shop(hosts(t, 3)...).probes(newAddr, silent) }, 1},
		{"one of two addresses is dead", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).pinned(newAddr, oldAddr)
			return b.each(func(h string) { b.publish(h, 300, newAddr, oldAddr).probe(h, oldAddr, refused) })
		}, 1},
		{"the placeholder certificate for everyone is one incident", func(t testing.TB) *builder { return shop(hosts(t, 5)...).probes(newAddr, placeholder) }, 1},
		{"one expired certificate for everyone is one incident", func(t testing.TB) *builder { return shop(hosts(t, 5)...).probes(newAddr, expired) }, 1},
		{"the applications fail", func(t testing.TB) *builder { return shop(hosts(t, 3)...).probes(newAddr, status(503)) }, 1},
		{"one application fails", func(t testing.TB) *builder {
			return shop(hosts(t, 3)...).probe("api.shop.example", newAddr, status(502))
		}, 1},
		{"one name server is down", func(t testing.TB) *builder {
			return shop(hosts(t, 3)...).servers("ns2", dnscheck.Silent, "timeout after 5 s")
		}, 1},
		{"no name server answers, the balancer does", func(t testing.TB) *builder {
			return shop(hosts(t, 3)...).servers("ns", dnscheck.Silent, "timeout after 5 s")
		}, 3},
		{"every name server refuses, and resolvers fail", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).servers("ns", dnscheck.Refused, "REFUSED").resolver("1.1.1.1", 0, newAddr)
			for i := range b.Observations.DNS {
				b.Observations.DNS[i].Resolvers[0] = dnscheck.ResolverAnswer{Resolver: b.Observations.DNS[i].Resolvers[0].Resolver, Type: dnscheck.A, Outcome: dnscheck.Failed, Detail: "SERVFAIL", At: noon()}
			}
			return b
		}, 1},
		{"nothing answers at all: it is us", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).servers("ns", dnscheck.Silent, "timeout").probes(newAddr, silent)
			for i := range b.Observations.DNS {
				b.Observations.DNS[i].Heard = false
			}
			b.Observations.Clouds[0].Failure, b.Observations.Clouds[0].At = "timeout", time.Time{}
			return b
		}, 3},
		{"the cloud cannot be read: no record is called stale", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).had(oldAddr, ago(time.Hour))
			b.Observations.Clouds[0] = outage()
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, good) })
		}, 3},
		{"the TTL is too long", func(t testing.TB) *builder {
			b := shop(hosts(t, 5)...)
			return b.each(func(h string) { b.publish(h, 3600, newAddr) })
		}, 1},
		{"the record is gone", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).servers("ns", dnscheck.NoName, "")
		}, 1},
		{"a host alone, nothing known to compare with", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned()
			b.Inventory.Targets[0].Origin = "command line"
			return b
		}, 0},
		{"a host in the cluster without a known Service", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...)
			b.Inventory.Services = append(b.Inventory.Services, inventory.Service{ServiceRef: inventory.ServiceRef{Namespace: "mail", Name: "smtp"}, Addresses: ips("203.0.113.99")})
			tg := &b.Inventory.Targets[0]
			tg.Declarations = []inventory.Declaration{{Object: tg.Origin}}
			return b
		}, 3},
		{"from inside the cluster the balancer itself is not seen", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).had(oldAddr, ago(time.Hour))
			b.inside()
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, stranger) })
		}, 1},
		{"IPv6 only, from a machine without IPv6, is unknown", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned("2001:db8::77")
			b.publish("api.shop.example", 300, "2001:db8::77")
			b.Observations.Probes = nil
			return b.probes("2001:db8::77", func(o *probe.Observation) {
				o.Reached = probe.PhaseNone
				o.Fault = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.NoRoute, Text: "no route to the address"}
			})
		}, 3},
		{"a private address in a public zone is not connected to", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned()
			b.Inventory.Targets[0].Origin = "command line"
			b.publish("api.shop.example", 300, "10.0.0.5")
			b.Observations.Probes = nil
			return b.probes("10.0.0.5", func(o *probe.Observation) {
				o.Reached = probe.PhaseNone
				o.Fault = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Forbidden, Text: "special-purpose"}
			})
		}, 1},
		{"a resolver does not answer", func(t testing.TB) *builder { return shop(hosts(t, 2)...).resolver("9.9.9.9", 0, "") }, 0},
	}
}

func TestSituations(t *testing.T) {
	for _, c := range slices.Concat(situations(), hardSituations(), zoneSituations(), clientSituations(), clusterSituations(), truthSituations(), certificateSituations()) {
		t.Run(c.name, func(t *testing.T) {
			snap := c.make(t).Snapshot
			r := diagnose.Diagnose(policy(), noon(), snap)
			var text bytes.Buffer
			if err := report.Text(&text, r, report.Options{}); err != nil {
				t.Fatal(err)
			}
			// A module's files can have neither colons nor some other marks in their names.
			golden(t, strings.NewReplacer(" ", "-", ":", "", ",", "").Replace(c.name)+".txt", text.Bytes())
			if got := finding.ExitCode(r, finding.Warning); got != c.exit {
				t.Errorf("exit code %d, want %d", got, c.exit)
			}
			if again := diagnose.Diagnose(policy(), noon(), shuffle(snap)); !reflect.DeepEqual(again, r) {
				t.Errorf("the order of the inputs changes the report:\n%+v\n%+v", r, again)
			}
			whole(t, r)
			roundTrip(t, snap, r)
		})
	}
}

// whole checks that each finding is explained by exactly one incident, and that
// nothing is left empty.
func whole(t *testing.T, r finding.Report) {
	t.Helper()
	explained := map[finding.ID]int{}
	ids := map[string]bool{}
	for _, in := range r.Incidents {
		if ids[in.ID] {
			t.Errorf("two incidents are called %s", in.ID)
		}
		ids[in.ID] = true
		if in.Cause == "" || in.Code == "" || in.State == "" || len(in.Effects) == 0 {
			t.Errorf("incident with holes: %+v", in)
		}
		for _, f := range in.Effects {
			explained[f.ID()]++
			if f.Severity > in.Severity {
				t.Errorf("%s is %s, its effect %s is %s", in.ID, in.Severity, f.Code, f.Severity)
			}
		}
	}
	for _, f := range r.Findings {
		if explained[f.ID()] != 1 {
			t.Errorf("%s %+v is explained by %d incidents", f.Code, f.Subject, explained[f.ID()])
		}
		if _, ok := finding.Lookup(f.Code); !ok {
			t.Errorf("%s is not in the catalogue", f.Code)
		}
	}
	named := map[string]bool{}
	for _, in := range r.Incidents {
		for _, h := range slices.Concat(in.Hosts, in.Corrected) {
			named[h] = true
		}
	}
	for _, f := range r.Findings {
		if (f.Code == finding.DNSDraining || f.Code == finding.DNSCachedStale) && !named[f.Subject.Host] {
			t.Errorf("%s: caches give a wrong address for %s, which no incident names", f.Code, f.Subject.Host)
		}
	}
	for _, f := range r.Fronts {
		for _, h := range f.Hosts {
			named[h] = true
		}
	}
	if len(named) < r.Coverage.Hosts {
		t.Errorf("%d hosts, but only %v are called well or hit: silence is no verdict", r.Coverage.Hosts, named)
	}
	if len(explained) != len(r.Findings) {
		t.Errorf("%d findings, %d explained", len(r.Findings), len(explained))
	}
}

// roundTrip checks that a snapshot that was written and read is judged alike.
func roundTrip(t *testing.T, s snapshot.Snapshot, r finding.Report) {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back snapshot.Snapshot
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if again := diagnose.Diagnose(policy(), noon(), back); !reflect.DeepEqual(again, r) {
		t.Errorf("after a round trip the report differs:\n%+v\n%+v", r, again)
	}
}

func shuffle(s snapshot.Snapshot) snapshot.Snapshot {
	rng := rand.New(rand.NewPCG(1, 2))
	c := s
	c.Inventory.Targets = shuffled(rng, s.Inventory.Targets)
	c.Observations.DNS = shuffled(rng, s.Observations.DNS)
	c.Observations.Probes = shuffled(rng, s.Observations.Probes)
	c.Observations.Zones = shuffled(rng, s.Observations.Zones)
	for i, z := range c.Observations.Zones {
		c.Observations.Zones[i].Handed, c.Observations.Zones[i].Servers = shuffled(rng, z.Handed), shuffled(rng, z.Servers)
	}
	for i, o := range c.Observations.DNS {
		steps := append([]dnscheck.Step(nil), o.Steps...)
		steps[0].Answers = shuffled(rng, steps[0].Answers)
		c.Observations.DNS[i].Steps = steps
	}
	return c
}

func shuffled[T any](rng *rand.Rand, list []T) []T {
	c := append([]T(nil), list...)
	rng.Shuffle(len(c), func(i, j int) { c[i], c[j] = c[j], c[i] })
	return c
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}
