// Package diagnose turns a Snapshot into a Report. It is pure: it calls every
// judge, then finds the root causes: one incident, its effects, what is fine, the
// fix, the recovery time. Each finding ends up in exactly one incident.
package diagnose

import (
	"net/netip"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// Policy is what the operator accepts. The zero value accepts any TTL and takes
// the roots for private.
type Policy struct {
	// MaxTTL is the longest TTL accepted on the way to a load balancer; 0: any.
	MaxTTL time.Duration `json:"max_ttl_ns"`
	// Public tells that names are resolved from the public roots, where
	// special-purpose addresses are out of place unless Allow has them.
	Public bool           `json:"public"`
	Allow  []netip.Prefix `json:"allow,omitempty"`
	Probe  probe.Policy   `json:"probe"`
	// Maintenance are the times in which nobody is told of any host's faults.
	Maintenance []inventory.Window `json:"maintenance,omitempty"`
	LB          lbcheck.Policy     `json:"lb"`
	// Certificates is what is said of authorities and their limits.
	Certificates issuance.Policy `json:"certificates,omitzero"`
}

// Diagnose judges the whole snapshot.
func Diagnose(p Policy, now time.Time, s snapshot.Snapshot) finding.Report {
	v := newView(p, now, s)
	v.judge()
	r := finding.Report{At: now, Findings: v.findings, Incidents: v.incidents()}
	r.Findings, r.Incidents = own(s.Inventory.Shard, r.Findings, r.Incidents)
	r.Fronts = v.cleanFronts(r.Incidents)
	r.Coverage = v.coverage(r)
	return r
}

// Expectations joins Kubernetes, the cloud, the configuration and the memory of
// former addresses: for each target's key, what should be published.
func Expectations(s snapshot.Snapshot) map[string]inventory.Expected {
	v := index(Policy{}, s.At, s)
	v.eachHost(func(_ int, h *host) { v.expect(h) })
	expected := make(map[string]inventory.Expected, len(s.Inventory.Targets))
	for _, h := range v.hosts {
		for _, t := range h.targets {
			expected[t.Key] = t.expected
		}
	}
	return expected
}

// Remember returns the history after the looks in fresh (names and probes), and with the
// load balancers' present addresses.
func Remember(now time.Time, s snapshot.Snapshot, fresh snapshot.Observations) snapshot.History {
	return snapshot.History{
		Records:      s.History.Records.Remember(fresh.DNS),
		Addresses:    s.History.Addresses.Remember(now, lbcheck.Join(world(s))),
		Certificates: s.History.Certificates.Remember(issued(fresh.Probes)).Heard(fresh.Logs),
	}
}
