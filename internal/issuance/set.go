package issuance

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// has tells whether a look says nothing new.
func (s Set) has(seen Seen) bool {
	n := slices.IndexFunc(s.Issuances, func(i Issuance) bool { return i.Serial == seen.Serial })
	if n < 0 {
		return false
	}
	i := s.Issuances[n]
	if seen.Log != "" {
		return slices.Contains(i.Logs, cut(seen.Log))
	}
	since := seen.At.Sub(i.LastSeen)
	return since > -skew && since < stride &&
		(len(i.Hosts) >= maxPlaces || slices.Contains(i.Hosts, cut(seen.Host))) &&
		(len(i.Addresses) >= maxPlaces || slices.Contains(i.Addresses, seen.Address))
}

// with returns the set with one more look. The receiver is not changed.
func (s Set) with(seen Seen) Set {
	s.Issuances = slices.Clone(s.Issuances)
	n := slices.IndexFunc(s.Issuances, func(i Issuance) bool { return i.Serial == seen.Serial })
	if n < 0 {
		s.Issuances = append(s.Issuances, Issuance{Serial: seen.Serial, Issued: seen.Issued, NotAfter: seen.NotAfter, FirstSeen: seen.At})
		n = len(s.Issuances) - 1
	}
	i := &s.Issuances[n]
	i.set(seen.At)
	// A signed timestamp is later than the first moment of validity, and nearer to the truth.
	i.Issued = later(i.Issued, seen.Issued)
	if seen.Log != "" {
		i.Logs, i.Logged = place(i.Logs, cut(seen.Log)), later(i.Logged, seen.At)
	} else {
		i.LastSeen = later(i.LastSeen, seen.At)
		i.Hosts = place(i.Hosts, cut(seen.Host))
		i.Addresses = place(i.Addresses, seen.Address)
	}
	slices.SortStableFunc(s.Issuances, func(a, b Issuance) int {
		return cmp.Or(a.Issued.Compare(b.Issued), cmp.Compare(a.Serial, b.Serial))
	})
	over := 0
	for n := len(s.Issuances); n > maxIssuances && (n > maxBusy || seen.At.Sub(s.Issuances[over].Issued) >= 2*week); n-- {
		over++
	}
	s.Issuances = slices.Delete(s.Issuances, 0, over)
	return s
}

// set takes back the moments that lie ahead of a look at the same certificate: the clock
// was wrong when they were taken.
func (i *Issuance) set(now time.Time) {
	for _, at := range []*time.Time{&i.FirstSeen, &i.LastSeen, &i.Logged} {
		if at.Sub(now) > skew {
			*at = now
		}
	}
}

// place adds where a certificate is served, up to the bound.
func place[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) || len(all) >= maxPlaces {
		return all
	}
	return append(slices.Clip(all), one)
}

// seen is when any certificate of the set was last seen served; zero if none was.
func (s Set) seen() time.Time {
	var last time.Time
	for _, i := range s.Issuances {
		last = later(last, i.LastSeen)
	}
	return last
}

// bounded forgets what is too old, then the sets that were not seen for the longest, and
// puts the rest in order.
func bounded(sets []Set, now time.Time) []Set {
	kept := sets[:0]
	useless := func(i Issuance) bool {
		last := later(i.LastSeen, i.Logged)
		if !i.Issued.After(now) {
			last = later(last, i.Issued) // our clock can have been wrong when it was seen
		}
		return now.Sub(last) >= keep
	}
	for _, s := range sets {
		if slices.ContainsFunc(s.Issuances, useless) {
			s.Issuances = slices.DeleteFunc(slices.Clone(s.Issuances), useless)
		}
		if len(s.Issuances) > 0 {
			kept = append(kept, s)
		}
	}
	if len(kept) > maxSets {
		slices.SortStableFunc(kept, func(a, b Set) int { return cmp.Or(b.seen().Compare(a.seen()), cmp.Compare(a.Key, b.Key)) })
		kept = kept[:maxSets]
	}
	slices.SortStableFunc(kept, func(a, b Set) int { return cmp.Compare(a.Key, b.Key) })
	return kept
}

// Within is the history cut to a size in bytes, as JSON has it, where a place to keep it is
// smaller than what is remembered. Sets that were ordered again are kept first, then those
// seen last.
func (h History) Within(size int) History {
	sets := slices.Clone(h.Sets)
	slices.SortStableFunc(sets, func(a, b Set) int {
		return cmp.Or(cmp.Compare(len(b.Issuances), len(a.Issuances)), b.seen().Compare(a.seen()), cmp.Compare(a.Key, b.Key))
	})
	for n, s := range sets {
		if size -= s.bytes(); size < 0 {
			sets = sets[:n]
			break
		}
	}
	slices.SortStableFunc(sets, func(a, b Set) int { return cmp.Compare(a.Key, b.Key) })
	h.Sets = sets
	return h
}

// Size is about what JSON needs for all sets, in bytes.
func (h History) Size() int {
	n := 0
	for _, s := range h.Sets {
		n += s.bytes()
	}
	return n
}

// bytes is about what JSON needs for the set.
func (s Set) bytes() int {
	const set, issuance, quotes, address = 120, 300, 3, 42
	n := set + len(s.CA)
	for _, name := range s.Names {
		n += len(name) + quotes
	}
	for _, i := range s.Issuances {
		n += issuance + len(i.Serial) + address*len(i.Addresses)
		for _, text := range slices.Concat(i.Hosts, i.Logs) {
			n += len(text) + quotes
		}
	}
	return n
}

// issued returns when the certificates were issued.
func (s Set) issued() []time.Time {
	all := make([]time.Time, len(s.Issuances))
	for n, i := range s.Issuances {
		all[n] = i.Issued
	}
	return all
}

func cutNames(names []string) []string {
	names = slices.Clone(names[:min(len(names), maxNames)])
	for n := range names {
		names[n] = cut(names[n])
	}
	return names
}

func cut(s string) string { return s[:min(len(s), maxText)] }

// Covers tells whether the certificates of the set are for a host (RFC 9525 section 6.3):
// a wildcard stands for one label.
func (s Set) Covers(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.Contains(s.Names, host) || slices.Contains(s.Names, "*."+parent)
}

// Left returns what the authority's limit leaves for the set; false if the authority has
// none that is known.
func (s Set) Left(p Policy, now time.Time) (Limit, Budget, bool) {
	limit, known := p.limit(s.CA)
	if !known {
		return Limit{}, Budget{}, false
	}
	return limit, limit.Left(s.issued(), now), true
}

// replaced tells whether all hosts of a set are seen with certificates of other sets since
// it was seen, or issued, last: what is left of its budget is nobody's trouble any more.
func (h History) replaced(s Set) bool {
	hosts, last := s.hosts(), later(s.seen(), s.newest().Issued)
	return len(hosts) > 0 && !slices.ContainsFunc(hosts, func(host string) bool {
		return !slices.ContainsFunc(h.Sets, func(other Set) bool {
			return other.Key != s.Key && slices.ContainsFunc(other.Issuances, func(i Issuance) bool {
				return i.FirstSeen.After(last) && slices.Contains(i.Hosts, host)
			})
		})
	})
}
