package dnscheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
)

// grace is how far a measured cache may outlive the computed end before it is
// said to ignore TTLs: our looks are not continuous, and TTLs are whole seconds.
const grace = time.Minute

// judgeCaches reports old addresses that authority publishes no more but caches
// may still hold: computed from the history, and measured at the resolvers.
func judgeCaches(now time.Time, c Case) []finding.Finding {
	fs := append(judgeResolvers(c), judgeDenials(now, c)...)
	if !c.Expected.Known {
		return fs
	}
	published := c.Observed.Published()
	clear := map[netip.Addr]time.Time{}
	for _, s := range c.Seen {
		if !c.dropped(s.Address, published) {
			continue
		}
		end, gone := s.ClearBy(c.Observed)
		clear[s.Address] = end
		if gone && end.After(now) {
			fs = append(fs, draining(now, c, s, end))
		}
	}
	told := 0
	for _, h := range Held(c.Observed) {
		if told == maxUnexpected || !c.dropped(h.Address, published) || !h.Until.After(now) {
			continue
		}
		fs = append(fs, cachedStale(now, c, h, clear[h.Address]))
		told++
	}
	return fs
}

// dropped tells whether authority publishes an address no more that it should not
// publish: a server that is silent now has dropped nothing.
func (c Case) dropped(addr netip.Addr, published []netip.Addr) bool {
	return !slices.Contains(published, addr) && !c.accepts(addr) && c.Observed.answered(typeFor(addr))
}

func draining(now time.Time, c Case, s Sighting, end time.Time) finding.Finding {
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

func cachedStale(now time.Time, c Case, h Hold, computed time.Time) finding.Finding {
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
	if !computed.IsZero() && h.Until.After(computed.Add(grace)) {
		f.Severity = finding.Warning
		f.Observed += fmt.Sprintf(", beyond the record's TTL, which ended at %s at the latest", finding.Clock(computed, now))
	}
	return f
}

// judgeDenials reports resolvers that still deny what every server of the zone
// publishes: a record that was missing and is there again.
func judgeDenials(now time.Time, c Case) []finding.Finding {
	var fs []finding.Finding
	told := map[string]bool{}
	for _, r := range c.Observed.Resolvers {
		name, until := resolverName(r.Resolver), r.At.Add(seconds(r.TTL))
		denies := r.Outcome == NoName || r.Outcome == NoData
		if !denies || told[name] || !until.After(now) || !c.Observed.givenByAll(r.Type) {
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
func (o Observation) givenByAll(t Type) bool {
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

// Hold is an address that a resolver still gives, and until when.
type Hold struct {
	Resolver string
	Address  netip.Addr
	Until    time.Time
}

// Held returns every address that the configured resolvers gave, with the end of
// its remaining TTL, ordered by resolver and address.
func Held(o Observation) []Hold {
	var holds []Hold
	for _, r := range o.Resolvers {
		if r.Outcome != OK {
			continue
		}
		for _, a := range r.Addresses {
			holds = append(holds, Hold{resolverName(r.Resolver), a, r.At.Add(seconds(r.TTL))})
		}
	}
	slices.SortStableFunc(holds, func(a, b Hold) int {
		return cmp.Or(cmp.Compare(a.Resolver, b.Resolver), a.Address.Compare(b.Address), a.Until.Compare(b.Until))
	})
	return holds
}

// judgeResolvers reports resolvers whose cache could not be looked at.
func judgeResolvers(c Case) []finding.Finding {
	var fs []finding.Finding
	named := map[string]bool{}
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
