package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func TestFrontOfOneDeclaration(t *testing.T) {
	one, two, lost := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.9")
	ref := func(name string) ServiceRef { return ServiceRef{Namespace: "edge", Name: name} }
	service := func(name, label string, addrs ...netip.Addr) Service {
		return Service{ServiceRef: ref(name), Addresses: addrs, Labels: map[string]string{"app.kubernetes.io/name": label}}
	}
	traefik, nginx := service("traefik", "traefik", one), service("nginx", "ingress-nginx", two)
	both := []Service{traefik, nginx}
	said := func(ds ...Declaration) Target {
		for i := range ds {
			ds[i].Object = "Ingress shop/web"
		}
		return Target{Declarations: ds}
	}
	plain := said(Declaration{})
	byClass := said(Declaration{Class: "t", Controller: "traefik.io/ingress-controller"})
	status := func(addrs ...netip.Addr) Target { return said(Declaration{StatusAddresses: addrs}) }
	cases := []struct {
		name     string
		target   Target
		services []Service
		former   map[ServiceRef][]netip.Addr
		want     ServiceRef
		rule     string
	}{
		{"a pinned Service wins over status and class", Target{Service: ref("nginx"), Declarations: byClass.Declarations}, both, nil, ref("nginx"), RuleConfig},
		{"a pinned Service counts also if there is none such", Target{Service: ref("gone")}, both, nil, ref("gone"), RuleConfig},
		{"the object's status address wins over its class", said(Declaration{Class: "t", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{two}}), both, nil, ref("nginx"), RuleAddress},
		{"a status hostname counts as an address does", said(Declaration{StatusHostnames: []string{"lb.example"}}), []Service{traefik, {ServiceRef: ref("named"), Hostnames: []string{"lb.example"}}}, nil, ref("named"), RuleAddress},
		{"a present address wins over a former one", status(two), both, map[ServiceRef][]netip.Addr{ref("traefik"): {two}}, ref("nginx"), RuleAddress},
		{"a former address gives the Service, also one that is gone", status(lost), both, map[ServiceRef][]netip.Addr{ref("old"): {lost}}, ref("old"), RuleAddress},
		{"a former address wins over the class", said(Declaration{Class: "n", Controller: "k8s.io/ingress-nginx", StatusAddresses: []netip.Addr{lost}}), both, map[ServiceRef][]netip.Addr{ref("traefik"): {lost}}, ref("traefik"), RuleAddress},
		{"a former address of two Services says nothing", status(lost), both, map[ServiceRef][]netip.Addr{ref("a"): {lost}, ref("b"): {lost}}, ServiceRef{}, ""},
		{"a status with the addresses of two Services says nothing, nor does the class then", said(Declaration{Class: "t", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{one, two}}), both, nil, ServiceRef{}, ""},
		{"two Services that share all their addresses are one, the first by name", status(one), []Service{service("udp", "traefik", one), service("tcp", "traefik", one)}, nil, ref("tcp"), RuleAddress},
		{"two Services that share only one of their addresses are two", status(one), []Service{service("udp", "traefik", one), service("tcp", "traefik", one, two)}, nil, ServiceRef{}, ""},
		{"the class's controller gives the Service by label", byClass, both, nil, ref("traefik"), RuleClass},
		{"two Services with the label say nothing", byClass, []Service{traefik, service("traefik-internal", "traefik", two)}, nil, ServiceRef{}, ""},
		{"a controller that is not known says nothing", said(Declaration{Class: "x", Controller: "example.com/own"}), both, nil, ServiceRef{}, ""},
		{"a controller that is not known does not match Services without labels", said(Declaration{Class: "x"}), []Service{{ServiceRef: ref("a")}, {ServiceRef: ref("b")}}, nil, ServiceRef{}, ""},
		{"the only Service fronts what the cluster declares", plain, []Service{nginx}, nil, ref("nginx"), RuleOnly},
		{"the only Service does not front a name that only the configuration gives", Target{Origin: "config"}, []Service{nginx}, nil, ServiceRef{}, ""},
		{"several Services without a word are ambiguous", plain, both, nil, ServiceRef{}, ""},
		{"two Services without addresses are ambiguous", plain, []Service{{ServiceRef: ref("a")}, {ServiceRef: ref("b")}}, nil, ServiceRef{}, ""},
		{"the only Service does not front what its status says is elsewhere", status(lost), []Service{nginx}, nil, ServiceRef{}, ""},
		{"nor what its status says is at a hostname", said(Declaration{StatusHostnames: []string{"alb.cloud.example"}}), []Service{nginx}, nil, ServiceRef{}, ""},
		{"a status that lags does not hide the class's Service", said(Declaration{Class: "t", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{lost}}), both, nil, ref("traefik"), RuleClass},
		{"no Service gives none", plain, nil, nil, ServiceRef{}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				var got Found
				found, why := (&Inventory{Services: c.services}).FrontsOf(&c.target, c.former)
				if len(found) == 1 {
					got = found[0]
				}
				if got.Service != c.want || got.Rule != c.rule || len(found) > 1 || (why == "") != (len(found) == 1) {
					t.Errorf("FrontsOf = %+v (why %q), want %v by %q", found, why, c.want, c.rule)
				}
				c.services = slices.Clone(c.services)
				slices.Reverse(c.services)
			}
		})
	}
}

