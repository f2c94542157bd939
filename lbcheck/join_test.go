package lbcheck

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

func TestJoin(t *testing.T) {
	dual := []netip.Addr{fresh, six}
	cases := []struct {
		rule  string
		world World
		want  string
		why   string
		lost  bool
	}{
		{"without a cloud the status is the truth", World{}.with(service(status(fresh))), "known 203.0.113.77", "", false},
		{"without a cloud an id proves nothing", World{}.with(service(status(fresh), id("a"))), "known 203.0.113.77", "", false},
		{"an empty status is not known", World{}.with(service()), "unknown", "has no address yet", false},
		{"a cloud that agrees makes it certain", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(status(fresh), id("a"))), "known 203.0.113.77", "", false},
		{"a cloud that disagrees makes both uncertain", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(status(old), id("a"))), "known 203.0.113.10? 203.0.113.77?", "", false},
		{"a family in which both agree is certain beside one in dispute", World{Clouds: []Observation{listed(balancer("a", fresh, six))}}.with(service(status(old, six), id("a"))), "known 2001:db8::77 203.0.113.10? 203.0.113.77?", "", false},
		{"a family that the status leaves out is the cloud's", World{Clouds: []Observation{listed(balancer("a", dual...))}}.with(service(status(fresh), id("a"))), "known 203.0.113.77 2001:db8::77", "", false},
		{"an empty status with an address in the cloud is the cloud's", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(id("a"))), "known 203.0.113.77", "", false},
		{"a balancer without an address leaves the status uncertain", World{Clouds: []Observation{listed(balancer("a"))}}.with(service(status(old), id("a"))), "known 203.0.113.10?", "", false},
		{"neither has an address", World{Clouds: []Observation{listed(balancer("a"))}}.with(service(id("a"))), "unknown", "has no address yet", false},
		{"a hostname in the status needs the cloud, which knows", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(hostnames("lb.shop.example"), id("a"))), "known 203.0.113.77", "", false},
		{"an address that the status names twice is one", World{}.with(service(status(fresh, fresh))), "known 203.0.113.77", "", false},

		{"a failing cloud that held what the status says is believed", World{Clouds: []Observation{failing(balancer("a", fresh))}}.with(service(status(fresh), id("a"))), "known 203.0.113.77", "", false},
		{"a failing cloud that held something else leaves all unknown", World{Clouds: []Observation{failing(balancer("a", old))}}.with(service(status(fresh), id("a"))), "unknown 203.0.113.10? 203.0.113.77?", "the token was refused", false},
		{"a failing cloud without a list leaves the status uncertain", World{Clouds: []Observation{failing()}}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the token was refused", false},
		{"a failing cloud without a list knows nothing of a hostname", World{Clouds: []Observation{failing()}, Published: map[string][]netip.Addr{"lb.shop.example": {old}}}.with(service(hostnames("lb.shop.example"))), "unknown", "the token was refused", false},
		{"a failing cloud loses nothing", World{Clouds: []Observation{failing(balancer("b", old))}}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the token was refused", false},

		{"an id that is gone from a complete list is lost", World{Clouds: []Observation{listed(balancer("b", old))}}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"an id that is gone is not found again by name", World{Clouds: []Observation{listed(balancer("b", old))}}.with(service(status(fresh), id("a"), named("lb-b"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"a list that is older than the Service proves no loss", World{Clouds: []Observation{listed()}}.with(service(status(fresh), id("a"), created(-time.Second))), "unknown 203.0.113.77?", "older than the load balancer a", false},
		{"a list of the same second as the Service proves no loss", World{Clouds: []Observation{listed()}}.with(service(status(fresh), id("a"), created(500*time.Millisecond))), "unknown 203.0.113.77?", "older than the load balancer a", false},
		{"a list that is older than the last sight of another balancer proves no loss", World{Clouds: []Observation{{At: noon.Add(-time.Minute), Balancers: []Balancer{balancer("b", old)}}}, History: had("b", 30*time.Second, old)}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "older than the load balancer a", false},
		{"a list that is older than the last change of the Service proves no loss", World{Clouds: []Observation{listed()}}.with(service(status(fresh), id("a"), changed(-time.Second))), "unknown 203.0.113.77?", "older than the load balancer a", false},
		{"a newer list does", World{Clouds: []Observation{listed(balancer("b", old))}, History: had("b", 30*time.Second, old)}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},

		{"without an id the name finds the balancer", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(status(old), named("lb-a"))), "known 203.0.113.10? 203.0.113.77?", "", false},
		{"of two balancers of one name nobody can tell", World{Clouds: []Observation{listed(balancer("a", fresh), Balancer{ID: "b", Name: "lb-a", Addresses: []netip.Addr{six}})}}.with(service(status(old), named("lb-a"))), "unknown 203.0.113.10?", "2 load balancers of the account are called \"lb-a\"", false},
		{"of two balancers of one name it is the one where the status says", World{Clouds: []Observation{listed(balancer("a", old), Balancer{ID: "b", Name: "lb-a", Addresses: []netip.Addr{fresh, six}})}}.with(service(status(fresh), named("lb-a"))), "known 203.0.113.77 2001:db8::77", "", false},
		{"a cloud that was asked before the status changed is not the truth, nor is the status yet", World{Clouds: []Observation{listed(balancer("a", old))}}.with(service(status(fresh), id("a"), changed(-time.Second))), "known 203.0.113.10? 203.0.113.77?", "", false},

		{"a disowned Service without a cloud is uncertain", World{}.with(service(status(fresh), disowned)), "unknown 203.0.113.77?", "is disowned", false},
		{"a disowned Service that its cloud confirms is certain", World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(status(fresh), id("a"), disowned)), "known 203.0.113.77", "", false},
		{"a balancer inside the network has the address that the status says", World{Clouds: []Observation{listed(Balancer{ID: "a", Internal: true})}}.with(service(status(fresh), id("a"))), "known 203.0.113.77", "", false},
		{"a new balancer without an address leaves the status of the last one uncertain", World{Clouds: []Observation{listed(Balancer{ID: "a", Status: "new"})}}.with(service(status(old), id("a"))), "known 203.0.113.10?", "", false},

		{"an empty list after a full one is doubted", World{Clouds: []Observation{listed()}, History: inList("a", time.Minute, fresh)}.with(service(status(fresh), id("a"))), "known 203.0.113.77", "", false},
		{"an empty list after a full one, and another status, leave all unknown", World{Clouds: []Observation{listed()}, History: inList("a", time.Minute, old)}.with(service(status(fresh), id("a"))), "unknown 203.0.113.10? 203.0.113.77?", "suddenly empty", false},
		{"an empty list is believed when nobody answers at the address", World{Clouds: []Observation{listed()}, History: inList("a", time.Minute, fresh), Dead: []netip.Addr{fresh}}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"an empty list is believed in the end", World{Clouds: []Observation{listed()}, History: inList("a", emptyFor, fresh)}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"an empty list is never believed while clients are served at the address", World{Clouds: []Observation{listed()}, History: inList("a", time.Hour, fresh), Alive: []netip.Addr{fresh}}.with(service(status(fresh), id("a"))), "known 203.0.113.77", "", false},
		{"an empty list says nothing of a balancer that was in none", World{Clouds: []Observation{listed()}, History: had("a", time.Minute, fresh)}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"a list that lacks one balancer of several is believed at once if no probe can tell", World{Clouds: []Observation{listed(balancer("b", old))}, History: inList("a", time.Minute, fresh)}.with(service(status(fresh), id("a"))), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"one list that lacks a balancer that answers is doubted", slid(inList("a", time.Minute, fresh)), "known 203.0.113.77", "", false},
		{"a second judgement of the same list too", slid(missed(inList("a", time.Minute, fresh), 0)), "known 203.0.113.77", "", false},
		{"lists that come close together are one", slid(missed(inList("a", time.Minute, fresh), 20*time.Second)), "known 203.0.113.77", "", false},
		{"a second list a minute later is believed", slid(missed(inList("a", 2*time.Minute, fresh), time.Minute)), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"what was in no list is not doubted", slid(had("a", time.Minute, fresh)), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"nor what was asked for by its id after the newest list", slid(inList("a", 0, fresh)), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"nor what answers at an address that the status does not name", slid(inList("a", time.Minute, fresh)).with(service(status(old), id("a"))), "unknown 203.0.113.10?", "the cloud has no load balancer a", true},
		{"nor a Service that is being deleted", slid(inList("a", time.Minute, fresh)).with(service(status(fresh), id("a"), deleting)), "unknown 203.0.113.77?", "the cloud has no load balancer a", true},
		{"where the status says more than the last list nothing is certain", slid(inList("a", time.Minute, fresh)).with(service(status(fresh, six), id("a"))), "unknown 203.0.113.77 2001:db8::77?", slippedOut, false},
		{"one balancer in the lists of two tokens is one", World{Clouds: []Observation{listed(balancer("a", fresh)), listed(balancer("a", fresh))}}.with(service(status(old), named("lb-a"))), "known 203.0.113.10? 203.0.113.77?", "", false},
		{"a Service without a name matches no balancer without one", World{Clouds: []Observation{listed(Balancer{ID: "a", Addresses: []netip.Addr{fresh}})}}.with(service(status(old))), "known 203.0.113.10", "", false},

		{"a hostname in the status is resolved", World{Published: map[string][]netip.Addr{"lb.shop.example": {fresh}}}.with(service(hostnames("lb.shop.example"))), "known 203.0.113.77", "", false},
		{"a hostname that does not resolve is not known", World{}.with(service(hostnames("lb.shop.example"))), "unknown", "the hostname lb.shop.example of traefik/traefik could not be resolved", false},
		{"a hostname that does not resolve leaves the address beside it uncertain", World{}.with(service(status(fresh), hostnames("lb.shop.example"))), "unknown 203.0.113.77?", "could not be resolved", false},
		{"one hostname of two that does not resolve leaves both unknown", World{Published: map[string][]netip.Addr{"a.shop.example": {fresh}}}.with(service(hostnames("a.shop.example", "b.shop.example"))), "unknown", "the hostname b.shop.example", false},

		{"held Services without a cloud are uncertain", World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("services")}}}.with(service(status(fresh))), "unknown 203.0.113.77?", "the API server does not answer", false},
		{"held Services beside a cloud that knows the balancer: by now they may have another one", World{Clouds: []Observation{listed(balancer("a", fresh))}, Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap()}}}.with(service(status(old), id("a"))), "unknown 203.0.113.10? 203.0.113.77?", "the API server does not answer", false},
		{"held Services lose no balancer", World{Clouds: []Observation{listed()}, Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("services")}}}.with(service(status(old), id("a"))), "unknown 203.0.113.10?", "the API server does not answer", false},
		{"a hole in another kind leaves the Services as they are", World{Inventory: inventory.Inventory{Gaps: []inventory.Gap{gap("ingresses")}}}.with(service(status(fresh))), "known 203.0.113.77", "", false},
		{"a Service that is being deleted still has its addresses", World{}.with(service(status(fresh), deleting)), "known 203.0.113.77", "", false},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			for _, w := range []World{c.world, reversed(c.world)} {
				f := Join(w)[traefik()]
				if got := describe(f.Known, f.Addresses, f.Uncertain); got != c.want {
					t.Errorf("joined %q, want %q", got, c.want)
				}
				if f.Lost != c.lost || c.why != "" && !strings.Contains(f.Why, c.why) || f.Known != (f.Why == "") {
					t.Errorf("lost %t because %q, want %t because %q", f.Lost, f.Why, c.lost, c.why)
				}
			}
		})
	}
}

