package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

// many are hostnames.
func many(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("h%03d.shop.example", i))
	}
	return all
}

func TestWhatChangesIsTold(t *testing.T) {
	const sec, min = time.Second, time.Minute
	p := Policy{ResolveAfter: min, Pending: map[finding.Severity]time.Duration{finding.Critical: 0}}
	small, large, other := incident(finding.Critical, many(4)...), incident(finding.Critical, many(6)...), incident(finding.Critical, many(4)...)
	little := incident(finding.Critical, many(5)...)
	small.Fix = []finding.Step{{Text: "by 11:47", Command: "a"}}
	large.Fix, little.Fix = small.Fix, []finding.Step{{Text: "by 11:50", Command: "a"}}
	other.Fix = []finding.Step{{Command: "b"}}
	none := small
	none.Fix = []finding.Step{{Text: "nobody knows"}}
	look := func(d time.Duration, i ...finding.Incident) at { return at{after: d, what: i} }
	cases := []struct {
		rule    string
		reports []at
		want    []string
	}{
		{"half as many again", []at{look(0, small), look(5*min, large), look(9*min, large)}, []string{"0s firing critical", "5m0s update critical"}},
		{"not before five minutes", []at{look(0, small), look(min, large), look(4*min, large)}, []string{"0s firing critical"}},
		{"one more, and another text, is nothing new", []at{look(0, small), look(5*min, little)}, []string{"0s firing critical"}},
		{"another command", []at{look(0, small), look(5*min, other)}, []string{"0s firing critical", "5m0s update critical"}},
		{"a fix that nobody knows any more", []at{look(0, small), look(5*min, none), look(6*min, small)}, []string{"0s firing critical"}},
		{"each further one waits twice as long", []at{look(0, small), look(5*min, other), look(10*min, small), look(14*min+59*sec, small), look(15*min, small)}, []string{"0s firing critical", "5m0s update critical", "15m0s update critical"}},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if _, got := play(t, p, c.reports); !slices.Equal(got, c.want) {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}

// It comes and goes every two minutes for an hour: twice it is told, then once that it
// flaps, and then nothing until it was away for half an hour.
func TestFlapping(t *testing.T) {
	p := Policy{ResolveAfter: time.Minute, FlapAfter: 3, Pending: map[finding.Severity]time.Duration{finding.Critical: 0}}
	comes := func(minutes int, there func(int) bool) []at {
		var all []at
		for m := range minutes {
			a := at{after: time.Duration(m) * time.Minute}
			if there(m) {
				a.what = []finding.Incident{incident(finding.Critical)}
			}
			all = append(all, a)
		}
		return all
	}
	twoByTwo := func(m int) bool { return m < 60 && m%4 < 2 }
	_, got := play(t, p, comes(120, twoByTwo))
	want := []string{"0s firing critical", "3m0s resolved critical", "4m0s firing critical", "7m0s resolved critical", "8m0s flapping critical", "1h28m0s resolved critical"}
	if !slices.Equal(got, want) {
		t.Errorf("said %q\nwant %q", got, want)
	}
	_, got = play(t, p, comes(60, func(m int) bool { return m%4 < 2 || m > 10 }))
	if want = append(want[:5:5], "41m0s repeat critical"); !slices.Equal(got, want) {
		t.Errorf("said %q\nwant %q", got, want)
	}
	p.FlapAfter = 0
	if _, got = play(t, p, comes(60, twoByTwo)); len(got) != 30 {
		t.Errorf("without a limit: %q", got)
	}
}

func TestSilences(t *testing.T) {
	i := incident(finding.Critical, "api.shop.example", "www.shop.example")
	for _, c := range []struct {
		rule    string
		silence Silence
		covers  bool
	}{
		{"all hosts fit", Silence{Hosts: []string{"*.shop.example"}}, true},
		{"one host does not fit", Silence{Hosts: []string{"api.*"}}, false},
		{"each fits another", Silence{Hosts: []string{"api.*", "www.*"}}, true},
		{"the code", Silence{Code: "dns/*"}, true},
		{"another code", Silence{Code: "tls/*"}, false},
		{"the ID", Silence{Incident: moved}, true},
		{"all that is named must fit", Silence{Incident: moved, Code: "tls/*"}, false},
	} {
		if got := c.silence.covers(i); got != c.covers {
			t.Errorf("%s: %v", c.rule, got)
		}
	}
	p := policy
	p.Silences = []Silence{{Code: "dns/*", Until: start.Add(10 * time.Minute)}}
	fire := func(d time.Duration) at { return at{after: d, what: []finding.Incident{i}} }
	_, got := play(t, p, []at{fire(0), fire(5 * time.Minute), fire(10 * time.Minute), fire(10*time.Minute + 30*time.Second)})
	if want := []string{"10m30s firing critical"}; !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestWhoIsTold(t *testing.T) {
	i := incident(finding.Warning, "api.shop.example", "www.shop.example")
	watched := map[string]Host{
		"api.shop.example": {Labels: map[string]string{"team": "pay", "tier": "1"}},
		"www.shop.example": {Labels: map[string]string{"team": "web", "tier": "1"}, Namespaces: []string{"shop"}},
	}
	for _, c := range []struct {
		rule  string
		route Route
		wants bool
	}{
		{"no wish", Route{}, true},
		{"less than wanted", Route{MinSeverity: finding.Critical}, false},
		{"the Service's namespace", Route{Namespaces: []string{"traefik"}}, true},
		{"the namespace of an Ingress", Route{Namespaces: []string{"shop"}}, true},
		{"another namespace", Route{Namespaces: []string{"blog"}}, false},
		{"a host", Route{Hosts: []string{"www.*"}}, true},
		{"another host", Route{Hosts: []string{"*.blog.example"}}, false},
		{"labels of one host", Route{Labels: map[string]string{"team": "pay", "tier": "1"}}, true},
		{"labels of no one host", Route{Labels: map[string]string{"team": "blog"}}, false},
		{"each wish must be met", Route{Hosts: []string{"www.*"}, Namespaces: []string{"blog"}}, false},
	} {
		if got := c.route.wants(i, i.Hosts, watched); got != c.wants {
			t.Errorf("%s: %v", c.rule, got)
		}
	}
	if !(Route{MinSeverity: finding.Critical, Hosts: []string{"x"}}).wants(finding.Incident{Code: finding.SelfOffline}, nil, nil) {
		t.Error("that there is no network is for everybody")
	}
	l := look{policy: Policy{Watched: watched}}
	if got := l.labels(i.Hosts); len(got) != 1 || got["tier"] != "1" {
		t.Errorf("labels %q, want those on which all agree", got)
	}
}

// The end is told to those who know the beginning, and who joins later hears of it then.
func TestTheEndIsToldToWhoKnowsTheBeginning(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0, finding.Warning: 0}, ResolveAfter: 0}
	p.Routes = []Route{{Sink: "all"}, {Sink: "critical", MinSeverity: finding.Critical}, {Sink: "blog", Hosts: []string{"*.blog.example"}}}
	var s State
	var said []string
	step := func(minute int, i ...finding.Incident) {
		var messages []Message
		s, messages = Next(p, s, finding.Report{At: start.Add(time.Duration(minute) * time.Minute), Incidents: i})
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%d %s %s", minute, m.Kind, strings.Join(m.To, ",")))
		}
		s = Enqueue(s, []Route{p.Routes[0], p.Routes[1]}, messages)
	}
	step(0, incident(finding.Warning))
	step(1, incident(finding.Critical))
	p.Routes = append(p.Routes, Route{Sink: "new"})
	step(2, incident(finding.Critical))
	p.Routes = append(p.Routes, Route{Sink: "late"})
	step(3)
	want := []string{"0 firing all", "1 firing all,critical", "2 firing new", "3 resolved all,critical,new"}
	if !slices.Equal(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	if _, n := Waiting(s, "all"); n != 3 {
		t.Errorf("%d messages wait for all", n)
	}
	if _, n := Waiting(s, "critical"); n != 2 {
		t.Errorf("%d messages wait for critical", n)
	}
}

func TestNoLongerWatched(t *testing.T) {
	p := Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}, ResolveAfter: time.Minute}
	both := map[string]Host{"api.shop.example": {}, "www.shop.example": {}}
	for _, c := range []struct {
		rule   string
		last   []string
		left   map[string]Host
		unread bool
		want   string
	}{
		{"none is watched any more", nil, map[string]Host{"x.example": {}}, false, "unwatched 2"},
		{"nothing is watched any more", nil, map[string]Host{}, false, "unwatched 2"},
		{"one is watched and right", nil, map[string]Host{"api.shop.example": {}}, false, "resolved 2"},
		{"the last that was wrong is not watched", []string{"www.shop.example"}, map[string]Host{"api.shop.example": {}}, false, "unwatched 1"},
		{"nobody knows what is watched", nil, nil, false, "resolved 2"},
		{"the cluster cannot be read", nil, map[string]Host{}, true, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p.Watched = both
			s, _ := Next(p, State{}, finding.Report{At: start, Incidents: []finding.Incident{incident(finding.Critical)}})
			if c.last != nil {
				s, _ = Next(p, s, finding.Report{At: start.Add(time.Minute), Incidents: []finding.Incident{incident(finding.Critical, c.last...)}})
			}
			p.Watched = c.left
			got := ""
			for m := range 4 {
				r := finding.Report{At: start.Add(time.Duration(m+2) * time.Minute)}
				if c.unread {
					r.Findings = []finding.Finding{{Severity: finding.Unknown, Subject: finding.Subject{Source: "Kubernetes"}}}
				}
				var messages []Message
				s, messages = Next(p, s, r)
				for _, m := range messages {
					got = fmt.Sprintf("%s %d", m.Kind, m.HostCount)
				}
			}
			if got != c.want {
				t.Errorf("said %q, want %q", got, c.want)
			}
		})
	}
}

