// Package finding is the vocabulary that every other package speaks: what is
// wrong, with what, how badly, and what to do about it.
//
// A Finding is one symptom. An Incident is one root cause with the findings it
// explains. A Report is everything known at one moment. The catalogue (see
// Catalogue) holds one entry for each code.
//
// The package decides nothing: judges make findings, internal/diagnose makes
// incidents, renderers and notifiers only carry them.
package finding

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Code names a kind of finding as "family/name", for example
// "dns/stale-record". Every Code in use has an Entry in the catalogue.
type Code string

// Finding is one symptom, seen at one moment.
//
// Its identity is Code and Subject, never its text: the same trouble seen again
// with other numbers is the same finding (see ID).
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Subject  Subject  `json:"subject"`
	// Summary is one sentence without a full stop, readable on its own.
	Summary string `json:"summary"`
	// Expected and Observed are the two halves of the comparison, as short text.
	Expected string `json:"expected,omitempty"`
	Observed string `json:"observed,omitempty"`
	// Hint says what to do, in the imperative; several things stand on a line each (see
	// Hints).
	Hint string `json:"hint,omitempty"`
	// Status is the status code of the HTTP response that the finding is about (RFC 9110
	// section 15); 0 if it is about none.
	Status int `json:"status,omitempty"`
	// Fault names the kind of fault that kept us from an answer, if one did. It stays the
	// same while the text of it differs.
	Fault string `json:"fault,omitempty"`
	// Targets are the keys of the targets (URLs) whose visits showed it.
	Targets []string `json:"targets,omitempty"`
	// SeenAt lists the places that showed it: name servers as
	// "ns1.example. (192.0.2.1)", resolvers, or addresses. Sorted.
	SeenAt []string `json:"seen_at,omitempty"`
	// Line is where in a file it was seen, if what was judged is a file: then SeenAt has
	// the file alone.
	Line int `json:"line,omitempty"`
	// Record is the DNS record that the finding is about, where there is one.
	Record *Record `json:"record,omitempty"`
	// ClearBy is the moment at which the last client has recovered, if that can
	// be known: for a live fault, if it is fixed at the moment of the report.
	ClearBy time.Time `json:"clear_by,omitzero"`
}

// Subject is what a finding is about. Unused fields are empty. It is
// comparable: two findings with equal Code and Subject are the same finding.
type Subject struct {
	// Host is a DNS name in ASCII, lower case, without the final dot.
	Host string `json:"host,omitempty"`
	// Address is an IP address, without a port unless several ports are probed.
	Address string `json:"address,omitempty"`
	// Server is the name server or resolver, if the finding is about the server.
	Server string `json:"server,omitempty"`
	// Namespace and Name are those of a Kubernetes object, usually a Service.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Source is the feed that is meant by a self finding: "kubernetes",
	// "DigitalOcean", ….
	Source string `json:"source,omitempty"`
	// Certificate is the exact set of names of a certificate, if the finding is about
	// all that were issued for it.
	Certificate string `json:"certificate,omitempty"`
}

// Record is one DNS RRset, or what it should be.
type Record struct {
	// Zone is the zone that holds the record, without the final dot.
	Zone string `json:"zone"`
	// Owner is the name to edit in the zone; "*.shop.example" where a wildcard
	// answers.
	Owner string `json:"owner"`
	// Type is "A", "AAAA" or "CNAME".
	Type string `json:"type"`
	// Values are the record's values in presentation form, sorted.
	Values []string `json:"values"`
	// TTL is the largest TTL in force, in seconds.
	TTL uint32 `json:"ttl"`
}

// ID is the finding's identity, stable over rounds.
type ID struct {
	Code    Code
	Subject Subject
}

// ID returns the finding's identity.
func (f Finding) ID() ID { return ID{f.Code, f.Subject} }

// Hints are the things to do, one or several.
func (f Finding) Hints() []string {
	if f.Hint == "" {
		return nil
	}
	return strings.Split(f.Hint, "\n")
}

// Sort orders findings by severity (worst first), then code, then subject, so
// that equal sets of findings read the same whatever order they were made in.
func Sort(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity, a.Severity),
			cmp.Compare(a.Code, b.Code),
			a.Subject.compare(b.Subject),
			cmp.Compare(a.Summary, b.Summary),
			cmp.Compare(a.Observed, b.Observed),
		)
	})
}

func (s Subject) compare(t Subject) int {
	return cmp.Or(
		cmp.Compare(s.Host, t.Host), cmp.Compare(s.Address, t.Address),
		cmp.Compare(s.Server, t.Server), cmp.Compare(s.Namespace, t.Namespace),
		cmp.Compare(s.Name, t.Name), cmp.Compare(s.Source, t.Source),
		cmp.Compare(s.Certificate, t.Certificate),
	)
}

// Worst returns the highest severity among the findings, Info if there is none.
func Worst(fs []Finding) Severity {
	worst := Info
	for _, f := range fs {
		worst = max(worst, f.Severity)
	}
	return worst
}
