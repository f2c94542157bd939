package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// judgeMissing looks for the load balancer's addresses among those published, as
// far as authority has answered.
func judgeMissing(c *Case, published []netip.Addr) []finding.Finding {
	if !c.Expected.Known || c.covered(published) || len(c.Expected.Hostnames) > 0 {
		return nil
	}
	var fs []finding.Finding
	for _, want := range c.Expected.Addresses {
		if !slices.Contains(published, want) && c.answered(typeFor(want)) {
			fs = append(fs, missing(c, want, published))
		}
	}
	return fs
}

func missing(c *Case, want netip.Addr, published []netip.Addr) finding.Finding {
	end, ttl := c.Observed.end(typeFor(want))
	rec := finding.Record{Zone: end.Zone, Owner: end.Owner(), Type: string(typeFor(want)), Values: wanted(c, want), TTL: ttl}
	f := finding.Finding{
		Code: finding.DNSMissingRecord, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: want.String()},
		Summary:  fmt.Sprintf("%s does not publish %s, an address of its load balancer", c.Observed.Host, want),
		Expected: expectedText(c.Expected, want),
		Observed: "published: " + addrList(published),
		Hint:     "set " + recordText(rec),
		SeenAt:   end.speaking(),
		Record:   &rec,
	}
	others := slices.ContainsFunc(c.Expected.Addresses, func(a netip.Addr) bool { return typeFor(a) == typeFor(want) && slices.Contains(published, a) })
	chosen := c.chosen(want)
	switch {
	case want.Is6() && !slices.ContainsFunc(published, netip.Addr.Is6):
		f.Severity = finding.Info
		f.Hint += ", if clients shall come over IPv6"
	case others && chosen != "":
		f.Severity = finding.Info
		f.Observed += "; " + chosen
		f.Hint = "nothing, if the name servers choose among the addresses on purpose; otherwise " + f.Hint
	case others && c.Expected.Rule == inventory.RuleConfig && c.Expected.Fronts() == "":
		f.Hint += "; if it stands by on purpose, allow it instead of pinning it (targets[].allow)"
	}
	f.Hint += c.external(rec)
	return f
}

// chosen says how name servers are seen to choose among the addresses of a load balancer,
// by weight or by health checks of their own, so that one is left out for a while and not
// forgotten. Empty if nothing is seen of that.
//
// Addresses that take turns all show themselves within the longest window: what did not is
// none of them. Of one that was switched to others it is known while it is remembered; a
// set that only became smaller was not switched.
func (c *Case) chosen(want netip.Addr) string {
	lately := func(t time.Time) bool { return c.Observed.At.Sub(t) < mostWindow }
	turns := slices.Contains(c.turning, typeFor(want)) || anyOf(c.Observed.Steps, func(s *Step) bool { return s.Rotates })
	var left time.Time
	for _, s := range c.Seen {
		if s.Address == want {
			left = s.LastSeen
		}
	}
	settled, switched := len(c.Seen) > 0 && !lately(left), !left.IsZero()
	for _, s := range c.Seen {
		if typeFor(s.Address) == typeFor(want) && c.Expected.Has(s.Address) && slices.Contains(c.Published, s.Address) {
			n := len(s.Turns)
			turns = turns || n > 0 && lately(s.Turns[n-1].At)
			settled = settled && !lately(s.FirstSeen)
			switched = switched && s.FirstSeen.After(left)
		}
	}
	switch {
	case switched:
		return fmt.Sprintf("the name was switched to these from %s, last seen at %s", want, finding.Clock(left, c.Observed.At))
	case turns && !settled:
		return "the servers give these addresses by turns, and perhaps not all of them were seen yet"
	}
	return ""
}
