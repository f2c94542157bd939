package diagnose_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

const clusterTag = "k8s:6f1d1ab0-0000-4000-8000-000000000001"

// truthSituations are those in which what the cluster or the cloud says is not the
// whole truth, or in which a probe does not go as clients do.
func truthSituations() []situation {
	return slices.Concat(disputes(), accounts(), bypasses(), records())
}

// disputed has a status that names the old address, and a cloud that has the new one;
// the names point at the old.
func disputed(t testing.TB) *builder {
	b := shop(hosts(t, 3)...)
	b.Inventory.Services[0].Addresses = ips(oldAddr)
	return b.each(func(h string) { b.publish(h, 3600, oldAddr) })
}

func disputes() []situation {
	return []situation{
		{"of two addresses in dispute only that of the cloud answers", func(t testing.TB) *builder {
			b := disputed(t)
			return b.each(func(h string) { b.probe(h, oldAddr, silent) })
		}, 1},
		{"of two addresses in dispute only that of the status answers", func(t testing.TB) *builder {
			b := disputed(t)
			return b.each(func(h string) { b.probe(h, oldAddr, good).probe(h, newAddr, refused) })
		}, 1},
		{"both addresses in dispute answer", func(t testing.TB) *builder {
			b := disputed(t)
			return b.each(func(h string) { b.probe(h, oldAddr, good) })
		}, 1},
		{"neither address in dispute answers", func(t testing.TB) *builder {
			b := disputed(t)
			return b.each(func(h string) { b.probe(h, oldAddr, refused).probe(h, newAddr, silent) })
		}, 1},
		{"a dispute seen from inside the cluster", func(t testing.TB) *builder {
			b := disputed(t)
			b.each(func(h string) { b.probe(h, oldAddr, good).probe(h, newAddr, refused) })
			return b.inside()
		}, 1},
	}
}

func accounts() []situation {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	emptied := func(t testing.TB) *builder {
		b := shop(hosts(t, 3)...)
		b.Observations.Clouds[0].Balancers = nil
		b.History.Addresses.Sightings = []lbcheck.Sighting{{
			Service: traefik(), Address: ips(newAddr)[0], Balancer: b.Inventory.Services[0].BalancerID,
			FirstSeen: ago(time.Hour), LastSeen: noon(), Listed: ago(2 * time.Minute),
		}}
		return b
	}
	orphan := func(t testing.TB) *builder {
		b := shop(hosts(t, 2)...)
		b.Inventory.Whole = true
		list := &b.Observations.Clouds[0].Balancers
		(*list)[0].Tags = []string{"k8s", clusterTag}
		*list = append(*list, lbcheck.Balancer{
			ID: "lb-old", Name: "renamed-by-hand", Status: "active", Addresses: ips(oldAddr), Tags: []string{clusterTag}, Created: ago(30 * 24 * time.Hour),
		})
		return b
	}
	return []situation{
		{"the account is suddenly empty and the balancer answers", emptied, 3},
		{"the account is suddenly empty and nobody answers", func(t testing.TB) *builder { return emptied(t).probes(newAddr, silent) }, 1},
		{"the account is suddenly empty, seen from inside the cluster", func(t testing.TB) *builder { return emptied(t).inside() }, 3},
		{"one list lacks a balancer that answers", func(t testing.TB) *builder {
			b := emptied(t)
			b.Observations.Clouds[0].Balancers = []lbcheck.Balancer{{ID: "lb-other", Name: "other", Status: "active", Addresses: ips(oldAddr)}}
			return b
		}, 3},
		{"a balancer that no Service owns", orphan, 0},
		{"names that point at a balancer that no Service owns", func(t testing.TB) *builder {
			b := orphan(t)
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, strangerAlive) })
		}, 1},
		{"two clusters claim one balancer", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Observations.Clouds[0].Balancers[0].Tags = []string{clusterTag, "k8s:6f1d1ab0-0000-4000-8000-000000000002"}
			return b
		}, 1},
		{"the cloud calls the balancer errored", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Observations.Clouds[0].Balancers[0].Status = "errored"
			return b
		}, 1},
		{"the cloud calls the balancer errored, and it does not answer", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).probes(newAddr, silent)
			b.Observations.Clouds[0].Balancers[0].Status = "errored"
			return b
		}, 1},
		{"a disowned Service is deleted", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Inventory.Services[0].Disowned, b.Inventory.Services[0].Deleting = true, true
			return b.publish("auth.shop.example", 3600, newAddr)
		}, 1},
	}
}

