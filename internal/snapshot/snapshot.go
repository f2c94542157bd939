// Package snapshot is the one document: what should be (inventory), the newest
// observation of each thing looked at, and what is remembered (history). A Report
// is a pure function of it, a policy and a time; so a bug report is this file, and
// a regression test too. It reads nothing and judges nothing.
package snapshot

import (
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// Version is the document's version. A reader refuses any other.
const Version = 1

// Snapshot is everything known at one moment.
type Snapshot struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	// Began is when the first look of this round began; zero in a running loop.
	Began time.Time `json:"began,omitzero"`
	// InCluster tells that we look from inside the cluster, where traffic to a load
	// balancer's present address usually goes straight to the pods.
	InCluster    bool                `json:"in_cluster,omitempty"`
	Inventory    inventory.Inventory `json:"inventory"`
	Observations Observations        `json:"observations"`
	History      History             `json:"history"`
}

// Observations are the newest of each kind and key, sorted by key.
type Observations struct {
	// DNS has one entry a host (and one for each hostname in a Service's status).
	DNS []dnscheck.Observation `json:"dns"`
	// Probes has one entry for each target and address.
	Probes []probe.Observation `json:"probes"`
	// Zones has one entry for each zone that holds a name in DNS.
	Zones []dnscheck.ZoneObservation `json:"zones,omitempty"`
	// Clouds has one entry for each cloud account.
	Clouds []lbcheck.Observation `json:"clouds,omitempty"`
	// Hosted has one entry for each zone with a wrong record, if a cloud account could
	// be asked for it.
	Hosted []lbcheck.HostedZone `json:"hosted,omitempty"`
	// Logs has one entry for each source of Certificate Transparency.
	Logs []issuance.Reading `json:"logs,omitempty"`
}

// History is what must survive a restart.
type History struct {
	Records      dnscheck.History `json:"records"`
	Addresses    lbcheck.History  `json:"addresses"`
	Certificates issuance.History `json:"certificates,omitzero"`
}