func TestAStormIsOneMessage(t *testing.T) {
	var messages []Message
	for n := range 25 {
		i := incident(finding.Warning, fmt.Sprintf("h%d.example", n))
		i.ID = fmt.Sprint("i", n)
		if n == 7 {
			i.Severity = finding.Critical
		}
		messages = append(messages, Message{Key: i.ID, Kind: Firing, At: start, FirstSeen: start.Add(-time.Duration(n) * time.Second), Incident: i, HostCount: 1})
	}
	routes := []Route{{Sink: "slack", Storm: 20}, {Sink: "ops", Storm: 20}, {Sink: "events"}}
	s := Enqueue(State{}, routes, messages)
	if _, n := Waiting(s, "events"); n != 25 {
		t.Errorf("%d messages without a limit", n)
	}
	m, n := Waiting(s, "slack")
	if _, other := Waiting(s, "ops"); n != 1 || other != 1 || len(s.Queue) != 26 {
		t.Errorf("%d and %d messages for those with a limit, %d in all", n, other, len(s.Queue))
	}
	if got := headline(m, "prod"); got != "[critical] 25 incidents at once (prod)" || len(m.Incident.Evidence) != maxNotes+1 || m.Incident.Evidence[maxNotes].Text != "5 more" {
		t.Errorf("%s\n%+v", got, m.Incident.Evidence)
	}
	if !m.FirstSeen.Equal(start.Add(-24 * time.Second)) {
		t.Errorf("since %s", m.FirstSeen)
	}
	if s = Enqueue(State{}, routes, messages[:20]); len(s.Queue) != 20 {
		t.Errorf("%d messages of 20", len(s.Queue))
	}
}

