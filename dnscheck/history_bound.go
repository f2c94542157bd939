package dnscheck

import (
	"cmp"
	"slices"
	"time"
)

// The history is written into one file of bounded size, with other things. A file that
// is full takes no news, and after a restart nobody knows until when caches hold what
// was repaired. So its bytes are bounded here, as JSON has them.
const (
	// maxHistory bounds all hosts together, in bytes (zones: maxServings); what is forgotten then leaves
	// someHistory, so that it is not sorted again at the next look.
	maxHistory  = 12 << 20
	someHistory = 11 << 20
	// maxHostHistory bounds the sightings of one host, in bytes: what 32 addresses
	// behind one alias take. Names that are long and full of escapes take as much for
	// one; one is kept in any case.
	maxHostHistory = 16 << 10
	// fewPerHost addresses of a host are remembered as long as they matter; what is
	// more, only until no cache holds it and it can be no turn of the others (mostWindow).
	fewPerHost = 8
)

// drained tells whether a sighting is gone and no cache holds it any more.
func (s Sighting) drained(at time.Time) bool { return !s.Gone.IsZero() && !s.End.After(at) }

// boundHost forgets what one host has too much of: first what is drained, then the
// oldest. The result is sorted by address.
func boundHost(all []Sighting, at time.Time) []Sighting {
	drained := func(s Sighting) int {
		if s.drained(at) {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(drained(a), drained(b)), b.LastSeen.Compare(a.LastSeen), compareSightings(a, b))
	})
	size := 0
	for i, s := range all {
		size += s.bytes()
		old := s.drained(at) && at.Sub(later(s.Gone, s.End)) > mostWindow
		if i > 0 && (size > maxHostHistory || i >= fewPerHost && old) {
			all = all[:i]
			break
		}
	}
	slices.SortFunc(all, compareSightings)
	return all
}

// bounded forgets what is too much for maxHistory: first what is drained, then what is
// published, and last what drains now; of each the oldest. The receiver is changed.
func (h History) bounded(at time.Time) History { return h.within(at, maxHistory, someHistory) }

// Within is the history cut to a size in bytes, as JSON has it, where a place to keep it
// is smaller than what is remembered. What matters least at the moment is left out.
func (h History) Within(at time.Time, size int) History {
	servings := boundServings(slices.Clone(h.Servings), size/servingsShare)
	for _, s := range servings {
		size -= s.bytes()
	}
	h = History{Sightings: slices.Clone(h.Sightings), Denials: slices.Clone(h.Denials), Servings: servings}
	return h.within(at, size, size)
}

// within is bounded, for more than most bytes, down to rest.
func (h History) within(at time.Time, most, rest int) History {
	size := 0
	for _, s := range h.Sightings {
		size += s.bytes()
	}
	for _, d := range h.Denials {
		size += d.bytes()
	}
	if size <= most {
		return h
	}
	// A host's name breaks ties, and then the place in a list that is in order.
	type entry struct {
		need  int
		last  time.Time
		host  string
		place int // in the sightings, or after them in the denials
		bytes int
	}
	entries := make([]entry, 0, len(h.Sightings)+len(h.Denials))
	add := func(gone bool, end, last time.Time, host string, bytes int) {
		need := 1
		switch {
		case gone && end.After(at):
			need = 2
		case gone:
			need = 0
		}
		entries = append(entries, entry{need, last, host, len(entries), bytes})
	}
	for _, s := range h.Sightings {
		add(!s.Gone.IsZero(), s.End, s.LastSeen, s.Host, s.bytes())
	}
	for _, d := range h.Denials {
		end, gone := d.ClearBy(Observation{})
		add(gone, end, d.LastSeen, d.Host, d.bytes())
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.need, b.need), a.last.Compare(b.last), cmp.Compare(a.host, b.host), cmp.Compare(a.place, b.place))
	})
	forgotten := make([]bool, len(entries))
	for _, e := range entries {
		if size <= rest {
			break
		}
		forgotten[e.place] = true
		size -= e.bytes
	}
	return History{
		Sightings: without(h.Sightings, forgotten[:len(h.Sightings)]),
		Denials:   without(h.Denials, forgotten[len(h.Sightings):]),
		Servings:  h.Servings,
	}
}

// without leaves out what is marked, in place.
func without[T any](all []T, marked []bool) []T {
	kept := all[:0]
	for i, x := range all {
		if !marked[i] {
			kept = append(kept, x)
		}
	}
	clear(all[len(kept):])
	return kept
}

// Sizes of parts in JSON, in bytes: the largest that they can have.
const (
	timeBytes     = 50  // with its name; 35 of the time itself
	sightingBytes = 180 // an address of IPv6, two times, names of fields
	denialBytes   = 200
	linkBytes     = 60
	turnBytes     = 80
)

// bytes estimates the size in the state file, from above.
func (s Sighting) bytes() int {
	n := sightingBytes + textBytes(s.Host) + linksBytes(s.Path) + len(s.Turns)*turnBytes
	for _, t := range [...]time.Time{s.Gone, s.Until, s.End} {
		if !t.IsZero() {
			n += timeBytes
		}
	}
	if len(s.Turns) > 0 {
		n += len(`"turns":[],`)
	}
	if s.Zone != "" {
		n += len(`"zone":"",`) + textBytes(s.Zone)
	}
	if len(s.Servers) > 0 {
		n += len(`"servers":[],`)
	}
	for _, server := range s.Servers {
		n += len(`"",`) + textBytes(server)
	}
	return n
}

func (d Denial) bytes() int {
	return denialBytes + textBytes(d.Host) + textBytes(d.Zone) + textBytes(d.Owner) + linksBytes(d.Aliases) +
		2*timeBytes + len(d.Turns)*turnBytes
}

func linksBytes(path []Link) (n int) {
	for _, l := range path {
		n += linkBytes + textBytes(l.Owner) + textBytes(l.Value)
		if !l.Until.IsZero() {
			n += timeBytes
		}
	}
	return n
}

// textBytes is the size of a text with what JSON escapes; names have no other bytes
// that it does.
func textBytes(s string) int {
	n := len(s)
	for i := range len(s) {
		switch s[i] {
		case '\\', '"':
			n++
		case '<', '>', '&':
			n += len(`\u003c`) - 1
		}
	}
	return n
}
