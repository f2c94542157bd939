package notify

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

var (
	start  = time.Date(2026, 11, 7, 11, 41, 0, 0, time.UTC)
	policy = Policy{ResolveAfter: time.Minute, Repeat: 4 * time.Hour, MinSeverity: finding.Unknown}
)

const moved = "balancer-moved:traefik/traefik"

func incident(s finding.Severity, hosts ...string) finding.Incident {
	if hosts == nil {
		hosts = []string{"api.shop.example", "www.shop.example"}
	}
	return finding.Incident{
		ID: moved, Code: finding.DNSStaleRecord, Severity: s, State: finding.Firing, Hosts: hosts,
		Cause: "DNS still points at a deleted load balancer", Subject: finding.Subject{Namespace: "traefik", Name: "traefik"},
	}
}

func draining() finding.Incident {
	i := incident(finding.Info)
	i.State = finding.Draining
	return i
}

// at is one report: when (after start), what, and what could not be looked at.
type at struct {
	after   time.Duration
	what    []finding.Incident
	unknown []finding.Subject
	offline bool
	found   []finding.Finding
	well    []string
}

func (a at) report() finding.Report {
	r := finding.Report{At: start.Add(a.after), Incidents: a.what}
	for _, s := range a.unknown {
		r.Findings = append(r.Findings, finding.Finding{Code: finding.DNSUnresolvable, Severity: finding.Unknown, Subject: s})
	}
	r.Findings = append(r.Findings, a.found...)
	if a.well != nil {
		r.Fronts = []finding.Front{{Name: "traefik/traefik", Hosts: a.well}}
	}
	if a.offline {
		r.Findings = append(r.Findings, finding.Finding{Code: finding.SelfOffline, Severity: finding.Unknown})
	}
	return r
}

// play runs reports through Next and lists the messages as "after kind".
func play(t *testing.T, p Policy, reports []at) (State, []string) {
	t.Helper()
	var s State
	var said []string
	for _, a := range reports {
		before, _ := json.Marshal(s)
		next, messages := Next(p, s, a.report())
		if after, _ := json.Marshal(s); string(before) != string(after) {
			t.Fatalf("Next at %s changed the state that it was given", a.after)
		}
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%s %s %s", a.after, m.Kind, m.Incident.Severity))
		}
		s = stored(t, next)
	}
	return s, said
}