// slid is a world in which the newest list has another balancer, and not a, which a
// client reaches.
func slid(h History) World {
	return World{Clouds: []Observation{listed(balancer("b", old))}, History: h, Alive: []netip.Addr{fresh}}.with(service(status(fresh), id("a")))
}

// missed is when a list first lacked the balancer.
func missed(h History, ago time.Duration) History {
	for i := range h.Sightings {
		h.Sightings[i].Missed = noon.Add(-ago)
	}
	return h
}

func TestAServiceThatOnlyTheHistoryKnowsIsAbsent(t *testing.T) {
	w := World{History: had("a", time.Minute, old)}
	if f := Join(w)[traefik()]; !f.Absent || f.Known {
		t.Errorf("joined %+v", f)
	}
	w.Inventory.Gaps = []inventory.Gap{gap("services")}
	if fronts := Join(w); len(fronts) != 0 {
		t.Errorf("with a hole in the list of Services, joined %+v", fronts)
	}
}

func TestJoinChangesNothingThatWasObserved(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w := chaos(random)
		before := reversed(reversed(w))
		for i, c := range w.Clouds {
			for k, b := range c.Balancers {
				before.Clouds[i].Balancers[k].Addresses = slices.Clone(b.Addresses)
			}
		}
		for i, s := range w.Inventory.Services {
			before.Inventory.Services[i].Addresses = slices.Clone(s.Addresses)
		}
		Join(w)
		if !reflect.DeepEqual(w, before) {
			t.Fatalf("changed to %+v from %+v", w, before)
		}
	}
}

