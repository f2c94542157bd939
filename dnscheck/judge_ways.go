package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
)

// judgeWays reports what fails beside the addresses that are published: each name to
// which an alias leads some of the clients and which has no address, and each type
// that no server answers about.
func judgeWays(now time.Time, c *Case) []finding.Finding {
	var fs []finding.Finding
	told := map[string]bool{}
	for i := range c.Observed.Steps {
		s := &c.Observed.Steps[i]
		if t := s.ignores(); t != "" {
			fs = append(fs, unanswered(c, s, t))
			continue
		}
		share := c.Observed.share(s.Name)
		if share == "" || s.givesData() {
			continue
		}
		four, _ := s.answers(A)
		six, _ := s.answers(AAAA)
		switch d, denied := s.denial(); {
		case denied && four && six:
			fs = append(fs, *deadWay(now, c, s, d, share))
			told[s.Name] = true
		case s.isSilent() && c.Observed.Cut == "":
			fs = append(fs, silentWay(c, s, share))
			told[s.Name] = true
		}
	}
	for _, d := range c.Denied {
		if told[d.Owner] || !d.byTurns(c.Observed.At) {
			continue
		}
		told[d.Owner] = true
		const share = "servers give the alias that leads there by turns"
		s := &Step{Name: d.Owner, Zone: d.Zone}
		if d.Type == "" {
			s.Failure.Text = "no usable answer at " + finding.Clock(d.LastSeen, now)
			fs = append(fs, silentWay(c, s, share))
			continue
		}
		text := fmt.Sprintf("%s was denied at %s, by turns", d.Owner, finding.Clock(d.LastSeen, now))
		fs = append(fs, *deadWay(now, c, s, denial{text, d.Zone, d.TTL}, share))
	}
	return fs
}

// leadsAstray tells whether some clients are told now that the name has no address,
// while others get one.
func (c *Case) leadsAstray() bool {
	if slices.ContainsFunc(c.Denied, func(d Denial) bool { return d.Type != "" && d.byTurns(c.Observed.At) }) {
		return true
	}
	return slices.ContainsFunc(c.Observed.Steps, func(s Step) bool {
		_, denied := s.denial()
		return denied && !s.givesData() && c.Observed.share(s.Name) != ""
	})
}

// isSilent tells whether no server of the step says anything of either type.
func (s *Step) isSilent() bool {
	four, _ := s.answers(A)
	six, _ := s.answers(AAAA)
	_, denied := s.denial()
	return !four && !six && !denied
}

// answered tells whether authority says what it publishes of a type, also on the ways
// that this look has missed because servers give them by turns.
func (c *Case) answered(t Type) bool {
	return c.Observed.answered(t) && !slices.ContainsFunc(c.Denied, func(d Denial) bool { return d.Type == "" && d.byTurns(c.Observed.At) })
}

// givesData tells whether a server gives an address or an alias.
func (s *Step) givesData() bool { return anyOf(s.Answers, (*Answer).hasData) }

// ignores is the type about which no server of the step answers, although it has data
// of the other: "" if there is none (RFC 4074 section 4 knows of both silence and
// errors).
func (s *Step) ignores() Type {
	for _, t := range []Type{A, AAAA} {
		asked, speaks, denies := false, false, false
		for i := range s.Answers {
			a := &s.Answers[i]
			asked = asked || a.Type == t
			speaks = speaks || a.Type == t && a.Outcome.Speaks()
			denies = denies || a.Outcome == NoName
		}
		if asked && !speaks && !denies && s.givesData() {
			return t
		}
	}
	return ""
}

// share says which part of the servers leads to a name; "" if none does.
func (o *Observation) share(name string) string {
	for i := range o.Steps {
		s := &o.Steps[i]
		var servers []string
		turns := s.Rotates
		for k := range s.Answers {
			if a := &s.Answers[k]; a.Outcome == Alias && a.Target == name {
				servers = append(servers, a.Server.String())
			}
		}
		if len(servers) == 0 {
			continue
		}
		slices.Sort(servers)
		servers = slices.Compact(servers)
		turns = turns || slices.ContainsFunc(s.Answers, func(a Answer) bool {
			return a.hasData() && a.Target != name && slices.Contains(servers, a.Server.String())
		})
		text := fmt.Sprintf("%d of %d servers of %s lead there from %s", len(servers), s.asked(), s.Zone, s.Name)
		if turns {
			text += ", by turns"
		}
		return text
	}
	return ""
}

