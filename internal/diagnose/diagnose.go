// Package diagnose turns a Snapshot into a Report. It is pure: it calls every
// judge, then finds the root causes: one incident, its effects, what is fine, the
// fix, the recovery time. Each finding ends up in exactly one incident.
package diagnose

import (
	"net/netip"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
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
	LB     lbcheck.Policy `json:"lb"`
}

// Diagnose judges the whole snapshot.
func Diagnose(p Policy, now time.Time, s snapshot.Snapshot) finding.Report {
	v := newView(p, now, s)
	v.judge()
	r := finding.Report{At: now, Findings: v.findings, Incidents: v.incidents()}
	r.Fronts = v.cleanFronts(r.Incidents)
	r.Coverage = v.coverage(r)
	return r
}

// Expectations joins Kubernetes, the cloud, the configuration and the memory of
// former addresses: for each target's key, what should be published.
func Expectations(s snapshot.Snapshot) map[string]inventory.Expected {
	return newView(Policy{}, s.At, s).expected
}

// Remember returns the history after the looks in fresh, and with the load
// balancers' present addresses.
func Remember(now time.Time, s snapshot.Snapshot, fresh []dnscheck.Observation) snapshot.History {
	return snapshot.History{
		Records:   s.History.Records.Remember(fresh),
		Addresses: s.History.Addresses.Remember(now, lbcheck.Join(world(s))),
	}
}
