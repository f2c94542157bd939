package dnscheck

import (
	"fmt"
	"strings"
	"time"

	"driftprobe/finding"
)

// judgeAbsence reports a name that every server which speaks denies, in both
// families. A name that some servers have and others deny is inconsistent, not
// absent. Silence beside a denial does not change it: the denial is authoritative.
func judgeAbsence(now time.Time, c *Case) *finding.Finding {
	if len(c.Published) > 0 {
		return nil
	}
	step, d, ok := c.Observed.denial()
	if !ok {
		return nil
	}
	return absence(now, c, step, d)
}

// absence words a denial.
func absence(now time.Time, c *Case, step Step, d denial) *finding.Finding {
	end := c.deniedNow(now, d.ttl)
	keeps := "; caches keep the denial for up to " + finding.Span(end.Sub(now))
	rec := finding.Record{Zone: d.zone, Owner: step.Name, Type: string(A), TTL: d.ttl}
	f := &finding.Finding{
		Code: finding.DNSNoRecord, Severity: finding.Critical,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("%s has no address record: %s", c.Observed.Host, d.text),
		Expected: "an A or AAAA record",
		Observed: d.text,
		Hint:     "create the record" + keeps,
		SeenAt:   step.speaking(),
		Record:   &rec,
		ClearBy:  end,
	}
	if n := len(f.SeenAt); n > 0 {
		f.Observed += fmt.Sprintf(", on %d of %d authoritative servers of %s", n, step.asked(), d.zone)
	}
	if first := c.Expected.Addresses; c.Expected.Known && len(first) > 0 {
		rec.Type = string(typeFor(first[0]))
		for _, a := range sameFamily(first, first[0]) {
			rec.Values = append(rec.Values, a.String())
		}
		f.Expected = rec.Type + " " + expectedText(c.Expected, first[0])
		f.Hint = "set " + recordText(rec) + keeps
	}
	if had := c.hadIt(now); had != "" {
		// It may be there, on servers that can not be asked: nothing is to be created.
		f.Hint, rec.Values = had+keeps, nil
	}
	if ways := c.Observed.leading(step.Name); len(ways) > 0 {
		f.Hint = "if this is the wrong name, correct the alias that leads to it: " + recordText(ways[0]) + "; otherwise " + f.Hint
	}
	if step.Failure.Outcome == NoName {
		f.Hint = undelegated(c, step.Name, d.zone) + keeps
	}
	return f
}

// undelegated says what to do about a name that a zone above its own denies. Whether it was
// ever delegated is known only of a name that was seen published.
func undelegated(c *Case, name, zone string) string {
	if zone == "." {
		return fmt.Sprintf("there is no top-level domain %s: check the spelling of %s", name[strings.LastIndexByte(name, '.')+1:], name)
	}
	if len(c.Seen) == 0 {
		return fmt.Sprintf("check the spelling, then find out why %s does not delegate it (not registered, expired, or removed at the registrar)", zone)
	}
	return fmt.Sprintf("find out why %s does not delegate it any more (expired, or removed at the registrar)", zone)
}

// hadIt says which servers gave an address when they last spoke and are silent now,
// while others deny the name; "" if there are none.
func (c *Case) hadIt(now time.Time) string {
	for _, s := range c.Seen {
		if silent := c.Observed.withheld(s); len(silent) > 0 {
			return fmt.Sprintf("mend %s first: no usable answer comes from there, and %s was published at %s; then see why the others lack it",
				finding.List(silent, maxServers), s.Address, finding.Clock(s.LastSeen, now))
		}
	}
	return ""
}

type denial struct {
	text, zone string
	ttl        uint32
}

// denial returns the end of the alias chain and what denies it. Nothing is denied
// as long as one family has not been answered on every way.
func (o *Observation) denial() (Step, denial, bool) {
	if len(o.Published()) > 0 || !o.answered(A) || !o.answered(AAAA) {
		return Step{}, denial{}, false
	}
	var end Step
	var d denial
	found := false
	for _, s := range o.Steps {
		if denied, ok := s.denial(); ok {
			end, d, found = s, denied, true
		}
	}
	return end, d, found
}

func (s *Step) denial() (denial, bool) {
	if s.Failure.Outcome == NoName {
		text := fmt.Sprintf("the zone %s says that %s does not exist (NXDOMAIN)", s.Failure.At, s.Name)
		return denial{text, s.Failure.At, s.Failure.NegativeTTL}, true
	}
	d := denial{zone: s.Zone, text: s.Name + " exists without A and AAAA (NODATA)"}
	denied := false
	for _, a := range s.Answers {
		switch a.Outcome {
		case NoName:
			d.text = s.Name + " does not exist (NXDOMAIN)"
		case NoData:
		default:
			continue
		}
		denied = true
		d.ttl = max(d.ttl, a.TTL)
	}
	return d, denied
}
