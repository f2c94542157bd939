package finding

import "time"

// Incident is one root cause and its effects: what a person on call is told,
// once, however many hostnames it hits. All its text is final: a renderer lays
// it out and adds nothing.
type Incident struct {
	// ID is stable over rounds while names come and go:
	// "balancer-moved:traefik/traefik".
	ID string `json:"id"`
	// Code is the catalogue entry to read for an explanation.
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	State    State    `json:"state"`
	// Cause is the verdict in one line, without the number of hostnames: "DNS
	// still points at a load balancer that no longer exists".
	Cause string `json:"cause"`
	// Subject is the thing that is broken.
	Subject Subject `json:"subject"`
	// Hosts are the hostnames hit, sorted.
	Hosts []string `json:"hosts"`
	// Corrected are hostnames that were hit and whose records are right by now, while
	// caches can still hold what Hosts are hit by, sorted: they are not well yet.
	Corrected []string `json:"corrected,omitempty"`
	// Evidence is what was seen, in reading order: the service, what is
	// published, what follows ("so"), ….
	Evidence []Note `json:"evidence,omitempty"`
	// Fix is what to do, in order.
	Fix []Step `json:"fix,omitempty"`
	// Recovery says when clients recover, as a sentence: "by 12:47 if you fix it
	// now (TTL 3600 s)". Empty if nobody can know.
	Recovery string `json:"recovery,omitempty"`
	// ClearBy is the moment meant by Recovery; zero if nobody can know.
	ClearBy time.Time `json:"clear_by,omitzero"`
	// Since is when the fault was first seen; zero if only seen now.
	Since time.Time `json:"since,omitzero"`
	// PlannedUntil is the end of the announced move that explains the fault; zero if
	// none does. Until then it is no more than information.
	PlannedUntil time.Time `json:"planned_until,omitzero"`
	// Effects are the findings that this cause explains. Sorted as Sort does.
	Effects []Finding `json:"effects"`
}

// State says where an incident is in its life, as far as one look can tell.
type State string

// The states.
const (
	// Firing: the fault is there.
	Firing State = "firing"
	// Draining: the fault is mended, but caches still serve the old answer.
	Draining State = "draining"
)

// Note is one labelled line of evidence. The label is a word or two in lower
// case ("published", "so", "why"), or the name of a thing ("traefik/traefik").
type Note struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}

// Otherwise begins the text of a step that does the same as those before it.
const Otherwise = "or,"

// Step is one thing to do. At least Text or Command is set.
type Step struct {
	Text string `json:"text,omitempty"`
	// Record is what a DNS record should become.
	Record *Record `json:"record,omitempty"`
	// Command does it, ready to paste into a shell.
	Command string `json:"command,omitempty"`
}

// Report is what is known at one moment: a pure function of a Snapshot, a policy
// and a time.
type Report struct {
	At        time.Time  `json:"at"`
	Findings  []Finding  `json:"findings"`
	Incidents []Incident `json:"incidents"`
	// Fronts are the load balancers (or pinned addresses) and what stands behind
	// them, for the reader who wants to know what is well.
	Fronts []Front `json:"fronts,omitempty"`
	// Coverage says what was looked at, so that a clean report means something.
	Coverage Coverage `json:"coverage"`
}

// Front is one set of expected addresses and the hostnames that should be
// published there.
type Front struct {
	// Name is "namespace/name" of the Service, or "pinned" / "published" where
	// no Service is known.
	Name string `json:"name"`
	// Rules say how the Service was found for these hosts: "config", "annotation",
	// "status address", …
	Rules     []string `json:"rules,omitempty"`
	Addresses []string `json:"addresses"`
	Hosts     []string `json:"hosts"`
	// MaxTTL is the largest TTL on the way to these addresses, in seconds.
	MaxTTL uint32 `json:"max_ttl"`
	// CertificatesUntil is the earliest end of a certificate path seen there;
	// zero if none was seen.
	CertificatesUntil time.Time `json:"certificates_until,omitzero"`
	// Drift tells whether published addresses could be compared with expected
	// ones; if not, Why says what is missing.
	Drift bool   `json:"drift_judged"`
	Why   string `json:"why,omitempty"`
}

// Coverage counts what was looked at.
type Coverage struct {
	Hosts         int `json:"hosts"`
	Servers       int `json:"authoritative_servers"`
	ServersSilent int `json:"authoritative_servers_without_answer"`
	Resolvers     int `json:"resolvers"`
	Addresses     int `json:"addresses"`
	Balancers     int `json:"load_balancers"`
	// Objects counts those of manifests, which are judged without a look at the world.
	Objects int `json:"objects,omitempty"`
	// Sound names those of them in which nothing was found: "Deployment traefik/traefik".
	Sound []string      `json:"sound,omitempty"`
	Took  time.Duration `json:"took_ns,omitempty"`
	// Unread names the kinds of objects that the cluster never gave (SelfSourceUnread),
	// sorted: hosts and load balancers that only they know are not looked at.
	Unread []string `json:"unread,omitempty"`
	// Notes are limits of this look that the reader must know: "no load balancer
	// is known for 2 hostnames, so drift could not be judged for them".
	Notes []string `json:"notes,omitempty"`
}
