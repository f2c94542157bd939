package kube

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

const gatewayGroup = "gateway.networking.k8s.io"

const (
	maxListeners = 64 // of a Gateway, as the API has it
	maxParents   = 32 // of a route, as the API has it
)

// gateway is what is kept of a Gateway.
type gateway struct {
	class     string
	listeners []listener
	addresses []netip.Addr
	hostnames []string
	// pointAt and pointAtBy are where external-dns points the records of its routes.
	pointAt   []netip.Addr
	pointAtBy []string
	notices   []inventory.Notice
}

type listener struct {
	name, host string // host is empty if it takes any
	port       int64
}

// parent is one Gateway that an HTTPRoute wants to be attached to.
type parent struct {
	gateway string // namespace/name
	section string // the listener's name; empty for all
	port    int64  // 0 for all
	// accepted: the controller says so; rejected: why it says no.
	accepted bool
	rejected string
}

// readGateway keeps Gateways with the listeners that HTTPRoutes can be attached to.
// https://gateway-api.sigs.k8s.io/reference/spec/#gateway
func readGateway(u *unstructured.Unstructured) (gateway, bool) {
	g := gateway{class: limited(text(u.Object, "spec", "gatewayClassName"))}
	d := newDeclaring(u, "Gateway")
	annotations, _ := field(u.Object, "metadata", "annotations").(map[string]any)
	g.pointAt, g.pointAtBy = d.recordTargets(annotations)
	listeners := items(u.Object, "spec", "listeners")
	for _, l := range listeners[:min(len(listeners), maxListeners)] {
		protocol := text(l, "protocol")
		if protocol != "HTTP" && protocol != "HTTPS" {
			continue
		}
		raw := text(l, "hostname")
		host, ok := hostName(raw)
		if raw != "" && !ok {
			d.notice(quoted("listener hostname", raw), "it is no DNS name")
			continue
		}
		port, _ := field(l, "port").(int64)
		g.listeners = append(g.listeners, listener{name: limited(text(l, "name")), host: host, port: port})
	}
	addresses := items(u.Object, "status", "addresses")
	for _, a := range addresses[:min(len(addresses), maxStatuses)] {
		value := text(a, "value")
		if ip, err := netip.ParseAddr(value); err == nil {
			g.addresses = append(g.addresses, ip.WithZone("").Unmap())
		} else if h, ok := hostName(value); ok && text(a, "type") == "Hostname" && !strings.HasPrefix(h, "*") {
			g.hostnames = append(g.hostnames, h)
		}
	}
	g.addresses, g.hostnames = distinct(g.addresses, g.hostnames)
	g.notices = d.notices
	return g, true
}

// readHTTPRoute keeps HTTPRoutes with their Gateways.
// https://gateway-api.sigs.k8s.io/reference/spec/#httproute
func readHTTPRoute(u *unstructured.Unstructured) (declaring, bool) {
	d := newDeclaring(u, "HTTPRoute")
	d.named = len(items(u.Object, "spec", "hostnames")) > 0
	for _, h := range items(u.Object, "spec", "hostnames") {
		raw, _ := h.(string)
		d.addHost("hostname", raw)
	}
	refs := items(u.Object, "spec", "parentRefs")
	for _, ref := range refs[:min(len(refs), maxParents)] {
		p, ok := parentOf(ref, d.namespace)
		if !ok {
			continue
		}
		statuses := items(u.Object, "status", "parents")
		for _, status := range statuses[:min(len(statuses), 4*maxParents)] {
			if at, ok := parentOf(field(status, "parentRef"), d.namespace); ok && at == p.asked() {
				p.judge(items(status, "conditions"))
			}
		}
		d.parents = append(d.parents, p)
	}
	watched := d.annotated(u)
	// For routes external-dns reads this annotation from the Gateway.
	d.pointAt, d.pointAtBy = nil, nil
	return d, watched
}

// asked is the parent as the route names it.
func (p parent) asked() parent {
	p.accepted, p.rejected = false, ""
	return p
}

// parentOf reads a reference; false if it is not to a Gateway.
func parentOf(ref any, namespace string) (parent, bool) {
	name := text(ref, "name")
	if kind := text(ref, "kind"); kind != "" && kind != "Gateway" || name == "" || len(name) > maxValue {
		return parent{}, false
	}
	if group, set := field(ref, "group").(string); set && group != gatewayGroup {
		return parent{}, false
	}
	if other := limited(text(ref, "namespace")); other != "" {
		namespace = other
	}
	port, _ := field(ref, "port").(int64)
	return parent{gateway: namespace + "/" + name, section: limited(text(ref, "sectionName")), port: port}, true
}

// judge takes the conditions that one controller gives. Of several controllers one
// that accepts is enough.
func (p *parent) judge(conditions []any) {
	for _, c := range conditions[:min(len(conditions), 20)] {
		switch {
		case text(c, "type") != "Accepted":
		case text(c, "status") == "True":
			p.accepted, p.rejected = true, ""
		case text(c, "status") == "False" && !p.accepted:
			p.rejected = shortened(text(c, "reason") + ": " + text(c, "message"))
		}
	}
}

// readGatewayClass keeps GatewayClasses.
func readGatewayClass(u *unstructured.Unstructured) (class, bool) {
	return class{name: u.GetName(), controller: limited(text(u.Object, "spec", "controllerName"))}, true
}

// hostsAt are the hosts of a route that the Gateway's listeners take: where both
// name hosts, what they have in common; a route that names none takes the listeners'.
func (g gateway) hostsAt(p parent, d declaring) []string {
	var all []string
	for _, l := range g.listeners {
		if p.section != "" && p.section != l.name || p.port != 0 && p.port != l.port {
			continue
		}
		switch {
		case l.host == "":
			all = union(all, d.hosts)
		case !d.named:
			all = union(all, []string{l.host})
		}
		for _, h := range d.hosts {
			if both, ok := narrower(h, l.host); l.host != "" && ok {
				all = union(all, []string{both})
			}
		}
	}
	return all
}

// narrower returns the one of two hosts that is within the other. A wildcard stands
// for names of any depth under it.
func narrower(a, b string) (string, bool) {
	within := func(name, wild string) bool {
		return name == wild || strings.HasPrefix(wild, "*.") && strings.HasSuffix(name, wild[1:])
	}
	switch {
	case within(a, b):
		return a, true
	case within(b, a):
		return b, true
	}
	return "", false
}
