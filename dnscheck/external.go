package dnscheck

import (
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
)

// byExternalDNS tells whether external-dns writes a record: it has the host's own name,
// and an object that declares the host is annotated for it. What a wildcard or an
// alias leads to is somebody else's.
func (c *Case) byExternalDNS(owner string) bool {
	return c.Publisher.ExternalDNS != "" && owner == c.Observed.Host
}

// external continues a hint about a record that is external-dns's: who should have
// corrected it, and what would undo a correction by hand.
func (c *Case) external(rec finding.Record) string {
	d := c.Publisher
	misled := slices.DeleteFunc(slices.Clone(d.RecordAddresses), c.accepts)
	switch {
	case !c.byExternalDNS(rec.Owner):
		return ""
	case len(misled) > 0:
		return fmt.Sprintf("; and correct %starget of %s, which tells external-dns to publish %s", d.ExternalDNS, d.PointsAt(), addrList(misled))
	default:
		return fmt.Sprintf("; external-dns should have done it (%s is annotated for it): see its log", d.Object)
	}
}

// lowerTTL says how to shorten a TTL that is too long. What external-dns writes it
// writes again, so there its annotation is the place.
func (c *Case) lowerTTL(p Policy, rec finding.Record) string {
	most := int64(p.MaxTTL / time.Second)
	switch d := c.Publisher; {
	case !c.byExternalDNS(rec.Owner):
		return fmt.Sprintf("lower the TTL of %s %s in zone %s to %d", rec.Owner, rec.Type, rec.Zone, most)
	case d.RecordTTL == 0 || int64(d.RecordTTL) > most:
		return fmt.Sprintf("set the annotation %sttl: \"%d\" on %s; external-dns undoes a change by hand", d.ExternalDNS, most, d.Object)
	default:
		return fmt.Sprintf("see why external-dns does not write the TTL %d that %sttl of %s asks for: its log, and the least TTL that the provider takes", d.RecordTTL, d.ExternalDNS, d.Object)
	}
}

// untoldTTL reports a record that has a longer TTL than external-dns is told to give
// it. A shorter one harms nobody, and what ttlExposure tells of is told there.
func untoldTTL(p Policy, c *Case, s *Step) (finding.Finding, bool) {
	told := c.Publisher.RecordTTL
	if told == 0 || s.Name != c.Observed.Host || !c.byExternalDNS(s.Owner()) {
		return finding.Finding{}, false
	}
	f := finding.Finding{}
	rec := finding.Record{Zone: s.Zone}
	for _, a := range s.Answers {
		if !a.hasData() || a.TTL <= told {
			continue
		}
		f.SeenAt = append(f.SeenAt, a.Server.String())
		if a.TTL > rec.TTL {
			link := Link{Owner: s.Name, Type: string(a.Type)}
			if a.Outcome == Alias {
				link.Type, link.Value = "CNAME", a.Target
			}
			rec.TTL = a.TTL
			rec.Owner, rec.Type, _ = s.recordOf(link)
		}
	}
	if rec.TTL == 0 || p.MaxTTL > 0 && c.Expected.Known && seconds(rec.TTL) > p.MaxTTL {
		return f, false
	}
	slices.Sort(f.SeenAt)
	f.SeenAt = slices.Compact(f.SeenAt)
	f.Code, f.Severity, f.Subject = finding.DNSOddTTL, finding.Info, finding.Subject{Host: c.Observed.Host}
	f.Summary = fmt.Sprintf("%s is published with a longer TTL than external-dns is told to give it", rec.Owner)
	f.Expected = fmt.Sprintf("TTL %d s, by %sttl of %s", told, c.Publisher.ExternalDNS, c.Publisher.Object)
	f.Observed = fmt.Sprintf("%s with TTL %d s", rec.Type, rec.TTL)
	f.Hint = "see external-dns's log, and the least TTL that the provider takes"
	f.Record = &rec
	return f, true
}
