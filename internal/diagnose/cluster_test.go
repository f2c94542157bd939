package diagnose_test

import (
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// clusterSituations are those that only what cluster objects say can tell of.
func clusterSituations() []situation {
	ago := func(d time.Duration) time.Time { return noon().Add(-d) }
	moved := func(t testing.TB) *builder {
		b := shop(hosts(t, 3)...).had(oldAddr, ago(7*time.Minute))
		return b.each(func(h string) { b.publish(h, 3600, oldAddr).probe(h, oldAddr, stranger) })
	}
	external := func(b *builder, bend func(*inventory.Declaration)) *builder {
		for i := range b.Inventory.Targets {
			d := &b.Inventory.Targets[i].Declarations[0]
			d.ExternalDNS = "external-dns.alpha.kubernetes.io/"
			bend(d)
		}
		// It gives each name a record of its own.
		for i := range b.Observations.DNS {
			for k := range b.Observations.DNS[i].Steps {
				s := &b.Observations.DNS[i].Steps[k]
				s.WildcardOwner, s.Wildcard = "", nil
			}
		}
		return b
	}
	none := func(*inventory.Declaration) {}
	return []situation{
		{"external-dns has not followed a new balancer", func(t testing.TB) *builder { return external(moved(t), none) }, 1},
		{"external-dns is told an address that is gone", func(t testing.TB) *builder {
			return external(moved(t), func(d *inventory.Declaration) { d.RecordAddresses = ips(oldAddr) })
		}, 1},
		{"external-dns gives a TTL that is too long", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...)
			return external(b.each(func(h string) { b.publish(h, 3600, newAddr) }), none)
		}, 1},
		{"external-dns has not created the records", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			return external(b.each(func(h string) { b.publish(h, 300) }), none)
		}, 1},
		{"external-dns gives a longer TTL than it is told", func(t testing.TB) *builder {
			return external(shop(hosts(t, 2)...), func(d *inventory.Declaration) { d.RecordTTL = 60 })
		}, 0},
		{"a move that the Service announces covers records that are missing", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Inventory.Services[0].MoveUntil = noon().Add(time.Hour)
			b.Inventory.Services[0].Addresses = ips(newAddr, mailAddr)
			b.Observations.Clouds[0].Balancers[0].Addresses = ips(newAddr, mailAddr)
			return b.each(func(h string) { b.probe(h, mailAddr, good) })
		}, 0},
		{"nothing ready is behind the balancer", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...)
			b.Inventory.Services[0].Endpoints = &inventory.Endpoints{Total: 2}
			return b.each(func(h string) { b.probe(h, newAddr, refused) })
		}, 1},
		{"nothing is ready behind a balancer that answers", func(t testing.TB) *builder {
			b := shop(hosts(t, 3)...)
			b.Inventory.Services[0].Endpoints = &inventory.Endpoints{Total: 2}
			return b
		}, 1},
		{"an announced move is known and shown", func(t testing.TB) *builder {
			b := moved(t)
			b.Inventory.Services[0].MoveUntil = noon().Add(time.Hour)
			return b.each(func(h string) { b.probe(h, oldAddr, strangerAlive) })
		}, 0},
		{"an announced move does not excuse records that lead nowhere", func(t testing.TB) *builder {
			b := moved(t)
			b.Inventory.Services[0].MoveUntil = noon().Add(time.Hour)
			return b
		}, 1},
		{"an announced move whose load balancer is gone", func(t testing.TB) *builder {
			b := moved(t)
			b.Inventory.Services[0].MoveUntil = noon().Add(time.Hour)
			b.Inventory.Services[0].Addresses = nil
			b.Observations.Clouds[0].Balancers = nil
			return b.each(func(h string) { b.probe(h, oldAddr, silent) })
		}, 1},
		{"a move that only one of two balancers announces is an incident", func(t testing.TB) *builder {
			b := twoFronts(t)
			b.Inventory.Services[0].MoveUntil = noon().Add(time.Hour)
			tg := &b.Inventory.Targets[0]
			tg.Declarations = append(tg.Declarations, inventory.Declaration{Object: "IngressRoute shop/web", StatusAddresses: ips(mailAddr)})
			return b.publish(tg.Host, 300, oldAddr).probe(tg.Host, mailAddr, good).probe(tg.Host, oldAddr, stranger)
		}, 1},
		{"a wildcard that serves names of another balancer too", func(t testing.TB) *builder {
			b := twoFronts(t)
			b.publish("mail.shop.example", 300, newAddr).probe("mail.shop.example", newAddr, strangerAlive)
			const wild = "*.shop.example"
			tg := b.Inventory.Targets[1]
			tg.Host, tg.Key, tg.Origin = wild, "https://"+wild+"/", "Ingress tenant/all"
			tg.Declarations = []inventory.Declaration{{Object: tg.Origin, StatusAddresses: ips(mailAddr)}}
			b.Inventory.Targets = append(b.Inventory.Targets, tg)
			return b.publish(wild, 300, newAddr).probe(wild, mailAddr, good).probe(wild, newAddr, strangerAlive)
		}, 1},
		{"an announced move that is over is an incident", func(t testing.TB) *builder {
			b := moved(t)
			b.Inventory.Services[0].MoveUntil = noon()
			return b
		}, 1},
		{"a move that only some of the names announce is an incident", func(t testing.TB) *builder {
			b := moved(t)
			for i := range b.Inventory.Targets[1:] {
				b.Inventory.Targets[i].MoveUntil = noon().Add(time.Hour)
			}
			return b
		}, 1},
		{"an announced move does not excuse a dead balancer", func(t testing.TB) *builder {
			b := moved(t)
			for i := range b.Inventory.Targets {
				b.Inventory.Targets[i].MoveUntil = noon().Add(time.Hour)
			}
			return b.each(func(h string) { b.publish(h, 300, newAddr).probe(h, newAddr, refused) })
		}, 1},
		{"one host on two balancers publishes both", func(t testing.TB) *builder {
			b := twoFronts(t)
			tg := &b.Inventory.Targets[0]
			tg.Origin = "Ingress shop/web, IngressRoute shop/web"
			tg.Declarations = append(tg.Declarations, inventory.Declaration{Object: "IngressRoute shop/web", StatusAddresses: ips(mailAddr)})
			b.publish(tg.Host, 300, newAddr, mailAddr)
			return b.probe(tg.Host, mailAddr, good)
		}, 0},
		{"an object of which nobody can tell what fronts it leaves the host unknown", func(t testing.TB) *builder {
			b := twoFronts(t)
			tg := &b.Inventory.Targets[0]
			tg.Origin = "Ingress shop/web, IngressRoute shop/web"
			tg.Declarations = append(tg.Declarations, inventory.Declaration{Object: "IngressRoute shop/web"})
			return b.publish(tg.Host, 300, oldAddr).probe(tg.Host, oldAddr, good)
		}, 3},
		{"what a cluster object says and cannot be used is told", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Inventory.Notices = []inventory.Notice{{
				Kind: "IngressRoute", Namespace: "shop", Name: "web", What: `match, regular expression ".+"`,
				Why: "the hosts that it means cannot be listed",
			}}
			return b
		}, 0},
		{"kinds of objects that were never read are unknown, and the hosts of all others are judged", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Inventory.Gaps = []inventory.Gap{{
				Source: "kubernetes", Resources: []string{"httproutes"}, What: "httproutes", Why: "driftprobe is not allowed to list httproutes", Hint: "allow it",
			}}
			return b
		}, 3},
		{"kinds that were never read may have names at another balancer, and none at one that is gone", func(t testing.TB) *builder {
			b := twoFronts(t)
			b.Inventory.Gaps = []inventory.Gap{{
				Source: "kubernetes", Resources: []string{"httproutes"}, What: "HTTPRoutes", Why: "not allowed (403)", Hint: "grant list and watch on httproutes",
			}}
			web, auth := b.Inventory.Targets[0], b.Inventory.Targets[0]
			web.Host, web.Key, auth.Host, auth.Key = "web.shop.example", "https://web.shop.example/", "auth.shop.example", "https://auth.shop.example/"
			b.Inventory.Targets = append(b.Inventory.Targets, web, auth)
			for _, h := range []string{"api.shop.example", "web.shop.example"} {
				b.publish(h, 300, mailAddr).probe(h, newAddr, good).probe(h, mailAddr, good)
			}
			return b.publish("auth.shop.example", 300, oldAddr).probe("auth.shop.example", newAddr, good).probe("auth.shop.example", oldAddr, stranger)
		}, 1},
		{"hosts over a limit are unknown, and all others are as well as they are", func(t testing.TB) *builder {
			b := shop(hosts(t, 2)...)
			b.Inventory.Gaps = []inventory.Gap{{
				Source: "kubernetes", Resources: []string{"ingresses"}, What: "some hosts of Ingress shop/big",
				Why: "only 100 hosts of one object are looked at", Hint: "spread them over several objects", Bound: true,
			}}
			return b
		}, 3},
	}
}
