package lbcheck

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

type judged struct {
	rule    string
	world   World
	targets []inventory.Target
	policy  Policy
	want    []string
	says    []string
}

func (j judged) judge() []finding.Finding {
	fronts := Join(j.world)
	var expected []*inventory.Expected
	for _, t := range j.targets {
		e := Expect(&j.world, fronts, &t)
		expected = append(expected, &e)
	}
	return Judge(j.policy, noon, j.world, fronts, expected)
}

func judgeCases() []judged {
	used := []inventory.Target{target()}
	lagging := inventory.Target{Host: "api.shop.example", Origin: "Ingress shop/web", Declarations: []inventory.Declaration{{Object: "Ingress shop/web", Controller: "traefik.io/ingress-controller", StatusAddresses: []netip.Addr{old}}}}
	cloud := func(all ...Balancer) []Observation { return []Observation{listed(all...)} }
	replaced := append(had("b", 0, fresh).Sightings, had("a", 30*time.Minute, old).Sightings...)
	return slices.Concat(missingCases(), sourceCases(), declaredCases(), claimCases(), []judged{
		{rule: "a balancer with an address is nothing to tell", world: World{Clouds: cloud(balancer("a", fresh))}.with(service(status(fresh), id("a"))), targets: used},
		{
			rule: "sources that disagree are told, with both addresses", targets: used,
			world: World{Clouds: cloud(balancer("a", fresh))}.with(service(status(old), id("a"))),
			want:  []string{"warning lb/address-mismatch traefik/traefik"},
			says:  []string{"digitalocean has 203.0.113.77 (load balancer a)", "Service.status says 203.0.113.10"},
		},
		{
			rule: "a family that the status leaves out is no disagreement", targets: used,
			world: World{Clouds: cloud(balancer("a", fresh, six))}.with(service(status(fresh), id("a"))),
		},
		{
			rule: "a new Service without an address is pending", targets: used, world: World{}.with(service(created(time.Minute))),
			want: []string{"info lb/pending traefik/traefik"}, says: []string{"none for 60 s", "kubectl -n traefik describe service traefik"},
		},
		{
			rule: "an old one without an address is a warning", targets: used, world: World{}.with(service(created(5 * time.Minute))),
			want: []string{"warning lb/pending traefik/traefik"}, says: []string{"none for 5 min"},
		},
		{
			rule: "how long is for the operator to say", targets: used, policy: Policy{PendingFor: time.Hour}, world: World{}.with(service(created(5 * time.Minute))),
			want: []string{"info lb/pending traefik/traefik"},
		},
		{
			rule: "one of unknown age is a warning", targets: used, world: World{}.with(inventory.Service{ServiceRef: traefik()}),
			want: []string{"warning lb/pending traefik/traefik"},
		},
		{
			rule: "one from the future, by its clock, is new", targets: used, world: World{}.with(service(created(-time.Minute))),
			want: []string{"info lb/pending traefik/traefik"}, says: []string{"none for 0 s"},
		},
		{rule: "a hostname that does not resolve is the DNS's finding", targets: used, world: World{}.with(service(hostnames("lb.shop.example")))},
		{
			rule: "a replacement that the history saw has a time", targets: used,
			world: World{History: History{Sightings: replaced}}.with(service(status(fresh))),
			want:  []string{"info lb/replaced traefik/traefik"},
			says:  []string{"203.0.113.77 instead of 203.0.113.10", "first seen at 11:00:00 UTC"},
		},
		{
			rule: "a replacement is told from an Ingress's older status, without a time", targets: []inventory.Target{lagging},
			world: World{}.with(service(status(fresh))),
			want:  []string{"info lb/replaced traefik/traefik"}, says: []string{"203.0.113.77 instead of 203.0.113.10"},
		},
		{
			rule: "an old replacement is no news", targets: used, policy: Policy{ReplacedFor: 30 * time.Minute},
			world: World{History: History{Sightings: replaced}}.with(service(status(fresh))),
		},
		{rule: "a balancer that only gained an address was not replaced", targets: used, world: World{History: had("a", 0, old)}.with(service(status(old, fresh)))},
	})
}

