package dnscheck

import (
	"net/netip"
	"slices"
	"time"
)

// Turn is one sign that the addresses of a host take turns: this one came back after
// it had been gone, or servers gave it in one answer of a look and not in another.
type Turn struct {
	At time.Time `json:"at"`
	// Absent is how long the address had not been seen; 0 if it was in the same look.
	Absent time.Duration `json:"absent_ns,omitempty"`
}

// Addresses of a family take turns if two of them came back twice within a window, and
// the last time no longer ago than that; one is enough if it alone comes and goes. The
// window is the time for which an address then counts as published after it was last
// seen. It is leastWindow, or where longer absences were seen absences times the
// longest, up to mostWindow: what is given to one client in ten stays away for many
// looks, and a verdict must not come and go with it.
//
// The price is paid after the fix: when a wrong address is taken out of a rotation, it
// counts as published for one window more, as nobody can tell that from a turn of the
// others. A record that people change is taken for a rotation only if the same wrong
// address is put back twice and the right one too, all within the window; then the end
// of that is seen up to one window late. Wrong, right, wrong, right is nothing, and
// neither is right, wrong, right, wrong, right. Whoever changes a wrong address into
// another wrong one puts none back.
//
// A rotation that never shows one address twice within an hour is not found: one of
// hundreds of addresses, or one that is looked at every few minutes only.
const (
	leastWindow = 10 * time.Minute
	mostWindow  = time.Hour
	absences    = 6
	// maxTurns are kept of one address.
	maxTurns = 2
)

// rotation is the window of a family at a moment, 0 if its addresses do not take
// turns.
func rotation(seen []Sighting, t Type, at time.Time) time.Duration {
	window := leastWindow
	for i := range seen {
		s := &seen[i]
		for _, turn := range s.Turns {
			if typeFor(s.Address) == t && at.Sub(turn.At) <= mostWindow {
				window = max(window, min(absences*turn.Absent, mostWindow))
			}
		}
	}
	twice, others := 0, 0
	for i := range seen {
		s := &seen[i]
		switch n := len(s.Turns); {
		case typeFor(s.Address) != t:
		case n == maxTurns && s.Turns[n-1].At.Sub(s.Turns[0].At) <= window && at.Sub(s.Turns[n-1].At) <= window:
			twice++
		case n > 0 || s.wentAway(at):
			others++
		}
	}
	if twice > 1 || twice == 1 && others == 0 {
		return window
	}
	return 0
}

// wentAway tells whether the address was seen in the last hour, and then not.
func (s *Sighting) wentAway(at time.Time) bool {
	return !s.Gone.IsZero() && at.Sub(s.LastSeen) <= mostWindow
}

// Published returns the addresses that clients can be given, sorted: what the servers
// gave in the look o, and where addresses of a family take turns those that they gave
// a short while before. seen are the host's sightings, with those of o or without.
func Published(o Observation, seen []Sighting) []netip.Addr {
	all := o.Published()
	for _, t := range []Type{A, AAAA} {
		window := rotation(seen, t, o.At)
		if window == 0 || !slices.ContainsFunc(all, func(a netip.Addr) bool { return typeFor(a) == t }) {
			continue // what is denied, or not answered, does not take turns
		}
		for _, s := range seen {
			if typeFor(s.Address) == t && s.isRecent(o.At, window) && len(o.gaveIt(s)) > 0 && !slices.Contains(all, s.Address) {
				all = append(all, s.Address)
			}
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// TakesTurns tells whether an address is one of those that the servers give by turns.
func TakesTurns(o Observation, seen []Sighting, addr netip.Addr) bool {
	rotates := slices.ContainsFunc(o.Steps, func(s Step) bool { return s.Rotates })
	return rotation(seen, typeFor(addr), o.At) > 0 || rotates && o.gaveByTurns(o.paths()[addr])
}

// isRecent tells whether the address was given within the window.
func (s Sighting) isRecent(at time.Time, window time.Duration) bool {
	return at.Sub(s.LastSeen) <= window
}

// gaveIt are the servers that gave an address which this look does not show: those
// that were noted, or else all that the same name has now.
func (o *Observation) gaveIt(s Sighting) []string {
	if len(s.Servers) > 0 || len(s.Path) == 0 {
		return s.Servers
	}
	step, _ := o.step(s.Path[len(s.Path)-1].Owner)
	return step.asking()
}

// gaveByTurns tells whether a record of the path stood in one answer of this look and
// not in another of the same step, where a server was seen to rotate.
func (o *Observation) gaveByTurns(path []Link) bool {
	return slices.ContainsFunc(path, func(l Link) bool {
		step, _ := o.step(l.Owner)
		return step.Rotates && slices.ContainsFunc(step.Answers, func(a Answer) bool {
			return a.hasData() && (l.Type == "CNAME" || string(a.Type) == l.Type) && !a.gives(l)
		})
	})
}

// gives tells whether an answer holds the record, with whatever TTL.
func (a Answer) gives(l Link) bool {
	switch {
	case l.Type == "CNAME":
		return a.Outcome == Alias && a.Target == l.Value
	case a.Outcome != OK || string(a.Type) != l.Type:
		return false
	}
	return slices.ContainsFunc(a.Addresses, func(ip netip.Addr) bool { return ip.String() == l.Value })
}

// turned brings a sighting's turns up to date with one look that has the address.
// before is when it was last seen; gone is zero if it was not away since.
func (s *Sighting) turned(o Observation, before, gone time.Time) {
	absent := o.At.Sub(before)
	back := !gone.IsZero() && gone.Before(o.At) && absent <= mostWindow
	switch {
	case back:
	case o.gaveByTurns(s.Path):
		absent = 0
	default:
		return
	}
	n := len(s.Turns)
	if n > 0 && !s.Turns[n-1].At.Before(o.At) {
		return // of one moment one turn
	}
	s.Turns = append(slices.Clip(s.Turns[max(0, n+1-maxTurns):]), Turn{At: o.At, Absent: absent})
}

// placed notes who gave each address of this look, and who gave it before and is silent
// now, as long as the addresses of its family change or not all servers give it: other
// hosts have no use for it. Old turns are dropped.
func placed(all []Sighting, o Observation, paths map[netip.Addr][]Link) {
	change := map[Type]bool{}
	for i := range all {
		s := &all[i]
		for len(s.Turns) > 0 && o.At.Sub(s.Turns[0].At) > mostWindow {
			s.Turns = s.Turns[1:]
		}
		if len(s.Turns) == 0 {
			s.Turns = nil
		}
		if s.Turns != nil || s.wentAway(o.At) {
			change[typeFor(s.Address)] = true
		}
	}
	for i := range all {
		s := &all[i]
		_, given := paths[s.Address]
		change := change[typeFor(s.Address)]
		switch {
		case given && !s.LastSeen.After(o.At):
			s.giveAt(o, change)
		case !given && !s.Gone.IsZero() && !change:
			s.Zone, s.Servers = "", nil
		}
	}
}

// giveAt notes who gave an address of this look.
func (s *Sighting) giveAt(o Observation, change bool) {
	p := o.where(s.Address)
	gave := slices.Clone(p.servers)
	if s.FirstSeen.Before(o.At) {
		gave = append(gave, p.step.withholding(typeFor(s.Address), s.Servers)...)
	}
	slices.Sort(gave)
	gave = slices.Compact(gave)
	if len(gave) == p.asked && !change && len(p.step.Beside) == 0 {
		s.Zone, s.Servers = "", nil
		return
	}
	s.Zone, s.Servers = p.step.Zone, gave[:min(len(gave), maxGivers)]
}
