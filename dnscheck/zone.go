package dnscheck

import (
	"net/netip"
	"time"
)

// ZoneObservation is what was said of one zone at one moment on both sides of its
// cut: what the parent's servers hand down for it, and what its own servers say of
// it. Lists are sorted by name, then by address.
type ZoneObservation struct {
	// Zone is ASCII, lower case, without a final dot.
	Zone string    `json:"zone"`
	At   time.Time `json:"at"`
	// Parent is the zone above the cut, "." for the root; empty if it was not found.
	Parent string `json:"parent,omitempty"`
	// Handed is what the servers of Parent that were asked said, at most parentLimit.
	Handed []Handed `json:"handed,omitempty"`
	// Names are the servers' names, of both sides, of which there is something to
	// tell.
	Names []ServerName `json:"names,omitempty"`
	// Servers has an entry for each address of the names of both sides. IPv6 addresses
	// are left out where this machine has no way to them.
	Servers []ZoneServer `json:"servers,omitempty"`
	// TCPLeaves is set when some server, of the zone or of its parent, answered over
	// TCP: without it, servers that do not may be behind a firewall of our own.
	TCPLeaves bool `json:"tcp_leaves,omitempty"`
	// Heard is set when any authoritative server sent an acceptable packet.
	Heard bool `json:"heard"`
	// Cut is set when a limit (servers, queries, time) ended the look early, and says
	// which.
	Cut string `json:"cut,omitempty"`
}

// Handed is what one server of the parent said when it was asked for the zone's NS
// records.
type Handed struct {
	Server Server `json:"server"`
	// Outcome is OK for a delegation, NoName or NoData if the server says with
	// authority that there is none; else it says nothing, as in an Answer.
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"`
	// Both is set when the server holds the zone too and answered from there. What it
	// would hand down cannot be seen.
	Both bool `json:"both,omitempty"`
	// NS are the names of the delegation, Glue its addresses for those inside the zone
	// (RFC 9471 §2.1). Addresses for other names are not the parent's to tell.
	NS   []string `json:"ns,omitempty"`
	Glue []Glue   `json:"glue,omitempty"`
	// TTL is that of the delegation, or of its denial (RFC 2308), in seconds.
	TTL uint32 `json:"ttl,omitempty"`
}

// Glue is the addresses that a delegation holds for one server's name; none if
// they are missing.
type Glue struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// ServerName is the name of a server as the DNS has it.
type ServerName struct {
	Name string `json:"name"`
	// Missing says why no address was found for the name; empty if there is one.
	Missing string `json:"missing,omitempty"`
	// Alias is the target if the name is an alias, no final dot (RFC 2181 §10.3).
	Alias string `json:"alias,omitempty"`
	// Own is what the zone's servers say of a name inside the zone that the parent
	// hands down: both types, from at most ownWitnesses of them.
	Own []Answer `json:"own,omitempty"`
}

// ZoneServer is one address of one of the zone's servers, and what it said of the
// zone itself.
type ZoneServer struct {
	Server Server `json:"server"`
	// Outcome is what came of the question for the SOA record, over UDP: OK if the
	// server has the zone. Serial is then the SOA's serial.
	Outcome Outcome `json:"outcome,omitempty"`
	Detail  string  `json:"detail,omitempty"`
	Serial  uint32  `json:"serial,omitempty"`
	// Primary is the primary server that the SOA names (MNAME), no final dot.
	Primary string `json:"primary,omitempty"`
	// NSOutcome is what came of the question for NS records; OK if it has any, and NS
	// are then their names.
	NSOutcome Outcome  `json:"ns_outcome,omitempty"`
	NSDetail  string   `json:"ns_detail,omitempty"`
	NS        []string `json:"ns,omitempty"`
	// EDNS is empty if it could not be told; for EDNSRejected, the Detail of it is the
	// RCODE.
	EDNS       EDNS   `json:"edns,omitempty"`
	EDNSDetail string `json:"edns_detail,omitempty"`
	// DropsCookies is set when it is silent to questions with a DNS cookie (RFC 7873), and
	// answers the same ones without.
	DropsCookies bool `json:"drops_cookies,omitempty"`
	// Again is set if the first packet with one of these questions brought no answer.
	// Unanswered counts the questions in a row that it left without one until the end of
	// the look.
	Again      bool `json:"again,omitempty"`
	Unanswered int  `json:"unanswered,omitempty"`
	// TCP is what came of the question for the SOA record over TCP; empty if it was
	// not put.
	TCP       Outcome `json:"tcp,omitempty"`
	TCPDetail string  `json:"tcp_detail,omitempty"`
}

// EDNS is how a server takes questions with EDNS (RFC 6891).
type EDNS string

// The ways to take it.
const (
	// EDNSOK: it answers; a server that leaves the OPT record out of its answer breaks
	// nothing.
	EDNSOK EDNS = "ok"
	// EDNSRejected: it answers with an error code, and properly without EDNS.
	EDNSRejected EDNS = "rejected"
	// EDNSDropped: it is silent, and answers without EDNS.
	EDNSDropped EDNS = "dropped"
)

const (
	// parentLimit bounds the servers of the parent that are asked.
	parentLimit = 3
	// ownWitnesses is how many servers of the zone are asked for the addresses of its
	// servers; what they disagree about is not compared with glue. ownNames bounds the
	// names: as many as the root has.
	ownWitnesses = 2
	ownNames     = 13
)