func bypasses() []situation {
	return []situation{
		{"all well, from inside the cluster", func(t testing.TB) *builder { return shop(hosts(t, 2)...).inside() }, 0},
		{"all well, from inside the cluster, with PROXY protocol", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).inside(func(b *probe.Bypass) { b.ProxyProtocol = true })
		}, 0},
		{"TLS ends at the load balancer, and the probe is inside the cluster", func(t testing.TB) *builder {
			return shop(hosts(t, 3)...).probes(newAddr, notTLS).inside(func(b *probe.Bypass) { b.TerminatesTLS = true })
		}, 3},
		{"the ingress controller is down, from inside the cluster", func(t testing.TB) *builder {
			return shop(hosts(t, 2)...).probes(newAddr, refused).inside()
		}, 1},
	}
}

func notTLS(o *probe.Observation) {
	o.Reached = probe.PhaseConnect
	o.Fault = probe.Fault{Phase: probe.PhaseTLS, Kind: probe.NotTLS, Text: "port 443 speaks plain HTTP, not TLS"}
}

// inside makes the probe one inside the cluster: what goes to an address in a status
// goes past the load balancer.
func (b *builder) inside(change ...func(*probe.Bypass)) *builder {
	b.InCluster = true
	for i, o := range b.Observations.Probes {
		s := b.Inventory.Bypassing(o.Address.Addr())
		if s.ServiceRef == (inventory.ServiceRef{}) {
			continue
		}
		way := &probe.Bypass{Service: s.ServiceRef}
		for _, c := range change {
			c(way)
		}
		b.Observations.Probes[i].Bypass = way
	}
	return b
}

// hosted is the zone at its provider, with the names of the servers that answer.
func (b *builder) hosted(records ...lbcheck.HostedRecord) *builder {
	for i := range records {
		records[i].ID, records[i].Type = 21+i, "A"
		if records[i].Address.Is6() {
			records[i].Type = "AAAA"
		}
	}
	b.Observations.Hosted = []lbcheck.HostedZone{{
		Provider: "DigitalOcean", Zone: "shop.example", At: noon(), Records: records,
		Servers: []string{"ns1.shop.example", "ns2.shop.example", "ns3.shop.example"},
	}}
	return b
}

func record(name, addr string) lbcheck.HostedRecord {
	return lbcheck.HostedRecord{Name: name, Address: ips(addr)[0], TTL: 3600}
}

func records() []situation {
	moved := func(t testing.TB, published ...string) *builder {
		b := shop(hosts(t, 2)...).had(oldAddr, noon().Add(-7*time.Minute))
		return b.each(func(h string) {
			b.publish(h, 3600, published...)
			for _, a := range published {
				b.probe(h, a, stranger)
			}
		})
	}
	const wild = "*.shop.example"
	return []situation{
		{"records at the provider are named by id", func(t testing.TB) *builder {
			return moved(t, oldAddr).hosted(record("shop.example", oldAddr), record(wild, oldAddr))
		}, 1},
		{"of two records at the provider one is to go", func(t testing.TB) *builder {
			return moved(t, oldAddr, "203.0.113.11").hosted(record(wild, oldAddr), record(wild, "203.0.113.11"))
		}, 1},
		{"a copy of the zone at a provider that does not serve it is left alone", func(t testing.TB) *builder {
			b := moved(t, oldAddr).hosted(record(wild, oldAddr))
			b.Observations.Hosted[0].Servers = []string{"ns1.digitalocean.com"}
			return b
		}, 1},
		{"a record that is right at the provider already is left alone", func(t testing.TB) *builder {
			return moved(t, oldAddr).hosted(record(wild, newAddr))
		}, 1},
		{"a missing record is made at the provider", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...).pinned(newAddr, oldAddr).probes(oldAddr, good)
			return b.hosted(record(wild, newAddr))
		}, 1},
	}
}

// A Service that begins to speak PROXY protocol between two looks is told of in one way,
// and always the same.
func TestWhatTwoLooksTellOfOneServiceIsToldAlike(t *testing.T) {
	b := shop("www.shop.example").probe("www.shop.example", oldAddr, good)
	b.Inventory.Services[0].Addresses = ips(newAddr, oldAddr)
	b.Observations.Clouds = nil
	b.Observations.Probes[0].Bypass = &probe.Bypass{Service: traefik(), ProxyProtocol: true}
	b.Observations.Probes[1].Bypass = &probe.Bypass{Service: traefik()}
	first := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	for range 50 {
		if again := diagnose.Diagnose(policy(), noon(), b.Snapshot); !reflect.DeepEqual(again, first) {
			t.Fatalf("once it is\n%+v\nand once\n%+v", first.Findings, again.Findings)
		}
	}
}
