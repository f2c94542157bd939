package dnscheck

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"driftprobe/finding"
)

// lag is what the serials say about servers of one zone that disagree.
type lag struct {
	// known tells whether each server that speaks said which serial it has.
	known bool
	// explains is set if older copies of the zone are all that differ: every server
	// with the newest serial says the same, and each that says something else has an
	// older one. Those are behind.
	explains bool
	newest   uint32
	behind   []copyOf
	// copies are all servers that speak, ordered by name; primaries how many primary
	// servers their SOA records name.
	copies    []copyOf
	primaries int
}

// copyOf is one server's copy of a zone.
type copyOf struct {
	server  string
	said    map[Type]string
	serial  uint32
	primary string
}

// newer compares serials as RFC 1982 section 3.2 has it. Of two that lie 2^31 apart
// neither is newer.
func newer(a, b uint32) bool { return a != b && a-b < 1<<31 }

// lag compares the copies of the zone that speak of a step.
func (s *Step) lag() lag {
	l := lag{known: true, explains: true, copies: s.copies()}
	primaries := map[string]bool{}
	for i, c := range l.copies {
		l.known = l.known && c.serial != 0
		primaries[c.primary] = true
		if i == 0 || newer(c.serial, l.newest) {
			l.newest = c.serial
		}
	}
	l.primaries = len(primaries)
	right := copyOf{said: map[Type]string{}}
	for _, c := range l.copies {
		if c.serial == l.newest {
			l.explains = l.explains && !c.contradicts(right)
			maps.Copy(right.said, c.said)
		}
	}
	for _, c := range l.copies {
		if c.contradicts(right) {
			l.explains = l.explains && newer(l.newest, c.serial)
			l.behind = append(l.behind, c)
		}
	}
	l.explains = l.explains && l.known && l.primaries == 1 && len(l.behind) > 0
	return l
}

// contradicts tells whether both speak of a type and say different things.
func (c copyOf) contradicts(d copyOf) bool {
	for t, what := range c.said {
		if other, speaks := d.said[t]; speaks && other != what {
			return true
		}
	}
	return false
}

// copies are the servers that speak of both types, with what they say.
func (s *Step) copies() []copyOf {
	of := map[string]*copyOf{}
	for _, t := range []Type{A, AAAA} {
		for what, servers := range s.said(t) {
			for _, server := range servers {
				if of[server] == nil {
					of[server] = &copyOf{server: server, said: map[Type]string{}}
				}
				of[server].said[t] = max(of[server].said[t], what) // of two things one, always the same
			}
		}
	}
	var all []copyOf
	for _, a := range s.Answers {
		c := of[a.Server.String()]
		if c == nil || !a.Outcome.Speaks() {
			continue
		}
		c.serial, c.primary = max(c.serial, a.Serial), max(c.primary, a.Primary)
	}
	for _, c := range of {
		all = append(all, *c)
	}
	slices.SortStableFunc(all, func(a, b copyOf) int { return cmp.Compare(a.server, b.server) })
	return all
}

// why says what the serials tell about the disagreement, and what to do. Both are
// the text for servers whose serials are not known if there is nothing to tell.
func (l lag) why(zone string) (text, hint string) {
	switch {
	case l.explains:
		return l.laggards(zone)
	case l.known && l.primaries > 1:
		return "; their SOA records name different primary servers: " + l.list(func(c copyOf) string { return c.primary }),
			fmt.Sprintf("these are copies of %s that are kept apart: make the change in each of them", zone)
	case l.known && !slices.ContainsFunc(l.copies, func(c copyOf) bool { return c.serial != l.newest }):
		return fmt.Sprintf("; all of them have serial %d", l.newest),
			"the serial is the same, so this is no matter of zone transfer: look for copies of the zone that are built apart, for a split view, or for a provider whose servers make their own answers"
	case l.known:
		return "; the serials are " + l.list(func(c copyOf) string { return fmt.Sprint(c.serial) }),
			"the serials do not explain it: look at how each server comes by its copy of the zone"
	}
	return "", "compare the zone's serial on each server and mend the transfer to the one that lags"
}

// Lagging are the servers that give an address, if all of them give it because their
// copy of the zone is older than that of others which do not: then the record is
// corrected already, and what is to be mended is the transfer. Otherwise nil.
func (o *Observation) Lagging(addr netip.Addr) []string {
	at := o.where(addr)
	l := at.step.lag()
	if !l.explains {
		return nil
	}
	for _, server := range at.servers {
		if !slices.ContainsFunc(l.behind, func(c copyOf) bool { return c.server == server }) {
			return nil
		}
	}
	return at.servers
}

// laggards names the servers that are behind, and one that is not.
func (l lag) laggards(zone string) (text, hint string) {
	at := slices.IndexFunc(l.copies, func(c copyOf) bool { return c.serial == l.newest })
	var names, words []string
	for _, c := range l.behind {
		names = append(names, c.server)
		words = append(words, fmt.Sprintf("%s lags: it has serial %d", c.server, c.serial))
	}
	text = fmt.Sprintf("; %s, %s has %d", finding.List(words, maxServers), l.copies[at].server, l.newest)
	hint = fmt.Sprintf("mend the transfer of %s to %s: newer data than it has are on the other servers", zone, finding.List(names, maxServers))
	return text, hint
}

// list writes which servers have which value.
func (l lag) list(value func(copyOf) string) string {
	by := map[string][]string{}
	for _, c := range l.copies {
		by[value(c)] = append(by[value(c)], c.server)
	}
	var parts []string
	for v, servers := range by {
		parts = append(parts, v+" on "+finding.List(servers, maxServers))
	}
	slices.Sort(parts)
	return strings.Join(parts[:min(maxGroups, len(parts))], "; ")
}