// deadWay words a denial that meets only some of the clients.
func deadWay(now time.Time, c *Case, s *Step, d denial, share string) *finding.Finding {
	f := absence(now, c, *s, d)
	f.Severity = finding.Warning
	f.Subject.Name = s.Name
	f.Record.Values = nil // the alias may be what is wrong: the hint names both ways out
	f.Summary = fmt.Sprintf("%s leads some clients to %s, which has no address record", c.Observed.Host, s.Name)
	f.Observed += "; " + share
	if failing := c.denying(s.Name); len(failing) > 0 {
		f.Severity = finding.Critical
		f.Observed += "; no address from " + finding.List(failing, maxServers)
	}
	return f
}

// denying are the resolvers that find no address, or fail, and may have come to a name.
func (c *Case) denying(name string) []string {
	var names []string
	for _, r := range c.Observed.Resolvers {
		last := len(r.Chain) - 1
		given := slices.ContainsFunc(c.Published, func(a netip.Addr) bool { return typeFor(a) == r.Type })
		switch {
		case r.Bogus || last >= 0 && r.Chain[last].Owner != name:
		case r.Outcome == NoName, r.Outcome == NoData && given, r.Outcome == Failed:
			names = append(names, resolverName(r.Resolver))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// silentWay is a name to which an alias leads, and about which no server answers. It is
// unknown, as for a host: see unresolvable.
func silentWay(c *Case, s *Step, share string) finding.Finding {
	f := finding.Finding{
		Code: finding.DNSUnresolvable, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: c.Observed.Host, Name: s.Name},
		Summary:  fmt.Sprintf("%s leads some clients to %s, about which no authoritative server gave a usable answer", c.Observed.Host, s.Name),
		Expected: "an authoritative answer from at least one server",
		Observed: s.silence() + "; " + share,
		Hint:     "mend the servers of that name's zone",
		SeenAt:   s.asking(),
	}
	if ways := c.Observed.leading(s.Name); len(ways) > 0 {
		f.Hint = "if this is the wrong name, correct the alias that leads to it: " + recordText(ways[0]) + "; otherwise mend the servers of its zone"
	}
	c.failing(&f, A, AAAA)
	return f
}

// unanswered is a type about which no server of a step answers, beside the other that
// they give. Whose fault it is stays open, as all of them may be behind one thing that
// drops such questions; that the servers be taken out of the delegation is no advice.
func unanswered(c *Case, s *Step, t Type) finding.Finding {
	asked := *s
	asked.Answers = slices.DeleteFunc(slices.Clone(s.Answers), func(a Answer) bool { return a.Type != t })
	f := finding.Finding{
		Code: finding.DNSUnresolvable, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: c.Observed.Host, Name: s.Name},
		Summary:  fmt.Sprintf("no authoritative server of %s answers the question for %s %s, although they give its other records", s.Zone, s.Name, t),
		Expected: "the addresses, or an empty answer (RFC 4074)",
		Observed: asked.silence(),
		Hint:     fmt.Sprintf("mend what answers %s questions on all these servers, or what stands before them; clients that wait for both types fail or are slow", t),
		SeenAt:   asked.asking(),
	}
	c.failing(&f, t)
	return f
}

// failing makes a finding critical if resolvers fail for one of the types too.
func (c *Case) failing(f *finding.Finding, types ...Type) {
	var names []string
	for _, r := range c.Observed.Resolvers {
		if r.Outcome == Failed && !r.Bogus && slices.Contains(types, r.Type) {
			names = append(names, resolverName(r.Resolver))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		f.Severity = finding.Critical
		f.Observed += "; SERVFAIL from " + finding.List(slices.Compact(names), maxServers)
	}
}
