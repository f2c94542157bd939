package lbcheck

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

const (
	ourTag   = "k8s:6f1d1ab0-0000-4000-8000-000000000001"
	theirTag = "k8s:6f1d1ab0-0000-4000-8000-000000000002"
)

func tagged(b Balancer, tags ...string) Balancer {
	b.Tags, b.Created = tags, noon.Add(-time.Hour)
	return b
}

func bad(b Balancer, status string) Balancer {
	b.Status = status
	return b
}

// whole is a cluster of which all Services are known: traefik/traefik with balancer a.
func whole(balancers ...Balancer) World {
	w := World{Clouds: []Observation{listed(append([]Balancer{tagged(balancer("a", fresh), ourTag)}, balancers...)...)}}.with(service(status(fresh), id("a")))
	w.Inventory.Whole = true
	return w
}

func claimCases() []judged {
	used := []inventory.Target{target()}
	with := func(w World, change func(*World)) World { change(&w); return w }
	left := tagged(balancer("b", old), "k8s", ourTag, "k8s:worker")
	other := inventory.ServiceRef{Namespace: "nginx", Name: "nginx"}
	lone := func(b Balancer, change ...func(*inventory.Service)) World {
		return World{Clouds: []Observation{listed(b)}}.with(service(append([]func(*inventory.Service){status(b.Addresses...), id(b.ID)}, change...)...))
	}
	return []judged{
		{
			rule: "a balancer with this cluster's tag that no Service owns is an orphan", world: whole(left), targets: used,
			want: []string{"info lb/orphan b"}, says: []string{"\"lb-b\" (203.0.113.10)", "no Service owns it", "doctl compute load-balancer delete b"},
		},
		{rule: "one of another cluster is none of ours", world: whole(tagged(balancer("b", old), theirTag)), targets: used},
		{rule: "one without a tag may be anybody's", world: whole(tagged(balancer("b", old), "k8s:worker", "k8s:6f1d1ab0")), targets: used},
		{rule: "one with the tags of two clusters too", world: whole(tagged(balancer("b", old), ourTag, theirTag)), targets: used},
		{rule: "one that is young may get its Service in a moment", world: whole(with2(left, func(b *Balancer) { b.Created = noon.Add(-time.Minute) })), targets: used},
		{rule: "one of unknown age is not named", world: whole(with2(left, func(b *Balancer) { b.Created = time.Time{} })), targets: used},
		{rule: "where the Services are not all of the cluster nobody can tell", world: with(whole(left), func(w *World) { w.Inventory.Whole = false }), targets: used},
		{
			rule: "nor where they could not be read", world: with(whole(left), func(w *World) { w.Inventory.Gaps = []inventory.Gap{gap("services")} }), targets: used,
			want: []string{"unknown self/source-degraded kubernetes"},
		},
		{
			rule: "nor while the cloud fails", world: with(whole(left), func(w *World) { w.Clouds[0].Failure = "no" }), targets: used,
			want: []string{"unknown self/source-degraded digitalocean"},
		},
		{
			rule: "one that a Service names by name is owned", targets: used,
			world: with(whole(left), func(w *World) {
				w.Inventory.Services = append(w.Inventory.Services, inventory.Service{ServiceRef: other, BalancerName: "lb-b", Addresses: []netip.Addr{old}})
			}),
		},
		{
			rule: "one of a Service that is left alone is owned", targets: used,
			world: with(whole(left), func(w *World) { w.Inventory.LeftAlone = []inventory.Service{{ServiceRef: other, BalancerID: "b"}} }),
		},
		{
			rule: "one whose Service was there a minute ago is on its way out", targets: used,
			world: with(whole(left), func(w *World) {
				w.History.Sightings = []Sighting{{Service: other, Address: old, Balancer: "b", LastSeen: noon.Add(-time.Minute)}}
			}),
		},
		{rule: "with no balancer of ours by id nobody knows our tag", targets: used, world: with(whole(left), func(w *World) {
			w.Inventory.Services[0].BalancerID, w.Inventory.Services[0].BalancerName = "", "lb-a"
		})},

		{
			rule: "a balancer with the tags of two clusters is contested", targets: used, world: lone(tagged(balancer("a", fresh), ourTag, theirTag, ourTag)),
			want: []string{"warning lb/contested traefik/traefik"}, says: []string{"2 clusters claim the load balancer", ourTag + ", " + theirTag},
		},
		{rule: "a Service that has disowned it contests nothing", targets: used, world: lone(tagged(balancer("a", fresh), ourTag, theirTag), disowned)},
		{
			rule: "two Services of one balancer are both told", targets: used,
			world: with(lone(balancer("a", fresh)), func(w *World) {
				w.Inventory.Services = append(w.Inventory.Services, inventory.Service{ServiceRef: other, BalancerID: "a", Addresses: []netip.Addr{fresh}})
			}),
			want: []string{"warning lb/contested nginx/nginx", "warning lb/contested traefik/traefik"}, says: []string{"is that of nginx/nginx too", "is that of traefik/traefik too"},
		},
		{
			rule: "several balancers of the name that the controller goes by are contested", targets: used,
			world: World{Clouds: []Observation{listed(balancer("a", fresh), Balancer{ID: "b", Name: "lb-a", Addresses: []netip.Addr{six}})}}.with(service(status(old), named("lb-a"))),
			want:  []string{"warning lb/contested traefik/traefik"}, says: []string{"a (203.0.113.77), b (2001:db8::77)", "load-balancer-id"},
		},

		{
			rule: "a balancer that the cloud calls errored has failed", targets: used, world: lone(bad(balancer("a", fresh), "errored")),
			want: []string{"warning lb/unhealthy traefik/traefik"}, says: []string{"digitalocean says that the load balancer of traefik/traefik has failed", "status errored (load balancer a)"},
		},
		{rule: "one that is new and has an address is on its way", targets: used, world: lone(bad(balancer("a", fresh), "new"))},
		{
			rule: "a new one without an address is pending, in the cloud's word", targets: used, world: lone(bad(balancer("a"), "new"), created(time.Minute)),
			want: []string{"info lb/pending traefik/traefik"}, says: []string{"digitalocean says that its load balancer a is new"},
		},
		{
			rule: "an errored one without an address is a warning at once", targets: used, world: lone(bad(balancer("a"), "errored"), created(time.Minute)),
			want: []string{"warning lb/pending traefik/traefik"}, says: []string{"is errored"},
		},
		{
			rule: "a disowned Service that disagrees is not to be touched", targets: used,
			world: World{Clouds: []Observation{listed(balancer("a", fresh))}}.with(service(status(old), id("a"), disowned)),
			want:  []string{"warning lb/address-mismatch traefik/traefik"}, says: []string{"disowned, so nobody writes its status"},
		},
		{
			rule: "two sources of different moments do not disagree", targets: used,
			world: World{Clouds: []Observation{listed(balancer("a", old))}}.with(service(status(fresh), id("a"), changed(-time.Second))),
		},
		{
			rule: "a balancer that was asked for since does", targets: used,
			world: World{Clouds: []Observation{listed(with2(balancer("a", old), func(b *Balancer) { b.At = noon.Add(2 * time.Second) }))}}.with(service(status(fresh), id("a"), changed(-time.Second))),
			want:  []string{"warning lb/address-mismatch traefik/traefik"},
		},
		{
			rule: "a disowned Service that is deleted leaves its balancer", targets: used, world: World{}.with(service(status(fresh), disowned, deleting)),
			want: []string{"critical lb/missing traefik/traefik"}, says: []string{"is disowned and stays"},
		},
		{
			rule: "a Service that is gone while its balancer is still listed", targets: used,
			world: World{Clouds: []Observation{listed(balancer("a", old))}, History: had("a", time.Minute, old)},
			want:  []string{"critical lb/missing traefik/traefik"}, says: []string{"its load balancer a is still in the list of digitalocean"},
		},
		{
			rule: "a list that is suddenly empty is a source that fails", targets: used,
			world: World{Clouds: []Observation{listed()}, History: inList("a", time.Minute, fresh), Alive: []netip.Addr{fresh}}.with(service(status(fresh), id("a"))),
			want:  []string{"unknown self/source-degraded digitalocean"},
			says:  []string{"suddenly empty: until 11:59:00 UTC it had the load balancers of traefik/traefik, and 203.0.113.77 still answers", "the last complete list is held", "account or team"},
		},
		{
			rule: "a list that lacks a balancer that answers is a source that fails", targets: used,
			world: slid(inList("a", time.Minute, fresh)),
			want:  []string{"unknown self/source-degraded digitalocean"},
			says:  []string{"lacks the load balancer of traefik/traefik (a): until 11:59:00 UTC it was there, and 203.0.113.77 still answers", "the last complete list is held", "if the next list lacks it too"},
		},
		{
			rule: "two lists that lack it are believed", targets: used,
			world: slid(missed(inList("a", 2*time.Minute, fresh), time.Minute)),
			want:  []string{"critical lb/missing traefik/traefik"}, says: []string{"it is not in the cloud's complete list"},
		},
		{
			rule: "with the Service on its way out it is no wonder", targets: used,
			world: World{Clouds: []Observation{listed()}, History: inList("a", time.Minute, fresh)}.with(service(status(fresh), id("a"), deleting)),
			want:  []string{"critical lb/missing traefik/traefik"},
		},
		{
			rule: "with the Services gone too it is no wonder", targets: used,
			world: World{Clouds: []Observation{listed()}, History: inList("a", time.Minute, fresh)},
			want:  []string{"critical lb/missing traefik/traefik"},
		},
	}
}

func with2(b Balancer, change func(*Balancer)) Balancer { change(&b); return b }

func TestClusterTags(t *testing.T) {
	b := Balancer{Tags: []string{"k8s", "k8s:worker", "K8S:6F1D1AB0-0000-4000-8000-000000000001", ourTag, "k8s:6f1d1ab0-0000-4000-8000-00000000000g", "k8s:6f1d1ab000000-4000-8000-000000000001"}}
	if got := clusterTags(b); !slices.Equal(got, []string{ourTag}) {
		t.Errorf("%q", got)
	}
}

// An orphan is a fact about the account: it is told with nothing to look at too.
func TestOrphanIsKnownById(t *testing.T) {
	w := whole(tagged(balancer("b", old), ourTag))
	if !w.Orphan("b") || w.Orphan("a") {
		t.Errorf("%+v", w.orphans())
	}
	if fs := Judge(Policy{}, noon, w, Join(w), nil); len(fs) != 1 || fs[0].Code != finding.LBOrphan {
		t.Errorf("%+v", fs)
	}
}
