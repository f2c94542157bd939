package lbcheck

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// What an object that could not be read may want is neither right nor stale; what no load
// balancer has any more is stale, whoever could not be read.
func TestARecordAtAnotherBalancerIsInDoubtWhileAKindIsUnread(t *testing.T) {
	other := second().Addresses[0]
	ingress := inventory.Target{Host: "api.shop.example", Declarations: []inventory.Declaration{{Object: "Ingress shop/web", StatusAddresses: []netip.Addr{fresh}}}}
	pinned := ingress
	pinned.Service = traefik()
	cdn := inventory.Target{Host: "api.shop.example", Allow: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}
	gaps := func(w World, gs ...inventory.Gap) World { w.Inventory.Gaps = gs; return w }
	two := World{}.with(service(status(fresh)), second())
	unread := gaps(two, never("httproutes"))
	clouds := func(w World, all ...Balancer) World { w.Clouds = []Observation{listed(all...)}; return w }
	whole := func(w World) World { w.Inventory.Whole = true; return w }
	alone := unread.with(service(status(fresh)))
	alone.Inventory.LeftAlone = []inventory.Service{second(id("b"), status())}
	bound := never("ingresses")
	bound.Bound = true
	const uuid = "11111111-2222-4333-8444-555555555555"
	tagged := func(b Balancer) Balancer {
		b.Tags, b.Created = []string{"k8s:" + uuid}, noon.Add(-time.Hour)
		return b
	}
	lost := had("", time.Hour, old, fresh)
	cases := []struct {
		rule   string
		world  World
		target inventory.Target
		addr   netip.Addr
		doubts bool
	}{
		{"the address of another Service", unread, ingress, other, true},
		{"also if what was read before is held", gaps(two, gap("ingressroutes")), ingress, other, true},
		{"with every kind read there is no doubt", two, ingress, other, false},
		{"nor without classes, which declare no hosts", gaps(two, never("ingressclasses"), never("endpointslices")), ingress, other, false},
		{"nor over a limit, which says so by itself", gaps(two, bound), ingress, other, false},
		{"nor of another source", gaps(two, inventory.Gap{Source: "logs", Resources: []string{"httproutes"}}), ingress, other, false},
		{"the target's own address is right", unread, ingress, fresh, false},
		{"an address that nobody has is stale", unread, ingress, old, false},
		{"and so is one that the Service had", func() World { w := unread; w.History = lost; return w }(), ingress, old, false},
		{"but not if another Service has it now", func() World {
			w := unread.with(service(status(fresh)), second(status(old)))
			w.History = lost
			return w
		}(), ingress, old, true},
		{"what the operator pins is no object's to move", unread, pinned, other, false},
		{"a configured target may be declared too", unread, cdn, other, true},
		{"what another Service's hostname resolves to", func() World {
			w := unread.with(service(status(fresh)), second(status(), hostnames("lb.example")))
			w.Published = map[string][]netip.Addr{"lb.example": {other}}
			return w
		}(), ingress, other, true},
		{"a load balancer of the account that no Service is known of", clouds(unread.with(service(status(fresh), id("a"))), balancer("a", fresh), balancer("b", other)), ingress, other, true},
		{"one that certainly belongs to no Service", whole(clouds(unread.with(service(status(fresh), id("a"))), tagged(balancer("a", fresh)), tagged(balancer("b", other)))), ingress, other, false},
		{"one that this Service had, and that is still listed", func() World {
			w := clouds(unread.with(service(status(fresh), id("b"))), balancer("b", fresh), balancer("a", old))
			w.History = lost
			return w
		}(), ingress, old, false},
		{"that of a Service that is left alone", func() World {
			w := clouds(alone, balancer("b", other))
			w.History = had("b", time.Hour, other)
			return w
		}(), ingress, other, true},
		{"also by its status alone", func() World {
			w := unread.with(service(status(fresh)))
			w.Inventory.LeftAlone = []inventory.Service{second()}
			return w
		}(), ingress, other, true},
		{"but not what the status of one names that the cloud has no more", func() World {
			w := clouds(unread.with(service(status(fresh), id("a"))), balancer("a", fresh))
			w.Inventory.LeftAlone = []inventory.Service{second(id("b"))}
			return w
		}(), ingress, other, false},
		{"without the Services a range alone is no reason to call them stale", gaps(two, gap("services")), cdn, other, true},
		{"nor without anything of the cluster", gaps(two, gap()), cdn, other, true},
		{"a status that names what the cloud has no more", clouds(unread.with(service(status(fresh), id("a")), second(id("b"))), balancer("a", fresh)), ingress, other, false},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			for _, w := range []World{c.world, c.world.Indexed(), reversed(c.world)} {
				e := Expect(&w, Join(w), &c.target)
				fs := JudgeDoubt(&w, Join(w), c.target.Host, &e, []netip.Addr{c.addr})
				if !e.Known || e.Doubts(c.addr) != c.doubts || (len(fs) == 1) != c.doubts {
					t.Errorf("known %t, in doubt %t (want %t), said %v; %v are doubtful", e.Known, e.Doubts(c.addr), c.doubts, lines(fs), e.Doubtful)
				}
				if stale := !e.Accepts(c.addr); stale != (!c.doubts && c.addr != fresh) {
					t.Errorf("stale: %t", stale)
				}
			}
		})
	}
}

func TestADoubtSaysWhoseTheAddressIsAndWhatIsMissing(t *testing.T) {
	w := World{}.with(service(status(fresh)), second())
	for _, kind := range []string{"HTTPRoutes", "IngressRoutes", "TLSRoutes"} {
		g := never(strings.ToLower(kind))
		if g.What, g.Hint = kind, ""; kind != "TLSRoutes" { // not all say what to do
			g.Hint = "grant list and watch on " + kind
		}
		w.Inventory.Gaps = append(w.Inventory.Gaps, g)
	}
	target := inventory.Target{Host: "api.shop.example", Declarations: []inventory.Declaration{{Object: "Ingress shop/web", StatusAddresses: []netip.Addr{fresh}}}}
	e := Expect(&w, Join(w), &target)
	fs := JudgeDoubt(&w, Join(w), target.Host, &e, []netip.Addr{fresh, second().Addresses[0], old})
	if got := lines(fs); !slices.Equal(got, []string{"unknown self/not-observed kubernetes"}) {
		t.Fatalf("found %q", got)
	}
	f := fs[0]
	for text, wants := range map[string]string{
		f.Summary:  "whether 203.0.113.99 is right for api.shop.example could not be told: it is the address of the Service nginx/nginx, and HTTPRoutes, IngressRoutes, TLSRoutes could not be read",
		f.Expected: "by what could be read 203.0.113.77 (traefik/traefik)",
		f.Observed: "203.0.113.99, the address of the Service nginx/nginx; what could not be read may have the name there: forbidden",
		f.Hint:     "grant list and watch on HTTPRoutes\ngrant list and watch on IngressRoutes\nor say which load balancer is meant: targets[].service",
	} {
		if text != wants {
			t.Errorf("says %q, want %q", text, wants)
		}
	}
}
