// Package lbcheck joins the load balancers that Kubernetes declares with those
// that the cloud runs, says which addresses are to be expected for a target, and
// judges the balancers themselves. It asks nobody: cloud adapters live in folders
// beside it (lbcheck/digitalocean) and return an Observation.
package lbcheck

import (
	"net/netip"
	"time"

	"driftprobe/internal/inventory"
)

// Observation is one complete list of the load balancers of a cloud account, or
// the failure to get it.
type Observation struct {
	// Provider is the cloud's name as people write it: "DigitalOcean".
	Provider string `json:"provider"`
	// At is when the list was complete; of the last complete one if Failure is set.
	At time.Time `json:"at"`
	// Balancers is complete or not used at all: never half a list.
	Balancers []Balancer `json:"balancers,omitempty"`
	// Failure says in one sentence why the newest attempt failed, FailureHint what
	// to do; empty if it did not. Balancers then holds the last complete list, if
	// there ever was one (At is zero if not).
	Failure     string `json:"failure,omitempty"`
	FailureHint string `json:"failure_hint,omitempty"`
	// Again is when the cloud may be asked for a list again, where this is an older one or
	// none; zero: as ever.
	Again time.Time `json:"again,omitzero"`
}

// Balancer is one load balancer in the cloud.
type Balancer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Status is the cloud's word: "new", "active", "errored".
	Status string `json:"status"`
	// Addresses are its public addresses, v4 and v6; empty while it has none.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// Internal balancers have no public address.
	Internal bool      `json:"internal,omitempty"`
	Region   string    `json:"region,omitempty"`
	Tags     []string  `json:"tags,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	// At is when it was asked for by itself, after the list; zero if it was not.
	At time.Time `json:"at,omitzero"`
}

// HostedZone is what a cloud's DNS holds for one zone, or the failure to read it. It
// serves to name the record to edit, and no verdict rests on it.
type HostedZone struct {
	// Provider is the cloud's name as people write it, Zone the zone's without final
	// dot, in lower case.
	Provider string    `json:"provider"`
	Zone     string    `json:"zone"`
	At       time.Time `json:"at"`
	// Servers are the zone's name servers as the provider sees it (the NS records at
	// the apex), in lower case without final dot, sorted.
	Servers []string `json:"servers,omitempty"`
	// Records are its A and AAAA records, sorted by name, type and id.
	Records []HostedRecord `json:"records,omitempty"`
	// Failure says in one sentence why it could not be read: the token may not, or the
	// zone is not in this account.
	Failure string `json:"failure,omitempty"`
}

// HostedRecord is one record, with the id by which the provider edits it.
type HostedRecord struct {
	ID int `json:"id"`
	// Name is the full name in lower case without final dot: "*.shop.example".
	Name string `json:"name"`
	// Type is "A" or "AAAA".
	Type    string     `json:"type"`
	Address netip.Addr `json:"address"`
	// TTL is in seconds.
	TTL uint32 `json:"ttl"`
}

// History remembers which addresses each Service's load balancer had. It is a
// value: Remember returns a new one.
type History struct {
	// Sightings are ordered by Service, then address.
	Sightings []Sighting `json:"sightings,omitempty"`
}

// Sighting is one address that a Service's load balancer had.
type Sighting struct {
	Service inventory.ServiceRef `json:"service"`
	Address netip.Addr           `json:"address"`
	// Balancer is the cloud's id of the load balancer, if known.
	Balancer  string    `json:"balancer,omitempty"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Listed is of when the cloud's newest list was that had the balancer at this
	// address; zero if none had.
	Listed time.Time `json:"listed,omitzero"`
	// Missed is of when the first complete list was that lacked the balancer after
	// Listed; zero if none did.
	Missed time.Time `json:"missed,omitzero"`
}
