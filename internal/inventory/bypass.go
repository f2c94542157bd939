package inventory

import (
	"net/netip"
	"slices"
)

// Bypassed tells whether traffic from inside the cluster to the address goes
// straight to the pods of the Service and never crosses its load balancer: so it is
// with each address in the status whose ipMode is not Proxy (KEP-1860). An address
// that the status does not name, behind a hostname or of a former balancer, is
// reached from outside.
func (s Service) Bypassed(a netip.Addr) bool {
	return slices.Contains(s.Addresses, a) && !slices.Contains(s.Proxied, a)
}

// Bypassing returns the Service to whose pods traffic from inside the cluster to the
// address goes straight; the zero Service if it goes out of the cluster.
func (i Inventory) Bypassing(a netip.Addr) Service {
	for _, s := range i.Services {
		if s.Bypassed(a) {
			return s
		}
	}
	return Service{}
}

// SameBalancer tells whether both say the same of their load balancer; what is
// behind it, and what changes by itself, set aside.
func (s Service) SameBalancer(o Service) bool {
	return s.ServiceRef == o.ServiceRef && s.UID == o.UID && s.BalancerID == o.BalancerID && s.BalancerName == o.BalancerName &&
		s.Deleting == o.Deleting && s.Disowned == o.Disowned &&
		slices.Equal(s.Addresses, o.Addresses) && slices.Equal(s.Proxied, o.Proxied) && slices.Equal(s.Hostnames, o.Hostnames)
}
