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
}

// Declared tells whether a cluster object declares the target's host.
func (t Target) Declared() bool { return len(t.Declarations) > 0 }
