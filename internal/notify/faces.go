package notify

import (
	"time"

	"driftprobe/finding"
)

// A hostname that answers by turns with 503, with another's body and not at all has one
// trouble with three faces: each is an incident of its own, and none stays. To those on
// call it is one: told once, under the face that it has at that moment, and over when none
// of them is there.
//
// One face is in the place of another if both are of what clients meet, on a hostname of
// both, and it came when the other went, or later. What was there all the time is another
// trouble.

// face is an incident of what clients meet, as it is with the newest report.
type face struct {
	id       string
	hosts    []string // sorted
	severity finding.Severity
	// here is since when it is there, gone since when it is not; the other is zero.
	here, gone time.Time
	// told, and for how long it was there if it was not.
	told       bool
	presentFor time.Duration
	first      time.Time
}

// met tells whether the incident is of what clients meet at an address.
func met(i finding.Incident) bool {
	f := i.Code.Family()
	return f == "http" || f == "tls"
}

// facesOf are those that are tracked and those that are new. current are the report's
// incidents by ID.
func (l look) facesOf(before []Tracked, current map[string]*finding.Incident) []face {
	var all []face
	tracked := map[string]bool{}
	for _, t := range before {
		i := t.Message.Incident
		tracked[i.ID] = true
		if !met(i) {
			continue
		}
		f := face{id: i.ID, hosts: t.Touched, severity: i.Severity, told: t.Visible, presentFor: l.presentFor(t), first: t.Message.FirstSeen}
		if now, there := current[i.ID]; there {
			f.hosts, f.severity, f.here = now.Hosts, now.Severity, l.hereSince(t)
		} else {
			f.gone = l.goneSince(t)
		}
		all = append(all, f)
	}
	for id, i := range current {
		if !tracked[id] && met(*i) && l.worthTelling(*i) {
			all = append(all, face{id: id, hosts: i.Hosts, severity: i.Severity, here: l.now})
		}
	}
	return all
}

// hereSince is since when an incident that the report has is there without a gap.
func (l look) hereSince(t Tracked) time.Time {
	if t.Last == Gone || t.Here.IsZero() {
		return l.now
	}
	return t.Here
}

// goneSince is since when an incident that the report has not is gone.
func (l look) goneSince(t Tracked) time.Time {
	if t.GoneSince.IsZero() {
		return l.now
	}
	return t.GoneSince
}

// others are the faces of the same hostnames. hosts are those of the incident.
func (l look) others(i finding.Incident, hosts []string) []face {
	if !met(i) {
		return nil
	}
	var all []face
	for _, f := range l.faces {
		if f.id != i.ID && share(f.hosts, hosts) {
			all = append(all, f)
		}
	}
	return all
}

// instead is the worst face in the place of an incident that is gone.
func (l look) instead(t Tracked) (worst face, found bool) {
	gone := l.goneSince(t)
	for _, f := range l.others(t.Message.Incident, t.Touched) {
		if !f.here.IsZero() && !f.here.Before(gone) && (!found || f.severity > worst.severity) {
			worst, found = f, true
		}
	}
	return worst, found
}

// known tells whether the trouble was told under another face: one that is gone as well, or
// has come in the place of this one.
func (l look) known(t Tracked) bool {
	gone := l.goneSince(t)
	for _, f := range l.others(t.Message.Incident, t.Touched) {
		if f.told && (f.here.IsZero() || !f.here.Before(gone)) {
			return true
		}
	}
	return false
}

// knownBefore tells whether the trouble was told under a face that is gone.
func (l look) knownBefore(i finding.Incident) bool {
	for _, f := range l.others(i, i.Hosts) {
		if f.told && f.here.IsZero() {
			return true
		}
	}
	return false
}

// inherit gives a new incident the time of the longest face that is gone, was not told and was
// at least as bad.
func (l look) inherit(t *Tracked, i finding.Incident) {
	for _, f := range l.others(i, i.Hosts) {
		if f.here.IsZero() && f.severity >= i.Severity && f.presentFor > t.PresentFor {
			t.PresentFor, t.Message.FirstSeen = f.presentFor, f.first
		}
	}
}

// share tells whether two sorted lists have a member in common.
func share(a, b []string) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			return true
		case a[0] < b[0]:
			a = a[1:]
		default:
			b = b[1:]
		}
	}
	return false
}
