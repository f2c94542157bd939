package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"driftprobe/finding"
)

// judgeNames compares the NS records of the two sides (RFC 1034 §4.2.2, Zonemaster
// DELEGATION07). A name counts as missing on a side only if all who spoke for that
// side leave it out.
func (v zoneView) judgeNames() []finding.Finding {
	if len(v.above) == 0 || len(v.below) == 0 || v.clipped() {
		return nil
	}
	var onlyAbove, onlyBelow []string
	for _, name := range v.above {
		if _, below := v.sides(name); !below {
			onlyAbove = append(onlyAbove, name)
		}
	}
	for _, name := range v.below[0].NS {
		everywhere := !slices.ContainsFunc(v.below, func(s ZoneServer) bool { return !slices.Contains(s.NS, name) })
		if everywhere && !slices.Contains(v.above, name) {
			onlyBelow = append(onlyBelow, name)
		}
	}
	if len(onlyAbove)+len(onlyBelow) == 0 {
		return nil
	}
	f := v.mismatch("")
	var differ, hints []string
	if len(onlyAbove) > 0 {
		differ = append(differ, fmt.Sprintf("only %s names %s", v.Parent, finding.List(onlyAbove, maxListed)))
		hints = append(hints, v.hintsAbove(onlyAbove)...)
	}
	if len(onlyBelow) > 0 {
		differ = append(differ, fmt.Sprintf("only the zone itself names %s", finding.List(onlyBelow, maxListed)))
		hints = append(hints, v.hintsBelow(onlyBelow)...)
	}
	f.Summary = fmt.Sprintf("the delegation of %s does not match the zone: %s", v.Zone, strings.Join(differ, ", "))
	f.Expected = "the same name servers in the delegation and in the zone"
	f.Observed = fmt.Sprintf("%s hands down %s; the zone has %s%s", v.Parent, finding.List(v.above, maxListed), v.belowText(), v.states(slices.Concat(onlyAbove, onlyBelow)))
	f.Hint = strings.Join(hints, "; ")
	f.SeenAt = slices.Concat(
		serverTexts(v.delegates, func(h Handed) Server { return h.Server }),
		serverTexts(v.below, func(s ZoneServer) Server { return s.Server }),
	)
	slices.Sort(f.SeenAt)
	f.SeenAt = slices.Compact(f.SeenAt)
	return []finding.Finding{f}
}

// clipped tells whether one side may have more names than were kept.
func (v zoneView) clipped() bool {
	return len(v.above) >= nameLimit || slices.ContainsFunc(v.below, func(s ZoneServer) bool { return len(s.NS) >= nameLimit })
}

// hintsAbove say what to do with names that only the parent has: who serves the zone
// belongs into it, who does not, out of the delegation.
func (v zoneView) hintsAbove(names []string) (hints []string) {
	serving, failing := v.parted(names)
	if len(failing) > 0 {
		hints = append(hints, fmt.Sprintf("take %s out of the delegation of %s (at the registrar, or in the zone %s)", finding.List(failing, maxListed), v.Zone, v.Parent))
	}
	if len(serving) > 0 {
		hints = append(hints, fmt.Sprintf("add %s to the NS records of the zone %s, or take it out of the delegation (at the registrar, or in the zone %s)", finding.List(serving, maxListed), v.Zone, v.Parent))
	}
	return hints
}

// hintsBelow say what to do with names that only the zone has. More of them in the
// delegation would send more clients to a copy of the zone that is not kept up.
func (v zoneView) hintsBelow(names []string) (hints []string) {
	serving, failing := v.parted(names)
	var others []string
	serving = slices.DeleteFunc(serving, func(name string) bool {
		if v.otherCopy(name) {
			others = append(others, name)
			return true
		}
		return false
	})
	if len(serving) > 0 {
		hints = append(hints, fmt.Sprintf("add %s to the delegation of %s (at the registrar, or in the zone %s), or take it out of the NS records of the zone", finding.List(serving, maxListed), v.Zone, v.Parent))
	}
	if len(others) > 0 {
		hints = append(hints, fmt.Sprintf("take %s out of the NS records of the zone %s: it has other data, as its SOA record tells", finding.List(others, maxListed), v.Zone))
	}
	if len(failing) > 0 {
		hints = append(hints, fmt.Sprintf("take %s out of the NS records of the zone %s", finding.List(failing, maxListed), v.Zone))
	}
	return hints
}

// otherCopy tells whether servers of a name have another copy of the zone than those
// that the parent names: made by another primary, or older.
func (v zoneView) otherCopy(name string) bool {
	for _, s := range v.addressesOf(name) {
		for _, t := range v.Servers {
			if s.Outcome == OK && t.Outcome == OK && slices.Contains(v.above, t.Server.Name) && (s.Primary != t.Primary || newer(t.Serial, s.Serial)) {
				return true
			}
		}
	}
	return false
}

// parted are the names that lead to a server that has the zone, and the others.
func (v zoneView) parted(names []string) (serving, failing []string) {
	for _, name := range names {
		if v.serving(name) {
			serving = append(serving, name)
		} else {
			failing = append(failing, name)
		}
	}
	return serving, failing
}

