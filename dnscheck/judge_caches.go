package dnscheck

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
)

// grace is how far a measured cache may outlive the computed end before it is
// said to ignore TTLs: our looks are not continuous, and TTLs are whole seconds.
const grace = time.Minute

// judgeCaches reports what authority publishes no more but caches may still hold:
// computed from the history, and measured at the resolvers.
func judgeCaches(now time.Time, c *Case) []finding.Finding {
	fs := append(judgeResolvers(c), judgeDenials(now, c)...)
	for _, f := range []*finding.Finding{judgeBogus(c), judgeMended(now, c)} {
		if f != nil {
			fs = append(fs, *f)
		}
	}
	if !c.Expected.Known {
		return fs
	}
	published := c.Published
	clear := map[netip.Addr]time.Time{}
	if ways := c.Observed.formerWays(now); ways != nil {
		for _, addr := range slices.SortedFunc(maps.Keys(ways), netip.Addr.Compare) {
			if c.dropped(addr, published) && len(clear) < maxUnexpected {
				clear[addr] = ways[addr].end
				fs = append(fs, formerly(now, c, addr, ways[addr]))
			}
		}
	}
	for _, s := range c.Seen {
		if !c.dropped(s.Address, published) {
			continue
		}
		if _, told := clear[s.Address]; told {
			continue
		}
		if silent := c.Observed.withheld(s); len(silent) > 0 {
			fs = append(fs, withheld(now, c, s, silent))
			continue
		}
		end, gone := s.ClearBy(c.Observed)
		clear[s.Address] = end
		if gone && end.After(now) {
			fs = append(fs, draining(now, c, s, end))
		}
	}
	told := 0
	for _, h := range Held(c.Observed, c.Seen) {
		if told == maxUnexpected || !c.dropped(h.Address, published) || !h.Until.After(now) && !h.Filtered && !h.overdue(clear[h.Address]) {
			continue
		}
		f, differs := c.differs(now, h, clear[h.Address])
		if !differs {
			f = cachedStale(now, c, h, clear[h.Address])
		}
		fs = append(fs, f)
		told++
	}
	return fs
}

// dropped tells whether authority publishes an address no more that it should not
// publish: a server that is silent now has dropped nothing.
func (c *Case) dropped(addr netip.Addr, published []netip.Addr) bool {
	return !slices.Contains(published, addr) && !c.accepts(addr) && c.answered(typeFor(addr))
}

func draining(now time.Time, c *Case, s Sighting, end time.Time) finding.Finding {
	f := finding.Finding{
		Code: finding.DNSDraining, Severity: finding.Info,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: s.Address.String()},
		Summary:  fmt.Sprintf("%s publishes %s no more; caches may give it for another %s", c.Observed.Host, s.Address, finding.Span(end.Sub(now))),
		Expected: expectedText(c.Expected, s.Address),
		Observed: fmt.Sprintf("%s was last seen on an authoritative server at %s, gone at %s", s.Address, finding.Clock(s.LastSeen, now), finding.Clock(cmp.Or(s.Gone, c.Observed.At), now)),
		Hint:     "wait until " + finding.Clock(end, now),
		SeenAt:   c.Observed.speakers(),
		ClearBy:  end,
	}
	last, _ := c.Observed.end(typeFor(s.Address))
	if silent := last.asked() - len(last.speaking()); silent > 0 {
		f.Observed += fmt.Sprintf("; %d of %d servers of %s gave no answer now and may still publish it", silent, last.asked(), last.Zone)
	}
	return f
}

// withheld is an address that a server gave when it last spoke, while the others give
// it no more. Clients of that server may still get it, and it has no end.
func withheld(now time.Time, c *Case, s Sighting, silent []string) finding.Finding {
	who := finding.List(silent, maxServers)
	return finding.Finding{
		Code: finding.DNSDraining, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: s.Address.String()},
		Summary:  fmt.Sprintf("%s may still publish %s: no usable answer now from %s", c.Observed.Host, s.Address, who),
		Expected: expectedText(c.Expected, s.Address),
		Observed: fmt.Sprintf("%s was last seen at %s; the servers that answer give it no more, and no usable answer came since from %s", s.Address, finding.Clock(s.LastSeen, now), who),
		Hint:     fmt.Sprintf("see what %s has, and mend it; if it is down for good, take it out of the delegation of %s", who, c.Observed.zoneOf(s)),
		SeenAt:   silent,
	}
}

func cachedStale(now time.Time, c *Case, h Hold, computed time.Time) finding.Finding {
	f := finding.Finding{
		Code: finding.DNSCachedStale, Severity: finding.Info,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: h.Address.String(), Server: h.Resolver},
		Summary:  fmt.Sprintf("the resolver %s still answers %s for %s, for another %s", h.Resolver, h.Address, c.Observed.Host, finding.Span(h.Until.Sub(now))),
		Expected: expectedText(c.Expected, h.Address),
		Observed: fmt.Sprintf("%s from its cache until %s", h.Address, finding.Clock(h.Until, now)),
		Hint:     "wait until " + finding.Clock(h.Until, now) + ", or flush the name there",
		SeenAt:   []string{h.Resolver},
		ClearBy:  h.Until,
	}
	late := !computed.IsZero() && h.Until.After(computed.Add(grace))
	switch {
	case h.overdue(computed):
		// What the answer says of its TTL is worth nothing: it will be the same again.
		f.Severity = finding.Warning
		f.Summary = fmt.Sprintf("the resolver %s answers %s for %s beyond the record's TTL", h.Resolver, h.Address, c.Observed.Host)
		f.Observed = fmt.Sprintf("%s at %s", h.Address, finding.Clock(h.At, now))
		f.Hint = "flush the name there, and see whether that resolver reaches the zone's servers: it may serve stale data until it does, or they may give it another view"
		f.ClearBy = time.Time{}
	case late:
		f.Severity = finding.Warning
	}
	if late {
		f.Observed += fmt.Sprintf(", beyond the record's TTL, which ended at %s at the latest", finding.Clock(computed, now))
	}
	if h.As.IsValid() {
		f.Observed += fmt.Sprintf("; given as %s, for clients without IPv4 (DNS64)", h.As)
	}
	if h.Expired {
		f.Observed += "; the resolver says itself that this has expired (EDE 3 Stale Answer)"
	}
	return f
}