func TestFrontByAnnotationGatewayAndClass(t *testing.T) {
	ref := func(namespace, name string) ServiceRef { return ServiceRef{Namespace: namespace, Name: name} }
	service := func(namespace, name string, labels ...string) Service {
		s := Service{ServiceRef: ref(namespace, name), Labels: map[string]string{}}
		for i := 0; i < len(labels); i += 2 {
			s.Labels[labels[i]] = labels[i+1]
		}
		return s
	}
	one, cdn := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("198.51.100.7")
	edge := service("edge", "edge", labelName, "traefik")
	edge.Addresses = []netip.Addr{one}
	services := []Service{
		edge, service("edge", "inner", labelName, "traefik"), service("infra", "gw", "gateway.networking.k8s.io/gateway-name", "gw"),
		service("shop", "gw", "gateway.networking.k8s.io/gateway-name", "gw"), service("shop", "cilium", "io.cilium.gateway/owning-gateway", "net"),
		service("envoy", "made", labelEnvoyName, "gw", labelEnvoyNamespace, "other"), service("envoy", "merged", labelEnvoyClass, "eg"),
		service("ngf", "ngf", labelName, "nginx-gateway-fabric"),
	}
	former := map[ServiceRef][]netip.Addr{ref("gone", "gone"): {netip.MustParseAddr("203.0.113.9")}}
	cases := []struct {
		name string
		said Declaration
		want string
	}{
		{"a Service that is named and there", Declaration{Service: ref("edge", "inner"), StatusAddresses: []netip.Addr{one}}, "edge/inner by annotation"},
		{"a Service that is named and was there", Declaration{Service: ref("gone", "gone")}, "gone/gone by annotation"},
		{"a Service that is named and never was is passed over", Declaration{Service: ref("no", "no"), StatusAddresses: []netip.Addr{one}}, "edge/edge by status address"},
		{"records at a Service's address", Declaration{RecordAddresses: []netip.Addr{one}}, "edge/edge by annotation"},
		{"records at a former address", Declaration{RecordAddresses: former[ref("gone", "gone")]}, "gone/gone by annotation"},
		{"records elsewhere", Declaration{RecordAddresses: []netip.Addr{cdn}, StatusAddresses: []netip.Addr{one}}, " by annotation at [198.51.100.7]"},
		{"the Gateway's own Service, in its namespace", Declaration{Gateway: "infra/gw"}, "infra/gw by Gateway label"},
		{"another Gateway of that name", Declaration{Gateway: "shop/gw"}, "shop/gw by Gateway label"},
		{"a controller's older label", Declaration{Gateway: "shop/net"}, "shop/cilium by Gateway label"},
		{"Envoy Gateway keeps its Services elsewhere", Declaration{Gateway: "other/gw"}, "envoy/made by Gateway label"},
		{"a Gateway's address goes before its label", Declaration{Gateway: "shop/gw", StatusAddresses: []netip.Addr{one}}, "edge/edge by status address"},
		{"Envoy Gateway with one Service for a class", Declaration{Gateway: "a/b", Class: "eg", Controller: "gateway.envoyproxy.io/gatewayclass-controller"}, "envoy/merged by ingress class"},
		{"NGINX Gateway Fabric by class", Declaration{Gateway: "a/b", Class: "n", Controller: "gateway.nginx.org/nginx-gateway-controller"}, "ngf/ngf by ingress class"},
		{"of two of Traefik the one that is named as the class", Declaration{Class: "inner", Controller: "traefik.io/ingress-controller"}, "edge/inner by ingress class"},
		{"of two of Traefik none, if none is", Declaration{Class: "traefik", Controller: "traefik.io/gateway-controller"}, ""},
		{"no Gateway matches Services without labels", Declaration{Gateway: "edge/"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			found, why := (&Inventory{Services: services, Classes: []string{"edge", "inner"}}).FrontsOf(&Target{Declarations: []Declaration{c.said}}, former)
			for _, f := range found {
				got += f.Service.String() + " by " + f.Rule
				if len(f.Addresses) > 0 {
					got += fmt.Sprint(" at ", f.Addresses)
				}
			}
			if got != c.want || (got == "") != (why != "") {
				t.Errorf("found %q (why %q), want %q", got, why, c.want)
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

// Any tenant can make a Service with the label and the class's name.
func TestAServiceOfTheClassesNameIsNotTakenForTheController(t *testing.T) {
	label := map[string]string{labelName: "traefik"}
	inv := Inventory{Classes: []string{"public"}, Services: []Service{
		{ServiceRef: ServiceRef{"traefik", "edge"}, Labels: label},
		{ServiceRef: ServiceRef{"tenant", "public"}, Labels: label},
	}}
	said := Target{Declarations: []Declaration{{Class: "public", Controller: "traefik.io/ingress-controller"}}}
	if found, why := inv.FrontsOf(&said, nil); len(found) != 0 || why == "" {
		t.Errorf("found %+v", found)
	}
	inv.Classes = append(inv.Classes, "edge")
	if found, _ := inv.FrontsOf(&said, nil); len(found) != 1 || found[0].Service.Name != "public" {
		t.Errorf("where each is named as a class: %+v", found)
	}
}

// A Service that asks not to be looked at is not one of those to choose from; but what
// names it is not another's.
func TestAServiceThatIsLeftAloneFrontsWhatNamesIt(t *testing.T) {
	one, two := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	traefik := Service{ServiceRef: ServiceRef{"edge", "traefik"}, Addresses: []netip.Addr{one}, Labels: map[string]string{"app.kubernetes.io/name": "traefik"}}
	inner := Service{ServiceRef: ServiceRef{"edge", "inner"}, Addresses: []netip.Addr{two}, Hostnames: []string{"inner.example"}}
	inv := Inventory{Services: []Service{traefik}, LeftAlone: []Service{inner}}
	class := Declaration{Class: "t", Controller: "traefik.io/ingress-controller"}
	named, byName := class, class
	named.StatusAddresses, byName.StatusHostnames = []netip.Addr{two}, []string{"inner.example"}
	for _, c := range []struct {
		name string
		said Declaration
		want Found
	}{
		{"by its address, before the class", named, Found{Service: inner.ServiceRef, Rule: RuleAddress}},
		{"by its hostname", byName, Found{Service: inner.ServiceRef, Rule: RuleAddress}},
		{"by an annotation", Declaration{Service: inner.ServiceRef}, Found{Service: inner.ServiceRef, Rule: RuleAnnotation}},
		{"but not by a class", class, Found{Service: traefik.ServiceRef, Rule: RuleClass}},
		{"nor beside the only one", Declaration{}, Found{Service: traefik.ServiceRef, Rule: RuleOnly}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, why := inv.FrontsOf(&Target{Declarations: []Declaration{c.said}}, nil)
			if len(found) != 1 || found[0].Service != c.want.Service || found[0].Rule != c.want.Rule {
				t.Errorf("found %+v (%q), want %+v", found, why, c.want)
			}
		})
	}
}
