package dnscheck

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// History remembers what each host has published, because after a fix the old
// TTL can be read nowhere else. It is a value: Remember returns a new one.
type History struct {
	// Sightings are ordered by host, then address.
	Sightings []Sighting `json:"sightings,omitempty"`
	// Denials are ordered by host, then type.
	Denials []Denial `json:"denials,omitempty"`
	// Servings are ordered by zone; of each zone the servers that it has come first.
	Servings []Serving `json:"servings,omitempty"`
}

// Sighting is one address that authoritative servers published for a host.
type Sighting struct {
	Host    string     `json:"host"`
	Address netip.Addr `json:"address"`
	// Path are the records that led there when it was last seen: each CNAME on the
	// way, then the address record.
	Path      []Link    `json:"path"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Gone is when authority was first seen to publish it no more; zero while it
	// does. The record was corrected between LastSeen and Gone. Where addresses take
	// turns it is the last look at which this one still counted as published.
	Gone time.Time `json:"gone,omitzero"`
	// Until is how long caches may follow a way to the address that was replaced by
	// Path; zero if there is none.
	Until time.Time `json:"until,omitzero"`
	// End is when the last cache has dropped the address, as it was at Gone: of what is
	// changed later on its way nobody can say since when caches have known.
	End time.Time `json:"end,omitzero"`
	// Turns are the last signs, at most two and of the last hour, that the host's
	// addresses take turns; see Published. Zone and Servers say who gave this one when it
	// was last seen, and has not spoken without it since. They are empty if all servers
	// did that were asked, unless the addresses of this family changed within an hour.
	Turns   []Turn   `json:"turns,omitempty"`
	Zone    string   `json:"zone,omitempty"`
	Servers []string `json:"servers,omitempty"`
	// Ways are for each alias of Path who gave it when it was last seen, as Servers; nil
	// if all servers gave all of them.
	Ways [][]string `json:"ways,omitempty"`
}

// Link is one record of a path.
type Link struct {
	Owner string `json:"owner"`
	// Type is "CNAME", "A" or "AAAA"; Value the target or the address.
	Type  string `json:"type"`
	Value string `json:"value"`
	// TTL is in seconds, the largest that any server gave.
	TTL uint32 `json:"ttl"`
	// Until is how long caches may keep the record by an earlier, longer TTL; zero if
	// the present one covers that. People lower the TTL first and correct the record
	// then: the caches know only of the one that they have read.
	Until time.Time `json:"until,omitzero"`
}

const (
	// keep is how long an address that is published no more is remembered; a TTL
	// that is longer keeps it longer.
	keep = 7 * 24 * time.Hour
	// skew is how far a remembered time may lie ahead before the clock is taken to
	// have been wrong.
	skew = time.Hour
	// maxPerHost bounds the addresses remembered of one host: a hostile zone can
	// publish new ones at every look. The oldest go first of those that no cache holds
	// any more.
	maxPerHost = 32
	// maxGivers bounds the servers that are remembered of one address.
	maxGivers = 16
)

// LastChange is when something was first seen, or first seen to be gone: what must
// not be lost if the program ends without notice.
func (h History) LastChange() time.Time {
	var last time.Time
	for _, s := range h.Sightings {
		last = later(last, later(s.FirstSeen, s.Gone))
	}
	for _, d := range h.Denials {
		last = later(last, later(d.FirstSeen, d.Gone))
	}
	for _, s := range h.Servings {
		last = later(last, s.Gone)
	}
	return last
}

// Of returns the sightings of one host. The result shares memory with h.
func (h History) Of(host string) []Sighting {
	from, _ := slices.BinarySearchFunc(h.Sightings, host, compareHost)
	to := from
	for to < len(h.Sightings) && h.Sightings[to].Host == host {
		to++
	}
	return h.Sightings[from:to:to]
}

// ByHost yields each host with its sightings, in order. They share memory with h.
func (h History) ByHost() iter.Seq2[string, []Sighting] {
	return func(yield func(string, []Sighting) bool) {
		for from := 0; from < len(h.Sightings); {
			host, to := h.Sightings[from].Host, from+1
			for to < len(h.Sightings) && h.Sightings[to].Host == host {
				to++
			}
			if !yield(host, h.Sightings[from:to:to]) {
				return
			}
			from = to
		}
	}
}

// Remember adds observations to the history and forgets what is too old to
// matter, also of hosts that are observed no more, and what is too much (maxHistory). The receiver is not changed. If
// one host is observed several times, all count, in whatever order they come.
func (h History) Remember(os []Observation) History {
	if len(os) == 0 {
		return h
	}
	inTime := slices.SortedStableFunc(slices.Values(os), func(a, b Observation) int { return a.At.Compare(b.At) })
	newest := inTime[len(inTime)-1].At
	fresh := make(map[string][]Sighting, len(os))
	for _, o := range inTime {
		old, seen := fresh[o.Host]
		if !seen {
			old = h.Of(o.Host)
		}
		fresh[o.Host] = merge(old, o)
	}
	next := make([]Sighting, 0, len(h.Sightings)+len(os))
	add := func(list []Sighting) {
		for _, s := range list {
			if s.matters(newest) {
				next = append(next, s)
			}
		}
	}
	// Both are in order, so this is one merge.
	rest := h.Sightings
	for _, host := range slices.Sorted(maps.Keys(fresh)) {
		from, _ := slices.BinarySearchFunc(rest, host, compareHost)
		add(rest[:from])
		rest = rest[from+len(History{Sightings: rest[from:]}.Of(host)):]
		add(boundHost(fresh[host], newest))
	}
	add(rest)
	return History{Sightings: next, Denials: h.remember(inTime), Servings: h.serve(inTime, newest)}.bounded(newest)
}

func compareHost(s Sighting, host string) int { return cmp.Compare(s.Host, host) }

// matters tells whether a sighting need be remembered at a moment.
func (s Sighting) matters(at time.Time) bool { return at.Sub(s.LastSeen) < max(keep, s.longest()) }

func compareSightings(a, b Sighting) int {
	return cmp.Or(cmp.Compare(a.Host, b.Host), a.Address.Compare(b.Address))
}

// merge updates one host's sightings with one observation.
func merge(old []Sighting, o Observation) []Sighting {
	var next []Sighting
	paths := o.paths()
	for addr, path := range paths {
		path = o.beside(path)
		s := Sighting{Host: o.Host, Address: addr, Path: path, FirstSeen: o.At, LastSeen: o.At}
		if i := slices.IndexFunc(old, func(p Sighting) bool { return p.Address == addr }); i >= 0 {
			was := old[i]
			if was.FirstSeen.Before(s.FirstSeen) {
				s.FirstSeen = was.FirstSeen
			}
			s.Until, s.Turns, s.Zone, s.Servers = was.Until, was.Turns, was.Zone, was.Servers
			s.Ways = was.Ways
			if was.LastSeen.After(o.At) || was.LastSeen.Equal(o.At) && longer(was.Path, path) {
				s.LastSeen, s.Path = was.LastSeen, was.Path
			} else {
				s.Path, s.Until = was.outlived(path, o)
				s.Ways = o.ways(s.Path, was)
			}
			if was.Gone.After(s.LastSeen) {
				s.Gone, s.End = was.Gone, was.End
			}
			if o.At.After(was.LastSeen) {
				s.turned(o, was.LastSeen, was.Gone)
			}
		} else {
			s.Ways = o.ways(path, Sighting{})
			s.turned(o, o.At, time.Time{})
		}
		next = append(next, s)
	}
	ways := o.formerWays(o.At)
	for _, s := range old {
		if _, again := paths[s.Address]; !again && s.matters(o.At) {
			if s.LastSeen.Sub(o.At) > skew || s.Gone.Sub(o.At) > skew {
				// Remembered by a clock that was ahead: what is gone now was gone by now.
				s.LastSeen, s.Gone, s.End = o.At, o.At, time.Time{}
				s.End, _ = s.ClearBy(o)
			}
			away := o.At.After(s.LastSeen) && o.answered(typeFor(s.Address))
			if link, silent := o.holding(s); away && len(silent) > 0 {
				s.held(o, link, silent)
			} else if away && (s.Gone.IsZero() || o.At.After(s.Gone) && s.isRecent(o.At, rotation(old, typeFor(s.Address), o.At))) {
				s.Gone, s.End = o.At, time.Time{}
				s.End, _ = s.ClearBy(o)
			}
			if w, still := ways[s.Address]; still && !s.Gone.IsZero() {
				s.End = later(s.End, o.At.Add(w.lasts))
			}
			next = append(next, s)
		}
	}
	placed(next, o, paths)
	return mostNeeded(next, o.At)
}

// mostNeeded keeps as many sightings of a host as are remembered: those that are given
// or that caches hold, and of these and the others the newest.
func mostNeeded(all []Sighting, at time.Time) []Sighting {
	if len(all) <= maxPerHost {
		return all
	}
	drained := func(s Sighting) int {
		if s.LastSeen.Before(at) && !s.Gone.IsZero() && !s.End.After(at) {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(drained(a), drained(b)), b.LastSeen.Compare(a.LastSeen), compareSightings(a, b))
	})
	return all[:maxPerHost]
}

// beside returns the path with the end of what other servers gave instead of its
// aliases: the way by those may lead to the address too, and last longer.
func (o *Observation) beside(path []Link) []Link {
	path = slices.Clone(path)
	for i, l := range path[:len(path)-1] {
		step, _ := o.step(l.Owner)
		for _, p := range step.links() {
			if p.Type == "CNAME" && p.TTL > l.TTL {
				path[i].Until = later(path[i].Until, o.At.Add(Cached(p.TTL)))
			}
		}
	}
	return path
}

// outlived returns the new path with what caches may still hold of the old one:
// records by a TTL that was longer, and a way that is published no more. Both were
// changed at the latest at this look.
func (s Sighting) outlived(path []Link, o Observation) ([]Link, time.Time) {
	path = slices.Clone(path)
	for i, l := range path {
		at := slices.IndexFunc(s.Path, func(p Link) bool { return p.Owner == l.Owner && p.Type == l.Type && p.Value == l.Value })
		if at < 0 {
			continue
		}
		old := s.Path[at]
		until := old.Until
		if end := o.At.Add(Cached(old.TTL)); old.TTL > l.TTL && end.After(until) {
			until = end
		}
		if until.After(o.At.Add(Cached(l.TTL))) {
			path[i].Until = until
		}
	}
	until := s.Until
	s.Gone, s.End = o.At, time.Time{}
	if end, gone := s.ClearBy(o); gone && end.After(until) {
		until = end
	}
	if !until.After(o.At) {
		until = time.Time{}
	}
	return path, until
}

// longest is the sum of the path's TTLs, also of those that were longer: no cache
// holds the answer longer than this after LastSeen.
func (s Sighting) longest() time.Duration {
	var sum time.Duration
	for _, l := range s.Path {
		sum += max(Cached(l.TTL), l.Until.Sub(s.LastSeen))
	}
	return max(sum, s.Until.Sub(s.LastSeen))
}

// ClearBy returns when the last cache has dropped the way to this address, given
// what is published now, and false if the way is still published.
//
// Each record of the path that is published no more may be cached until its TTL
// after it was corrected. That was at the latest when it was first seen to be gone,
// and this end is "at the latest" too: our looks are not continuous. What lies behind
// an alias that was switched, and is not looked at any more, does not count: a cache
// comes there no more without the alias. If everything behind it is still published,
// a cache that still follows it can read that anew, so the TTLs of what is behind are
// added.
//
// While a server is silent that gave the address last, nobody knows whether it is gone.
func (s Sighting) ClearBy(now Observation) (time.Time, bool) {
	var clear time.Time
	if len(now.withheld(s)) > 0 {
		return clear, false
	}
	gone := false
	var tail time.Duration
	corrected := later(s.LastSeen, s.Gone)
	for i := len(s.Path) - 1; i >= 0; i-- {
		l := s.Path[i]
		switch _, looked := now.step(l.Owner); {
		case !looked && i > 0: // the first step is the host's
		case !now.publishes(l):
			clear = later(clear, later(corrected.Add(Cached(l.TTL)), l.Until).Add(tail))
			gone, tail = true, 0
		case !gone:
			tail += Cached(l.TTL)
		}
	}
	if !gone {
		return clear, false
	}
	if !s.End.IsZero() {
		return s.End, true
	}
	return later(clear, s.Until), true
}

// seconds converts a TTL; 2^31-1 s fits a Duration with room to spare.
func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }

// Cached is for how long caches keep what has that TTL.
func Cached(ttl uint32) time.Duration { return min(seconds(ttl), maxCached) }
