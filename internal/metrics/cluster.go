package metrics

import (
	"time"

	"driftprobe/internal/issuance"
	"driftprobe/internal/snapshot"
)

// collectServices shows the Services of type LoadBalancer, and where they say that they
// are reached.
func (c *Collector) collectServices(e emitter, s snapshot.Snapshot) {
	seen := map[place]bool{}
	for _, service := range s.Inventory.Services {
		name := service.String()
		if seen[place{host: clean(name)}] {
			continue
		}
		seen[place{host: clean(name)}] = true
		for i, address := range service.Addresses {
			if at := (place{clean(name), address.String()}); i < maxAddresses && !seen[at] {
				seen[at] = true
				e.gauge(c.d.balancer, 1, name, address.String())
			}
		}
		if service.Endpoints != nil {
			e.gauge(c.d.endpoints, float64(service.Endpoints.Ready), name)
		}
	}
}

// collectBudgets shows what the authority's limit leaves for the certificates that the
// inventory's hosts were seen with. The limit is one that needs no configuration to be
// known: Let's Encrypt's.
func (c *Collector) collectBudgets(e emitter, s snapshot.Snapshot, now time.Time) {
	hosts := make(map[string]bool, len(s.Inventory.Targets))
	for _, t := range s.Inventory.Targets {
		hosts[t.Host] = true
	}
	seen := map[string]bool{}
	for _, set := range s.History.Certificates.Sets {
		_, left, known := set.Left(issuance.Policy{}, now)
		id := clean(set.Identity())
		if !known || seen[id] || !serves(set, hosts) {
			continue
		}
		seen[id] = true
		e.gauge(c.d.orders, float64(left.Free), id)
	}
}

// serves tells whether one of the hosts was seen with the newest certificate of the set.
func serves(set issuance.Set, hosts map[string]bool) bool {
	if len(set.Issuances) == 0 {
		return false // a state file can say anything
	}
	for _, host := range set.Issuances[len(set.Issuances)-1].Hosts {
		if hosts[host] {
			return true
		}
	}
	return false
}
