package dnscheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// maxCached is the longest time for which common resolvers keep anything: BIND's
// max-cache-ttl, and the cap that RFC 8767 section 4 recommends. Unbound keeps to a
// day (cache-max-ttl). A TTL above it is in force nowhere.
const maxCached = 7 * 24 * time.Hour

func huge(ttl uint32) bool { return seconds(ttl) > maxCached }

// judgeTTLs reports the records whose TTLs do something else than they seem to, and
// those that caches would hold for too long.
func judgeTTLs(p Policy, c *Case) []finding.Finding {
	var fs []finding.Finding
	for i := range c.Observed.Steps {
		s := &c.Observed.Steps[i]
		if f, odd := oddTTL(p, c, s); odd {
			fs = append(fs, f)
		} else if f, odd := untoldTTL(p, c, s); odd {
			fs = append(fs, f)
		}
	}
	if f := ttlExposure(p, c); f != nil {
		fs = append(fs, *f)
	}
	return fs
}

// oddTTL reports the RRsets of one step. It is a warning where the TTL leads to a load
// balancer and could keep clients away from the next one for longer than is accepted;
// otherwise it is worth knowing: many providers give 0 for an alias that they resolve
// themselves.
func oddTTL(p Policy, c *Case, s *Step) (finding.Finding, bool) {
	if !anyOf(s.Answers, (*Answer).hasOddTTL) {
		return finding.Finding{}, false
	}
	said := map[string][]string{}
	var rec finding.Record
	var servers []string
	risky := false
	for _, a := range s.Answers {
		if !a.hasOddTTL() {
			continue
		}
		r := finding.Record{Zone: s.Zone, TTL: a.TTL}
		link := Link{Owner: s.Name, Type: string(a.Type)}
		if a.Outcome == Alias {
			link.Type, link.Value = "CNAME", a.Target
		}
		r.Owner, r.Type, _ = s.recordOf(link)
		if what := r.Type + " with " + a.oddTTL(); !slices.Contains(said[what], a.Server.String()) {
			said[what] = append(said[what], a.Server.String())
		}
		servers = append(servers, a.Server.String())
		risky = risky || huge(a.TTL) || a.Odd != nil && a.Odd.TopBit
		if rec.Type == "" || cmp.Or(cmp.Compare(r.TTL, rec.TTL), cmp.Compare(rec.Type, r.Type)) > 0 {
			rec = r
		}
	}
	var parts []string
	for what, at := range said {
		slices.Sort(at)
		parts = append(parts, what+" on "+finding.List(at, maxServers))
	}
	slices.Sort(parts)
	slices.Sort(servers)
	f := finding.Finding{
		Code: finding.DNSOddTTL, Severity: finding.Info,
		Subject:  finding.Subject{Host: c.Observed.Host, Name: other(s.Name, c.Observed.Host)},
		Summary:  fmt.Sprintf("the TTL of %s in the zone %s is not what it seems", rec.Owner, s.Zone),
		Expected: fmt.Sprintf("one TTL for all records of a set, from 1 to %d s", int64(maxCached/time.Second)),
		Observed: strings.Join(parts[:min(len(parts), maxGroups)], "; "),
		Hint:     ttlHint(parts, rec),
		SeenAt:   slices.Compact(servers),
		Record:   &rec,
	}
	if risky && p.MaxTTL > 0 && c.Expected.Known {
		f.Severity = finding.Warning
	}
	return f, true
}

func (a *Answer) hasOddTTL() bool {
	return a.hasData() && (a.Odd != nil || a.TTL == 0 || huge(a.TTL))
}

// oddTTL says in words what is odd about an answer's TTL.
func (a Answer) oddTTL() string {
	switch {
	case a.Odd != nil && a.Odd.TopBit:
		return "the top bit of the TTL set (it counts as 0, and with newer resolvers as a week)"
	case a.Odd != nil && a.Odd.Least != a.TTL:
		return fmt.Sprintf("different TTLs in one set, from %d to %d s (resolvers take the smallest)", a.Odd.Least, a.TTL)
	case a.TTL == 0:
		return "TTL 0 (no cache keeps it: each client waits for the zone's servers)"
	}
	return fmt.Sprintf("TTL %d s (resolvers keep it for a day or a week)", a.TTL)
}

// ttlHint says what to do about the worst of it.
func ttlHint(parts []string, rec finding.Record) string {
	zero := !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(part, " with TTL 0 ") })
	if zero {
		return "nothing, if the provider resolves the name itself at each question; otherwise set a TTL of a minute or more"
	}
	return fmt.Sprintf("set one TTL for %s %s in the zone %s, as short as a change may take", rec.Owner, rec.Type, rec.Zone)
}

// ttlExposure finds the record with the largest TTL on a way to an address of the
// load balancer. What oddTTL tells of is left out.
func ttlExposure(p Policy, c *Case) *finding.Finding {
	if p.MaxTTL <= 0 || !c.Expected.Known || len(c.turning) == 0 && !c.Observed.exceeds(p.MaxTTL) {
		return nil
	}
	var worst Link
	for addr, path := range c.ways() {
		if !c.Expected.Has(addr) {
			continue
		}
		for _, l := range path {
			if !huge(l.TTL) && (l.TTL > worst.TTL || l.TTL == worst.TTL && l.Owner+l.Type+l.Value < worst.Owner+worst.Type+worst.Value) {
				worst = l
			}
		}
	}
	if seconds(worst.TTL) <= p.MaxTTL {
		return nil
	}
	step, ok := c.Observed.step(worst.Owner)
	if !ok {
		step.Name = worst.Owner
	}
	rec := finding.Record{Zone: step.Zone, TTL: worst.TTL}
	var value string
	rec.Owner, rec.Type, value = step.recordOf(worst)
	rec.Values = []string{value}
	return &finding.Finding{
		Code: finding.DNSTTLExposure, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("if the load balancer of %s were replaced now, clients would fail for up to %s after the record is corrected", c.Observed.Host, finding.Span(seconds(worst.TTL))),
		Expected: fmt.Sprintf("a TTL of at most %d s", int64(p.MaxTTL/time.Second)),
		Observed: fmt.Sprintf("%s %s with TTL %d s", rec.Owner, rec.Type, rec.TTL),
		Hint:     c.lowerTTL(p, rec),
		SeenAt:   c.Observed.speakers(),
		Record:   &rec,
	}
}

// exceeds tells whether any record of the look has a longer TTL.
func (o *Observation) exceeds(most time.Duration) bool {
	return anyOf(o.Steps, func(s *Step) bool {
		return anyOf(s.Answers, func(a *Answer) bool { return a.hasData() && seconds(a.TTL) > most })
	})
}

// ways are the paths to the published addresses: those of this look, and where
// addresses take turns those that led to the others.
func (c *Case) ways() map[netip.Addr][]Link {
	all := c.Observed.paths()
	for _, s := range c.Seen {
		if _, now := all[s.Address]; !now && slices.Contains(c.Published, s.Address) {
			all[s.Address] = s.Path
		}
	}
	return all
}
