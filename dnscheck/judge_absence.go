package dnscheck

import (
	"fmt"
	"time"

	"driftprobe/finding"
)

// judgeAbsence reports a name that every server which speaks denies, in both
// families. A name that some servers have and others deny is inconsistent, not
// absent. Silence beside a denial does not change it: the denial is authoritative.
func judgeAbsence(now time.Time, c Case) *finding.Finding {
	if len(c.Observed.Published()) > 0 {
		return nil
	}
	step, denial, ok := c.Observed.denial()
	if !ok {
		return nil
	}
	rec := finding.Record{Zone: step.Zone, Owner: step.Name, Type: string(A), TTL: denial.ttl}
	for _, a := range c.Expected.Addresses {
		if a.Is4() == c.Expected.Addresses[0].Is4() {
			rec.Type = string(typeFor(a))
			rec.Values = append(rec.Values, a.String())
		}
	}
	f := &finding.Finding{
		Code: finding.DNSNoRecord, Severity: finding.Critical,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("%s has no address record: %s", c.Observed.Host, denial.text),
		Expected: "an A or AAAA record",
		Observed: denial.text,
		Hint:     "create the record; caches keep the denial for up to " + finding.Span(seconds(denial.ttl)),
		SeenAt:   step.speaking(),
		Record:   &rec,
		ClearBy:  now.Add(seconds(denial.ttl)),
	}
	if len(rec.Values) > 0 {
		f.Expected = rec.Type + " " + addrList(c.Expected.Addresses)
		f.Hint = "set " + recordText(rec) + "; caches keep the denial for up to " + finding.Span(seconds(denial.ttl))
	}
	return f
}

type denial struct {
	text string
	ttl  uint32
}

// denial returns the end of the alias chain and what denies it. Nothing is denied
// as long as one family has not been answered at all by anyone.
func (o Observation) denial() (Step, denial, bool) {
	if len(o.Steps) == 0 {
		return Step{}, denial{}, false
	}
	last := o.Steps[len(o.Steps)-1]
	if last.Failure.Outcome == NoName {
		text := fmt.Sprintf("the zone %s says that %s does not exist (NXDOMAIN)", last.Failure.At, last.Name)
		last.Zone = last.Failure.At
		return last, denial{text, last.Failure.NegativeTTL}, true
	}
	var d denial
	denied := map[Type]bool{}
	noName := false
	for _, a := range last.Answers {
		switch a.Outcome {
		case NoName:
			// NXDOMAIN denies every type at once (RFC 8020).
			noName = true
			denied[A], denied[AAAA] = true, true
			d.ttl = max(d.ttl, a.TTL)
		case NoData:
			denied[a.Type] = true
			d.ttl = max(d.ttl, a.TTL)
		}
	}
	d.text = last.Name + " exists without A and AAAA (NODATA)"
	if noName {
		d.text = last.Name + " does not exist (NXDOMAIN)"
	}
	return last, d, denied[A] && denied[AAAA]
}
