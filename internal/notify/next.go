package notify

import (
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
)

// Policy says when to speak.
type Policy struct {
	// Pending is how long an incident of a severity must be present, without a
	// gap, before it is told. A severity that is missing has its default: critical
	// 30 s, others 5 min.
	Pending map[finding.Severity]time.Duration
	// ResolveAfter is how long an incident must be gone before it is called
	// resolved.
	ResolveAfter time.Duration
	// Repeat is how often a firing incident is told again; 0 is never.
	Repeat time.Duration
	// MinSeverity is the least severity that is told. Info never is.
	MinSeverity finding.Severity
}

// maxGap is the longest time between two reports that counts as time observed.
// After a longer one (we did not run) nobody knows what was in between.
const maxGap = 5 * time.Minute

// Next takes a new report and returns the new state and what to say about it. It
// is pure. It should be called about once a minute or more often, with an
// unchanged report too.
//
//   - An incident is told after its pending time; one that ends before leaves no
//     trace, and one that is first seen draining is never told.
//   - Told once, it stays open while the report has its ID, firing or draining.
//   - When it is gone while something about its hostnames or its Service could
//     not be looked at, it is held, and no clock runs.
//   - Otherwise it is resolved after ResolveAfter.
//   - It is told again if it gets worse than was ever told, and at intervals of
//     Repeat while it is seen firing.
func Next(p Policy, s State, r finding.Report) (State, []Message) {
	l := look{policy: p, now: r.At, step: step(s.At, r.At), blind: newBlind(r)}
	next := State{Version: Version, At: r.At, Queue: slices.Clone(s.Queue), Dropped: s.Dropped}
	current := map[string]*finding.Incident{} // of the report: they are large
	for n, i := range r.Incidents {
		if old, twice := current[i.ID]; !twice || i.Severity > old.Severity {
			current[i.ID] = &r.Incidents[n]
		}
	}
	var messages []Message
	keep := func(t Tracked, m *Message, open bool) {
		if m != nil {
			messages = append(messages, *m)
		}
		if open {
			next.Incidents = append(next.Incidents, t)
		}
	}
	for _, t := range s.Incidents {
		id := t.Message.Incident.ID
		i, here := current[id]
		delete(current, id)
		if here {
			keep(l.present(t, *i))
		} else {
			keep(l.absent(t))
		}
	}
	for n := range r.Incidents {
		i, here := current[r.Incidents[n].ID]
		if !here {
			continue
		}
		delete(current, i.ID)
		switch {
		case !l.worthTelling(*i):
		case len(next.Incidents) >= maxTracked:
			next.Untracked++
		default:
			keep(l.present(Tracked{Began: l.now, Message: Message{FirstSeen: l.now}}, *i))
		}
	}
	return next, messages
}

// step is the time observed between two reports.
func step(before, now time.Time) time.Duration {
	d := now.Sub(before)
	if before.IsZero() || d < 0 || d > maxGap {
		return 0
	}
	return d
}

// look is one report's view on the incidents that are tracked.
type look struct {
	policy Policy
	now    time.Time
	step   time.Duration
	blind  blind
}

func (l look) worthTelling(i finding.Incident) bool {
	return i.State != finding.Draining && i.Severity > finding.Info && i.Severity >= l.policy.MinSeverity
}

func (l look) pending(s finding.Severity) time.Duration {
	if d, ok := l.policy.Pending[s]; ok {
		return d
	}
	if s == finding.Critical {
		return 30 * time.Second
	}
	return 5 * time.Minute
}

// present follows an incident that the report has. It returns whether it is
// still tracked.
func (l look) present(t Tracked, i finding.Incident) (Tracked, *Message, bool) {
	if !t.Visible && !l.worthTelling(i) {
		return t, nil, false
	}
	if t.Last == Present {
		t.PresentFor += l.step
	}
	t.Last, t.GoneFor, t.GoneSince = Present, 0, time.Time{}
	t.Touched = union(t.Touched, i.Hosts)
	if i.State == finding.Draining {
		if t.Message.Draining.IsZero() {
			t.Message.Draining = l.now
		}
		return t, nil, true
	}
	t.Message = describe(t.Message, i)
	switch {
	case !t.Visible && t.PresentFor >= l.pending(i.Severity), t.Visible && l.worthTelling(i) && i.Severity > t.Told:
		return l.tell(t, Firing)
	case t.Visible && l.policy.Repeat > 0 && l.now.Sub(t.LastTold) >= l.policy.Repeat && l.worthTelling(i):
		return l.tell(t, Repeat)
	}
	return t, nil, true
}

