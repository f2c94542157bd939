package inventory

import (
	"net/netip"
	"slices"
	"strings"
)

// The rules by which a Service is found for a target, as reports name them. The
// first that gives one counts.
const (
	RuleConfig     = "config"
	RuleAnnotation = "annotation"
	RuleAddress    = "status address"
	RuleGateway    = "Gateway label"
	RuleClass      = "ingress class"
	RuleOnly       = "only Service"
)

// Found is what was found in front of a target: a Service; or, with a zero Service,
// the addresses and hostnames to which an annotation points the records.
type Found struct {
	Service   ServiceRef
	Rule      string
	Addresses []netip.Addr
	Hostnames []string
	// By are the declarations that led here.
	By []Declaration
}

// FrontsOf says what fronts a target: what the configuration pins, else what each
// declaration leads to, in their order. former are the addresses that each
// Service's load balancer has had, Services that are gone included. A Service that asks
// not to be looked at is found where it is named, and is none of those to choose from.
// why says what is missing, if nothing was found for one of the declarations or there is
// none.
func (i *Inventory) FrontsOf(t *Target, former map[ServiceRef][]netip.Addr) (found []Found, why string) {
	if t.Service != (ServiceRef{}) {
		return []Found{{Service: t.Service, Rule: RuleConfig, By: t.Declarations}}, ""
	}
	if !t.Declared() {
		return nil, "no target names a load balancer (targets[].service or targets[].addresses), and no cluster object declares one"
	}
	for n := range t.Declarations {
		d := &t.Declarations[n]
		f, missing := d.front(i, former)
		if missing != "" {
			if why == "" {
				why = d.Object + ": " + missing
			}
			continue
		}
		f.By = t.Declarations[n : n+1 : n+1]
		if at := slices.IndexFunc(found, f.same); at >= 0 {
			found[at].By = append(found[at].By, *d)
			if found[at].Rule == RuleAnnotation {
				found[at].Rule = f.Rule // what a controller wrote is the better word
			}
			continue
		}
		found = append(found, f)
	}
	return found, why
}

func (f Found) same(g Found) bool {
	return f.Service == g.Service && sameSet(f.Addresses, g.Addresses) && sameSet(f.Hostnames, g.Hostnames)
}

// front finds the Service of one declaration.
func (d *Declaration) front(i *Inventory, former map[ServiceRef][]netip.Addr) (f Found, why string) {
	services := i.Services
	if f, ok := d.annotated(i, former); ok {
		return f, ""
	}
	here := byAddress(d.StatusAddresses, d.StatusHostnames, services)
	if ref, ok := only(here); ok {
		return Found{Service: ref, Rule: RuleAddress}, ""
	}
	if len(here) > 1 {
		return Found{}, "its status names the addresses of several Services"
	}
	if ref, ok := only(byAddress(d.StatusAddresses, d.StatusHostnames, i.LeftAlone)); ok {
		return Found{Service: ref, Rule: RuleAddress}, ""
	}
	if ref, ok := byFormer(d.StatusAddresses, former); ok {
		return Found{Service: ref, Rule: RuleAddress}, ""
	}
	if ref, ok := only(d.byGateway(services)); ok {
		return Found{Service: ref, Rule: RuleGateway}, ""
	}
	if ref, ok := only(d.byClass(i)); ok {
		return Found{Service: ref, Rule: RuleClass}, ""
	}
	if len(services) == 0 {
		return Found{}, "there is no Service of type LoadBalancer"
	}
	if d.stated() {
		// An ingress controller in the host network, a load balancer that no Service asked
		// for: that there is one Service besides says nothing.
		return Found{}, "its status names what no Service of type LoadBalancer has or had"
	}
	if ref, ok := only(which(services, func(*Service) bool { return true })); ok {
		return Found{Service: ref, Rule: RuleOnly}, ""
	}
	return Found{}, "several Services of type LoadBalancer could front it, and neither its status nor its class says which"
}

// annotated follows the object's annotations. A Service that they name must be
// there, or have been: an object of any tenant chooses among what there is. Where
// records are pointed at a Service's present or former address, that Service is
// meant, wherever its balancer is now.
func (d *Declaration) annotated(i *Inventory, former map[ServiceRef][]netip.Addr) (Found, bool) {
	services := i.Services
	is := func(s Service) bool { return s.ServiceRef == d.Service }
	there := slices.ContainsFunc(services, is) || slices.ContainsFunc(i.LeftAlone, is)
	if d.Service != (ServiceRef{}) && (there || former[d.Service] != nil) {
		return Found{Service: d.Service, Rule: RuleAnnotation}, true
	}
	if len(d.RecordAddresses)+len(d.RecordHostnames) == 0 {
		return Found{}, false
	}
	if ref, ok := only(byAddress(d.RecordAddresses, d.RecordHostnames, services)); ok {
		return Found{Service: ref, Rule: RuleAnnotation}, true
	}
	if ref, ok := byFormer(d.RecordAddresses, former); ok {
		return Found{Service: ref, Rule: RuleAnnotation}, true
	}
	return Found{Rule: RuleAnnotation, Addresses: d.RecordAddresses, Hostnames: d.RecordHostnames}, true
}

