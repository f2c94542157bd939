package lbcheck

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

func TestExpect(t *testing.T) {
	running := World{}.with(service(status(fresh)))
	cdn := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	ingress := func(addrs ...netip.Addr) inventory.Target {
		return inventory.Target{Host: "api.shop.example", Origin: "Ingress shop/web", Declarations: []inventory.Declaration{{Object: "Ingress shop/web", StatusAddresses: addrs}}}
	}
	ofTraefik := func(addrs ...netip.Addr) inventory.Target {
		t := ingress(addrs...)
		t.Declarations[0].Controller = "traefik.io/ingress-controller"
		return t
	}
	alone := inventory.Inventory{LeftAlone: []inventory.Service{service(status(old))}}
	plain := inventory.Target{Host: "api.shop.example", Origin: "config"}
	allowing := func(t inventory.Target) inventory.Target { t.Allow = cdn; return t }
	other := inventory.Service{ServiceRef: inventory.ServiceRef{Namespace: "nginx", Name: "nginx"}, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.99")}}
	cases := []struct {
		rule   string
		world  World
		target inventory.Target
		want   string
		former []netip.Addr
		why    string
	}{
		{"a Service's addresses are expected", running, target(), "known 203.0.113.77", nil, ""},
		{"pinned addresses need no Service, and are a set in order", World{}, inventory.Target{Addresses: []netip.Addr{fresh, old, fresh}}, "known 203.0.113.10 203.0.113.77", nil, ""},
		{"pinned addresses win over the Service", running, inventory.Target{Service: traefik(), Addresses: []netip.Addr{old}}, "known 203.0.113.10", nil, ""},
		{"allowed ranges alone are an expectation", World{}, allowing(plain), "known", nil, "no target names a load balancer"},
		{"allowed ranges alone are one also for a declared host, without any Service", World{}, allowing(ingress()), "known", nil, "there is no Service"},
		{"allowed ranges beside Services that cannot be told apart are not", World{}.with(service(status(fresh)), other), allowing(ingress()), "unknown", nil, "several Services"},
		{"allowed ranges beside Services that could not be read are not", World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("services")}}}, allowing(ingress()), "unknown", nil, "the API server does not answer"},
		{"nothing said and nothing declared is not known", running, plain, "unknown", nil, "no target names a load balancer"},
		{"a pinned Service that is not there is not known", World{}, target(), "unknown", nil, "there is no Service traefik/traefik"},
		{"a pinned Service that could not be read says so", World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("services")}}}, target(), "unknown", nil, "the API server does not answer"},
		{"an address that the balancer had is former", World{History: had("", time.Hour, old, fresh)}.with(service(status(fresh))), target(), "known 203.0.113.77", []netip.Addr{old}, ""},
		{"an Ingress that lags names a former address", World{History: had("", time.Minute, old)}.with(service(status(fresh))), ingress(old), "known 203.0.113.77", []netip.Addr{old}, ""},
		{"an Ingress that lags names a former address also without a history", running, ofTraefik(old), "known 203.0.113.77", []netip.Addr{old}, ""},
		{"an Ingress that names a present address does not lag, whatever else it names", running, ingress(fresh, old), "known 203.0.113.77", nil, ""},
		{"an address in dispute is not former", World{Clouds: []Observation{listed(balancer("a", fresh))}, History: had("a", time.Hour, old)}.with(service(status(old), id("a"))), target(), "known 203.0.113.10? 203.0.113.77?", nil, ""},
		{"a status that names only the host itself is no expectation", World{Published: map[string][]netip.Addr{"api.shop.example": {old}}}.with(service(hostnames("api.shop.example"))), target(), "unknown", nil, "only this very hostname"},
		{"a status that names only the host itself is one if the cloud knows", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(hostnames("api.shop.example"), id("a"))), target(), "known 203.0.113.77", nil, ""},
		{"an Ingress whose status names nobody's address is not behind the only Service", running, ingress(old), "unknown", nil, "its status names what no Service of type LoadBalancer has or had"},
		{"an Ingress whose status names a Service that is left alone is that one's", World{Inventory: alone, History: had("", time.Minute, old)}.with(second()), ingress(old), "unknown", nil, "traefik/traefik asks not to be looked at"},
		{"and so is a target that is pinned to it", World{Inventory: alone}.with(second()), target(), "unknown", nil, "traefik/traefik asks not to be looked at"},
		{"allowed ranges beside a Service that is left alone are no expectation", World{Inventory: alone}, allowing(ingress()), "unknown", nil, "there is no Service"},
		{"a Service that is gone leaves what it had as former", World{History: had("", time.Minute, old)}, target(), "unknown", []netip.Addr{old}, "is gone"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			e := Expect(&c.world, Join(c.world), &c.target)
			if got := describe(e.Known, e.Addresses, e.Uncertain); got != c.want {
				t.Errorf("expected %q, want %q", got, c.want)
			}
			if !slices.Equal(e.Former, c.former) || !strings.Contains(e.Why, c.why) {
				t.Errorf("former %v because %q, want %v because %q", e.Former, e.Why, c.former, c.why)
			}
		})
	}
}