// staleTTL is the longest TTL with which resolvers are known to serve what has
// expired; RFC 8767 §4 recommends 30 s.
const staleTTL = time.Minute

// overdue tells whether the resolver gave what has expired: it said so, or gave it
// after the last cache had to forget it, with a TTL as for stale data.
func (h Hold) overdue(computed time.Time) bool {
	return h.Expired || !computed.IsZero() && h.At.After(computed.Add(grace)) && h.Until.Sub(h.At) <= staleTTL
}

// judgeDenials reports resolvers that still deny what every server of the zone
// publishes: a record that was missing and is there again.
func judgeDenials(now time.Time, c *Case) []finding.Finding {
	var fs []finding.Finding
	told := map[string]bool{}
	for _, r := range c.Observed.Resolvers {
		name, until := resolverName(r.Resolver), c.Observed.untilReadAnew(r, Link{Type: string(r.Type)})
		denies := r.Outcome == NoName || r.Outcome == NoData
		if !denies || told[name] || !c.Observed.givenByAll(r.Type) || c.leadsAstray() {
			continue
		}
		if f, differs := c.differsInDenial(now, r, until); differs {
			told[name] = true
			fs = append(fs, f)
			continue
		}
		if !until.After(now) {
			continue
		}
		told[name] = true
		fs = append(fs, finding.Finding{
			Code: finding.DNSCachedStale, Severity: finding.Info,
			Subject:  finding.Subject{Host: c.Observed.Host, Server: name},
			Summary:  fmt.Sprintf("the resolver %s still says that %s has no %s record, for another %s", name, c.Observed.Host, r.Type, finding.Span(until.Sub(now))),
			Expected: string(r.Type) + ", as every server of the zone gives it",
			Observed: "a denial from its cache until " + finding.Clock(until, now),
			Hint:     "wait until " + finding.Clock(until, now) + ", or flush the name there",
			SeenAt:   []string{name},
			ClearBy:  until,
		})
	}
	return fs
}

// givenByAll tells whether addresses of the type are published, and no server
// denies them.
func (o *Observation) givenByAll(t Type) bool {
	given := false
	for _, s := range o.Steps {
		for _, a := range s.Answers {
			if a.Type == t && (a.Outcome == NoName || a.Outcome == NoData) {
				return false
			}
			given = given || a.Type == t && a.Outcome == OK
		}
	}
	return given
}

// judgeResolvers reports resolvers whose cache could not be looked at.
func judgeResolvers(c *Case) []finding.Finding {
	if !anyOf(c.Observed.Resolvers, func(r *ResolverAnswer) bool { return !r.Outcome.Speaks() }) {
		return nil
	}
	var fs []finding.Finding
	named := map[string]bool{}
	for name := range c.Observed.refusing() {
		named[name] = true // told as bogus
	}
	// SERVFAIL first: it says more than silence about the other type does.
	inOrder := slices.SortedStableFunc(slices.Values(c.Observed.Resolvers), func(a, b ResolverAnswer) int {
		return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Detail, b.Detail))
	})
	for _, r := range inOrder {
		name := resolverName(r.Resolver)
		if r.Outcome.Speaks() || named[name] {
			continue
		}
		named[name] = true
		f := finding.Finding{
			Code: finding.DNSResolverDegraded, Severity: finding.Info,
			Subject:  finding.Subject{Server: name},
			Summary:  fmt.Sprintf("the resolver %s gave no usable answer: %s", name, Answer{Outcome: r.Outcome, Detail: r.Detail}.misbehaviour()),
			Expected: "an answer, so that its cache can be looked at",
			Observed: Answer{Outcome: r.Outcome, Detail: r.Detail}.misbehaviour(),
			Hint:     "check that it can be reached from here, or take it out of dns.resolvers",
			SeenAt:   []string{name},
		}
		if r.Outcome == Failed {
			// It answers, and fails for this name although authority does not: whoever
			// uses it fails.
			f.Severity = finding.Warning
			f.Subject.Host = c.Observed.Host
			f.Summary = fmt.Sprintf("the resolver %s fails for %s, although the zone's own servers answer", name, c.Observed.Host)
			f.Hint = "ask it with dig +cd: if that works, DNSSEC validation fails"
			if saysUnreached(r.EDE) {
				f.Hint = "see why it does not reach the zone's servers: it says so itself, and other resolvers may have the same trouble"
			}
		}
		fs = append(fs, f)
	}
	return fs
}

func resolverName(a netip.AddrPort) string {
	if a.Port() == 53 {
		return a.Addr().String()
	}
	return a.String()
}
