package kube

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

const maxParents = 32 // of a route, as the API has it

// parent is what a route wants to be attached to.
type parent struct {
	kind    string // Gateway or ListenerSet
	name    string // namespace/name
	section string // the listener's name; empty for all
	port    int64  // 0 for all
	verdict
}

// readHTTPRoute keeps HTTPRoutes with what they are attached to.
// https://gateway-api.sigs.k8s.io/reference/spec/#httproute
func readHTTPRoute(u *unstructured.Unstructured) (declaring, bool) {
	return readRoute(u, newDeclaring(u, "HTTPRoute"))
}

// readGRPCRoute keeps GRPCRoutes. What a gRPC server says to a request that is none
// of gRPC is not laid down, so any answer over HTTP is right.
// https://gateway-api.sigs.k8s.io/reference/spec/#grpcroute
func readGRPCRoute(u *unstructured.Unstructured) (declaring, bool) {
	d, watched := readRoute(u, newDeclaring(u, "GRPCRoute"))
	if d.status == nil {
		d.status = []inventory.StatusRange{{From: 100, To: 599}}
	}
	return d, watched
}

// readTLSRoute keeps TLSRoutes, whose hostnames are SNI. What answers need not speak
// HTTP.
// https://gateway-api.sigs.k8s.io/reference/spec/#tlsroute
func readTLSRoute(u *unstructured.Unstructured) (declaring, bool) {
	d := newDeclaring(u, "TLSRoute")
	d.tlsOnly = true
	return readRoute(u, d)
}

func readRoute(u *unstructured.Unstructured, d declaring) (declaring, bool) {
	d.named = len(items(u.Object, "spec", "hostnames")) > 0
	for _, h := range items(u.Object, "spec", "hostnames") {
		raw, _ := h.(string)
		d.addHost("hostname", raw)
	}
	refs := items(u.Object, "spec", "parentRefs")
	for _, ref := range refs[:min(len(refs), maxParents)] {
		p, ok := parentOf(ref, d.namespace)
		if !ok {
			if text(ref, "kind") == kindXListenerSet {
				d.notice(quoted("parentRef", text(ref, "name")), "an XListenerSet, which is experimental, is not read; a ListenerSet is")
			}
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
	d.pointAt, d.pointAtBy, d.pointedBy = nil, nil, ""
	return d, watched
}

// asked is the parent as the route names it.
func (p parent) asked() parent {
	p.verdict = verdict{}
	return p
}

// parentOf reads a reference; false if it is neither to a Gateway nor to a ListenerSet.
func parentOf(ref any, namespace string) (parent, bool) {
	name, kind := text(ref, "name"), cmp.Or(text(ref, "kind"), kindGateway)
	if kind != kindGateway && kind != kindListenerSet || name == "" || len(name) > maxValue {
		return parent{}, false
	}
	if group, set := field(ref, "group").(string); set && group != gatewayGroup {
		return parent{}, false
	}
	if other := limited(text(ref, "namespace")); other != "" {
		namespace = other
	}
	port, _ := field(ref, "port").(int64)
	return parent{kind: kind, name: namespace + "/" + name, section: limited(text(ref, "sectionName")), port: port}, true
}

// hostsAt are the hosts of a route that the listeners take: where both name hosts,
// what they have in common; a route that names none takes the listeners'.
func (ls listeners) hostsAt(p parent, d declaring, port uint16) []string {
	var all []string
	for _, l := range ls {
		if !l.fits(d, port) || p.section != "" && p.section != l.name || p.port != 0 && p.port != l.port {
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

// fits tells whether a listener is of the route's protocol. What TLS carries at a port
// that no HTTPS has (a mail server, a database) is at another port outside too, and
// is not looked at. 8443 is what Traefik's chart has behind port 443.
func (l listener) fits(d declaring, port uint16) bool {
	if !d.tlsOnly {
		return l.protocol == "HTTP" || l.protocol == "HTTPS"
	}
	return l.protocol == "TLS" && (l.port == 443 || l.port == 8443 || l.port == int64(port))
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
