package diagnose

import (
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// maintained marks the incidents whose hosts are all in a window of maintenance:
// they are told as information, with the end of the window, and alert nobody until
// then. What could not be seen stays unknown.
func (v *view) maintained(all []finding.Incident) {
	for i := range all {
		in := &all[i]
		until := v.maintenanceOf(*in)
		if until.IsZero() || in.Severity < finding.Warning {
			continue
		}
		in.PlannedUntil = until
		in.Evidence = append(in.Evidence, finding.Note{Label: "planned", Text: "maintenance until " + finding.Clock(until, v.now)})
		in.Effects = slices.Clone(in.Effects)
		for j := range in.Effects {
			if in.Effects[j].Severity >= finding.Warning {
				in.Effects[j] = v.lowered(in.Effects[j], finding.Info)
			}
		}
		finding.Sort(in.Effects)
		in.Severity = finding.Worst(in.Effects)
	}
	finding.Sort(v.findings)
}

// maintenanceOf is when the first window closes of those in which all targets of all
// hosts of an incident are; zero if one is in none.
func (v *view) maintenanceOf(in finding.Incident) time.Time {
	first := v.open(v.policy.Maintenance)
	if !first.IsZero() || len(in.Hosts) == 0 {
		return first
	}
	for _, name := range in.Hosts {
		for _, t := range v.of(name).targets {
			until := v.open(t.Maintenance)
			if until.IsZero() {
				return until
			}
			if first.IsZero() || until.Before(first) {
				first = until
			}
		}
	}
	return first
}

// open is when the last of the windows closes that are open now; zero if none is.
func (v *view) open(windows []inventory.Window) time.Time {
	var last time.Time
	for _, w := range windows {
		if end := w.Ends(v.now); end.After(last) {
			last = end
		}
	}
	return last
}
