package report

import (
	"slices"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// looked is what a snapshot and its Report say of some hosts, indexed by host and target. It
// points into both.
type looked struct {
	at      time.Time
	targets map[string][]*inventory.Target
	// visits are by the key of their target.
	visits map[string][]probe.Observation
	dns    map[string]*dnscheck.Observation
	found  map[string][]*finding.Finding
	// foundOf are those of found that name an address.
	foundOf map[place][]*finding.Finding
	// offline: nobody answered us, so that nothing was judged.
	offline bool
}

type place struct{ host, address string }

// anyHost is for those who show all.
func anyHost(string) bool { return true }

// look indexes the hosts that are wanted.
func look(r finding.Report, s snapshot.Snapshot, wanted func(host string) bool) *looked {
	l := &looked{
		at: r.At, targets: map[string][]*inventory.Target{}, visits: map[string][]probe.Observation{},
		dns: map[string]*dnscheck.Observation{}, found: map[string][]*finding.Finding{}, foundOf: map[place][]*finding.Finding{},
	}
	for i := range s.Inventory.Targets {
		if t := &s.Inventory.Targets[i]; wanted(t.Host) {
			l.targets[t.Host] = append(l.targets[t.Host], t)
			l.visits[t.Key] = nil
		}
	}
	l.visited(s.Observations.Probes)
	for i := range s.Observations.DNS {
		if o := &s.Observations.DNS[i]; wanted(o.Host) {
			l.dns[o.Host] = o
		}
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		l.offline = l.offline || f.Code == finding.SelfOffline
		if !wanted(f.Subject.Host) {
			continue
		}
		l.found[f.Subject.Host] = append(l.found[f.Subject.Host], f)
		if at := (place{f.Subject.Host, f.Subject.Address}); at.address != "" {
			l.foundOf[at] = append(l.foundOf[at], f)
		}
	}
	return l
}

// visited indexes the visits to the targets that are known.
func (l *looked) visited(rest []probe.Observation) {
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && rest[n].Target == rest[0].Target {
			n++
		}
		key := rest[0].Target
		switch before, known := l.visits[key]; {
		case !known:
		case before == nil:
			l.visits[key] = rest[:n:n]
		default: // a target that stands in several places is copied together
			l.visits[key] = append(before, rest[:n]...)
		}
		rest = rest[n:]
	}
}

// hostsOf are the hosts of a snapshot, sorted.
func hostsOf(s snapshot.Snapshot) []string {
	all := make([]string, 0, len(s.Inventory.Targets))
	for i := range s.Inventory.Targets {
		all = append(all, s.Inventory.Targets[i].Host)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// hostMarks are the verdicts on the hosts that are wanted: each that of the worst incident which
// names it; OK if the Report lists it as well.
func hostMarks(r finding.Report, wanted func(host string) bool) map[string]mark {
	all := map[string]mark{}
	for _, f := range r.Fronts {
		for _, h := range f.Hosts {
			if wanted(h) {
				all[h] = right()
			}
		}
	}
	for _, i := range r.Incidents {
		m := mark{word(i), severe(i.Severity).worst}
		for _, h := range i.Hosts {
			if wanted(h) && m.worst > all[h].worst {
				all[h] = m
			}
		}
		drains := mark{draining, severe(finding.Info).worst}
		for _, h := range i.Corrected {
			if wanted(h) && drains.worst > all[h].worst {
				all[h] = drains
			}
		}
	}
	return all
}
