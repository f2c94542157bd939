package monitor

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
)

func TestPlan(t *testing.T) {
	cdn := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	for name, c := range map[string]struct {
		expected  inventory.Expected
		published []string
		want      string
	}{
		"an expected address is probed with headers, published or not": {
			inventory.Expected{Known: true, Addresses: addrs("192.0.2.1")}, nil, "192.0.2.1 headers",
		},
		"an address that only one source names is probed without headers": {
			inventory.Expected{Uncertain: addrs("192.0.2.2")}, []string{"192.0.2.2"}, "192.0.2.2 full",
		},
		"a published address in an allowed range is probed without headers": {
			inventory.Expected{Known: true, Allow: cdn}, []string{"198.51.100.7"}, "198.51.100.7 full",
		},
		"a published address that nobody expects is a stranger": {
			inventory.Expected{Known: true, Addresses: addrs("192.0.2.1")}, []string{"192.0.2.1", "203.0.113.9"},
			"192.0.2.1 headers, 203.0.113.9 stranger",
		},
		"if nobody knows what is right a published address is probed without headers": {
			inventory.Expected{}, []string{"203.0.113.9"}, "203.0.113.9 full",
		},
		"an expected address in an unknown truth is still the target's own": {
			inventory.Expected{Addresses: addrs("192.0.2.1")}, []string{"192.0.2.1", "203.0.113.9"},
			"192.0.2.1 headers, 203.0.113.9 full",
		},
		"a former address is a stranger": {
			inventory.Expected{Known: true, Addresses: addrs("192.0.2.1"), Former: addrs("192.0.2.8")}, []string{"192.0.2.8"},
			"192.0.2.1 headers, 192.0.2.8 stranger",
		},
		"an address that only an annotation leads to is probed without headers": {
			inventory.Expected{Known: true, Addresses: addrs("192.0.2.1", "192.0.2.2"), Told: addrs("192.0.2.2")}, nil, "192.0.2.1 headers, 192.0.2.2 full",
		},
		"both families are probed": {
			inventory.Expected{Known: true, Addresses: addrs("192.0.2.1", "2001:db8::1")}, []string{"2001:db8::1"},
			"192.0.2.1 headers, 2001:db8::1 headers",
		},
		"nothing published and nothing expected is nothing to do": {inventory.Expected{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			target := site("a.example")
			dns := map[string]dnscheck.Observation{"a.example": published("a.example", time.Time{}, addrs(c.published...)...)}
			var got []string
			for _, s := range plan([]inventory.Target{target}, map[string]inventory.Expected{target.Key: c.expected}, dns, dnscheck.History{}) {
				if s.address.Port() != 443 || s.pinned {
					t.Errorf("step: %+v", s)
				}
				got = append(got, s.address.Addr().String()+" "+how(s))
			}
			if g := strings.Join(got, ", "); g != c.want {
				t.Errorf("got  %s\nwant %s", g, c.want)
			}
		})
	}
}

func how(s step) string {
	switch {
	case s.stranger && s.trusted:
		return "stranger with headers"
	case s.stranger:
		return "stranger"
	case s.trusted:
		return "headers"
	}
	return "full"
}

func TestPlanIsBoundedAndKeepsTheExpectedAddresses(t *testing.T) {
	var flood []string
	for i := range 250 {
		flood = append(flood, fmt.Sprintf("192.0.2.%d", i))
	}
	target := site("a.example")
	dns := map[string]dnscheck.Observation{"a.example": published("a.example", time.Time{}, addrs(flood...)...)}
	expected := map[string]inventory.Expected{target.Key: {Known: true, Addresses: addrs("203.0.113.200", "192.0.2.249")}}
	first := plan([]inventory.Target{target}, expected, dns, dnscheck.History{})
	if len(first) != maxAddresses {
		t.Fatalf("%d probes", len(first))
	}
	own := 0
	for _, s := range first {
		if s.trusted {
			own++
		}
	}
	if own != 2 {
		t.Errorf("%d of the 2 expected addresses are in the plan", own)
	}
	if again := plan([]inventory.Target{target}, expected, dns, dnscheck.History{}); !reflect.DeepEqual(first, again) {
		t.Error("the same input gives another plan")
	}
}

