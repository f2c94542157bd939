package notify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
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
	// MinSeverity is the least severity that is told. Info never is, and that we have no
	// network always.
	MinSeverity finding.Severity
	// FlapAfter: what is told for this many times within flapWindow is told as flapping
	// instead. 0 is never.
	FlapAfter int
	// Routes say which sink is told what. Without any, each is told all.
	Routes []Route
	// Silences are what is not told for a time.
	Silences []Silence
	// Shard is the part of all hosts that we speak of.
	Shard inventory.Shard
	// Watched are the hostnames that are watched; nil: that is not known.
	Watched map[string]Host
}

const (
	flapWindow = time.Hour
	// stable is for how long what flapped must be there, or be gone, to be believed.
	stable = 30 * time.Minute
	// firstUpdate is the least time to the first update; each further one waits twice as
	// long.
	firstUpdate = 5 * time.Minute
	// fade is how many times slower the time without an incident counts than that with it, and
	// pieces how many times longer what comes and goes must have been there: so one backend of
	// four that fails is told, and what fails once in a hundred looks is not.
	fade, pieces = 4, 3
)

// maxGap is the longest time between two reports that counts as time observed.
// After a longer one (we did not run) nobody knows what was in between.
const maxGap = 5 * time.Minute

// Next takes a new report and returns the new state and what to say about it. It
// is pure. It should be called about once a minute or more often, with an
// unchanged report too.
//
//   - An incident is told after it was there for its pending time; in pieces, after three
//     times as much. Time without it counts against the pieces by a quarter, so what is there
//     for more than a fifth of the time is told too. One that is first seen draining is never told.
//   - One trouble that shows several faces by turns is told once, and stays open while one
//     of them is there, see face.
//   - Told once, it stays open while the report has its ID, firing or draining.
//   - What was told often lately is told as flapping, and then not until it is stable.
//   - It is updated when it has grown by half, or has another fix.
//   - When it is gone while something about its hostnames or its Service could
//     not be looked at, it is held: from then on no clock runs.
//   - Otherwise it is resolved after ResolveAfter; or no longer watched, if its hostnames
//     are not.
//   - It is told again if it gets worse than was ever told, and at intervals of
//     Repeat while it is seen firing, or under faces that were not told.
func Next(p Policy, s State, r finding.Report) (State, []Message) {
	next := State{Version: Version, At: r.At, Queue: slices.Clone(s.Queue), Dropped: s.Dropped, Lately: lately(s.Lately, r.At)}
	l := look{policy: p, now: r.At, step: step(s.At, r.At), blind: newBlind(r), lately: next.Lately}
	current := map[string]*finding.Incident{} // of the report: they are large
	for n, i := range r.Incidents {
		if old, twice := current[i.ID]; !twice || i.Severity > old.Severity {
			current[i.ID] = &r.Incidents[n]
		}
	}
	var messages []Message
	before := setBack(s.Incidents, s.At.Sub(r.At))
	l.faces = l.facesOf(before, current)
	keep := func(t Tracked, m *Message, open bool) {
		if m != nil {
			messages = append(messages, *m)
		}
		if open {
			next.Incidents = append(next.Incidents, t)
		}
	}
	for _, t := range before {
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
		if len(next.Incidents) >= maxTracked { // what is gone and was not told makes room
			next.Incidents = slices.DeleteFunc(next.Incidents, func(t Tracked) bool { return !t.Visible && t.Last == Gone })
		}
		switch {
		case !l.worthTelling(*i):
		case len(next.Incidents) >= maxTracked:
			next.Untracked++
		default:
			t := Tracked{Began: l.now, Message: Message{FirstSeen: l.now, Shard: p.Shard.String()}}
			l.inherit(&t, *i)
			keep(l.present(t, *i))
		}
	}
	return next, messages
}

// setBack keeps the moments of what is tracked in their order, and before the report, when
// the clock was set back.
func setBack(all []Tracked, by time.Duration) []Tracked {
	if by < 0 {
		return all
	}
	all = slices.Clone(all)
	for n := range all {
		for _, at := range []*time.Time{&all[n].Here, &all[n].GoneSince, &all[n].LastTold} {
			if !at.IsZero() {
				*at = at.Add(-by - 1)
			}
		}
	}
	return all
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
	lately map[string][]time.Time // of the next State
	faces  []face
}

