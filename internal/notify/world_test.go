package notify

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"driftprobe/finding"
)

// trouble is a truth: these hosts are unwell from begin to end, and each look at one of them
// shows a face of it; where several addresses are, maybe more.
type trouble struct {
	hosts      []string
	begin, end time.Duration
	faces      []finding.Incident
	random     bool // else one face after the other
	several    bool
}

// world is hosts that are looked at, each every half a minute, and reports of what the last
// look at each showed.
type world struct {
	*rand.Rand
	hosts    []string
	troubles []trouble
	// lasting are certificates that will end, seen where there is an answer.
	lasting map[string]finding.Incident
	// apart: each host is looked at in its own moment. blips: one look in a hundred fails.
	// dark: of a hundred reports so many could not look at a host.
	apart, blips, restarts, setBack bool
	dark                            int

	now, back time.Duration
	looks     map[string]int
	blipped   map[string]int
	seen      map[string][]finding.Incident // by the last look
	// unwell is for each host since when it is, and the least severity since; well since when
	// all are.
	unwell map[string]time.Duration
	least  map[string]finding.Severity
	well   time.Duration
}

func newWorld(seed uint64) *world {
	w := &world{
		Rand: rand.New(rand.NewPCG(seed, 1)), lasting: map[string]finding.Incident{}, looks: map[string]int{}, blipped: map[string]int{},
		seen: map[string][]finding.Incident{}, unwell: map[string]time.Duration{}, least: map[string]finding.Severity{},
	}
	w.hosts = many(1 + w.IntN(6))
	w.apart, w.blips, w.restarts, w.setBack = w.one(2), w.one(2), w.one(2), w.one(4)
	if w.one(3) {
		w.dark = 5
	}
	for _, h := range w.hosts {
		if i := facetOf(h, h); w.one(4) {
			i.ID, i.Code, i.Severity = "tls/expiring:"+h, finding.TLSExpiring, finding.Warning
			w.lasting[h] = i
		}
	}
	free := 30 * time.Minute
	for range 1 + w.IntN(2) {
		t := trouble{begin: free, end: free + time.Duration(2+w.IntN(60))*time.Minute, hosts: slices.Clone(w.hosts), random: w.one(2), several: w.one(3)}
		free = t.end + 45*time.Minute
		w.Shuffle(len(t.hosts), func(a, b int) { t.hosts[a], t.hosts[b] = t.hosts[b], t.hosts[a] })
		t.hosts = t.hosts[:1+w.IntN(len(t.hosts))]
		mixed := w.one(4)
		for n := range 1 + w.IntN(4) {
			f := facetOf("")
			f.Code = []finding.Code{finding.HTTPStatus, finding.HTTPBody, finding.HTTPUnreachable, finding.TLSHandshake}[w.IntN(4)]
			f.ID = fmt.Sprintf("%s:%d", f.Code, n)
			if mixed && w.one(2) {
				f.Severity = finding.Warning
			}
			t.faces = append(t.faces, f)
		}
		w.troubles = append(w.troubles, t)
	}
	return w
}

func (w *world) one(in int) bool { return w.IntN(in) == 0 }

// next goes on to the next report.
func (w *world) next() finding.Report {
	w.now += time.Duration(1+w.IntN(59)) * time.Second
	if w.setBack && w.one(300) {
		w.back += time.Duration(w.IntN(3600)) * time.Second
	}
	r := finding.Report{At: start.Add(w.now - w.back)}
	all := map[string]int{}
	for n, h := range w.hosts {
		phase := time.Duration(0)
		if w.apart {
			phase = time.Duration(n) * 30 * time.Second / time.Duration(len(w.hosts))
		}
		if look := int((w.now - phase + 30*time.Second) / (30 * time.Second)); look > w.looks[h] {
			w.looks[h] = look
			w.look(h, look)
		}
		dark := w.IntN(100) < w.dark
		if dark {
			r.Findings = append(r.Findings, finding.Finding{Code: finding.SelfNotObserved, Severity: finding.Unknown, Subject: finding.Subject{Host: h}})
		}
		w.truth(h, dark)
		for _, i := range w.seen[h] {
			if dark {
				break
			}
			r.Findings = append(r.Findings, finding.Finding{Code: i.Code, Severity: i.Severity, Subject: finding.Subject{Host: h}, SeenAt: i.Effects[0].SeenAt})
			if _, found := all[i.ID]; !found {
				i.Hosts, all[i.ID] = nil, len(r.Incidents)
				r.Incidents = append(r.Incidents, i)
			}
			r.Incidents[all[i.ID]].Hosts = append(r.Incidents[all[i.ID]].Hosts, h)
		}
	}
	return r
}

