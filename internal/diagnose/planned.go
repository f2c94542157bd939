package diagnose

import (
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// planned marks the incidents that an announced move explains: they are told as
// information, with the end of the move, and alert nobody until then. A move
// explains where records and balancers are, not that names fail or what is wrong
// with certificates.
func (v *view) planned(all []finding.Incident) {
	for i := range all {
		in := &all[i]
		until := v.announced(*in)
		if !until.After(v.now) || !entailed(in.Code) || in.Severity <= finding.Info {
			continue
		}
		note := "a move is announced until " + finding.Clock(until, v.now)
		in.Effects = slices.Clone(in.Effects)
		suffers := false
		for j, f := range in.Effects {
			switch {
			case v.deadEnd(f):
				suffers = true
			case entailed(f.Code):
				in.Effects[j] = v.lowered(f, finding.Info)
			}
		}
		finding.Sort(in.Effects)
		in.Severity = finding.Worst(in.Effects)
		if suffers {
			note += ", and it has left clients behind"
		}
		if in.Severity == finding.Info {
			in.PlannedUntil = until
		}
		in.Evidence = append(in.Evidence, finding.Note{Label: "planned", Text: note})
	}
	finding.Sort(v.findings)
}

// deadEnd tells whether clients are sent to an address at which a probe met nobody who can
// speak for the host: that is what a move must not do to them.
func (v *view) deadEnd(f finding.Finding) bool {
	met, looked := v.of(f.Subject.Host).strangers[addrOf(f.Subject.Address)]
	return f.Code == finding.DNSStaleRecord && looked && !met.Unseen && !met.Valid
}

// lowered gives a finding another severity, here and where it stands alone.
func (v *view) lowered(f finding.Finding, s finding.Severity) finding.Finding {
	for i := range v.findings {
		if v.findings[i].ID() == f.ID() {
			v.findings[i].Severity = s
		}
	}
	f.Severity = s
	return f
}

// announced is the end of a move that explains the incident: that of its Service,
// or the first to end of those that all its hosts announce, by their own objects or by
// what fronts them. Zero if there is none.
func (v *view) announced(in finding.Incident) time.Time {
	ref := inventory.ServiceRef{Namespace: in.Subject.Namespace, Name: in.Subject.Name}
	// Records can be of hosts that have another front too, whose owner announces nothing.
	if until := v.fronts[ref].Service.MoveUntil; until.After(v.now) && in.Code.Family() == "lb" || len(in.Hosts) == 0 {
		return until
	}
	var first time.Time
	for _, h := range in.Hosts {
		host := v.of(h)
		fronts := v.frontsMove(*host.expected)
		for _, t := range host.targets {
			until := t.MoveUntil
			if fronts.After(until) {
				until = fronts
			}
			if until.IsZero() {
				return time.Time{}
			}
			if first.IsZero() || until.Before(first) {
				first = until
			}
		}
	}
	return first
}

// frontsMove is the end of a move that every Service in front of a host announces.
func (v *view) frontsMove(e inventory.Expected) time.Time {
	end := v.fronts[e.Service].Service.MoveUntil
	for _, ref := range e.Others {
		if other := v.fronts[ref].Service.MoveUntil; other.Before(end) {
			end = other
		}
	}
	return end
}

// entailed tells whether a fault is part of any move.
func entailed(c finding.Code) bool {
	switch c {
	case finding.DNSStaleRecord, finding.DNSMissingRecord, finding.DNSInconsistent, finding.DNSCachedStale, finding.DNSDraining:
		return true
	}
	return c.Family() == "lb" && c != finding.LBUnhealthy
}