// A stale address that is given by turns stays in the plan, so that the probe of the
// stranger there does not come and go.
func TestPlanKeepsAddressesThatTakeTurns(t *testing.T) {
	target := site("a.example")
	expected := map[string]inventory.Expected{target.Key: {Known: true, Addresses: addrs("192.0.2.1")}}
	noon := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	var h dnscheck.History
	for i, given := range []string{"192.0.2.9", "192.0.2.1", "192.0.2.9", "192.0.2.1", "192.0.2.9", "192.0.2.1", "192.0.2.1"} {
		o := published("a.example", noon.Add(time.Duration(i)*time.Minute), addrs(given)...)
		h = h.Remember([]dnscheck.Observation{o})
		steps := plan([]inventory.Target{target}, expected, map[string]dnscheck.Observation{"a.example": o}, h)
		if turns := i >= 4; turns != (len(steps) == 2) && given == "192.0.2.1" {
			t.Errorf("look %d gave %s: %d steps", i, given, len(steps))
		}
	}
}

func TestMerge(t *testing.T) {
	pinned := site("a.example", "192.0.2.1")
	declared := inventory.Target{
		Key: "https://a.example/", Host: "a.example", Origin: "Ingress shop/web",
		Declarations: []inventory.Declaration{{Object: "Ingress shop/web", Class: "traefik", StatusAddresses: addrs("192.0.2.7")}},
	}
	other := declared
	other.Key, other.Host = "https://b.example/", "b.example"
	deep := site("a.example")
	deep.Key, deep.Path = "https://a.example/healthz", "/healthz"
	moving := func(c inventory.Target, hours int) inventory.Target {
		c.MoveUntil = time.Date(2026, 3, 1, hours, 0, 0, 0, time.UTC)
		return c
	}
	elsewhere := declared
	elsewhere.Key, elsewhere.Path = "https://a.example/elsewhere", "/elsewhere"
	own := deep
	own.Declarations = []inventory.Declaration{{Object: "Ingress shop/own", Class: "mine"}}

	withClusterFacts := func(c inventory.Target) inventory.Target {
		c.Declarations = declared.Declarations
		return c
	}
	for name, c := range map[string]struct {
		configured, cluster, want []inventory.Target
	}{
		"a configured target wins over the cluster's of the same key": {
			[]inventory.Target{pinned}, []inventory.Target{other, declared}, []inventory.Target{withClusterFacts(pinned), other},
		},
		"a configured target of the same host takes over the cluster's facts": {
			[]inventory.Target{deep}, []inventory.Target{declared}, []inventory.Target{declared, withClusterFacts(deep)},
		},
		"facts that a target has are kept": {
			[]inventory.Target{own}, []inventory.Target{declared}, []inventory.Target{declared, own},
		},
		"a move that the cluster announces is that of the configured target too": {
			[]inventory.Target{deep}, []inventory.Target{moving(declared, 12)}, []inventory.Target{moving(declared, 12), moving(withClusterFacts(deep), 12)},
		},
		"until the first of several ends": {
			[]inventory.Target{deep}, []inventory.Target{moving(declared, 12), moving(elsewhere, 11)},
			[]inventory.Target{moving(declared, 12), moving(elsewhere, 11), moving(withClusterFacts(deep), 11)},
		},
		"and not if one object does not announce it": {
			[]inventory.Target{deep}, []inventory.Target{moving(declared, 12), elsewhere},
			[]inventory.Target{moving(declared, 12), elsewhere, withClusterFacts(deep)},
		},
		"nor if the configuration pins the addresses": {
			[]inventory.Target{pinned}, []inventory.Target{moving(declared, 12)}, []inventory.Target{withClusterFacts(pinned)},
		},
		"of two configured targets with one key the first stays": {
			[]inventory.Target{pinned, site("a.example")}, nil, []inventory.Target{pinned},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := merge(c.configured, inventory.Inventory{Targets: c.cluster, Gaps: []inventory.Gap{{Source: "kubernetes"}}})
			if !reflect.DeepEqual(got.Targets, c.want) {
				t.Errorf("got  %+v\nwant %+v", got.Targets, c.want)
			}
			if len(got.Gaps) != 1 {
				t.Error("the gaps were lost")
			}
		})
	}
}

func TestHostsAreThoseOfTargetsAndOfServices(t *testing.T) {
	got := hosts(inventory.Inventory{
		Targets: []inventory.Target{site("b.example"), site("a.example"), site("a.example"), {
			Host: "c.example", Declarations: []inventory.Declaration{{RecordHostnames: []string{"cdn.example"}}},
		}},
		Services: []inventory.Service{{Hostnames: []string{"lb.example", "a.example"}}, {}},
	})
	if want := []string{"a.example", "b.example", "c.example", "cdn.example", "lb.example"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
