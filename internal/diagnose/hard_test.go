package diagnose_test

import (
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

const mailAddr = "203.0.113.99"

// hardSituations are those in which a verdict is easily wrong.
func hardSituations() []situation {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	return []situation{
		{"names that are corrected one after the other are one incident", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).had(oldAddr, ago(12*time.Minute)).published(oldAddr, 3600, ago(5*time.Minute))
			for _, h := range hosts(t, 2) {
				b.publish(h, 300, oldAddr).probe(h, oldAddr, stranger)
			}
			return b
		}, 1},
		{"of names that are corrected one after the other two are held by a resolver", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).had(oldAddr, ago(12*time.Minute)).published(oldAddr, 3600, ago(5*time.Minute))
			b.publish("api.shop.example", 300, oldAddr).probe("api.shop.example", oldAddr, stranger)
			return b.resolver("8.8.8.8", 3000, oldAddr)
		}, 1},
		{"records of two balancers are swapped", func(t testing.TB) *builder {
			return twoFronts(t).publish("api.shop.example", 300, mailAddr).probe("api.shop.example", mailAddr, stranger).
				publish("mail.shop.example", 300, newAddr).probe("mail.shop.example", newAddr, strangerAlive)
		}, 1},
		{"the old address belongs to another Service by now", func(t testing.TB) *builder {
			b := twoFronts(t).had(mailAddr, ago(time.Hour))
			b.Observations.Clouds[0].Balancers = b.Observations.Clouds[0].Balancers[:1]
			b.Inventory.Services[1].Created = noon().Add(time.Second) // newer than the list
			return b.publish("api.shop.example", 300, mailAddr).probe("api.shop.example", mailAddr, stranger)
		}, 1},
		{"a wildcard that serves names of two balancers is left as it is", func(t testing.TB) *builder {
			return twoFronts(t).publish("mail.shop.example", 300, newAddr).probe("mail.shop.example", newAddr, stranger)
		}, 1},
		{"two targets of one name pin an address each", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned(newAddr)
			other := b.Inventory.Targets[0]
			other.Key, other.Path, other.Addresses = "https://api.shop.example/other", "/other", ips(oldAddr)
			b.Inventory.Targets = append(b.Inventory.Targets, other)
			b.publish("api.shop.example", 300, newAddr, oldAddr)
			o := b.Observations.Probes[0]
			o.Target, o.Address = other.Key, netipPort(oldAddr)
			b.Observations.Probes = append(b.Observations.Probes, o)
			return b
		}, 0},
		{"a pinned address counts more than what an Ingress says of the same name", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...)
			pin := inventory.Target{Key: "https://api.shop.example/healthz", Host: "api.shop.example", Port: 443, Path: "/healthz", Origin: "config", Addresses: ips(oldAddr)}
			b.Inventory.Targets = append(b.Inventory.Targets, pin)
			o := b.Observations.Probes[0]
			o.Target, o.Address = pin.Key, netipPort(oldAddr)
			b.Observations.Probes = append(b.Observations.Probes, o)
			return b.probe("api.shop.example", oldAddr, refused)
		}, 1},
		{"the Service is created again and waits for an address", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...).had(oldAddr, ago(2*time.Minute))
			b.History.Addresses.Sightings = b.History.Addresses.Sightings[:1]
			s := &b.Inventory.Services[0]
			s.Addresses, s.BalancerID, s.Created = nil, "", ago(40*time.Second)
			b.Observations.Clouds[0].Balancers, b.Observations.Probes = nil, nil
			for i := range b.Inventory.Targets {
				b.Inventory.Targets[i].Declarations[0].StatusAddresses = nil
			}
			return b.each(func(h string) { b.publish(h, 3600, oldAddr).probe(h, oldAddr, silent) })
		}, 1},
		{"records that nobody has looked at are not fine", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Observations.DNS = b.Observations.DNS[1:]
			return b
		}, 3},
		{"the TTL was lowered before the address was corrected", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).had(oldAddr, ago(12*time.Minute))
			b.publish("api.shop.example", 3600, oldAddr)
			long := b.Observations.DNS[0]
			long.At = ago(10 * time.Minute)
			b.publish("api.shop.example", 60, oldAddr).probe("api.shop.example", oldAddr, stranger)
			b.History.Records = b.History.Records.Remember([]dnscheck.Observation{long}).Remember(b.Observations.DNS)
			return b
		}, 1},
		{"a dead address that is perhaps not of the balancer", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Observations.Clouds[0] = outage()
			return b.each(func(h string) { b.publish(h, 300, oldAddr).probe(h, oldAddr, silent) })
		}, 1},
		{"a running probe that loses its network says so before all it knows is old", func(t testing.TB) *builder {
			b := running(shop(hosts(t, 5)...))
			for i := range b.Observations.Probes {
				silent(&b.Observations.Probes[i])
				b.Observations.Probes[i].TLS, b.Observations.Probes[i].HTTP = nil, nil
			}
			lost := shop(hosts(t, 5)...).servers("ns", dnscheck.Silent, "timeout").Observations.DNS[:3]
			for i := range lost {
				lost[i].Heard = false
			}
			copy(b.Observations.DNS, lost)
			return b
		}, 3},
		{"a running probe with a dead balancer and a fresh answer is online", func(t testing.TB) *builder {
			b := running(shop(hosts(t, 5)...).probes(newAddr, func(o *probe.Observation) { silent(o); o.At = noon() }))
			b.Observations.DNS[4].At = noon()
			return b
		}, 1},
		{"behind a hostname the TTL of the alias counts", func(t testing.TB) *builder { return behindHostname(t) }, 1},
		{"wrong on two servers while the third is silent", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).had(oldAddr, ago(time.Hour)).publish("api.shop.example", 300, oldAddr).probe("api.shop.example", oldAddr, stranger)
			return b.servers("ns3", dnscheck.Silent, "timeout after 5 s")
		}, 1},
		{"right on one server while the others are silent", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).had(oldAddr, ago(12*time.Minute)).published(oldAddr, 300, ago(10*time.Minute))
			return b.servers("ns2", dnscheck.Silent, "timeout after 5 s").servers("ns3", dnscheck.Silent, "timeout after 5 s")
		}, 1},
		{"a complete list that may be of another account accuses nobody", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Observations.Clouds[0].Balancers[0].ID = "another"
			return b
		}, 1},
		{"a resolver holds an old address that nobody has seen published", func(t testing.TB) *builder {
			return shop(hosts(t, 1)...).resolver("8.8.8.8", 3000, oldAddr)
		}, 0},
		{"a resolver still denies a name that is there again", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).resolver("8.8.8.8", 3000, oldAddr)
			r := &b.Observations.DNS[0].Resolvers[0]
			r.Outcome, r.Addresses = dnscheck.NoName, nil
			return b
		}, 0},
		{"in a planned move both balancers are pinned and published", func(t testing.TB) *builder {
			b := shop(hosts(t, 1)...).pinned(newAddr, oldAddr)
			return b.each(func(h string) { b.publish(h, 300, newAddr, oldAddr).probe(h, oldAddr, good) })
		}, 0},
	}
}

