package finding

// The exit codes of one look, the same in every output format. 2 is a usage or
// configuration error and never comes from a Report.
const (
	ExitClean   = 0
	ExitFound   = 1
	ExitUnknown = 3
)

// ExitCode returns the exit code of a look: ExitFound if any finding or incident
// is at or over failOn, else ExitUnknown if something could not be looked at, or
// if nothing was looked at, else ExitClean.
//
// Unknown never gives ExitFound, not even with failOn Info or Unknown: "could not
// look" and "looked and found" stay apart for scripts.
func ExitCode(r Report, failOn Severity) int {
	unknown := r.Coverage.Hosts+r.Coverage.Objects == 0 && len(r.Findings) == 0 && len(r.Incidents) == 0
	found := false
	see := func(s Severity) {
		switch {
		case s == Unknown:
			unknown = true
		case s >= failOn:
			found = true
		}
	}
	for _, f := range r.Findings {
		see(f.Severity)
	}
	for _, i := range r.Incidents {
		see(i.Severity)
	}
	switch {
	case found:
		return ExitFound
	case unknown:
		return ExitUnknown
	}
	return ExitClean
}