func TestRemember(t *testing.T) {
	front := func(id string, known bool, certain []netip.Addr, uncertain ...netip.Addr) map[inventory.ServiceRef]Front {
		f := Front{Service: service(), Known: known, Addresses: certain, Uncertain: uncertain}
		if id != "" {
			f.Balancer = &Balancer{ID: id}
		}
		return map[inventory.ServiceRef]Front{traefik(): f}
	}
	var h History
	h = h.Remember(noon, front("a", true, []netip.Addr{old}, six))
	first := h
	h = h.Remember(noon.Add(time.Hour), front("b", true, []netip.Addr{fresh}))
	h = h.Remember(noon.Add(2*time.Hour), front("", true, []netip.Addr{fresh}))
	want := []Sighting{
		{Service: traefik(), Address: old, Balancer: "a", FirstSeen: noon, LastSeen: noon},
		{Service: traefik(), Address: fresh, Balancer: "b", FirstSeen: noon.Add(time.Hour), LastSeen: noon.Add(2 * time.Hour)},
	}
	if !slices.Equal(h.Sightings, want) {
		t.Errorf("only certain addresses, with their times and balancers:\n%+v, want\n%+v", h.Sightings, want)
	}
	if !slices.Equal(first.Sightings, want[:1]) {
		t.Errorf("an older history was changed to %+v", first.Sightings)
	}
	if newest := h.Of(traefik()); newest[0].Address != fresh {
		t.Errorf("the newest comes first, not %+v", newest)
	}
	h = h.Remember(noon.Add(keep), nil)
	if len(h.Sightings) != 1 || h.Sightings[0].Address != fresh {
		t.Errorf("what was lost for 30 days must go: %+v", h.Sightings)
	}
}

func TestOneServiceCannotFillTheHistory(t *testing.T) {
	var h History
	other := inventory.ServiceRef{Namespace: "a", Name: "quiet"}
	for i := range 200 {
		now := noon.Add(time.Duration(i) * time.Minute)
		h = h.Remember(now, map[inventory.ServiceRef]Front{
			traefik(): {Addresses: []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})}},
			other:     {Addresses: []netip.Addr{old}},
		})
	}
	if len(h.Of(traefik())) != maxPerService || len(h.Of(other)) != 1 {
		t.Errorf("%d and %d sightings", len(h.Of(traefik())), len(h.Of(other)))
	}
	if got := h.Of(traefik())[0].Address; got != netip.MustParseAddr("198.51.100.199") {
		t.Errorf("the newest is %s", got)
	}
	if !slices.IsSortedFunc(h.Sightings, func(a, b Sighting) int {
		if c := compareRefs(a.Service, b.Service); c != 0 {
			return c
		}
		return a.Address.Compare(b.Address)
	}) {
		t.Error("not in order of Service and address")
	}
}
