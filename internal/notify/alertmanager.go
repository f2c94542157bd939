package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"driftprobe/finding"
)

// Alertmanager keeps the instances of an Alertmanager told of what fires. It is no Sink:
// an Alertmanager wants each alert again and again while it fires, and forgets one that is
// not repeated. So what fires now is all that it needs to know, and nothing waits in a
// queue. https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
type Alertmanager struct {
	// URLs are the addresses of the instances, without the path of the API. All are told:
	// they agree among themselves on who speaks.
	URLs []string
	// Client sends; it needs a timeout.
	Client *http.Client
	// Header is added to each request; it may hold credentials. May be nil.
	Header func() (http.Header, error)
	// Cluster is a label if it is not empty; Link is where a person finds more.
	Cluster, Link string
	Log           *slog.Logger

	tally tally
}

// AlertmanagerRoute is the name of the Route that says what all instances are told.
const AlertmanagerRoute = "alertmanager"

const (
	// resend is how often an alert is repeated, and the longest pause after a failure; its
	// end lies a few of these ahead, so that it outlasts lost requests, and a restart of
	// this program.
	resend = time.Minute
	ahead  = 4 * resend
	// sayEnded is for how long an end is repeated. An instance that has not taken it by then
	// is told it when it can be reached again: it may have told people of the beginning, and
	// forgets in a restart all but that.
	sayEnded = 5 * time.Minute
	// maxKnown bounds the alerts of one instance, with those that have ended.
	maxKnown = 2 * maxTracked
)

// postable is one alert as the API takes it.
type postable struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Link        string            `json:"generatorURL,omitempty"`
	// taken: the instance has answered that it has it, as it is here.
	taken bool
}

// identity is what an Alertmanager knows an alert by: all its labels.
func (p postable) identity() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p.Labels)) {
		fmt.Fprintf(&b, "%s=%q,", k, p.Labels[k])
	}
	return b.String()
}

// Run tells every instance until ctx ends: at once when change is signalled, and at
// intervals. state is asked each time.
func (a *Alertmanager) Run(ctx context.Context, state func() State, change func() <-chan struct{}) {
	var all sync.WaitGroup
	for _, instance := range a.URLs {
		all.Go(func() { a.tell(ctx, instance, state, change()) })
	}
	all.Wait()
}

// Deliveries returns how the instances do, in the order of URLs.
func (a *Alertmanager) Deliveries() []Delivery {
	var all []Delivery
	for _, instance := range a.URLs {
		all = append(all, a.tally.of(shown(instance), "alertmanager "+shown(instance)))
	}
	return all
}

// tell keeps one instance told.
func (a *Alertmanager) tell(ctx context.Context, instance string, state func() State, change <-chan struct{}) {
	known := map[string]postable{}
	failures := 0
	for ctx.Err() == nil {
		known = a.alerts(known, state(), time.Now())
		err := a.post(ctx, instance, slices.Collect(maps.Values(known)))
		pause := resend
		if err != nil {
			failures++
			// Whatever it asks for: later the alerts in it would lapse.
			pause = min(wait(failures, err, 0.5), resend)
			a.tally.failed(shown(instance), false)
			a.Log.Warn("Alertmanager was not told", "instance", shown(instance), "attempt", failures, "retry_in", pause, "err", err)
		} else {
			a.tally.sent(shown(instance))
			failures = 0
			for id, p := range known {
				p.taken = true
				known[id] = p
			}
		}
		_, asked := errors.AsType[*RetryAfterError](err)
		over := time.After(pause)
		for waits := true; waits; {
			select {
			case <-ctx.Done():
				return
			case <-over:
				waits = false
			case <-change:
				if waits = asked; waits { // it is told later what is new now
					known = a.alerts(known, state(), time.Now())
				}
			}
		}
	}
}