// chaos is a world in which anything may be missing, failing or in dispute.
func chaos(r *rand.Rand) World {
	pool := []netip.Addr{six, fresh, old, netip.MustParseAddr("203.0.113.11"), netip.MustParseAddr("2001:db8::11")}
	some := func() []netip.Addr {
		r.Shuffle(len(pool), func(i, k int) { pool[i], pool[k] = pool[k], pool[i] })
		return slices.Clone(pool[:r.IntN(4)])
	}
	ids := []string{"", "a", "b", "c"}
	w := World{Published: map[string][]netip.Addr{}, History: had("a", time.Duration(r.IntN(120))*time.Minute, some()...)}
	for _, name := range []string{"traefik", "nginx"} {
		s := inventory.Service{ServiceRef: inventory.ServiceRef{Namespace: "traefik", Name: name}, Addresses: some(), BalancerID: ids[r.IntN(4)], BalancerName: "lb-" + ids[r.IntN(4)]}
		if r.IntN(3) == 0 {
			s.Hostnames = []string{"lb.shop.example"}
		}
		w.Inventory.Services = append(w.Inventory.Services, s)
	}
	if r.IntN(2) == 0 {
		w.Published["lb.shop.example"] = some()
	}
	for range r.IntN(3) {
		o := Observation{Provider: "digitalocean", At: noon.Add(-time.Duration(r.IntN(90)) * time.Minute)}
		for _, id := range ids[1:] {
			if r.IntN(2) == 0 {
				o.Balancers = append(o.Balancers, balancer(id, some()...))
			}
		}
		if r.IntN(3) == 0 {
			o.Failure = "refused"
		}
		w.Clouds = append(w.Clouds, o)
	}
	if r.IntN(4) == 0 {
		w.Inventory.Gaps = []inventory.Gap{gap("services")}
	}
	return w
}

// What stands in a Service's status, or in the cloud's entry for it, is never
// called stale, however the sources fail or disagree.
func TestNoAddressOfASourceIsEverStale(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	judged := 0
	for range 5000 {
		w := chaos(random)
		fronts := Join(w)
		for _, s := range w.Inventory.Services {
			e := Expect(&w, fronts, &inventory.Target{Host: "api.shop.example", Origin: "config", Service: s.ServiceRef})
			if !e.Known {
				continue
			}
			judged++
			named := slices.Clone(s.Addresses)
			if b := fronts[s.ServiceRef].Balancer; b != nil {
				named = append(named, b.Addresses...)
			}
			for _, a := range named {
				if !e.Accepts(a) {
					t.Fatalf("%s of %s is not accepted: %+v in %+v", a, s, e, w)
				}
				if slices.Contains(e.Former, a) {
					t.Fatalf("%s of %s is there and lost: %+v", a, s, e)
				}
			}
		}
	}
	if judged < 1000 {
		t.Errorf("only %d worlds could be judged", judged)
	}
}