// look looks at one host. Its blips are not close to one another: two in a minute are no blip.
func (w *world) look(h string, look int) {
	var seen []finding.Incident
	mute := false
	for _, t := range w.troubles {
		if w.now >= t.begin && w.now < t.end && slices.Contains(t.hosts, h) {
			n := look
			if t.random {
				n = w.IntN(len(t.faces))
			}
			for k, f := range t.faces {
				if k == n%len(t.faces) || t.several && w.one(3) {
					seen, mute = append(seen, f), mute || f.Code == finding.HTTPUnreachable || f.Code == finding.TLSHandshake
				}
			}
		}
	}
	if w.blips && seen == nil && look-w.blipped[h] > 10 && w.one(90) {
		w.blipped[h] = look
		seen = append(seen, facetOf(fmt.Sprintf("blip%d:%s", w.IntN(3), h), h))
	}
	if i, ok := w.lasting[h]; ok && !mute {
		seen = append(seen, i)
	}
	w.seen[h] = seen
}

// truth notes whether a host is unwell.
func (w *world) truth(h string, dark bool) {
	worst := finding.Info
	for _, i := range w.seen[h] {
		if i.Code != finding.TLSExpiring {
			worst = max(worst, i.Severity)
		}
	}
	switch {
	case worst == finding.Info:
		w.unwell[h], w.least[h] = w.now, finding.Critical
	case !dark:
		w.least[h] = min(w.least[h], worst)
	}
	if worst > finding.Info || dark {
		w.well = w.now
	}
}

// lateAfter is when a person must know of a host that is unwell.
func (w *world) lateAfter(h string) time.Duration {
	if w.least[h] == finding.Critical {
		return 4 * time.Minute
	}
	return 8 * time.Minute
}

// judge says what is wrong with the state after a report, and with what was said.
func (w *world) judge(s State, said []Message, open map[string]finding.Severity) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	known := map[string]finding.Severity{}
	for _, t := range s.Incidents {
		i := t.Message.Incident
		if !t.Visible || i.Code == finding.TLSExpiring {
			continue
		}
		for _, h := range t.Touched {
			known[h] = max(known[h], t.Told)
		}
		if w.now-w.well > 5*time.Minute && !t.Flapping {
			say("%s is open %s after all is well", i.ID, w.now-w.well)
		}
	}
	for _, h := range w.hosts {
		if long := w.now - w.unwell[h]; long > w.lateAfter(h) && known[h] < w.least[h] {
			say("%s is %s for %s, and told as %s", h, w.least[h], long, known[h])
		}
	}
	for _, m := range said {
		id, over := m.Incident.ID, m.Kind == Resolved
		was, isOpen := open[id]
		switch {
		case over && !isOpen, !over && isOpen && m.Kind == Firing && m.Incident.Severity <= was, !isOpen && m.Kind != Firing && m.Kind != Flapping:
			say("%s is %s, and was open: %v (%s)", id, m.Kind, isOpen, was)
		}
		for _, h := range m.Incident.Hosts {
			if over && w.now-w.unwell[h] > 2*time.Minute && known[h] == finding.Info && m.Incident.Code != finding.TLSExpiring {
				say("%s is resolved while %s is unwell for %s", id, h, w.now-w.unwell[h])
			}
			if _, lasts := w.lasting[h]; lasts && over && m.Incident.Code == finding.TLSExpiring {
				say("%s is resolved", id)
			}
			if w.blipped[h] > 0 && len(m.Incident.ID) > 9 && m.Incident.ID[:9] == "http/blip" {
				say("%s is told", id)
			}
		}
		if open[id] = max(was, m.Incident.Severity); over {
			delete(open, id)
		}
	}
	return wrong
}

// Whatever faces a trouble shows, and however it is looked at, a person is told of it in time,
// seldom, and in order.
func TestWorlds(t *testing.T) {
	p := Policy{
		ResolveAfter: time.Minute, Repeat: 4 * time.Hour, MinSeverity: finding.Unknown, FlapAfter: 3,
		Pending: map[finding.Severity]time.Duration{finding.Critical: 45 * time.Second, finding.Warning: 5 * time.Minute},
	}
	for seed := range uint64(60) {
		w := newWorld(seed)
		var s State
		var wrong []string
		keys, open, count, most := map[string]bool{}, map[string]finding.Severity{}, 0, 2
		for _, tr := range w.troubles {
			most += 2 * len(tr.faces)
		}
		for w.now < w.troubles[len(w.troubles)-1].end+45*time.Minute && wrong == nil {
			r := w.next()
			next, said := Next(p, s, r)
			if w.restarts && s.Version != 0 && w.one(20) {
				if again, _ := Next(p, stored(t, s), r); encoded(t, again) != encoded(t, next) {
					wrong = append(wrong, "another state after a restart")
				}
				next = stored(t, next)
			}
			s, wrong = next, append(wrong, w.judge(next, said, open)...)
			for _, m := range said {
				if m.Kind != Update && m.Incident.Code != finding.TLSExpiring {
					count++
				}
				if keys[m.Key] {
					wrong = append(wrong, "twice "+m.Key)
				}
				keys[m.Key] = true
			}
		}
		if count > most {
			wrong = append(wrong, fmt.Sprintf("%d messages", count))
		}
		if wrong != nil {
			t.Errorf("world %d after %s: %q", seed, w.now, wrong)
		}
	}
}

func encoded(t *testing.T, s State) string {
	t.Helper()
	content, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