func missingCases() []judged {
	used := []inventory.Target{target()}
	gone := World{History: had("a", time.Minute, old)}
	return []judged{
		{
			rule: "a Service that is gone and in use is missing", world: gone, targets: used,
			want: []string{"critical lb/missing traefik/traefik"}, says: []string{"the Service traefik/traefik is gone", "its last address was 203.0.113.10, seen until 11:59:00 UTC"},
		},
		{rule: "a Service that is gone and not in use is no loss", world: gone},
		{
			rule: "a Service that is gone is found by an Ingress that still names its address", world: gone,
			targets: []inventory.Target{{Host: "api.shop.example", Origin: "Ingress shop/web", Declarations: []inventory.Declaration{{Object: "Ingress shop/web", StatusAddresses: []netip.Addr{old}}}}},
			want:    []string{"critical lb/missing traefik/traefik"},
		},
		{
			rule: "a Service that is left alone is not gone, though an Ingress names its address", targets: []inventory.Target{{Host: "api.shop.example", Declarations: []inventory.Declaration{{Object: "Ingress shop/web", StatusAddresses: []netip.Addr{old}}}}},
			world: World{Inventory: inventory.Inventory{LeftAlone: []inventory.Service{service(status(old))}}, History: had("a", time.Minute, old)},
		},
		{
			rule: "a Service in use that is being deleted is missing soon", world: World{}.with(service(status(fresh), deleting)), targets: used,
			want: []string{"critical lb/missing traefik/traefik"}, says: []string{"is being deleted", "deletion timestamp"},
		},
		{rule: "one that is being deleted and not in use is no loss", world: World{}.with(service(status(fresh), deleting))},
		{
			rule: "a balancer that is gone from the cloud is missing, whoever uses it", world: World{Clouds: []Observation{listed()}, History: had("a", time.Minute, fresh)}.with(service(status(fresh), id("a"))),
			want: []string{"critical lb/missing traefik/traefik"}, says: []string{"the load balancer a", "Service.status still says 203.0.113.77"},
		},
		{
			rule: "a list in which nothing of this cluster ever was may be of another account", world: World{Clouds: []Observation{listed(balancer("b", old))}}.with(service(status(fresh), id("a"))),
			want: []string{"warning lb/missing traefik/traefik"}, says: []string{"no load balancer of this cluster was ever in that list", "see whether the token is of the account or team"},
		},
	}
}