// twoFronts is the shop with mail behind a balancer of its own, both under one
// wildcard.
func twoFronts(t testing.TB) *builder {
	t.Helper()
	b := shop("api.shop.example", "mail.shop.example")
	b.Inventory.Services = append(b.Inventory.Services, inventory.Service{
		ServiceRef: inventory.ServiceRef{Namespace: "mail", Name: "web"}, UID: "u2", BalancerID: "lb-2", Addresses: ips(mailAddr),
	})
	b.Observations.Clouds[0].Balancers = append(b.Observations.Clouds[0].Balancers,
		lbcheck.Balancer{ID: "lb-2", Name: "k8s-mail", Status: "active", Addresses: ips(mailAddr)})
	b.Inventory.Targets[1].Declarations[0].StatusAddresses = ips(mailAddr)
	b.Observations.Probes = b.Observations.Probes[:1]
	return b.publish("mail.shop.example", 300, mailAddr).probe("mail.shop.example", mailAddr, good)
}

// running makes a look of a running loop of it: what answered did so half a minute
// ago, and the cloud before that.
func running(b *builder) *builder {
	b.Began = time.Time{}
	for i := range b.Observations.DNS {
		b.Observations.DNS[i].At = noon().Add(-30 * time.Second)
	}
	b.Observations.Clouds[0].At = noon().Add(-40 * time.Second)
	return b
}

func behindHostname(t testing.TB) *builder {
	t.Helper()
	b := shop(hosts(t, 1)...)
	b.Observations.Clouds = nil
	b.Inventory.Services[0].Addresses, b.Inventory.Services[0].Hostnames = nil, []string{"lb.cloud.example"}
	b.Inventory.Targets[0].Declarations[0].StatusAddresses, b.Inventory.Targets[0].Declarations[0].StatusHostnames = nil, []string{"lb.cloud.example"}
	b.publish("lb.cloud.example", 60, newAddr).publish("old.cloud.example", 60, oldAddr)
	i := len(b.Observations.DNS) - 1
	end := b.Observations.DNS[i].Steps[0]
	end.WildcardOwner, end.Zone = "", "cloud.example"
	b.Observations.DNS = b.Observations.DNS[:i]
	b.publish("api.shop.example", 60, oldAddr).probe("api.shop.example", oldAddr, stranger)
	host := &b.Observations.DNS[0]
	first := host.Steps[0]
	first.Answers = append([]dnscheck.Answer(nil), first.Answers...)
	for k, a := range first.Answers {
		first.Answers[k] = dnscheck.Answer{Server: a.Server, Type: a.Type, Outcome: dnscheck.Alias, Target: "old.cloud.example", TTL: 3600}
	}
	first.Wildcard, first.WildcardOwner = nil, ""
	host.Steps = []dnscheck.Step{first, end}
	return b
}
