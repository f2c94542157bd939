package lbcheck

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"driftprobe/internal/inventory"
)

func behind(ready, total int) func(*inventory.Service) {
	return func(s *inventory.Service) { s.Endpoints = &inventory.Endpoints{Ready: ready, Total: total} }
}

func declaredCases() []judged {
	used := []inventory.Target{target()}
	notice := func(kind, what string) inventory.Notice {
		return inventory.Notice{Kind: kind, Namespace: "shop", Name: "web", What: what, Why: "it is odd"}
	}
	said := func(ns ...inventory.Notice) World {
		return World{Inventory: inventory.Inventory{Notices: ns}}.with(service(status(fresh)))
	}
	return []judged{
		{
			rule: "a Service with nothing ready behind it fails for all", world: World{}.with(service(status(fresh), behind(0, 2))), targets: used,
			want: []string{"critical lb/unhealthy traefik/traefik"}, says: []string{"0 of 2 endpoints ready", "kubectl -n traefik get endpointslices -l kubernetes.io/service-name=traefik"},
		},
		{
			rule: "one without any endpoint too", world: World{}.with(service(status(fresh), behind(0, 0))), targets: used,
			want: []string{"critical lb/unhealthy traefik/traefik"}, says: []string{"no endpoint at all"},
		},
		{rule: "one ready endpoint is enough", world: World{}.with(service(status(fresh), behind(1, 9))), targets: used},
		{rule: "a Service that fronts nothing hurts nobody", world: World{}.with(service(status(fresh), behind(0, 2)))},
		{
			rule: "before it has an address it is pending and nothing else", world: World{}.with(service(behind(0, 2))), targets: used,
			want: []string{"warning lb/pending traefik/traefik"},
		},
		{
			rule: "one that is being deleted is missing and nothing else", world: World{}.with(service(status(fresh), deleting, behind(0, 2))), targets: used,
			want: []string{"critical lb/missing traefik/traefik"},
		},
		{
			rule: "what an object says and cannot be used is worth knowing, all of it in one", world: said(notice("Ingress", "a"), notice("HTTPRoute", "a"), notice("Ingress", "b")), targets: used,
			want: []string{"info self/declaration-unused HTTPRoute shop/web", "info self/declaration-unused Ingress shop/web"},
			says: []string{"Ingress shop/web: a cannot be used: it is odd; b: it is odd"},
		},
		{
			rule: "what only helps may be missing", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("ingressclasses", "gatewayclasses"), gap("endpointslices")}}}.with(service(status(fresh))),
			want:  []string{"info self/source-degraded kubernetes"},
		},
		{
			rule: "hosts that may be missing are not", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("gatewayclasses", "httproutes")}}}.with(service(status(fresh))),
			want:  []string{"unknown self/source-degraded kubernetes"},
		},
	}
}

