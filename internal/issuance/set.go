package issuance

import (
	"cmp"
	"slices"
	"time"
)

// with returns the set with one more look. The receiver is not changed.
func (s Set) with(seen Seen) Set {
	s.Issuances = slices.Clone(s.Issuances)
	n := slices.IndexFunc(s.Issuances, func(i Issuance) bool { return i.Serial == seen.Serial })
	if n < 0 {
		s.Issuances = append(s.Issuances, Issuance{Serial: seen.Serial, Issued: seen.Issued, NotAfter: seen.NotAfter, FirstSeen: seen.At})
		n = len(s.Issuances) - 1
	}
	i := &s.Issuances[n]
	i.LastSeen = later(i.LastSeen, seen.At)
	i.Hosts = place(i.Hosts, cut(seen.Host))
	i.Addresses = place(i.Addresses, seen.Address)
	slices.SortFunc(s.Issuances, func(a, b Issuance) int {
		return cmp.Or(a.Issued.Compare(b.Issued), cmp.Compare(a.Serial, b.Serial))
	})
	if over := len(s.Issuances) - maxIssuances; over > 0 {
		s.Issuances = slices.Delete(s.Issuances, 0, over)
	}
	return s
}

// place adds where a certificate is served, up to the bound.
func place[T comparable](all []T, one T) []T {
	if slices.Contains(all, one) || len(all) >= maxPlaces {
		return all
	}
	return append(slices.Clip(all), one)
}

// seen is when any certificate of the set was last seen.
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
	useless := func(i Issuance) bool { return now.Sub(i.LastSeen) >= keep || i.LastSeen.Sub(now) > skew }
	for _, s := range sets {
		if slices.ContainsFunc(s.Issuances, useless) {
			s.Issuances = slices.DeleteFunc(slices.Clone(s.Issuances), useless)
		}
		if len(s.Issuances) > 0 {
			kept = append(kept, s)
		}
	}
	if len(kept) > maxSets {
		slices.SortFunc(kept, func(a, b Set) int { return cmp.Or(b.seen().Compare(a.seen()), cmp.Compare(a.Key, b.Key)) })
		kept = kept[:maxSets]
	}
	slices.SortFunc(kept, func(a, b Set) int { return cmp.Compare(a.Key, b.Key) })
	return kept
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
	names = names[:min(len(names), maxNames)]
	for n := range names {
		names[n] = cut(names[n])
	}
	return names
}

func cut(s string) string { return s[:min(len(s), maxText)] }