// absent follows an incident that the report does not have.
func (l look) absent(t Tracked) (Tracked, *Message, bool) {
	if l.blind.to(t) {
		t.Last = Held
		return t, nil, true
	}
	if !t.Visible {
		return t, nil, false
	}
	if t.GoneSince.IsZero() {
		t.GoneSince = l.now
	}
	if t.Last == Gone {
		t.GoneFor += l.step
	}
	t.Last = Gone
	if t.GoneFor < l.policy.ResolveAfter {
		return t, nil, true
	}
	t.Message.Resolved = t.GoneSince
	t.Message = ofAll(t.Message, t.Touched)
	_, m, _ := l.tell(t, Resolved)
	return t, m, false
}

// tell makes the message. Its key is the incident, its first moment and a
// counter: the same after a restart that lost nothing but the send.
func (l look) tell(t Tracked, k Kind) (Tracked, *Message, bool) {
	t.Visible = true
	t.Told = max(t.Told, t.Message.Incident.Severity)
	t.LastTold = l.now
	t.Count++
	m := t.Message
	m.Kind, m.At = k, l.now
	m.Key = fmt.Sprintf("%s@%s#%d", m.Incident.ID, t.Began.UTC().Format(time.RFC3339), t.Count)
	return t, &m, true
}

// blind is what a report says it could not look at.
type blind struct {
	// all: nothing at all; some: at least one hostname; truth: a source that says
	// which addresses are right.
	all, some, truth bool
	hosts            map[string]bool
	services         map[[2]string]bool
	// open are Services whose load balancer is gone, has no address, or has one that
	// is disputed: which records are right is not decided for as long.
	open map[[2]string]bool
	// servers are name servers that gave no usable answer.
	servers map[string]bool
	// named are the hostnames that the report says anything about.
	named map[string]bool
}

func newBlind(r finding.Report) blind {
	b := blind{
		hosts: map[string]bool{}, services: map[[2]string]bool{},
		open: map[[2]string]bool{}, servers: map[string]bool{}, named: map[string]bool{},
	}
	for _, i := range r.Incidents {
		b.name(i.Hosts)
	}
	for _, f := range r.Fronts {
		b.name(f.Hosts)
	}
	for _, f := range r.Findings {
		switch f.Code {
		case finding.LBMissing, finding.LBPending, finding.LBAddressMismatch:
			b.open[[2]string{f.Subject.Namespace, f.Subject.Name}] = true
		case finding.DNSServerDegraded:
			b.servers[f.Subject.Server] = true
		}
		if f.Code == finding.SelfOffline {
			b.all = true
		}
		if f.Severity != finding.Unknown {
			continue
		}
		s := f.Subject
		if s.Host != "" {
			b.hosts[s.Host], b.some = true, true
		}
		if s.Name != "" {
			b.services[[2]string{s.Namespace, s.Name}] = true
		}
		if s.Source != "" && s.Host == "" && s.Name == "" {
			b.truth = true
		}
	}
	return b
}

func (b blind) name(hosts []string) {
	for _, h := range hosts {
		b.named[h] = true
	}
}

// to tells whether the absence of an incident means nothing.
func (b blind) to(t Tracked) bool {
	i := t.Message.Incident
	family := i.Code.Family()
	return b.all ||
		b.truth && (family == "dns" || family == "lb" || slices.ContainsFunc(t.Touched, func(h string) bool { return !b.named[h] })) ||
		family == "dns" && b.open[[2]string{i.Subject.Namespace, i.Subject.Name}] && i.Subject.Name != "" ||
		// A server that gave the wrong records and says nothing now may still give them.
		family == "dns" && slices.ContainsFunc(t.Message.SeenOn, func(s string) bool { return b.servers[s] }) ||
		b.some && len(t.Touched) >= maxTouched ||
		i.Subject.Name != "" && b.services[[2]string{i.Subject.Namespace, i.Subject.Name}] ||
		b.hosts[i.Subject.Host] ||
		slices.ContainsFunc(t.Touched, func(h string) bool { return b.hosts[h] })
}

// union merges two sorted lists, up to maxTouched.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.Clip(all[:min(len(all), maxTouched)])
}
