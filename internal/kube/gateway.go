package kube

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"driftprobe/internal/inventory"
)

const gatewayGroup = "gateway.networking.k8s.io"

const (
	kindGateway     = "Gateway"
	kindListenerSet = "ListenerSet"
	// kindXListenerSet is what a ListenerSet was before it was a standard. It would need
	// rights of its own, so it is not read, which is said.
	kindXListenerSet = "XListenerSet"
)

const maxListeners = 64 // of a Gateway or a ListenerSet, as the API has it

// gateway is what is kept of a Gateway.
type gateway struct {
	class     string
	listeners listeners
	// closed: it takes no ListenerSets, which is what a Gateway does unless told.
	closed    bool
	addresses []netip.Addr
	hostnames []string
	// pointAt and pointAtBy are where external-dns points the records of its routes.
	pointAt   []netip.Addr
	pointAtBy []string
	pointedBy string // prefix of the annotation
	notices   []inventory.Notice
}

// listenerSet is what is kept of a ListenerSet: listeners that others than its owner
// add to a Gateway.
type listenerSet struct {
	gateway   string // namespace/name
	listeners listeners
	// verdict is that of the Gateway's controller on the whole set.
	verdict
	notices []inventory.Notice
}

type listener struct {
	name, host string // host is empty if it takes any
	protocol   string // HTTP, HTTPS or TLS
	port       int64
}

type listeners []listener

// verdict is what controllers say of an object: accepted, or rejected and why.
type verdict struct {
	accepted bool
	rejected string
}

// readGateway keeps Gateways with the listeners that routes can be attached to.
// https://gateway-api.sigs.k8s.io/reference/spec/#gateway
func readGateway(u *unstructured.Unstructured) (gateway, bool) {
	g := gateway{class: limited(text(u.Object, "spec", "gatewayClassName"))}
	d := newDeclaring(u, kindGateway)
	annotations, _ := field(u.Object, "metadata", "annotations").(map[string]any)
	g.pointAt, g.pointAtBy, g.pointedBy = d.recordTargets(annotations)
	g.listeners = d.listeners(u)
	from := text(u.Object, "spec", "allowedListeners", "namespaces", "from")
	g.closed = from == "" || from == "None"
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

// listeners are those of a Gateway or a ListenerSet that hosts can stand behind.
func (d *declaring) listeners(u *unstructured.Unstructured) listeners {
	var all listeners
	entries := items(u.Object, "spec", "listeners")
	for _, l := range entries[:min(len(entries), maxListeners)] {
		protocol := text(l, "protocol")
		if protocol != "HTTP" && protocol != "HTTPS" && protocol != "TLS" {
			continue
		}
		raw := text(l, "hostname")
		host, ok := hostName(raw)
		if raw != "" && !ok {
			d.notice(quoted("listener hostname", raw), "it is no DNS name")
			continue
		}
		port, _ := field(l, "port").(int64)
		all = append(all, listener{name: limited(text(l, "name")), host: host, protocol: protocol, port: port})
	}
	return all
}

// readListenerSet keeps ListenerSets of Gateways.
// https://gateway-api.sigs.k8s.io/reference/spec/#listenerset
func readListenerSet(u *unstructured.Unstructured) (listenerSet, bool) {
	d := newDeclaring(u, kindListenerSet)
	p, ok := parentOf(field(u.Object, "spec", "parentRef"), d.namespace)
	if !ok || p.kind != kindGateway {
		return listenerSet{}, false
	}
	s := listenerSet{gateway: p.name, listeners: d.listeners(u), notices: d.notices}
	s.judge(items(u.Object, "status", "conditions"))
	return s, true
}

// judge takes the conditions that one controller gives. Of several controllers one
// that accepts is enough.
func (v *verdict) judge(conditions []any) {
	for _, c := range conditions[:min(len(conditions), 20)] {
		switch {
		case text(c, "type") != "Accepted":
		case text(c, "status") == "True":
			v.accepted, v.rejected = true, ""
		case text(c, "status") == "False" && !v.accepted:
			v.rejected = shortened(text(c, "reason") + ": " + text(c, "message"))
		}
	}
}

// readGatewayClass keeps GatewayClasses.
func readGatewayClass(u *unstructured.Unstructured) (class, bool) {
	return class{name: u.GetName(), controller: limited(text(u.Object, "spec", "controllerName"))}, true
}
