// Package notify tells people about incidents: Next turns a series of reports
// into few messages, an Outbox delivers them, at least once and in order.
//
// It judges nothing: whether something is wrong, how badly, and why, is in the
// report. It decides only when to speak.
package notify

import (
	"regexp"
	"time"

	"driftprobe/finding"
)

// Kind is what a message announces.
type Kind string

// The kinds.
const (
	// Firing: an incident has become visible, or worse than was told.
	Firing Kind = "firing"
	// Repeat: a visible incident goes on.
	Repeat Kind = "repeat"
	// Update: a visible incident is much larger than was told, or has another fix.
	Update Kind = "update"
	// Flapping: it came and went, and nothing is said of it until it is stable.
	Flapping Kind = "flapping"
	// Resolved: a visible incident is over.
	Resolved Kind = "resolved"
	// Unwatched: its hostnames are not watched any more, and nobody saw it mended.
	Unwatched Kind = "unwatched"
	// Started: the watch has begun. It is of no incident.
	Started Kind = "started"
)

// Message is one thing to say, once, to each sink.
type Message struct {
	// Key identifies the message over restarts.
	Key  string `json:"key"`
	Kind Kind   `json:"kind"`
	// At is when it was decided to say it.
	At time.Time `json:"at"`
	// Incident is the newest one seen firing, cut to a bounded size: without
	// Effects, and with the first of many Hosts.
	Incident finding.Incident `json:"incident"`
	// HostCount is the number of hostnames hit, of which Incident.Hosts may hold
	// fewer.
	HostCount int `json:"host_count"`
	// Zone is the name that all hostnames stand under, empty if there is none.
	Zone string `json:"zone,omitempty"`
	// SeenOn lists places that showed the fault, the first few of SeenOnCount.
	SeenOn      []string `json:"seen_on,omitempty"`
	SeenOnCount int      `json:"seen_on_count,omitempty"`
	// FirstSeen is when the fault began, as far as is known.
	FirstSeen time.Time `json:"first_seen"`
	// Draining is when it was mended and only caches were left; zero if that was
	// never seen.
	Draining time.Time `json:"draining,omitzero"`
	// Resolved is when it was gone; zero but for Kinds Resolved and Unwatched.
	Resolved time.Time `json:"resolved,omitzero"`
	// News is what is new since the message before, in a few words. May be empty.
	News string `json:"news,omitempty"`
	// Labels are those on which all its hostnames agreed when it was first told.
	Labels map[string]string `json:"labels,omitempty"`
	// Shard says which part of the hosts the speaker looks at ("0/3"); empty: all.
	Shard string `json:"shard,omitempty"`
	// To names the sinks to tell; nil is all of them. The Queue knows who still waits.
	To []string `json:"-"`
}

// Cause is the incident's; when that is over, without the time that it was going to last:
// an all-clear that says "until 14:32" is read as "not yet".
func (m Message) Cause() string {
	if !m.Over() {
		return m.Incident.Cause
	}
	return past(m.Incident.Cause)
}

// past takes the moments to come (see finding.Clock) out of a cause.
func past(cause string) string {
	const clock = `(?:\d{4}-\d\d-\d\d )?\d\d:\d\d(?::\d\d)? UTC`
	return regexp.MustCompile(`,? until `+clock+`|[;,] all clear by `+clock+`(?:, in \d+ \w+)?`).ReplaceAllString(cause, "")
}

// State is what must survive a restart: which incidents are known, and what is
// not delivered yet. The zero State is a start from nothing. It is a value: the
// functions here return a new one and leave the old one as it was.
type State struct {
	Version int `json:"version"`
	// At is the time of the last report.
	At        time.Time `json:"at,omitzero"`
	Incidents []Tracked `json:"incidents,omitempty"`
	Queue     []Queued  `json:"queue,omitempty"`
	// Lately is when incidents were first told, by ID, in the last flapWindow.
	Lately map[string][]time.Time `json:"lately,omitempty"`
	// Dropped counts messages, and Untracked the incidents of the last report,
	// that are lost to the bounds below.
	Dropped   int `json:"dropped,omitempty"`
	Untracked int `json:"untracked,omitempty"`
}

// Queued is a message and the sinks that have not taken it yet.
type Queued struct {
	Message Message  `json:"message"`
	Waiting []string `json:"waiting"`
}

// Look is what the last report said of a tracked incident.
type Look string

// The looks.
const (
	Present Look = "present"
	Gone    Look = "gone"
	// Held: it could not be looked at, so it is neither.
	Held Look = "held"
)

// Tracked is one incident that is being followed.
type Tracked struct {
	// Message is what would be said now; its Key and Kind are empty.
	Message Message `json:"message"`
	// Touched are all hostnames hit since the beginning, sorted; at most
	// maxTouched. It is wider than the newest incident, so that an incident which
	// shrinks because it cannot be seen any more is held.
	Touched []string `json:"touched,omitempty"`
	Last    Look     `json:"last"`
	// Began is the time of the first report with it.
	Began time.Time `json:"began"`
	// Visible: it was told, with Told as its highest severity, Count times, last
	// at LastTold.
	Visible  bool             `json:"visible,omitempty"`
	Told     finding.Severity `json:"told,omitempty"`
	Count    int              `json:"count,omitempty"`
	LastTold time.Time        `json:"last_told,omitzero"`
	// PresentFor and GoneFor count while the looks agree, in nanoseconds; Often, what was
	// there in pieces.
	PresentFor time.Duration `json:"present_for_ns,omitempty"`
	Often      time.Duration `json:"often_ns,omitempty"`
	GoneFor    time.Duration `json:"gone_for_ns,omitempty"`
	GoneSince  time.Time     `json:"gone_since,omitzero"`
	// Instead: while it is gone another face of the trouble is in its place (see face), one as
	// bad if it was not told.
	Instead bool `json:"instead,omitempty"`
	// Here is since when it is there without a gap and on no other hostnames, or was.
	Here time.Time `json:"here,omitzero"`
	// To names the sinks that were told; nil is all of them.
	To []string `json:"to,omitzero"`
	// ToldHosts, ToldFix and Updates are what the last message said: the number of
	// hostnames, the fingerprint of the fix; and how many were updates.
	ToldHosts int    `json:"told_hosts,omitempty"`
	ToldFix   string `json:"told_fix,omitempty"`
	Updates   int    `json:"updates,omitempty"`
	// Flapping: it was told as such, and has not been stable since.
	Flapping bool `json:"flapping,omitempty"`
	// Unread are the kinds of objects that were not read when it was seen last.
	Unread []string `json:"unread,omitempty"`
	// Listed: its hostnames were watched when it was seen last.
	Listed bool `json:"listed,omitempty"`
}

// Version is the version of State as it is stored.
const Version = 2

// Bounds of a State. An incident beyond them is counted and not told: by then
// there are hundreds of messages out.
const (
	maxTracked = 500
	maxQueue   = 500
	maxTouched = 2000
	maxHosts   = 20
	maxSeenOn  = 5
	maxNotes   = 20
	maxSteps   = 30
	maxText    = 2000 // bytes of one text
)
