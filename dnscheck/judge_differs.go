package dnscheck

import (
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
)

// What has not been published for this long, and is still to be given, is taken for an
// old record only if authority gave it with a longer TTL. A record that nobody saw can
// have had any TTL; an hour is the default of most zones. Resolvers keep denials for no
// longer than three (RFC 2308 §5).
const (
	unseenRecord = time.Hour
	unseenDenial = 3 * time.Hour
	// maxStale is how long resolvers serve what has expired, if they do (RFC 8767 §5).
	maxStale = 3 * 24 * time.Hour
)

// differs reports an address that a resolver cannot have from a cache: authority has
// not given it for too long, or the resolver says that it is its own. computed is when the last cache
// drops the address, zero if it is not known. Such an answer has
// no end: it is as fresh at the next look.
func (c *Case) differs(now time.Time, h Hold, computed time.Time) (finding.Finding, bool) {
	f := c.differing(h.Resolver)
	f.Subject.Address = h.Address.String()
	f.Expected = expectedText(c.Expected, h.Address)
	if h.Filtered {
		f.Summary = fmt.Sprintf("the resolver %s gives %s for %s in place of the zone's answer: it filters", h.Resolver, h.Address, c.Observed.Host)
		f.Observed = h.Address.String() + ", which is not from the zone's servers"
		f.Hint = "take the name off that resolver's block list"
		return f, true
	}
	since, allowed := c.firstGiven(typeFor(h.Address)), c.Observed.wholeTTL()
	never := "never gave here, since " + finding.Clock(since, now)
	if i := slices.IndexFunc(c.Seen, func(s Sighting) bool { return s.Address == h.Address }); i >= 0 {
		since, allowed = c.Seen[i].Gone, c.Seen[i].longest()
		never = "have not given since " + finding.Clock(since, now)
		if h.overdue(computed) && h.At.Sub(since) < maxStale {
			return f, false // it may serve what has expired
		}
	}
	needs := h.Until.Sub(since)
	if since.IsZero() || h.Expired || computed.After(h.At) || needs < max(unseenRecord, allowed) {
		return f, false
	}
	f.Summary = fmt.Sprintf("the resolver %s gives %s for %s, which the zone's servers %s", h.Resolver, h.Address, c.Observed.Host, never)
	f.Observed = fmt.Sprintf("%s at %s; in a cache the record would need a TTL of %s or more", h.Address, finding.Clock(h.At, now), finding.Span(needs))
	return f, true
}

// differsInDenial does the same for a denial of what authority gives.
func (c *Case) differsInDenial(now time.Time, r ResolverAnswer, until time.Time) (finding.Finding, bool) {
	name := resolverName(r.Resolver)
	f := c.differing(name)
	if c.Observed.formerlyDenied(r.Type, now) {
		return f, false
	}
	f.Expected = string(r.Type) + ", as every server of the zone gives it"
	if saysFiltered(r.EDE) {
		f.Summary = fmt.Sprintf("the resolver %s denies %s: it filters", name, c.Observed.Host)
		f.Observed = "a denial that is not from the zone's servers"
		f.Hint = "take the name off that resolver's block list"
		return f, true
	}
	since, allowed := c.firstGiven(r.Type), unseenDenial
	for _, d := range c.Denied {
		if d.Type == r.Type {
			end, gone := d.ClearBy(c.Observed)
			if !gone {
				return f, false
			}
			since, allowed = d.Gone, max(allowed, end.Sub(d.Gone))
		}
	}
	needs := until.Sub(since)
	if since.IsZero() || needs < allowed {
		return f, false
	}
	f.Summary = fmt.Sprintf("the resolver %s says that %s has no %s record, which the zone's servers give since %s or before", name, c.Observed.Host, r.Type, finding.Clock(since, now))
	f.Observed = fmt.Sprintf("a denial at %s; in a cache it would need a negative TTL of %s or more", finding.Clock(r.At, now), finding.Span(needs))
	return f, true
}

func (c *Case) differing(resolver string) finding.Finding {
	return finding.Finding{
		Code: finding.DNSResolverDiffers, Severity: finding.Warning,
		Subject: finding.Subject{Host: c.Observed.Host, Server: resolver},
		Hint:    "ask the zone's servers from that resolver's network: they may give another view there (GeoDNS); if they do not, see whether the resolver blocks or rewrites the name",
		SeenAt:  []string{resolver},
	}
}

// firstGiven is since when authority was seen to give addresses of a family; zero if it
// never was.
func (c *Case) firstGiven(t Type) time.Time {
	var first time.Time
	for _, s := range c.Seen {
		if typeFor(s.Address) == t && (first.IsZero() || s.FirstSeen.Before(first)) {
			first = s.FirstSeen
		}
	}
	return first
}

// wholeTTL is the sum of the TTLs on the way to the addresses.
func (o *Observation) wholeTTL() time.Duration {
	var sum time.Duration
	for _, s := range o.Steps {
		var ttl uint32
		for _, a := range s.Answers {
			if a.hasData() {
				ttl = max(ttl, a.TTL)
			}
		}
		sum += seconds(ttl)
	}
	return sum
}
