package inventory

import (
	"net/netip"
	"slices"
	"strings"
)

// The rules by which a Service is found for a target, as reports name them.
const (
	RuleConfig  = "config"
	RuleAddress = "status address"
	RuleClass   = "ingress class"
	RuleOnly    = "only Service"
)

// ServiceOf says which Service fronts a target and by which rule: the first that
// gives one. former are the addresses that each Service's load balancer has had,
// Services that are gone included. If no rule gives one, the reference is zero and
// why says what is missing.
func ServiceOf(t Target, services []Service, former map[ServiceRef][]netip.Addr) (ref ServiceRef, rule, why string) {
	if t.Service != (ServiceRef{}) {
		return t.Service, RuleConfig, ""
	}
	here := byAddress(t, services)
	if ref, ok := only(here); ok {
		return ref, RuleAddress, ""
	}
	if len(here) > 1 {
		return ServiceRef{}, "", "its status names the addresses of several Services"
	}
	if ref, ok := byFormer(t, former); ok {
		return ref, RuleAddress, ""
	}
	if ref, ok := only(byClass(t, services)); ok {
		return ref, RuleClass, ""
	}
	if !t.Declared() {
		return ServiceRef{}, "", "no load balancer is named for it (targets[].service or targets[].addresses), and no Ingress declares it"
	}
	if len(services) == 0 {
		return ServiceRef{}, "", "there is no Service of type LoadBalancer"
	}
	if ref, ok := only(services); ok {
		return ref, RuleOnly, ""
	}
	return ServiceRef{}, "", "several Services of type LoadBalancer could front it, and neither its status nor its ingress class says which"
}

// Declared tells whether a cluster object declares the target's host.
func (t Target) Declared() bool {
	return strings.HasPrefix(t.Origin, "Ingress ") || t.Class != "" || len(t.StatusAddresses)+len(t.StatusHostnames) > 0
}

// only returns the one Service, or the first by name of several that share all
// their addresses (one port or protocol each). Others cannot be told apart.
func only(found []Service) (ServiceRef, bool) {
	if len(found) == 0 {
		return ServiceRef{}, false
	}
	first := found[0]
	for _, s := range found[1:] {
		if len(s.Addresses) == 0 || !sameSet(s.Addresses, first.Addresses) || !sameSet(s.Hostnames, first.Hostnames) {
			return ServiceRef{}, false
		}
		if s.String() < first.String() {
			first = s
		}
	}
	return first.ServiceRef, true
}

func sameSet[E comparable](a, b []E) bool {
	in := func(list []E) func(E) bool { return func(e E) bool { return slices.Contains(list, e) } }
	return len(a) == len(b) && !slices.ContainsFunc(a, not(in(b))) && !slices.ContainsFunc(b, not(in(a)))
}

func not[E any](f func(E) bool) func(E) bool { return func(e E) bool { return !f(e) } }

// byAddress finds the Services that have an address or hostname of the declaring
// object's own status.
func byAddress(t Target, services []Service) []Service {
	var found []Service
	for _, s := range services {
		if slices.ContainsFunc(t.StatusAddresses, func(a netip.Addr) bool { return slices.Contains(s.Addresses, a) }) ||
			slices.ContainsFunc(t.StatusHostnames, func(h string) bool { return slices.Contains(s.Hostnames, h) }) {
			found = append(found, s)
		}
	}
	return found
}

// byFormer finds the one Service that had an address of the declaring object's own
// status, which can lag behind.
func byFormer(t Target, former map[ServiceRef][]netip.Addr) (ServiceRef, bool) {
	var found []ServiceRef
	for ref, addrs := range former {
		if slices.ContainsFunc(t.StatusAddresses, func(a netip.Addr) bool { return slices.Contains(addrs, a) }) {
			found = append(found, ref)
		}
	}
	if len(found) != 1 {
		return ServiceRef{}, false
	}
	return found[0], true
}

// byClass matches the ingress class's controller with the well-known labels of
// the Services that the controllers' charts make.
func byClass(t Target, services []Service) []Service {
	name := map[string]string{
		"traefik.io/ingress-controller": "traefik",
		"k8s.io/ingress-nginx":          "ingress-nginx",
	}[t.Controller]
	var found []Service
	for _, s := range services {
		if name != "" && s.Labels["app.kubernetes.io/name"] == name {
			found = append(found, s)
		}
	}
	return found
}
