package dnscheck

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"driftprobe/finding"
)

// Denial is an address record that authoritative servers denied although clients
// want it: the name had no address at all, or other servers gave one. Caches keep
// it, and so go on denying what is there again (RFC 2308). That a name has no AAAA
// beside its A is none.
type Denial struct {
	Host string `json:"host"`
	// Type is empty if no server said anything of Owner, to which an alias leads beside
	// others: that is no denial, but clients who come there have no address either.
	Type Type `json:"type"`
	// Zone said so, about Owner: the host, or the end of Aliases.
	Zone    string `json:"zone"`
	Owner   string `json:"owner"`
	Aliases []Link `json:"aliases,omitempty"`
	// TTL is how long caches may keep it (RFC 2308 §5), in seconds; the largest that any
	// server gave.
	TTL       uint32    `json:"ttl"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Gone is when no server was first seen to deny it any more; zero before.
	Gone time.Time `json:"gone,omitzero"`
	// Until is how long caches may keep what was denied before, with a longer TTL or
	// elsewhere; zero if that is no longer than by the present one.
	Until time.Time `json:"until,omitzero"`
	// Turns are the last times, at most two and within an hour, that it was back: an
	// alias leads there by turns.
	Turns []Turn `json:"turns,omitempty"`
}

// DeniedOf returns the denials of one host. The result shares memory with h.
func (h History) DeniedOf(host string) []Denial {
	from, _ := slices.BinarySearchFunc(h.Denials, host, func(d Denial, host string) int { return cmp.Compare(d.Host, host) })
	to := from
	for to < len(h.Denials) && h.Denials[to].Host == host {
		to++
	}
	return h.Denials[from:to:to]
}

// ClearBy returns when the last cache has forgotten the denial, given what is
// published now, and false while it is denied. As for addresses, the end counts from
// the first look that saw it mended.
func (d Denial) ClearBy(now Observation) (time.Time, bool) {
	end := d.Gone.Add(d.lasts(now.publishes))
	if d.Until.After(end) {
		end = d.Until
	}
	return end, !d.Gone.IsZero()
}

// lasts is how long caches keep what was read at the last moment. If an alias was
// changed, and not what it leads to, then they follow it for its TTL.
func (d Denial) lasts(still func(Link) bool) time.Duration {
	ttl := d.TTL
	for _, l := range d.Aliases {
		if !still(l) {
			ttl = max(ttl, l.TTL)
		}
	}
	return Cached(ttl)
}

// matters tells whether a denial need be remembered at a moment.
func (d Denial) matters(at time.Time) bool {
	if d.Type == "" {
		return at.Sub(d.LastSeen) <= mostWindow
	}
	if d.Gone.IsZero() {
		return at.Sub(d.LastSeen) < max(keep, Cached(d.TTL))
	}
	end, _ := d.ClearBy(Observation{})
	return end.After(at) || len(d.Aliases) > 0 && at.Sub(d.LastSeen) <= mostWindow
}

// byTurns tells whether a look that does not show the denial shows only the other of
// the ways that the servers give by turns, as rotation does for addresses.
func (d Denial) byTurns(at time.Time) bool {
	if len(d.Turns) < maxTurns || d.Gone.IsZero() {
		return false
	}
	first, last := d.Turns[0], d.Turns[len(d.Turns)-1]
	window := max(leastWindow, min(absences*max(first.Absent, last.Absent), mostWindow))
	return last.At.Sub(first.At) <= window && at.Sub(d.LastSeen) <= window
}

// turned returns the turns of a denial that is seen at another look.
func (d Denial) turned(at time.Time) []Turn {
	absent := at.Sub(d.LastSeen)
	if d.Gone.IsZero() || !at.After(d.Gone) || absent > mostWindow || len(d.Aliases) == 0 {
		return d.Turns
	}
	return append(slices.Clip(d.Turns[max(0, len(d.Turns)+1-maxTurns):]), Turn{At: at, Absent: absent})
}

// remember returns the denials after looks, which are in the order of their time.
func (h History) remember(looks []Observation) []Denial {
	type key struct {
		host string
		of   Type
	}
	known := make(map[key]Denial, len(h.Denials))
	for _, d := range h.Denials {
		known[key{d.Host, d.Type}] = d
	}
	var newest time.Time
	for _, o := range looks {
		newest = o.At
		for _, t := range []Type{A, AAAA, ""} {
			k := key{o.Host, t}
			old, was := known[k]
			seen, denied := o.denies(t)
			if t == "" {
				seen, denied = o.leadsToSilence()
			}
			switch {
			case denied && was:
				known[k] = old.again(seen)
			case denied:
				known[k] = seen
			case was:
				known[k] = old.given(o)
			}
		}
	}
	all := slices.DeleteFunc(slices.Collect(maps.Values(known)), func(d Denial) bool { return !d.matters(newest) })
	slices.SortStableFunc(all, func(a, b Denial) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Type, b.Type)) })
	return all
}

// denies returns the denial of a type in one look, if it matters to clients: if all
// is denied, or a server gives what others deny.
func (o *Observation) denies(t Type) (Denial, bool) {
	d := Denial{Host: o.Host, Type: t, FirstSeen: o.At, LastSeen: o.At}
	var found, given, other bool
	note := func(name, zone string, ttl uint32) {
		if !found || ttl > d.TTL {
			d.Owner, d.Zone, d.TTL, found = name, zone, ttl, true
		}
	}
	for _, s := range o.Steps {
		if s.Failure.Outcome == NoName {
			note(s.Name, s.Failure.At, s.Failure.NegativeTTL)
		}
		for _, a := range s.Answers {
			switch {
			case a.Outcome == OK:
				given, other = given || a.Type == t, other || a.Type != t
			case a.Type == t && (a.Outcome == NoName || a.Outcome == NoData):
				note(s.Name, s.Zone, a.TTL)
			}
		}
	}
	if !found || !given && other {
		return Denial{}, false
	}
	if _, _, whole := o.denial(); !given && !whole {
		return Denial{}, false // the rest is silence
	}
	d.Aliases = o.way(d.Owner)
	return d, true
}

// leadsToSilence returns the way on which no server says anything, if an alias leads
// there beside another way.
func (o *Observation) leadsToSilence() (Denial, bool) {
	for _, s := range o.Steps {
		if s.isSilent() && o.Cut == "" && len(o.Published()) > 0 && o.share(s.Name) != "" {
			return Denial{Host: o.Host, Zone: s.Zone, Owner: s.Name, Aliases: o.way(s.Name), FirstSeen: o.At, LastSeen: o.At}, true
		}
	}
	return Denial{}, false
}

// again joins a denial with another look that saw one.
func (d Denial) again(seen Denial) Denial {
	switch apart := d.LastSeen.Sub(seen.LastSeen); {
	case apart > skew: // remembered by a clock that was ahead
	case apart > 0, apart == 0 && d.compare(seen) > 0:
		d, seen = seen, d
	}
	if seen.Turns == nil {
		seen.Turns = d.turned(seen.LastSeen)
	}
	seen.Until = later(seen.Until, d.Until)
	read := seen.LastSeen // until then caches could read the other one
	if d.Gone.IsZero() || !d.Gone.Before(read) {
		seen.FirstSeen = earlier(d.FirstSeen, seen.FirstSeen)
	} else {
		read = d.Gone
	}
	seen.Until = later(seen.Until, read.Add(d.lasts(seen.follows)))
	if !seen.Until.After(seen.LastSeen.Add(Cached(seen.TTL))) {
		seen.Until = time.Time{} // the present one lasts as long
	}
	return seen
}

// follows tells whether an alias is one of the denial's.
func (d Denial) follows(l Link) bool {
	return slices.ContainsFunc(d.Aliases, func(a Link) bool { return a.Owner == l.Owner && a.Value == l.Value })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (d Denial) compare(o Denial) int {
	return cmp.Or(cmp.Compare(d.TTL, o.TTL), cmp.Compare(d.Owner, o.Owner), cmp.Compare(d.Zone, o.Zone))
}

// given notes that a look did not see the denial. Silence ends nothing.
func (d Denial) given(o Observation) Denial {
	if d.LastSeen.Sub(o.At) > skew || d.Gone.Sub(o.At) > skew {
		d.LastSeen, d.Gone = o.At, o.At // remembered by a clock that was ahead
	}
	ended := o.answered(d.Type)
	if d.Type == "" {
		s, looked := o.step(d.Owner)
		if looked && !s.isSilent() {
			d.Turns = nil // it answers again
		}
		ended = !looked || !s.isSilent()
	}
	if d.Gone.IsZero() && o.At.After(d.LastSeen) && ended {
		d.Gone = o.At
	}
	return d
}

// way returns the aliases that lead from the host to a name, the first way found.
func (o *Observation) way(to string) []Link {
	ways := map[string][]Link{o.Host: nil}
	for _, s := range o.Steps { // in the order in which they lead on
		before, reached := ways[s.Name]
		for _, p := range s.links() {
			if _, known := ways[p.Value]; reached && !known && p.Type == "CNAME" {
				ways[p.Value] = append(slices.Clip(before), p.Link)
			}
		}
	}
	return ways[to]
}

// deniedNow is until when caches may deny the name if it is mended now: longer than
// by what is denied now, if it was denied with a longer TTL before.
func (c *Case) deniedNow(now time.Time, ttl uint32) time.Time {
	end := now.Add(Cached(ttl))
	for _, d := range c.Denied {
		if d.Until.After(end) {
			end = d.Until
		}
	}
	return end
}

// judgeMended reports a name that authority gives again, and caches may still deny.
func judgeMended(now time.Time, c *Case) *finding.Finding {
	var last Denial
	var end time.Time
	var types []string
	for _, d := range c.Denied {
		clear, gone := d.ClearBy(c.Observed)
		if d.Type == "" || !gone || !clear.After(now) || !c.Observed.givenByAll(d.Type) || c.leadsAstray() {
			continue
		}
		types = append(types, string(d.Type))
		if clear.After(end) {
			last, end = d, clear
		}
	}
	if len(types) == 0 {
		return nil
	}
	again := ""
	if slices.ContainsFunc(c.Seen, func(s Sighting) bool { return s.FirstSeen.Before(last.FirstSeen) }) {
		again = " again"
	}
	return &finding.Finding{
		Code: finding.DNSDraining, Severity: finding.Info,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("%s has an address%s; caches may deny it for another %s", c.Observed.Host, again, finding.Span(end.Sub(now))),
		Expected: finding.List(types, 2) + ", as the zone's servers give it now",
		Observed: fmt.Sprintf("%s was denied until %s, and is there since %s or before", last.Owner, finding.Clock(last.LastSeen, now), finding.Clock(last.Gone, now)),
		Hint:     "wait until " + finding.Clock(end, now) + ", or flush the name where you can",
		SeenAt:   c.Observed.speakers(),
		Record:   &finding.Record{Zone: last.Zone, Owner: last.Owner, Type: types[0], TTL: last.TTL},
		ClearBy:  end,
	}
}
