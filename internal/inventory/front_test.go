package inventory

import (
	"net/netip"
	"slices"
	"testing"
)

func TestServiceOf(t *testing.T) {
	one, two, lost := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.9")
	ref := func(name string) ServiceRef { return ServiceRef{Namespace: "edge", Name: name} }
	service := func(name, label string, addrs ...netip.Addr) Service {
		return Service{ServiceRef: ref(name), Addresses: addrs, Labels: map[string]string{"app.kubernetes.io/name": label}}
	}
	traefik, nginx := service("traefik", "traefik", one), service("nginx", "ingress-nginx", two)
	both := []Service{traefik, nginx}
	byClass := Target{Origin: "Ingress shop/web", Class: "t", Controller: "traefik.io/ingress-controller"}
	status := func(addrs ...netip.Addr) Target { return Target{Origin: "Ingress shop/web", StatusAddresses: addrs} }
	cases := []struct {
		name     string
		target   Target
		services []Service
		former   map[ServiceRef][]netip.Addr
		want     ServiceRef
		rule     string
	}{
		{"a pinned Service wins over status and class", Target{Service: ref("nginx"), Class: "t", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{one}}, both, nil, ref("nginx"), RuleConfig},
		{"a pinned Service counts also if there is none such", Target{Service: ref("gone")}, both, nil, ref("gone"), RuleConfig},
		{"the object's status address wins over its class", Target{Class: "t", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{two}}, both, nil, ref("nginx"), RuleAddress},
		{"a status hostname counts as an address does", Target{StatusHostnames: []string{"lb.example"}}, []Service{traefik, {ServiceRef: ref("named"), Hostnames: []string{"lb.example"}}}, nil, ref("named"), RuleAddress},
		{"a present address wins over a former one", status(two), both, map[ServiceRef][]netip.Addr{ref("traefik"): {two}}, ref("nginx"), RuleAddress},
		{"a former address gives the Service, also one that is gone", status(lost), both, map[ServiceRef][]netip.Addr{ref("old"): {lost}}, ref("old"), RuleAddress},
		{"a former address wins over the class", Target{Class: "n", Controller: "k8s.io/ingress-nginx", StatusAddresses: []netip.Addr{lost}}, both, map[ServiceRef][]netip.Addr{ref("traefik"): {lost}}, ref("traefik"), RuleAddress},
		{"a former address of two Services says nothing", status(lost), both, map[ServiceRef][]netip.Addr{ref("a"): {lost}, ref("b"): {lost}}, ServiceRef{}, ""},
		{"a status with the addresses of two Services says nothing, nor does the class then", Target{Class: "t", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{one, two}}, both, nil, ServiceRef{}, ""},
		{"two Services that share all their addresses are one, the first by name", status(one), []Service{service("udp", "traefik", one), service("tcp", "traefik", one)}, nil, ref("tcp"), RuleAddress},
		{"two Services that share only one of their addresses are two", status(one), []Service{service("udp", "traefik", one), service("tcp", "traefik", one, two)}, nil, ServiceRef{}, ""},
		{"the class's controller gives the Service by label", byClass, both, nil, ref("traefik"), RuleClass},
		{"two Services with the label say nothing", byClass, []Service{traefik, service("traefik-internal", "traefik", two)}, nil, ServiceRef{}, ""},
		{"a controller that is not known says nothing", Target{Class: "x", Controller: "example.com/own"}, both, nil, ServiceRef{}, ""},
		{"a controller that is not known does not match Services without labels", Target{Class: "x"}, []Service{{ServiceRef: ref("a")}, {ServiceRef: ref("b")}}, nil, ServiceRef{}, ""},
		{"the only Service fronts what the cluster declares", Target{Origin: "Ingress shop/web"}, []Service{nginx}, nil, ref("nginx"), RuleOnly},
		{"the only Service does not front a name that only the configuration gives", Target{Origin: "config"}, []Service{nginx}, nil, ServiceRef{}, ""},
		{"several Services without a word are ambiguous", Target{Origin: "Ingress shop/web"}, both, nil, ServiceRef{}, ""},
		{"two Services without addresses are ambiguous", Target{Origin: "Ingress shop/web"}, []Service{{ServiceRef: ref("a")}, {ServiceRef: ref("b")}}, nil, ServiceRef{}, ""},
		{"no Service gives none", Target{Origin: "Ingress shop/web"}, nil, nil, ServiceRef{}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				got, rule, why := ServiceOf(c.target, c.services, c.former)
				if got != c.want || rule != c.rule || (why == "") != (got != ServiceRef{}) {
					t.Errorf("ServiceOf = %v by %q (why %q), want %v by %q", got, rule, why, c.want, c.rule)
				}
				c.services = slices.Clone(c.services)
				slices.Reverse(c.services)
			}
		})
	}
}

func TestExpectedAcceptsEachFamilyAsItStands(t *testing.T) {
	e := Expected{
		Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.1")}, Uncertain: []netip.Addr{netip.MustParseAddr("203.0.113.2")},
		Allow: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")},
	}
	for addr, want := range map[string]bool{
		"203.0.113.1": true, "203.0.113.2": true, "203.0.113.3": false, "198.51.100.200": true, "198.51.101.1": false,
		"2001:db8::1": false, "::ffff:203.0.113.1": false,
	} {
		if got := e.Accepts(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Accepts(%s) = %t", addr, got)
		}
	}
}

func TestWildcardIsProbedByOneNameUnderIt(t *testing.T) {
	for host, want := range map[string]string{"*.shop.example": "driftprobe-check.shop.example", "api.shop.example": "api.shop.example", "*.": "*."} {
		target := Target{Host: host}
		if got := target.ProbeName(); got != want || target.Wildcard() != (got != host) {
			t.Errorf("ProbeName of %q = %q, wildcard %t", host, got, target.Wildcard())
		}
	}
}
