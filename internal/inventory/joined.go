package inventory

import (
	"cmp"
	"net/netip"
	"slices"
)

// Joined makes one expectation of several for one name: it has one set of records,
// so what each of them accepts is right for it. Those that are not known count only
// if all are: then the first stands. What only an annotation leads to comes last, and is
// not asked for beside what more leads to: whoever can write an object of the cluster
// could have the fix of another's record name an address of theirs.
func Joined(es []Expected) Expected {
	if len(es) == 1 {
		return es[0]
	}
	known := slices.DeleteFunc(slices.Clone(es), func(e Expected) bool { return !e.Known })
	if len(known) == 0 {
		return es[0]
	}
	slices.SortStableFunc(known, func(a, b Expected) int { return cmp.Compare(min(len(a.Told), 1), min(len(b.Told), 1)) })
	all := known[0]
	for _, e := range known[1:] {
		told := func(a netip.Addr) bool { return slices.Contains(e.Told, a) == slices.Contains(e.Addresses, a) }
		all.Told = slices.DeleteFunc(slices.Clone(all.Told), not(told))
		all.Told = merged(all.Told, without(e.Told, all.Addresses))
		all.Addresses = merged(all.Addresses, e.Addresses)
		all.Uncertain = merged(all.Uncertain, e.Uncertain)
		all.Hostnames = merged(all.Hostnames, e.Hostnames)
		all.Former = merged(all.Former, e.Former)
		if len(all.Doubtful) == 0 {
			all.Doubtful = e.Doubtful
		}
		all.Allow = merged(all.Allow, e.Allow)
		all.OneFamily = all.OneFamily || e.OneFamily
		for _, ref := range append([]ServiceRef{e.Service}, e.Others...) {
			if ref != (ServiceRef{}) && !all.FrontedBy(ref) {
				all.Others = merged(all.Others, []ServiceRef{ref})
			}
		}
	}
	if better := without(all.Addresses, all.Told); len(known) > 1 && len(better) > 0 && len(all.Told) > 0 {
		all.Addresses, all.Uncertain, all.Told = better, merged(all.Uncertain, all.Told), nil
	}
	if len(known) > 1 {
		all.Uncertain = without(all.Uncertain, all.Addresses)
		all.Former = without(without(all.Former, all.Addresses), all.Uncertain)
		slices.SortFunc(all.Addresses, netip.Addr.Compare)
		slices.SortFunc(all.Uncertain, netip.Addr.Compare)
		slices.SortFunc(all.Former, netip.Addr.Compare)
	}
	return all
}

func merged[E comparable](a, b []E) []E {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}

func without[E comparable](a, b []E) []E {
	return slices.DeleteFunc(slices.Clone(a), func(x E) bool { return slices.Contains(b, x) })
}