// second is another Service, nginx/nginx, at other.
func second(change ...func(*inventory.Service)) inventory.Service {
	s := inventory.Service{ServiceRef: inventory.ServiceRef{Namespace: "nginx", Name: "nginx"}, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.99")}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func TestExpectOfDeclarations(t *testing.T) {
	other, cdn := second().Addresses[0], netip.MustParseAddr("198.51.100.7")
	both := World{Published: map[string][]netip.Addr{"cdn.example": {cdn}}}.with(service(status(fresh)), second())
	pin := func(name string, s inventory.Service) inventory.Declaration {
		return inventory.Declaration{Object: "Ingress shop/" + name, Service: s.ServiceRef}
	}
	nobody := inventory.Declaration{Object: "Ingress shop/z"}
	cases := []struct {
		rule  string
		world World
		said  []inventory.Declaration
		want  string
		fronts,
		why string
		told int
	}{
		{"a Service that an annotation names", both, []inventory.Declaration{pin("a", second())}, "known 203.0.113.99", "nginx/nginx by annotation", "", 1},
		{"one host on two balancers expects both", both, []inventory.Declaration{{Object: "a", StatusAddresses: []netip.Addr{other}}, {Object: "b", StatusAddresses: []netip.Addr{fresh}}}, "known 203.0.113.77 203.0.113.99", "nginx/nginx traefik/traefik by status address", "", 0},
		{"also if annotations alone lead to both", both, []inventory.Declaration{pin("a", second()), pin("b", service())}, "known 203.0.113.77 203.0.113.99", "nginx/nginx traefik/traefik by annotation", "", 2},
		{"what only another's annotation leads to is accepted, and not asked for", both, []inventory.Declaration{pin("a", second()), {Object: "b", StatusAddresses: []netip.Addr{fresh}}}, "known 203.0.113.77 203.0.113.99?", "traefik/traefik nginx/nginx by status address", "", 0},
		{"so it is with records that another wants elsewhere", both, []inventory.Declaration{{Object: "a", RecordAddresses: []netip.Addr{cdn}}, {Object: "b", StatusAddresses: []netip.Addr{fresh}}}, "known 203.0.113.77 198.51.100.7?", "traefik/traefik by status address", "", 0},
		{"two objects that lead to one Service are one front, and a better word than an annotation", both, []inventory.Declaration{{Object: "b", StatusAddresses: []netip.Addr{fresh}}, pin("c", service())}, "known 203.0.113.77", "traefik/traefik by status address", "", 0},
		{"in any order", both, []inventory.Declaration{pin("a", service()), {Object: "b", StatusAddresses: []netip.Addr{fresh}}}, "known 203.0.113.77", "traefik/traefik by status address", "", 0},
		{"a balancer that waits beside one that runs leaves the name unknown", World{}.with(service(status(fresh)), second(status())), []inventory.Declaration{pin("a", service()), pin("b", second())}, "unknown 203.0.113.77", "nginx/nginx by annotation", "has no address yet", 1},
		{"an object of which nobody can tell leaves the name unknown", both, []inventory.Declaration{pin("a", service()), nobody}, "unknown 203.0.113.77", " by ", "Ingress shop/z: several Services", 1},
		{"records that are to point at a Service mean it", both, []inventory.Declaration{{RecordAddresses: []netip.Addr{other}}}, "known 203.0.113.99", "nginx/nginx by annotation", "", 1},
		{"records that are pinned to what a Service had mean it, where it is now", World{History: had("", 0, old)}.with(service(status(fresh)), second()), []inventory.Declaration{{RecordAddresses: []netip.Addr{old}}}, "known 203.0.113.77", "traefik/traefik by annotation", "", 1},
		{"records that are to point elsewhere are expected there", both, []inventory.Declaration{{RecordAddresses: []netip.Addr{cdn}}}, "known 198.51.100.7", " by annotation", "", 1},
		{"records that are to be an alias are expected where it leads", both, []inventory.Declaration{{RecordHostnames: []string{"cdn.example"}}}, "known 198.51.100.7", " by annotation", "", 1},
		{"an alias that leads nowhere is not known", both, []inventory.Declaration{{RecordHostnames: []string{"gone.example"}}}, "unknown", " by annotation", "could not be resolved", 0},
		{"a pin to a Service that never was is passed over", World{}.with(service(status(fresh))), []inventory.Declaration{pin("a", second())}, "known 203.0.113.77", "traefik/traefik by only Service", "", 0},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			e := Expect(&c.world, Join(c.world), &inventory.Target{Host: "www.shop.example", Declarations: c.said})
			if got := describe(e.Known, e.Addresses, e.Uncertain); got != c.want {
				t.Errorf("expected %q, want %q", got, c.want)
			}
			fronts := e.Service.String()
			for _, o := range e.Others {
				fronts += " " + o.String()
			}
			if fronts += " by " + e.Rule; fronts != c.fronts || !strings.Contains(e.Why, c.why) || (c.why == "") != (e.Why == "") {
				t.Errorf("%s because %q, want %s because %q", fronts, e.Why, c.fronts, c.why)
			}
			if len(e.Told) != c.told {
				t.Errorf("told: %v", e.Told)
			}
		})
	}
}

// What one of two balancers lost is not the other's.
func TestAReplacementBesideAnotherBalancerIsToldOfItsOwnService(t *testing.T) {
	w := World{History: had("", 0, old, fresh)}.with(service(status(fresh)), second())
	e := Expect(&w, Join(w), &inventory.Target{Host: "www.shop.example", Declarations: []inventory.Declaration{
		{Object: "a", Service: second().ServiceRef}, {Object: "b", Service: traefik()},
	}})
	got := lines(Judge(Policy{}, noon, w, Join(w), []*inventory.Expected{&e}))
	if want := []string{"info lb/replaced traefik/traefik"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