// The network is gone for 20 minutes. Who could be told meanwhile is told twice; who could
// not, once: with both times. Nothing else is said.
func TestOffline(t *testing.T) {
	p := Policy{ResolveAfter: time.Minute, MinSeverity: finding.Warning, Routes: []Route{{Sink: "near"}, {Sink: "far", MinSeverity: finding.Critical}}}
	away := finding.Incident{ID: "self/offline", Code: finding.SelfOffline, Severity: finding.Unknown, State: finding.Firing, Cause: "no network", Hosts: many(100)}
	var s State
	said := map[string][]string{}
	for m := range 40 {
		r := finding.Report{At: start.Add(time.Duration(m) * time.Minute)}
		switch {
		case m < 5:
			r.Incidents = []finding.Incident{incident(finding.Critical)}
		case m < 25:
			r.Incidents = []finding.Incident{away}
			r.Findings = []finding.Finding{{Code: finding.SelfOffline, Severity: finding.Unknown}}
		}
		var messages []Message
		s, messages = Next(p, s, r)
		s = Enqueue(s, p.Routes, messages)
		for _, sink := range []string{"near", "far"} {
			for sink == "near" || m < 5 || m > 28 {
				message, n := Waiting(s, sink)
				if n == 0 {
					break
				}
				said[sink] = append(said[sink], fmt.Sprintf("%d %s", m, headline(message, "")))
				s = Delivered(s, sink, message.Key)
			}
		}
	}
	over := "[resolved] driftprobe had no network from 11:46 UTC to 12:06 UTC: nothing was looked at · lasted 20 min"
	hit, gone := "1 [critical] DNS still points at a deleted load balancer: 2 hostnames of shop.example", "[resolved] DNS still points at a deleted load balancer: 2 hostnames of shop.example · lasted 25 min"
	want := map[string][]string{
		"near": {hit, "10 [unknown] no network: 100 hostnames of shop.example", "26 " + gone, "26 " + over},
		"far":  {hit, "29 " + gone, "29 " + over},
	}
	for sink, lines := range want {
		if !slices.Equal(said[sink], lines) {
			t.Errorf("%s was told\n%s\nwant\n%s", sink, strings.Join(said[sink], "\n"), strings.Join(lines, "\n"))
		}
	}
}