// alerts are what to post: all that fires, and what has ended of that which was known.
func (a *Alertmanager) alerts(known map[string]postable, s State, now time.Time) map[string]postable {
	next := map[string]postable{}
	for _, t := range s.Incidents {
		if t.Visible && (t.To == nil || slices.Contains(t.To, AlertmanagerRoute)) {
			p := a.alert(t, now)
			next[p.identity()] = p
		}
	}
	for id, p := range known {
		if _, fires := next[id]; fires {
			continue
		}
		if p.EndsAt.After(now) {
			p.EndsAt, p.Annotations, p.taken = now, maps.Clone(p.Annotations), false
			p.Annotations["summary"] = past(p.Annotations["summary"])
			p.StartsAt = earlier(p.StartsAt, now)
		}
		if now.Sub(p.EndsAt) < sayEnded || !p.taken && len(next) < maxKnown {
			next[id] = p
		}
	}
	return next
}

// earlier keeps an alert from ending before it begins, when the clock was set back: that is
// refused, and all that is sent with it is called refused too.
func earlier(at, now time.Time) time.Time {
	if at.After(now) {
		return now
	}
	return at
}

// alert makes one of an incident. No label changes while an incident lasts, but for the
// severity, by which people route: then it is another alert, and the one before ends.
func (a *Alertmanager) alert(t Tracked, now time.Time) postable {
	m := t.Message
	i := m.Incident
	p := postable{
		Labels: map[string]string{
			"alertname": "driftprobe", "code": string(i.Code), "severity": max(t.Told, finding.Info).String(), "incident": i.ID,
		},
		Annotations: map[string]string{
			"summary":     fmt.Sprintf("%s: %s", i.Cause, finding.Count(m.HostCount, "hostname", "hostnames")),
			"description": description(m),
			"hosts":       finding.List(i.Hosts, maxHosts),
		},
		StartsAt: earlier(m.FirstSeen, now), EndsAt: now.Add(ahead), Link: a.Link,
	}
	for name, value := range m.Labels {
		if p.Labels[name] == "" {
			p.Labels[name] = value
		}
	}
	// The number alone: another count of shards makes no other alert.
	shard, _, _ := strings.Cut(m.Shard, "/")
	for name, value := range map[string]string{
		"cluster": a.Cluster, "shard": shard, "namespace": i.Subject.Namespace, "service": i.Subject.Name,
	} {
		if value != "" {
			p.Labels[name] = value
		}
	}
	return p
}

// description is the evidence, the fix and the recovery as plain text.
func description(m Message) string {
	var lines []string
	for _, n := range m.Incident.Evidence {
		lines = append(lines, n.Label+": "+n.Text)
	}
	for _, s := range m.Incident.Fix {
		lines = append(lines, instruction(s))
	}
	if m.Incident.Recovery != "" {
		lines = append(lines, "clients recover "+m.Incident.Recovery)
	}
	return strings.Join(lines, "\n")
}

// instruction is one thing to do as a line of plain text.
func instruction(s finding.Step) string {
	line := s.Text
	if r := s.Record; r != nil {
		line = strings.TrimSpace(line + " set " + r.Owner + " " + r.Type + " " + strings.Join(r.Values, ", "))
	}
	if s.Command != "" {
		line = strings.TrimSpace(line + "\n" + s.Command)
	}
	return line
}

// shown is an instance's address without what may be secret in it.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "an address that is not valid"
	}
	return u.Scheme + "://" + u.Host
}

// post sends alerts to one instance. They have arrived if it answers 200.
func (a *Alertmanager) post(ctx context.Context, instance string, alerts []postable) error {
	slices.SortStableFunc(alerts, func(a, b postable) int { return strings.Compare(a.identity(), b.identity()) })
	body, err := json.Marshal(alerts)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(instance, "/")+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return withoutURL(err)
	}
	if a.Header != nil {
		if req.Header, err = a.Header(); err != nil {
			return err
		}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.Client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	err = fmt.Errorf("it answered %d", resp.StatusCode)
	if text := strings.TrimSpace(string(answer)); !repeats(text, req.Header) {
		err = fmt.Errorf("%w %s", err, finding.Printable(text, 200))
	}
	return asked(resp, err)
}

// repeats tells whether an answer holds credentials that it was sent: a proxy's page may
// show the whole request.
func repeats(answer string, sent http.Header) bool {
	for _, value := range sent["Authorization"] {
		for word := range strings.FieldsSeq(value) {
			if strings.Contains(answer, word) {
				return true
			}
		}
	}
	return false
}
