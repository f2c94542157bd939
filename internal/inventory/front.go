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
	if ref, ok := byAddress(t, services, former); ok {
		return ref, RuleAddress, ""
	}
	if ref, ok := byClass(t, services); ok {
		return ref, RuleClass, ""
	}
	if !t.declared() {
		return ServiceRef{}, "", "no load balancer is named for it (targets[].service or targets[].addresses), and no Ingress declares it"
	}
	switch len(services) {
	case 0:
		return ServiceRef{}, "", "there is no Service of type LoadBalancer"
	case 1:
		return services[0].ServiceRef, RuleOnly, ""
	}
	return ServiceRef{}, "", "several Services of type LoadBalancer could front it, and neither its status nor its ingress class says which"
}

// declared tells whether a cluster object declares the target's host.
func (t Target) declared() bool {
	return strings.HasPrefix(t.Origin, "Ingress ") || t.Class != "" || len(t.StatusAddresses)+len(t.StatusHostnames) > 0
}

// byAddress matches the declaring object's own status with the Services': the
// addresses that they have now, then those that they had.
func byAddress(t Target, services []Service, former map[ServiceRef][]netip.Addr) (ServiceRef, bool) {
	for _, s := range services {
		for _, a := range t.StatusAddresses {
			if slices.Contains(s.Addresses, a) {
				return s.ServiceRef, true
			}
		}
		for _, h := range t.StatusHostnames {
			if slices.Contains(s.Hostnames, h) {
				return s.ServiceRef, true
			}
		}
	}
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
func byClass(t Target, services []Service) (ServiceRef, bool) {
	name := map[string]string{
		"traefik.io/ingress-controller": "traefik",
		"k8s.io/ingress-nginx":          "ingress-nginx",
	}[t.Controller]
	if name == "" {
		return ServiceRef{}, false
	}
	var found []ServiceRef
	for _, s := range services {
		if s.Labels["app.kubernetes.io/name"] == name {
			found = append(found, s.ServiceRef)
		}
	}
	if len(found) != 1 {
		return ServiceRef{}, false
	}
	return found[0], true
}