// stored is the state as a file gives it back: what is not stored is not known.
func stored(t *testing.T, s State) State {
	t.Helper()
	content, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := decode(content)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestNext(t *testing.T) {
	const sec = time.Second
	crit, warn, unkn, info := incident(finding.Critical), incident(finding.Warning), incident(finding.Unknown), incident(finding.Info)
	fire := func(d time.Duration) at { return at{after: d, what: []finding.Incident{crit}} }
	look := func(d time.Duration, i ...finding.Incident) at { return at{after: d, what: i} }
	held := func(d time.Duration, s ...finding.Subject) at { return at{after: d, unknown: s} }
	api := finding.Subject{Host: "api.shop.example"}
	app := incident(finding.Critical)
	app.ID, app.Code, app.Subject = "http/status:503", finding.HTTPStatus, finding.Subject{}
	open := func(c finding.Code) []finding.Finding {
		return []finding.Finding{{Code: c, Severity: finding.Warning, Subject: crit.Subject}}
	}
	pieces := func(long time.Duration) (all []at) { // of half minutes
		for n := range 19 {
			begin := time.Duration(n) * 30 * sec
			all = append(all, fire(begin), look(begin+long))
		}
		return all
	}
	lagging := incident(finding.Critical)
	lagging.Effects = []finding.Finding{{SeenAt: []string{"ns2.example (192.0.2.2)"}}}
	silent := func(server string) []finding.Finding {
		return []finding.Finding{{Code: finding.DNSServerDegraded, Severity: finding.Warning, Subject: finding.Subject{Host: "example", Server: server}}}
	}
	well := func(d time.Duration) at {
		return at{after: d, unknown: []finding.Subject{{Source: "DigitalOcean"}}, well: crit.Hosts}
	}
	cases := []struct {
		rule    string
		policy  Policy
		reports []at
		want    []string
	}{
		{"critical is told after 30 s", policy, []at{fire(0), fire(29 * sec), fire(30 * sec), fire(60 * sec)}, []string{"30s firing critical"}},
		{"a warning is told after 5 min", policy, []at{look(0, warn), look(240*sec, warn), look(300*sec, warn)}, []string{"5m0s firing warning"}},
		{"unknown is told after 5 min", policy, []at{look(0, unkn), look(150*sec, unkn), look(300*sec, unkn)}, []string{"5m0s firing unknown"}},
		{"a pending time of zero tells at once", Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}}, []at{fire(0)}, []string{"0s firing critical"}},
		{"what ends while pending leaves no trace", policy, []at{fire(0), look(20 * sec), fire(30 * sec), look(40 * sec)}, nil},
		{"what is there more often than not is told", policy, []at{fire(0), fire(20 * sec), look(25 * sec), fire(30 * sec), fire(39 * sec), fire(40 * sec)}, []string{"40s firing critical"}},
		{"what is there a third of the time is told", policy, pieces(10 * sec), []string{"9m0s firing critical"}},
		{"what is there a tenth of the time is not", policy, pieces(3 * sec), nil},
		{"a pending incident is held while nobody can look", policy, []at{fire(0), held(20*sec, api), held(40*sec, api), fire(50 * sec), fire(59 * sec), fire(60 * sec)}, []string{"1m0s firing critical"}},
		{"a long gap between reports is not presence", policy, []at{fire(0), fire(time.Hour), fire(time.Hour + 30*sec)}, []string{"1h0m30s firing critical"}},
		{"a clock that goes back counts for nothing", policy, []at{fire(60 * sec), fire(0), fire(29 * sec)}, nil},
		{"info is never told", Policy{}, []at{look(0, info), look(time.Minute, info), look(301*sec, info)}, nil},
		{"under the least severity nothing is told", Policy{MinSeverity: finding.Critical}, []at{look(0, warn), look(200*sec, warn), look(400*sec, warn)}, nil},
		{"what is first seen draining is never told", policy, []at{look(0, draining()), look(60*sec, draining()), look(120 * sec)}, nil},
		{"what drains while pending is never told", policy, []at{fire(0), look(20*sec, draining()), look(60*sec, draining())}, nil},
		{"gone for a minute is resolved", policy, []at{fire(0), fire(30 * sec), look(60 * sec), look(100 * sec), look(120 * sec), look(180 * sec)}, []string{"30s firing critical", "2m0s resolved critical"}},
		{"back within the minute is not resolved", policy, []at{fire(0), fire(30 * sec), look(60 * sec), fire(100 * sec), look(120 * sec), look(170 * sec)}, []string{"30s firing critical"}},
		{"with no waiting it is resolved at once", Policy{}, []at{fire(0), fire(30 * sec), look(60 * sec)}, []string{"30s firing critical", "1m0s resolved critical"}},
		{"draining keeps it open and says nothing", policy, []at{fire(0), fire(30 * sec), look(60*sec, draining()), look(200*sec, draining()), look(300 * sec), look(360 * sec)}, []string{"30s firing critical", "6m0s resolved critical"}},
		{"firing again while draining says nothing", policy, []at{fire(0), fire(30 * sec), look(60*sec, draining()), fire(90 * sec), fire(120 * sec)}, []string{"30s firing critical"}},
		{"an unknown hostname of the incident holds it", policy, []at{fire(0), fire(30 * sec), held(60*sec, api), held(300*sec, api)}, []string{"30s firing critical"}},
		{"its unknown Service holds it", policy, []at{fire(0), fire(30 * sec), held(60*sec, crit.Subject), held(300*sec, crit.Subject)}, []string{"30s firing critical"}},
		{"being offline holds it", policy, []at{fire(0), fire(30 * sec), {after: 60 * sec, offline: true}, {after: 300 * sec, offline: true}}, []string{"30s firing critical"}},
		{"an unread source of truth holds what is about records", policy, []at{fire(0), fire(30 * sec), held(60*sec, finding.Subject{Source: "kubernetes"}), held(300*sec, finding.Subject{Source: "kubernetes"})}, []string{"30s firing critical"}},
		{
			"records are not right because the Service they are held against is deleted", policy,
			[]at{fire(0), fire(30 * sec), {after: 60 * sec, found: open(finding.LBMissing)}, {after: 200 * sec, found: open(finding.LBPending)}, {after: 300 * sec, found: open(finding.LBAddressMismatch)}, fire(330 * sec)},
			[]string{"30s firing critical"},
		},
		{
			"a server that gave the wrong records and is silent now holds it", policy,
			[]at{look(0, lagging), look(30*sec, lagging), {after: 60 * sec, found: silent("ns2.example (192.0.2.2)")}, {after: 200 * sec, found: silent("ns2.example (192.0.2.2)")}},
			[]string{"30s firing critical"},
		},
		{
			"another server that is silent does not", policy,
			[]at{look(0, lagging), look(30*sec, lagging), {after: 60 * sec, found: silent("ns9.example (192.0.2.9)")}, {after: 120 * sec, found: silent("ns9.example (192.0.2.9)")}},
			[]string{"30s firing critical", "2m0s resolved critical"},
		},
		{
			"an application that vanishes while the cluster cannot be read is held", policy,
			[]at{look(0, app), look(30*sec, app), held(60*sec, finding.Subject{Source: "kubernetes"}), held(300*sec, finding.Subject{Source: "kubernetes"})},
			[]string{"30s firing critical"},
		},
		{
			"an application that is seen well is resolved, whatever else cannot be read", policy,
			[]at{look(0, app), look(30*sec, app), well(60 * sec), well(90 * sec), well(120 * sec)},
			[]string{"30s firing critical", "2m0s resolved critical"},
		},
		{"an unknown hostname elsewhere does not hold it", policy, []at{fire(0), fire(30 * sec), held(60*sec, finding.Subject{Host: "other.example"}), held(120*sec, finding.Subject{Host: "other.example"})}, []string{"30s firing critical", "2m0s resolved critical"}},
		{"no clock runs while it is held", policy, []at{fire(0), fire(30 * sec), look(60 * sec), look(100 * sec), held(110*sec, api), held(300*sec, api), look(310 * sec), look(319 * sec), look(320 * sec)}, []string{"30s firing critical", "5m20s resolved critical"}},
		{
			"an unknown hostname that was hit earlier holds it", policy,
			[]at{fire(0), fire(30 * sec), look(60*sec, incident(finding.Critical, "www.shop.example")), held(90*sec, api), held(300*sec, api)},
			[]string{"30s firing critical"},
		},
		{"getting worse is told at once", policy, []at{look(0, warn), look(300*sec, warn), fire(310 * sec), fire(320 * sec)}, []string{"5m0s firing warning", "5m10s firing critical"}},
		{"getting better is not told, nor is worse again", policy, []at{fire(0), fire(30 * sec), look(60*sec, warn), fire(90 * sec)}, []string{"30s firing critical"}},
		{"it is told again at an interval", Policy{Repeat: 2 * time.Minute, ResolveAfter: time.Minute}, []at{fire(0), fire(30 * sec), fire(149 * sec), fire(150 * sec), fire(269 * sec), fire(270 * sec)}, []string{"30s firing critical", "2m30s repeat critical", "4m30s repeat critical"}},
		{"what drains or is held is not told again", Policy{Repeat: time.Minute, ResolveAfter: time.Minute}, []at{fire(0), fire(30 * sec), look(100*sec, draining()), held(200*sec, api)}, []string{"30s firing critical"}},
		{"no interval is no repeat", Policy{ResolveAfter: time.Minute}, []at{fire(0), fire(30 * sec), fire(48 * time.Hour)}, []string{"30s firing critical"}},
		{"after it is resolved it is told anew", policy, []at{fire(0), fire(30 * sec), look(60 * sec), look(120 * sec), fire(150 * sec), fire(180 * sec)}, []string{"30s firing critical", "2m0s resolved critical", "3m0s firing critical"}},
		{"an ID that stands twice counts once, with the worse", policy, []at{look(0, warn, crit), look(30*sec, warn, crit)}, []string{"30s firing critical"}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if _, got := play(t, c.policy, c.reports); !slices.Equal(got, c.want) {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}

// The post-mortem: one message, then one all-clear that knows both lengths.
func TestTheMessagesOfThePostMortem(t *testing.T) {
	i := incident(finding.Critical)
	i.Since = start
	i.Effects = []finding.Finding{{SeenAt: []string{"ns2.example. (192.0.2.2)", "ns1.example. (192.0.2.1)"}}, {SeenAt: []string{"ns1.example. (192.0.2.1)"}}}
	var s State
	var all []Message
	for minute := range 70 {
		r := finding.Report{At: start.Add(time.Duration(minute) * time.Minute)}
		switch {
		case minute < 10:
			r.Incidents = []finding.Incident{i}
		case minute < 11: // the others are found right before it
			last := i
			last.Hosts = i.Hosts[:1]
			r.Incidents = []finding.Incident{last}
		case minute < 66:
			r.Incidents = []finding.Incident{draining()}
		}
		var messages []Message
		s, messages = Next(policy, s, r)
		all = append(all, messages...)
	}
	if len(all) != 2 || all[0].Kind != Firing || all[1].Kind != Resolved {
		t.Fatalf("messages %+v, want firing and resolved", all)
	}
	if m := all[0]; m.HostCount != 2 || m.Zone != "shop.example" || m.SeenOnCount != 2 || m.SeenOn[0] != "ns1.example. (192.0.2.1)" || m.Incident.Effects != nil {
		t.Errorf("firing message %+v", m)
	}
	if got, want := headline(all[1], "prod-fra1"), "[resolved] shop.example is right everywhere, caches have expired (prod-fra1) · lasted 1 h 6 min (unfixed 11 min)"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(s.Incidents) != 0 {
		t.Errorf("still tracked: %+v", s.Incidents)
	}
	if all[0].Key == all[1].Key || !strings.HasPrefix(all[0].Key, moved) {
		t.Errorf("keys %q, %q", all[0].Key, all[1].Key)
	}
}

func TestStateIsBounded(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}}
	r := finding.Report{At: start}
	for n := range maxTracked + 10 {
		i := incident(finding.Critical)
		if n == 0 {
			i.Hosts = slices.Repeat([]string{"a.example", "b.example"}, 3*maxTouched)
			i.Corrected = i.Hosts
		}
		i.ID = fmt.Sprint("id", n)
		i.Cause = strings.Repeat("ä", maxText)
		i.Evidence = slices.Repeat([]finding.Note{{Text: i.Cause}}, 2*maxNotes)
		i.Effects = []finding.Finding{{}}
		r.Incidents = append(r.Incidents, i)
	}
	s, messages := Next(p, State{}, r)
	s = Enqueue(s, []Route{{Sink: "slack"}}, messages)
	s = Enqueue(s, []Route{{Sink: "slack"}}, messages[:5])
	if len(s.Incidents) != maxTracked || len(s.Queue) != maxQueue || s.Dropped != 5 || s.Untracked != 10 {
		t.Errorf("%d tracked, %d queued, %d dropped, %d untracked", len(s.Incidents), len(s.Queue), s.Dropped, s.Untracked)
	}
	i := messages[0].Incident
	if len(i.Hosts) > maxHosts || len(i.Corrected) > maxHosts || len(i.Evidence) > maxNotes || len(i.Cause) > maxText+len("…") || i.Effects != nil {
		t.Errorf("a message is not cut: %d hosts, %d notes, %d bytes of cause", len(i.Hosts), len(i.Evidence), len(i.Cause))
	}
	if messages[0].HostCount != 6*maxTouched {
		t.Errorf("host count %d", messages[0].HostCount)
	}
}