func (l look) worthTelling(i finding.Incident) bool {
	return i.State != finding.Draining && i.Severity > finding.Info &&
		(i.Severity >= l.policy.MinSeverity || i.Code == finding.SelfOffline) &&
		!slices.ContainsFunc(l.policy.Silences, func(s Silence) bool { return l.now.Before(s.Until) && s.covers(i) })
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

// clocks are the two of an incident: the time since the last report counts as what that one
// said. Time without it takes as much from the first, and little from the second. What was not
// told has no more than twice of what it needs: it is to be forgotten when all is well.
func (l look) clocks(t Tracked) (presentFor, often time.Duration) {
	switch {
	case t.Last == Present, t.Last == Gone && t.Instead:
		presentFor, often = t.PresentFor+l.step, t.Often+l.step
		if most := 2 * l.pending(t.Message.Incident.Severity); !t.Visible {
			presentFor, often = min(presentFor, most), min(often, pieces*most)
		}
		return presentFor, often
	case t.Last == Gone:
		return max(0, t.PresentFor-l.step), max(0, t.Often-l.step/fade)
	}
	return t.PresentFor, t.Often
}

// lasted tells whether an incident was there for long enough to be told: in one piece, or in
// many.
func (l look) lasted(t Tracked, s finding.Severity) bool {
	return t.PresentFor >= l.pending(s) || t.Often >= pieces*l.pending(s)
}

// present follows an incident that the report has. It returns whether it is
// still tracked.
func (l look) present(t Tracked, i finding.Incident) (Tracked, *Message, bool) {
	if !t.Visible && !l.worthTelling(i) {
		return t, nil, false
	}
	t.Here = l.hereSince(t, i)
	t.PresentFor, t.Often = l.clocks(t)
	if t.Last == Gone && t.Visible && !t.Instead {
		t.PresentFor = 0
	}
	t.Last, t.Instead, t.GoneFor, t.GoneSince = Present, false, 0, time.Time{}
	t.Touched, t.Unread = union(t.Touched, i.Hosts), l.blind.kinds
	t.Listed = l.anyWatched(i.Hosts)
	if i.State == finding.Draining {
		if t.Message.Draining.IsZero() {
			t.Message.Draining = l.now
		}
		return t, nil, true
	}
	if !t.Visible {
		t.Message.Labels = l.labels(i.Hosts)
	}
	t.Message = describe(t.Message, i)
	switch {
	case !t.Visible && l.lasted(t, i.Severity) && (l.now.Sub(t.Here) >= turned || !l.known(i, i.Hosts, t.Here)):
		return l.begin(t)
	case !t.Visible || !l.worthTelling(i):
		return t, nil, true
	case i.Severity > t.Told:
		return l.tell(t, Firing, "")
	case len(l.newcomers(t)) > 0:
		only := l.newcomers(t)
		t, m, open := l.tell(t, Firing, "")
		m.To = only
		return t, m, open
	}
	return l.again(t)
}

// begin tells an incident for the first time.
func (l look) begin(t Tracked) (Tracked, *Message, bool) {
	id := t.Message.Incident.ID
	times := append(slices.Clone(l.lately[id]), l.now)
	if l.policy.FlapAfter > 0 && (l.lately[id] != nil || len(l.lately) < maxTracked) {
		l.lately[id] = times[max(0, len(times)-maxNotes):]
	}
	if l.policy.FlapAfter > 0 && len(times) >= l.policy.FlapAfter {
		t.Flapping, t.PresentFor = true, 0
		return l.tell(t, Flapping, fmt.Sprintf("came and went, %d times in the last hour; quiet until it is stable", len(times)))
	}
	return l.tell(t, Firing, "")
}

// again tells an incident that goes on, if there is reason to.
func (l look) again(t Tracked) (Tracked, *Message, bool) {
	since := l.now.Sub(t.LastTold)
	switch {
	case t.Flapping && t.PresentFor >= stable:
		t.Flapping = false
		return l.tell(t, Repeat, "")
	case t.Flapping:
	case since >= firstUpdate<<min(t.Updates, 6) && t.Message.HostCount >= t.ToldHosts+max(2, (t.ToldHosts+1)/2):
		t.Updates++
		return l.tell(t, Update, fmt.Sprintf("it was %s", finding.Count(t.ToldHosts, "hostname", "hostnames")))
	case since >= firstUpdate<<min(t.Updates, 6) && !slices.Contains([]string{"", t.ToldFix}, remedyOf(t.Message.Incident)):
		t.Updates++
		return l.tell(t, Update, "another fix than was told")
	case l.policy.Repeat > 0 && since >= l.policy.Repeat:
		return l.tell(t, Repeat, "")
	}
	return t, nil, true
}

// absent follows an incident that the report does not have.
func (l look) absent(t Tracked) (Tracked, *Message, bool) {
	t.PresentFor, t.Often = l.clocks(t)
	if t.Last == Gone {
		t.GoneFor += l.step
	}
	if l.blind.to(t) {
		t.Last = Held
		return t, nil, true
	}
	t.GoneSince = l.goneSince(t)
	if !t.Visible {
		t.Instead = l.instead(t, func(f face) bool { return f.severity >= t.Message.Incident.Severity })
		t.Last = Gone
		return t, nil, t.Often > 0 && !l.known(t.Message.Incident, t.Touched, t.Here)
	}
	untold := l.untold(t)
	enough, instead := l.policy.ResolveAfter, untold || l.instead(t, func(face) bool { return true })
	if t.Instead && !instead { // well from now on
		t.GoneFor, t.GoneSince = 0, l.now
	}
	t.Last, t.Instead = Gone, instead
	if instead {
		enough = max(enough, turned)
	}
	if t.Flapping {
		enough = max(enough, stable)
	}
	switch {
	case untold && l.worthTelling(t.Message.Incident):
		return l.again(t) // it goes on, and nothing else says so
	case untold || t.GoneFor < enough:
		return t, nil, true
	}
	t.Message.Resolved = t.GoneSince
	if t.Listed && !l.anyWatched(t.Message.Incident.Hosts) {
		_, m, _ := l.tell(t, Unwatched, "nobody saw it mended")
		return t, m, false
	}
	t.Message = ofAll(t.Message, l.watched(t.Touched))
	_, m, _ := l.tell(t, Resolved, "")
	return t, m, false
}

// tell makes the message. Its key is the incident, its first moment and a
// counter: the same after a restart that lost nothing but the send.
func (l look) tell(t Tracked, k Kind, news string) (Tracked, *Message, bool) {
	t.To = l.recipients(t, k)
	t.Visible = true
	t.Told = max(t.Told, t.Message.Incident.Severity)
	t.LastTold = l.now
	t.ToldHosts, t.ToldFix = t.Message.HostCount, cmp.Or(remedyOf(t.Message.Incident), t.ToldFix)
	t.Count++
	m := t.Message
	m.Kind, m.At, m.To, m.News = k, l.now, t.To, news
	m.Key = fmt.Sprintf("%s@%s#%d", m.Incident.ID, t.Began.UTC().Format(time.RFC3339Nano), t.Count)
	if m.Shard != "" {
		m.Key += "@" + m.Shard // others may have an incident of this name
	}
	return t, &m, true
}

// lately copies what is younger than flapWindow.
func lately(all map[string][]time.Time, now time.Time) map[string][]time.Time {
	next := map[string][]time.Time{}
	for id, times := range all {
		if i := slices.IndexFunc(times, func(at time.Time) bool { return now.Sub(at) < flapWindow }); i >= 0 {
			next[id] = slices.Clone(times[i:])
		}
	}
	return next
}

// remedyOf is a fingerprint of what is to be done: of the records, else of the commands
// (those that set a record come and go with what the provider could be asked), and not of
// texts, which hold times; empty if there are neither.
func remedyOf(i finding.Incident) string {
	records := slices.ContainsFunc(i.Fix, func(s finding.Step) bool { return s.Record != nil })
	hash, exact := sha256.New(), false
	for _, s := range i.Fix {
		if s.Command != "" && !records {
			fmt.Fprintf(hash, "%q", s.Command)
			exact = true
		}
		if s.Record != nil {
			fmt.Fprintf(hash, "%q", []any{s.Record.Owner, s.Record.Type, s.Record.Values})
			exact = true
		}
	}
	if !exact {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// union merges two sorted lists, up to maxTouched.
func union(a, b []string) []string {
	if common(a, b) == len(b) && len(a) <= maxTouched {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.Clip(all[:min(len(all), maxTouched)])
}