func sourceCases() []judged {
	used := []inventory.Target{target()}
	return []judged{
		{
			rule: "a failing cloud is told once, and its held list accuses nobody", world: World{Clouds: []Observation{failing(balancer("a", old))}}.with(service(status(fresh), id("a"))), targets: used,
			want: []string{"unknown self/source-degraded digitalocean"}, says: []string{"the token was refused; the last complete list is held", "make a new token"},
		},
		{
			rule: "a cloud that never gave a list holds none", world: World{Clouds: []Observation{{Provider: "digitalocean", Failure: "no route"}}}.with(service(status(fresh))), targets: used,
			want: []string{"unknown self/source-degraded digitalocean"}, says: []string{"load balancers could not be read: no route", "look at our rights"},
		},
		{
			rule: "held Services accuse nobody", targets: used,
			world: World{Clouds: []Observation{listed(balancer("a", fresh))}, Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("services")}}}.with(service(status(old), id("a"))),
			want:  []string{"unknown self/source-degraded kubernetes"},
		},
		{
			rule: "a Service that could not be read is not gone", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("services")}}, History: had("a", time.Minute, old)},
			want:  []string{"unknown self/source-degraded kubernetes"},
		},
		{
			rule: "two holes in one source are one finding that names both", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("ingresses"), {Source: "kubernetes", Resources: []string{"ingressclasses"}, What: "classes", Why: "forbidden", Hint: "allow it"}}}}.with(service(status(fresh))),
			want:  []string{"unknown self/source-degraded kubernetes"}, says: []string{"objects could not be read", "classes: forbidden", "allow it"},
		},
		{
			rule: "holes with one reason are told together", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gapIn("services"), gapIn("ingresses"), gapIn("gateways"), gapIn("httproutes")}}}.with(service(status(fresh))),
			want:  []string{"unknown self/source-degraded kubernetes"}, says: []string{"kubernetes: services, ingresses and 2 more kinds could not be read: not allowed (403) for poor", "grant services\ngrant ingresses"},
		},
		{
			rule: "kinds that were never read are unknown, and the Services are not", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{never("httproutes"), never("ingressclasses")}}}.with(service(status(fresh))),
			want:  []string{"unknown self/source-unread kubernetes", "info self/source-degraded kubernetes"}, says: []string{"objects could not be read: forbidden"},
		},
		{
			rule: "and stay so beside a hole in what was read", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{never("httproutes"), gap("ingresses")}}}.with(service(status(fresh))),
			want:  []string{"unknown self/source-degraded kubernetes", "unknown self/source-unread kubernetes"},
		},
		{
			rule: "Services that were never read are the truth itself", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{never("httproutes"), never("services")}}},
			want:  []string{"unknown self/source-degraded kubernetes", "unknown self/source-unread kubernetes"},
		},
		{
			rule: "what is over a limit is no hole in the source", targets: used,
			world: World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{
				{Source: "kubernetes", Resources: []string{"ingresses"}, What: "some hosts of Ingress shop/big", Why: "only 100 are looked at", Hint: "spread them", Bound: true}, gap("ingresses"),
			}}}.with(service(status(fresh))),
			want: []string{"unknown self/over-limit kubernetes", "unknown self/source-degraded kubernetes"}, says: []string{"some hosts of Ingress shop/big are left out: only 100 are looked at"},
		},
	}
}

func TestJudge(t *testing.T) {
	for _, j := range judgeCases() {
		t.Run(j.rule, func(t *testing.T) {
			fs := j.judge()
			if got := lines(fs); !slices.Equal(got, j.want) {
				t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(j.want, "\n  "))
			}
			var text strings.Builder
			for _, f := range fs {
				if f.Summary == "" || f.Expected == "" || f.Observed == "" || f.Hint == "" {
					t.Errorf("a text is missing: %+v", f)
				}
				text.WriteString(f.Summary + "\n" + f.Expected + "\n" + f.Observed + "\n" + f.Hint + "\n")
			}
			for _, s := range j.says {
				if !strings.Contains(text.String(), s) {
					t.Errorf("texts do not say %q:\n%s", s, text.String())
				}
			}
			j.world = reversed(j.world)
			if again := j.judge(); !reflect.DeepEqual(again, fs) {
				t.Errorf("in another order\n%+v\nbefore\n%+v", again, fs)
			}
		})
	}
}

func TestEveryCodeIsJudgedSomewhere(t *testing.T) {
	produced := map[finding.Code]bool{}
	note := func(fs []finding.Finding) {
		for _, f := range fs {
			produced[f.Code] = true
		}
	}
	for _, j := range judgeCases() {
		note(j.judge())
	}
	for _, c := range changeCases() {
		note(c.judge())
	}
	for _, e := range finding.Catalogue() {
		mine := e.Code.Family() == "lb" || e.Code == finding.SelfSourceDegraded || e.Code == finding.SelfSourceUnread || e.Code == finding.SelfDeclarationUnused || e.Code == finding.SelfOverLimit
		if mine && !produced[e.Code] {
			t.Errorf("no case produces %s", e.Code)
		}
	}
}

func gapIn(kind string) inventory.Gap {
	return inventory.Gap{Source: "kubernetes", Resources: []string{kind}, What: kind, Why: "not allowed (403) for poor", Hint: "grant " + kind, Held: true}
}
