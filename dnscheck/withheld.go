package dnscheck

import "slices"

// withheld are the servers, sorted, that gave an address when it was last seen, or an
// alias that led to it, and still serve that name, but do not speak in this look. None if
// it was seen to be gone. A server that neither the delegation nor the zone names any more
// withholds nothing, and after a week of silence (keep) the sighting is forgotten.
func (o *Observation) withheld(s Sighting) []string {
	_, servers := o.holding(s)
	return servers
}

// holding is withheld, with the place of the record in the path that they gave. What the
// way to the address does not lead to any more, as every server says, nobody can give.
func (o *Observation) holding(s Sighting) (link int, servers []string) {
	if !s.Gone.IsZero() {
		return 0, nil
	}
	for i := len(s.Path) - 1; i >= 0; i-- {
		l := s.Path[i]
		step, looked := o.step(l.Owner)
		if !looked {
			continue
		}
		if silent := step.withholding(typeFor(s.Address), s.gave(i)); len(silent) > 0 {
			return i, silent
		}
		if !o.publishes(l) {
			break
		}
	}
	return 0, nil
}

// gave are the servers that gave a record of the path when it was last seen; none if all
// did.
func (s Sighting) gave(link int) []string {
	switch {
	case link == len(s.Path)-1:
		return s.Servers
	case link < len(s.Ways):
		return s.Ways[link]
	}
	return nil
}

// held notes that of those who gave a record of the path only the silent ones are left.
func (s *Sighting) held(o Observation, link int, silent []string) {
	silent = silent[:min(len(silent), maxGivers)]
	if link == len(s.Path)-1 {
		s.Zone, s.Servers = o.zoneOf(*s), silent
		return
	}
	ways := make([][]string, len(s.Path)-1)
	copy(ways, s.Ways)
	ways[link] = silent
	s.Ways = ways
}

// ways are who gave the aliases of a path, in this look or before it (was), if they are
// silent now; nil if all servers gave all of them.
func (o *Observation) ways(path []Link, was Sighting) [][]string {
	last := len(path) - 1
	ways := make([][]string, max(0, last))
	partly := false
	for i, l := range path[:max(0, last)] {
		step, _ := o.step(l.Owner)
		var gave []string
		for _, a := range step.Answers {
			if a.gives(l) {
				gave = append(gave, a.Server.String())
			}
		}
		if j := slices.IndexFunc(was.Path, func(p Link) bool { return p.Owner == l.Owner && p.Type == l.Type && p.Value == l.Value }); j >= 0 {
			gave = append(gave, step.withholding(Type(path[last].Type), was.gave(j))...)
		}
		slices.Sort(gave)
		if gave = slices.Compact(gave); len(gave) < step.asked() || len(step.Beside) > 0 {
			ways[i], partly = gave[:min(len(gave), maxGivers)], true
		}
	}
	if !partly {
		return nil
	}
	return ways
}

// zoneOf is the zone of the record for which a sighting is withheld, or else of its
// address.
func (o *Observation) zoneOf(s Sighting) string {
	link, silent := o.holding(s)
	if len(silent) == 0 {
		link = len(s.Path) - 1
	}
	step, _ := o.step(s.Path[link].Owner)
	return step.Zone
}

// withholding are those of the servers that gave a record who say nothing of its type
// now, sorted. None given means all that the delegation has.
func (s *Step) withholding(t Type, gave []string) []string {
	silent := s.silent(t)
	if len(gave) == 0 {
		return silent
	}
	for _, b := range s.Beside {
		if !slices.ContainsFunc(s.Answers, func(a Answer) bool { return a.Server == b }) {
			silent = append(silent, b.String())
		}
	}
	silent = slices.DeleteFunc(silent, func(server string) bool { return !slices.Contains(gave, server) })
	slices.Sort(silent)
	return slices.Compact(silent)
}

// silent are the servers of a step that say nothing of a type, sorted.
func (s *Step) silent(t Type) []string {
	spoke := map[Server]bool{}
	for _, a := range s.Answers {
		if a.Outcome == Alias || a.Outcome == NoName || a.Outcome.Speaks() && a.Type == t {
			spoke[a.Server] = true
		}
	}
	var names []string
	for _, a := range s.Answers {
		if !spoke[a.Server] {
			names = append(names, a.Server.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