// stated tells whether the object's status says where it is served.
func (d *Declaration) stated() bool { return len(d.StatusAddresses)+len(d.StatusHostnames) > 0 }

// only returns the one Service, or the first by name of several that share all
// their addresses (one port or protocol each). Others cannot be told apart.
func only(found []*Service) (ServiceRef, bool) {
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

// which are the Services for which a test holds.
func which(services []Service, test func(*Service) bool) []*Service {
	var found []*Service
	for i := range services {
		if s := &services[i]; test(s) {
			found = append(found, s)
		}
	}
	return found
}

// byAddress finds the Services that have one of the addresses or hostnames.
func byAddress(addresses []netip.Addr, hostnames []string, services []Service) []*Service {
	return which(services, func(s *Service) bool {
		return slices.ContainsFunc(addresses, func(a netip.Addr) bool { return slices.Contains(s.Addresses, a) }) ||
			slices.ContainsFunc(hostnames, func(h string) bool { return slices.Contains(s.Hostnames, h) })
	})
}

// byFormer finds the one Service that had one of the addresses: a status can lag
// behind.
func byFormer(addresses []netip.Addr, former map[ServiceRef][]netip.Addr) (ServiceRef, bool) {
	var found []ServiceRef
	for ref, addrs := range former {
		if slices.ContainsFunc(addresses, func(a netip.Addr) bool { return slices.Contains(addrs, a) }) {
			found = append(found, ref)
		}
	}
	if len(found) != 1 {
		return ServiceRef{}, false
	}
	return found[0], true
}

// Labels by which Services are matched.
const (
	labelName = "app.kubernetes.io/name"
	// Envoy Gateway keeps its Services in its own namespace, or one for all the
	// Gateways of a class.
	labelEnvoyName      = "gateway.envoyproxy.io/owning-gateway-name"
	labelEnvoyNamespace = "gateway.envoyproxy.io/owning-gateway-namespace"
	labelEnvoyClass     = "gateway.envoyproxy.io/owning-gatewayclass"
)

// gatewayLabels name the Gateway for which a Service in its namespace was made:
// that of the Gateway API (GEP-1762: Istio, Cilium, NGINX Gateway Fabric, …), and
// the controllers' own from before.
func gatewayLabels() []string {
	return []string{
		"gateway.networking.k8s.io/gateway-name", "istio.io/gateway-name",
		"io.cilium.gateway/owning-gateway", "projectcontour.io/owning-gateway-name",
	}
}

// WellKnownLabels are those of a Service that tell what it fronts.
func WellKnownLabels() []string {
	return append(gatewayLabels(), labelName, labelEnvoyName, labelEnvoyNamespace, labelEnvoyClass)
}

// byGateway finds the Services that were made for the declaration's Gateway.
func (d *Declaration) byGateway(services []Service) []*Service {
	namespace, name, ok := strings.Cut(d.Gateway, "/")
	if !ok {
		return nil
	}
	return which(services, func(s *Service) bool {
		mine := s.Labels[labelEnvoyNamespace] == namespace && s.Labels[labelEnvoyName] == name
		for _, key := range gatewayLabels() {
			mine = mine || s.Namespace == namespace && s.Labels[key] == name
		}
		return mine
	})
}

// byClass matches the class's controller with the well-known labels of the
// Services that the controllers' charts make. Traefik's chart names class and
// Service alike, which tells several of them apart; but only if each is named so, as
// any tenant can name and label a Service.
func (d *Declaration) byClass(i *Inventory) []*Service {
	name := map[string]string{
		"traefik.io/ingress-controller":              "traefik",
		"traefik.io/gateway-controller":              "traefik",
		"k8s.io/ingress-nginx":                       "ingress-nginx",
		"gateway.nginx.org/nginx-gateway-controller": "nginx-gateway-fabric",
	}[d.Controller]
	services := i.Services
	merged := d.Controller == "gateway.envoyproxy.io/gatewayclass-controller"
	found := which(services, func(s *Service) bool {
		return name != "" && s.Labels[labelName] == name || merged && d.Class != "" && s.Labels[labelEnvoyClass] == d.Class
	})
	if name == "traefik" && !slices.ContainsFunc(found, func(s *Service) bool { return !slices.Contains(i.Classes, s.Name) }) {
		return slices.DeleteFunc(found, func(s *Service) bool { return len(found) > 1 && s.Name != d.Class })
	}
	return found
}