// serving tells whether a name leads to a server that has the zone, or whether
// nothing speaks against it.
func (v zoneView) serving(name string) bool {
	at := v.addressesOf(name)
	return v.name(name).Missing == "" && (len(at) == 0 || !slices.ContainsFunc(at, ZoneServer.fails) ||
		slices.ContainsFunc(at, func(s ZoneServer) bool { return s.Outcome == OK }))
}

// states say what became of those among the names that do not serve the zone.
func (v zoneView) states(names []string) string {
	var text string
	for _, name := range names {
		if missing := v.name(name).Missing; missing != "" {
			text += "; " + missing
		}
		for _, s := range v.addressesOf(name) {
			if s.fails() {
				text += fmt.Sprintf("; %s does not serve the zone: %s", s.Server, s.misbehaviour())
			}
		}
	}
	return text
}

func (s ZoneServer) misbehaviour() string {
	return Answer{Outcome: s.Outcome, Detail: s.Detail}.misbehaviour()
}

// belowText says what the zone's servers name.
func (v zoneView) belowText() string {
	said := v.nsSets()
	if len(said) == 1 {
		return finding.List(v.below[0].NS, maxListed)
	}
	return onServers(said)
}

// nsSets groups the zone's servers by the names that they give.
func (v zoneView) nsSets() map[string][]string {
	said := map[string][]string{}
	for _, s := range v.below {
		what := finding.List(s.NS, nameLimit)
		said[what] = append(said[what], s.Server.String())
	}
	return said
}

// judgeGlue compares the parent's addresses for servers inside the zone with the
// zone's own (RFC 9471, Zonemaster CONSISTENCY05).
//
// It is a warning also where the address of the glue does not serve the zone: as
// with any dead server, resolvers go on to another one. Where all of them lead
// nowhere the zone's own addresses cannot be read, and Judge tells that the names
// cannot be resolved.
func (v zoneView) judgeGlue() []finding.Finding {
	var fs []finding.Finding
	for _, n := range v.Names {
		glue, ok := v.glueOf(n.Name)
		own, known := n.own()
		if !ok || n.Alias != "" || len(glue) >= glueLimit {
			continue
		}
		var stale, absent []netip.Addr
		for _, a := range glue {
			if known[typeFor(a)] && !slices.Contains(own, a) {
				stale = append(stale, a)
			}
		}
		for _, a := range own {
			if !slices.Contains(glue, a) {
				absent = append(absent, a)
			}
		}
		if len(stale) > 0 || len(absent) > 0 && len(own) < glueLimit {
			fs = append(fs, v.glueMismatch(n, glue, own, stale))
		}
	}
	return fs
}

// glueOf are the addresses that all of the parent's servers give for a name; ok is
// false if they do not agree, or do not name it.
func (v zoneView) glueOf(name string) (glue []netip.Addr, ok bool) {
	if v.above == nil {
		return nil, false
	}
	for i, h := range v.delegates {
		at := slices.IndexFunc(h.Glue, func(g Glue) bool { return g.Name == name })
		if at < 0 || i > 0 && !slices.Equal(glue, h.Glue[at].Addresses) {
			return nil, false
		}
		glue = h.Glue[at].Addresses
	}
	return glue, true
}

// own are the addresses that the zone gives for the name, and for which types it
// gave any answer. What its servers disagree about is not known.
func (n ServerName) own() (addrs []netip.Addr, known map[Type]bool) {
	known = map[Type]bool{}
	first := map[Type]Answer{}
	differ := map[Type]bool{}
	for _, a := range n.Own {
		if !a.Outcome.Speaks() {
			continue
		}
		if b, again := first[a.Type]; again && !sameData(&a, &b) {
			differ[a.Type] = true
		}
		first[a.Type], known[a.Type] = a, true
	}
	for _, t := range []Type{A, AAAA} {
		if known[t] = known[t] && !differ[t]; known[t] {
			addrs = append(addrs, first[t].Addresses...)
		}
	}
	return addrs, known
}

func (v zoneView) glueMismatch(n ServerName, glue, own, stale []netip.Addr) finding.Finding {
	f := v.mismatch(n.Name)
	f.Summary = fmt.Sprintf("the glue for %s at %s is %s, but the zone %s has %s", n.Name, v.Parent, addrList(glue), v.Zone, addrList(own))
	f.Expected = addrList(own)
	f.Observed = "glue " + addrList(glue)
	f.Hint = fmt.Sprintf("set the glue for %s to %s (at the registrar, or in the zone %s)", n.Name, addrList(own), v.Parent)
	f.SeenAt = serverTexts(v.delegates, func(h Handed) Server { return h.Server })
	if len(own) == 0 {
		f.Hint = fmt.Sprintf("give %s an address record in the zone %s", n.Name, v.Zone)
	}
	switch {
	case len(stale) > 0:
	case len(glue) == 0:
		f.Summary = fmt.Sprintf("%s has no glue for %s, which lies in %s", v.Parent, n.Name, v.Zone)
		f.Observed = "no glue"
	default: // resolvers find the rest when they have reached the zone
		f.Severity = finding.Info
	}
	for _, a := range stale {
		if s, asked := v.serverAt(a); asked && s.fails() {
			f.Observed += fmt.Sprintf("; %s does not serve the zone: %s", a, s.misbehaviour())
		}
	}
	return f
}
