package lbcheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// noon is when the worlds of these tests are judged.
var noon = time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)

// The addresses of these tests: old and fresh are IPv4, six is IPv6.
var (
	old   = netip.MustParseAddr("203.0.113.10")
	fresh = netip.MustParseAddr("203.0.113.77")
	six   = netip.MustParseAddr("2001:db8::77")
)

func traefik() inventory.ServiceRef {
	return inventory.ServiceRef{Namespace: "traefik", Name: "traefik"}
}

// service is traefik/traefik, an hour old, changed by some functions.
func service(change ...func(*inventory.Service)) inventory.Service {
	s := inventory.Service{ServiceRef: traefik(), Created: noon.Add(-time.Hour), Labels: map[string]string{"app.kubernetes.io/name": "traefik"}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func status(addrs ...netip.Addr) func(*inventory.Service) {
	return func(s *inventory.Service) { s.Addresses = addrs }
}

func hostnames(names ...string) func(*inventory.Service) {
	return func(s *inventory.Service) { s.Hostnames = names }
}

func id(id string) func(*inventory.Service) {
	return func(s *inventory.Service) { s.BalancerID = id }
}

func named(name string) func(*inventory.Service) {
	return func(s *inventory.Service) { s.BalancerName = name }
}

func created(ago time.Duration) func(*inventory.Service) {
	return func(s *inventory.Service) { s.Created = noon.Add(-ago) }
}

func changed(ago time.Duration) func(*inventory.Service) {
	return func(s *inventory.Service) { s.Changed = noon.Add(-ago) }
}

func disowned(s *inventory.Service) { s.Disowned = true }

// inList is a history of addresses that the cloud's list had, some time ago.
func inList(balancer string, ago time.Duration, addrs ...netip.Addr) History {
	h := had(balancer, ago, addrs...)
	for i := range h.Sightings {
		h.Sightings[i].Listed = noon.Add(-ago)
	}
	return h
}

func deleting(s *inventory.Service) { s.Deleting = true }

// balancer is one entry of a cloud; its name is "lb-" and its id.
func balancer(id string, addrs ...netip.Addr) Balancer {
	return Balancer{ID: id, Name: "lb-" + id, Status: "active", Addresses: addrs}
}

// listed is a complete list of this moment.
func listed(all ...Balancer) Observation {
	return Observation{Provider: "digitalocean", At: noon, Balancers: all}
}

// failing is a cloud that fails now, with the last complete list.
func failing(all ...Balancer) Observation {
	o := Observation{Provider: "digitalocean", Failure: "the token was refused", FailureHint: "make a new token", Balancers: all}
	if len(all) > 0 {
		o.At = noon.Add(-time.Minute)
	}
	return o
}

// gap is a hole in Kubernetes; without resources in all of it.
func gap(resources ...string) inventory.Gap {
	return inventory.Gap{Source: "kubernetes", Resources: resources, What: "objects", Why: "the API server does not answer", Held: true}
}

func never(resources ...string) inventory.Gap {
	return inventory.Gap{Source: "kubernetes", Resources: resources, What: "objects", Why: "forbidden"}
}

// had is a history of addresses of traefik/traefik: each with the time since when
// it was last seen, first seen an hour before that.
func had(balancer string, ago time.Duration, addrs ...netip.Addr) History {
	var h History
	for _, a := range addrs {
		h.Sightings = append(h.Sightings, Sighting{Service: traefik(), Address: a, Balancer: balancer, FirstSeen: noon.Add(-ago - time.Hour), LastSeen: noon.Add(-ago)})
	}
	return h
}

func (w World) with(services ...inventory.Service) World {
	w.Inventory.Services = services
	return w
}

// target is declared by an Ingress of the class of traefik.
func target() inventory.Target {
	return inventory.Target{Key: "https://api.shop.example/", Host: "api.shop.example", Origin: "Ingress shop/web", Service: traefik()}
}

// describe writes what a Front says of addresses.
func describe(known bool, certain, uncertain []netip.Addr) string {
	words := []string{"unknown"}
	if known {
		words[0] = "known"
	}
	for _, a := range certain {
		words = append(words, a.String())
	}
	for _, a := range uncertain {
		words = append(words, a.String()+"?")
	}
	return strings.Join(words, " ")
}

func line(f finding.Finding) string {
	s := f.Subject
	where := strings.Trim(s.Namespace+"/"+s.Name, "/")
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s", f.Severity, f.Code, s.Source, where))
}

func lines(fs []finding.Finding) []string {
	var all []string
	for _, f := range fs {
		all = append(all, strings.Join(strings.Fields(line(f)), " "))
	}
	return all
}

func reversed(w World) World {
	w.Clouds = slices.Clone(w.Clouds)
	for i := range w.Clouds {
		w.Clouds[i].Balancers = slices.Clone(w.Clouds[i].Balancers)
		slices.Reverse(w.Clouds[i].Balancers)
	}
	slices.Reverse(w.Clouds)
	w.Inventory.Services = slices.Clone(w.Inventory.Services)
	slices.Reverse(w.Inventory.Services)
	w.History.Sightings = slices.Clone(w.History.Sightings)
	return w
}