// What is gone and was never told makes room for what is there.
func TestWhatWasNeverToldMakesRoom(t *testing.T) {
	var all []finding.Incident
	for n := range maxTracked {
		i := incident(finding.Warning, "www.shop.example")
		i.ID = fmt.Sprint(n)
		all = append(all, i)
	}
	s, _ := Next(policy, State{}, finding.Report{At: start, Incidents: all})
	s, _ = Next(policy, s, finding.Report{At: start.Add(4 * time.Minute)})
	s, _ = Next(policy, s, finding.Report{At: start.Add(5 * time.Minute), Incidents: []finding.Incident{incident(finding.Critical)}})
	if s.Untracked != 0 || len(s.Incidents) != 1 {
		t.Errorf("%d untracked, %d tracked", s.Untracked, len(s.Incidents))
	}
}

// What begins twice in one second is told under two keys.
func TestKeysWithinASecond(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}}
	keys := map[string]bool{}
	var s State
	for n := range 8 {
		r := finding.Report{At: start.Add(time.Duration(n) * 100 * time.Millisecond)}
		if n%2 == 0 {
			r.Incidents = []finding.Incident{incident(finding.Critical)}
		}
		next, messages := Next(p, s, r)
		for _, m := range messages {
			keys[m.Key] = true
		}
		s = stored(t, next)
	}
	if len(keys) != 8 {
		t.Errorf("8 messages with %d keys", len(keys))
	}
}

