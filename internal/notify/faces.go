package notify

import (
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// A hostname that answers by turns with 503, with another's body and not at all has one
// trouble with three faces: each is an incident of its own, and none stays. To those on
// call it is one: told once, under the face that it has at that moment, and over when none
// of them is there.
//
// One face is in the place of another if both are of what clients meet, on a fifth of the
// other's hostnames at least, and it came to one of its own later than the other. What was
// there all the time is another trouble. So is what stays for turned; and what was away for
// so long, with another in its place, is over.

// turned is for how long a face must stay, or be away, so that it is believed.
const turned = firstUpdate

// maxCompared bounds the hostnames of all faces: each is compared with each other. Where there
// are hundreds of faces, one of hundreds of hostnames is a trouble of its own.
const maxCompared = 20_000

// face is an incident of what clients meet, as it is with the newest report. A certificate that
// nobody presented is none: it may be as it was.
type face struct {
	id string
	// hosts are those of now, or if it is gone as touched: all since it began. Sorted.
	hosts, touched []string
	severity       finding.Severity
	// here is when it came, to one of its hostnames; zero if it is gone.
	here time.Time
	// told is the worst severity that was told, Info if it was not; to names the sinks.
	told finding.Severity
	to   []string
	// presentFor and often are its clocks.
	presentFor, often time.Duration
	first             time.Time
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
		now, there := current[i.ID]
		if !met(i) || !there && ofCertificate(i) && l.blind.to(t) {
			continue
		}
		f := face{id: i.ID, hosts: t.Touched, touched: t.Touched, severity: i.Severity, first: t.Message.FirstSeen}
		f.presentFor, f.often = l.clocks(t)
		if t.Visible {
			f.told, f.to = t.Told, t.To
		}
		if there {
			f.hosts, f.severity, f.here = now.Hosts, now.Severity, l.hereSince(t, *now)
		}
		all = append(all, f)
	}
	for id, i := range current {
		if !tracked[id] && met(*i) && l.worthTelling(*i) {
			all = append(all, face{id: id, hosts: i.Hosts, touched: i.Hosts, severity: i.Severity, here: l.now})
		}
	}
	most := maxCompared / max(1, len(all))
	return slices.DeleteFunc(all, func(f face) bool { return len(f.hosts) > most || len(f.touched) > most })
}

// hereSince is since when an incident that the report has is there without a gap, and on no
// other hostnames.
func (l look) hereSince(t Tracked, i finding.Incident) time.Time {
	unseen := t.Last == Held && t.GoneSince.IsZero() && ofCertificate(i) // nobody presented one
	if (t.Last == Present || unseen) && !gained(t.Message, i.Hosts) {
		return t.Here
	}
	return l.now
}

// gained tells whether one of the hosts is new since the message, as far as that names them.
func gained(m Message, hosts []string) bool {
	named := m.Incident.Hosts
	return len(hosts) > m.HostCount || slices.ContainsFunc(hosts[:min(len(hosts), maxHosts)], func(h string) bool {
		return !slices.Contains(named, h) && (len(named) < maxHosts || h < named[len(named)-1])
	})
}

// goneSince is since when an incident that the report has not is gone.
func (l look) goneSince(t Tracked) time.Time {
	if t.GoneSince.IsZero() {
		return l.now
	}
	return t.GoneSince
}

// instead tells whether such a face is in the place of an incident that is gone.
func (l look) instead(t Tracked, such func(face) bool) bool {
	return l.anyOther(t.Message.Incident, func(f face) bool {
		return f.here.After(t.Here) && such(f) && turns(t.Touched, f.hosts)
	})
}

// untold tells whether what nobody was told of is there on hostnames of an incident that is
// gone. That is not over until somebody was.
func (l look) untold(t Tracked) bool {
	return l.anyOther(t.Message.Incident, func(f face) bool {
		return !f.here.IsZero() && f.told == finding.Info && turns(t.Touched, f.hosts)
	})
}

// known tells whether the trouble was told, as bad, of all its hostnames and to whoever wants to
// know, under another face: one that is gone, and not over (see untold), or has come later than
// this one.
func (l look) known(i finding.Incident, hosts []string, here time.Time) bool {
	return l.anyOther(i, func(f face) bool {
		return f.told >= i.Severity && within(hosts, f.touched) && (f.here.After(here) || f.here.IsZero() && turns(f.touched, hosts)) &&
			len(l.newcomers(Tracked{To: f.to, Touched: hosts, Message: Message{Incident: i}})) == 0
	})
}

func (l look) anyOther(i finding.Incident, such func(face) bool) bool {
	itself := func(f face) bool { return f.id == i.ID }
	return slices.ContainsFunc(l.faces, itself) && slices.ContainsFunc(l.faces, func(f face) bool { return !itself(f) && such(f) })
}

// inherit gives a new incident the time of the longest face that is gone, was not told and was
// at least as bad.
func (l look) inherit(t *Tracked, i finding.Incident) {
	l.anyOther(i, func(f face) bool {
		if f.here.IsZero() && f.told == finding.Info && f.severity >= i.Severity && f.often > t.Often && turns(f.hosts, i.Hosts) {
			t.PresentFor, t.Often, t.Message.FirstSeen = max(t.PresentFor, f.presentFor), f.often, f.first
		}
		return false
	})
}

// turns tells whether hosts are on a fifth of those of a face that is gone. Both are sorted.
// One that fails now and then does not keep open what has hit hundreds.
func turns(gone, hosts []string) bool {
	n := common(gone, hosts)
	return n > 0 && n*(fade+1) >= len(gone)
}

func within(part, whole []string) bool { return len(part) > 0 && common(part, whole) == len(part) }

// common counts what two sorted lists have in common.
func common(a, b []string) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch c := strings.Compare(a[0], b[0]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
			n++
		}
	}
	return n
}