// A log of certificates that cannot be read says nothing of records, and hosts over a limit
// nothing of the others: what is over is told.
func TestWhatSaysNothingOfTheTruthHoldsNothing(t *testing.T) {
	for _, f := range []finding.Finding{
		{Code: finding.IssuanceLogUnread, Severity: finding.Unknown, Subject: finding.Subject{Source: "SSLMate"}},
		{Code: finding.SelfOverLimit, Severity: finding.Unknown, Subject: finding.Subject{Source: "kubernetes"}},
	} {
		t.Run(string(f.Code), func(t *testing.T) {
			all := saidOver(func(int) finding.Report { return finding.Report{Findings: []finding.Finding{f}} })
			if len(all) != 2 || all[1].Kind != Resolved {
				t.Errorf("said %+v", all)
			}
		})
	}
}

// An incident that is gone beside kinds of objects which were never read is over if it was
// seen without them. Else they may be why it was seen: it is held.
func TestKindsThatWereNeverRead(t *testing.T) {
	ingresses, both := []string{"ingresses"}, []string{"httproutes", "ingresses"}
	for name, c := range map[string]struct {
		before, after []string
		over          bool
	}{
		"never read at all":     {both, both, true},
		"one of them by now":    {both, ingresses, true},
		"both by now":           {both, nil, true},
		"unread since a start":  {nil, ingresses, false},
		"one more since then":   {ingresses, both, false},
		"another one than then": {ingresses, []string{"httproutes"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := saidOver(func(n int) finding.Report {
				kinds := c.after
				if n < saidLast {
					kinds = c.before
				}
				r := finding.Report{Coverage: finding.Coverage{Unread: kinds}}
				if len(kinds) > 0 {
					r.Findings = []finding.Finding{{Code: finding.SelfSourceUnread, Severity: finding.Unknown, Subject: finding.Subject{Source: "kubernetes"}}}
				}
				return r
			})
			if over := len(all) == 2 && all[1].Kind == Resolved; over != c.over || !over && len(all) != 1 {
				t.Errorf("said %+v", all)
			}
		})
	}
}

// saidLast is the first minute without the incident of saidOver.
const saidLast = 3

// saidOver is what is said of an incident that comes and goes in such reports, minute by
// minute, that name its hosts.
func saidOver(at func(minute int) finding.Report) []Message {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	i := incident(finding.Critical)
	p := Policy{ResolveAfter: time.Minute}
	var s State
	var all []Message
	for n := range 10 {
		r := at(n)
		r.At, r.Fronts = now.Add(time.Duration(n)*time.Minute), []finding.Front{{Hosts: i.Hosts}}
		if n < saidLast {
			r.Incidents = []finding.Incident{i}
		}
		var said []Message
		s, said = Next(p, s, r)
		all = append(all, said...)
	}
	return all
}
