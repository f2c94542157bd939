package inventory

import "net/netip"

// Declaration is what one cluster object says of a host.
type Declaration struct {
	// Object is its kind, namespace and name: "Ingress shop/web".
	Object string `json:"object"`
	// Service is the one that the object's annotation names, or the object itself
	// if that is a Service.
	Service ServiceRef `json:"service,omitzero"`
	// Class is the ingress class or Gateway class, and Controller the one that
	// serves the class ("traefik.io/ingress-controller").
	Class      string `json:"class,omitempty"`
	Controller string `json:"controller,omitempty"`
	// Gateway is "namespace/name" of the Gateway that a route is attached to.
	Gateway string `json:"gateway,omitempty"`
	// StatusAddresses and StatusHostnames are what the object's own status says, or
	// its Gateway's; it can lag behind the Service.
	StatusAddresses []netip.Addr `json:"status_addresses,omitempty"`
	StatusHostnames []string     `json:"status_hostnames,omitempty"`
	// RecordAddresses and RecordHostnames are where the object tells external-dns to
	// point the records, and RecordTTL the TTL to give them in seconds; empty and 0
	// if it does not.
	RecordAddresses []netip.Addr `json:"record_addresses,omitempty"`
	RecordHostnames []string     `json:"record_hostnames,omitempty"`
	RecordTTL       uint32       `json:"record_ttl,omitempty"`
	// ExternalDNS is the prefix of the annotations by which external-dns is told of the
	// host's records ("external-dns.kubernetes.io/"); empty if there are none.
	ExternalDNS string `json:"external_dns,omitempty"`
}

// Publisher is the declaration by whose annotations external-dns writes the host's
// records: of several the first with the longest TTL. Zero if there is none.
func Publisher(ds []Declaration) Declaration {
	var found Declaration
	for _, d := range ds {
		if d.ExternalDNS != "" && (found.ExternalDNS == "" || d.RecordTTL > found.RecordTTL) {
			found = d
		}
	}
	return found
}

// PointsAt names the object whose annotation says where the records point: for a route
// of the Gateway API external-dns reads it from the Gateway.
func (d Declaration) PointsAt() string {
	if d.Gateway != "" {
		return "Gateway " + d.Gateway
	}
	return d.Object
}

// Declared tells whether a cluster object declares the target's host.
func (t Target) Declared() bool { return len(t.Declarations) > 0 }