func TestRemindersAreDroppedFirst(t *testing.T) {
	var s State
	s = Enqueue(s, []Route{{Sink: "a"}}, []Message{{Key: "first", Kind: Firing}, {Key: "again", Kind: Repeat}})
	for n := range maxQueue - 1 {
		s = Enqueue(s, []Route{{Sink: "a"}}, []Message{{Key: fmt.Sprint(n), Kind: Firing}})
	}
	if s.Queue[0].Message.Key != "first" || s.Queue[1].Message.Key != "0" || s.Dropped != 1 {
		t.Errorf("queue begins %q, %q, dropped %d", s.Queue[0].Message.Key, s.Queue[1].Message.Key, s.Dropped)
	}
}

func TestQueue(t *testing.T) {
	full := Enqueue(State{}, []Route{{Sink: "a"}, {Sink: "b"}}, []Message{{Key: "1"}, {Key: "2"}})
	after := Delivered(full, "a", "1")
	if m, n := Waiting(after, "a"); m.Key != "2" || n != 1 {
		t.Errorf("a waits for %q and %d in all", m.Key, n)
	}
	if m, n := Waiting(after, "b"); m.Key != "1" || n != 2 {
		t.Errorf("b waits for %q and %d in all", m.Key, n)
	}
	if after = Delivered(after, "b", "1"); len(after.Queue) != 1 {
		t.Errorf("a message that all have is still queued: %+v", after.Queue)
	}
	if kept := Retain(full, []string{"b"}); !reflect.DeepEqual(kept.Queue[0].Waiting, []string{"b"}) || len(kept.Queue) != 2 {
		t.Errorf("queue of b alone: %+v", kept.Queue)
	}
	if len(Enqueue(State{}, nil, []Message{{Key: "1"}}).Queue) != 0 {
		t.Error("a message waits for nobody")
	}
	if len(full.Queue) != 2 || len(full.Queue[0].Waiting) != 2 {
		t.Error("the state that was given was changed")
	}
}

func TestZone(t *testing.T) {
	record := func(zone string) finding.Step { return finding.Step{Record: &finding.Record{Zone: zone}} }
	cases := []struct {
		rule  string
		hosts []string
		fix   []finding.Step
		want  string
	}{
		{"the zone of the records", []string{"a.eu.shop.example"}, []finding.Step{record("shop.example")}, "shop.example"},
		{"without records, the common end", []string{"a.eu.shop.example", "b.eu.shop.example"}, nil, "eu.shop.example"},
		{"with several zones, the common end", []string{"a.shop.example", "shop.example"}, []finding.Step{record("shop.example"), record("b.example")}, "shop.example"},
		{"a top-level domain is no zone", []string{"a.example", "b.example"}, nil, ""},
		{"no hostnames, no zone", nil, nil, ""},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if got := zone(finding.Incident{Hosts: c.hosts, Fix: c.fix}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
