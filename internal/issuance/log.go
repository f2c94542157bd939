package issuance

import (
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
)

// Reading is what one source of Certificate Transparency (RFC 6962) said: a log, or a
// service that searches them. A source that fails says nothing about certificates.
type Reading struct {
	// Source names it for a person: "SSLMate", or a log's host and path.
	Source string `json:"source"`
	// At is when all that it has for our names was last read to the end; zero: never.
	At time.Time `json:"at,omitzero"`
	// Moved is when a look last came further; zero: none did.
	Moved time.Time `json:"moved,omitzero"`
	// Failure says in one line why this look did not come to the end, FailureHint what to
	// do about it.
	Failure     string `json:"failure,omitempty"`
	FailureHint string `json:"failure_hint,omitempty"`
	// More tells that a look reads only so much, and that the rest follows.
	More bool `json:"more,omitempty"`
	// Unreadable counts the entries of this look that are no certificates to us: their
	// names are not known.
	Unreadable int `json:"unreadable,omitempty"`
	// Seen are the certificates that are new, and Positions is where the next look goes
	// on. Both are for the History.
	Seen      []Seen     `json:"-"`
	Positions []Position `json:"-"`
}

// Position is how far a source was read.
type Position struct {
	Source string `json:"source"`
	// Domains are the registered domains that were looked for, sorted. A search service
	// has one position for each.
	Domains []string `json:"domains"`
	// Gone are those of them that are not asked for any more, and since when.
	Gone  map[string]time.Time `json:"gone,omitempty"`
	At    time.Time            `json:"at,omitzero"`    // when it was last read to the end
	Moved time.Time            `json:"moved,omitzero"` // when a look last came further
	// After is the last issuance that a search service gave, in its own words.
	After string `json:"after,omitempty"`
	// Size and Root (base64) are the log's tree as its last verified checkpoint has it;
	// the entries below Next were read.
	Size int64  `json:"size,omitempty"`
	Root string `json:"root,omitempty"`
	Next int64  `json:"next,omitempty"`
}

// Heard adds what sources said. A source's positions are replaced where it gave any. The
// receiver is not changed.
func (h History) Heard(all []Reading) History {
	var seen []Seen
	for _, r := range all {
		for _, s := range r.Seen {
			s.Whole = h.whole(r.Source, s.Names)
			seen = append(seen, s)
		}
		if len(r.Positions) > 0 {
			h.Positions = slices.DeleteFunc(slices.Clone(h.Positions), func(p Position) bool { return p.Source == r.Source })
			h.Positions = append(h.Positions, r.Positions...)
		}
	}
	return h.Remember(seen)
}

// whole tells whether a search service was read to the end before for the domains of a
// certificate. It knows all that is valid, and renewals come while it is. A log that is read
// itself is not read from its beginning.
func (h History) whole(source string, names []string) bool {
	at := func(domain string) bool {
		return slices.ContainsFunc(h.Positions, func(p Position) bool {
			return p.Source == source && p.After != "" && !p.At.IsZero() && slices.Contains(p.Domains, domain)
		})
	}
	return slices.ContainsFunc(domains(names), at)
}

// LastMoved is when a source was last read further; zero if none was.
func (h History) LastMoved() time.Time {
	var last time.Time
	for _, p := range h.Positions {
		last = later(last, p.Moved)
	}
	return last
}

// Domains are the registered domains of names, sorted, each once.
func Domains(names []string) []string {
	all := domains(names)
	slices.Sort(all)
	return all
}

// patience is how old a source may be before its failure is worth a person's time: loops
// go on for days.
const patience = 6 * time.Hour

// JudgeLogs says which sources of Certificate Transparency could not be read. What they
// would have said is unknown, and not nothing.
func JudgeLogs(now time.Time, readings []Reading) []finding.Finding {
	var all []finding.Finding
	for _, r := range readings {
		if r.Failure == "" && behind(now, r) {
			r.Failure, r.FailureHint = "there is more to read, and looks do not come to the end of it", "see how quickly it answers from here, and whether driftprobe runs often enough"
		}
		if r.Failure == "" {
			continue
		}
		f := finding.Finding{
			Code: finding.IssuanceLogUnread, Severity: finding.Info, Subject: finding.Subject{Source: r.Source}, SeenAt: []string{r.Source},
			Summary:  "certificates that were issued could not be asked for: " + finding.Printable(r.Source, maxShown),
			Expected: "a complete answer every 15 minutes",
			Observed: finding.Printable(r.Failure, 4*maxShown) + "; " + age(now, r.At),
			Hint:     r.FailureHint,
		}
		if now.Sub(r.At) > patience {
			f.Severity = finding.Unknown
		}
		all = append(all, f)
	}
	finding.Sort(all)
	return all
}

// behind tells whether a source that does not fail is not read to the end for long; one that
// never was, whether no look comes further.
func behind(now time.Time, r Reading) bool {
	at := r.At
	if at.IsZero() {
		at = r.Moved
	}
	return r.More && now.Sub(at) > patience
}

// LogNotes says of each source how old its answer is.
func LogNotes(now time.Time, readings []Reading) []string {
	notes := make([]string, 0, len(readings))
	for _, r := range readings {
		note := fmt.Sprintf("certificates known to %s: %s", finding.Printable(r.Source, maxShown), age(now, r.At))
		if r.More {
			note += ", and there is more to read"
		}
		if r.Unreadable > 0 {
			note += fmt.Sprintf("; %s could not be understood", finding.Count(r.Unreadable, "entry", "entries"))
		}
		notes = append(notes, note)
	}
	return notes
}

func age(now, at time.Time) string {
	switch {
	case at.IsZero():
		return "never read to the end yet"
	case now.Sub(at) < time.Minute:
		return "read just now"
	}
	return "last read " + finding.Left(now.Sub(at)) + " ago"
}
