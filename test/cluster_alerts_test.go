package test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// stale is a cluster whose Service has a new address while the records have the old one,
// with a place in Slack to tell it.
type stale struct {
	*cluster
	w     *world.World
	slack *lab.Slack
	old   interface{ Stop(testing.TB) }
	// alerts is the section of the configuration, without its end.
	alerts string
}

// startStale begins while all is well; strike is the change.
func startStale(t *testing.T) *stale {
	t.Helper()
	s := &stale{w: world.Start(t)}
	s.cluster = startCluster(t, s.w.Net)
	cert := s.w.CA.Issue(t, "shop.example", "*.shop.example")
	publish(t, s.w, s.w.Old)
	s.old = s.w.Balancer(t, s.w.Old, cert)
	s.w.Balancer(t, s.w.New, cert)
	s.namespaces(t, "shop", "traefik")
	s.Apply(t, "", traefikService+"---"+shopInACluster)
	s.Patch(t, world.ServicePath("traefik", "traefik")+"/status", statusOf(s.w.Old))
	slack, err := lab.NewSlack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := slack.Close(); err != nil {
			t.Error(err)
		}
	})
	s.slack = slack
	hook := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(hook, []byte(slack.URL()), 0o600); err != nil {
		t.Fatal(err)
	}
	s.alerts = fmt.Sprintf("\nstate: {configmap: driftprobe/driftprobe-state}\nalerts: {pending: {critical: 1s}, resolve_after: 2s, slack: {webhook_url_file: %q}", hook)
	return s
}

func (s *stale) strike(t *testing.T) {
	t.Helper()
	s.Patch(t, world.ServicePath("traefik", "traefik")+"/status", statusOf(s.w.New))
	s.old.Stop(t)
}

// well fits a report that finds nothing wrong.
func well(r report) bool { return r.Coverage.Hosts == len(shopHosts()) && len(r.Findings) == 0 }

// told waits until Slack has so many messages, and returns their first lines.
func (s *stale) told(t *testing.T, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	messages, err := s.slack.Wait(ctx, n)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	return texts
}

// event is the part of an Event that kubectl describe shows.
type event struct {
	Type, Reason, Message string
	Count                 int
	ReportingComponent    string
}

// described are the Events of the Service, found as kubectl describe finds them.
func (c *cluster) described(t *testing.T) []event {
	t.Helper()
	var service struct{ Metadata struct{ UID string } }
	var list struct{ Items []event }
	for path, into := range map[string]any{world.ServicePath("traefik", "traefik"): &service} {
		text, err := c.Request(t.Context(), http.MethodGet, path, "", nil)
		if err != nil || json.Unmarshal(text, into) != nil {
			t.Fatal(err)
		}
	}
	fields := "involvedObject.kind=Service,involvedObject.namespace=traefik,involvedObject.name=traefik,involvedObject.uid=" + service.Metadata.UID
	text, err := c.Request(t.Context(), http.MethodGet, world.Path("v1", "Event", "traefik", "")+"?fieldSelector="+url.QueryEscape(fields), "", nil)
	if err != nil || json.Unmarshal(text, &list) != nil {
		t.Fatal(err)
	}
	return list.Items
}

// awaitEvent returns the only Event of a type once it fits.
func (c *cluster) awaitEvent(t *testing.T, kind string, fits func(event) bool) event {
	t.Helper()
	var found event
	err := world.Poll(t, time.Minute, func(context.Context) error {
		n := 0
		for _, e := range c.described(t) {
			if e.Type == kind && e.ReportingComponent == "driftprobe" {
				n, found = n+1, e
			}
		}
		if n != 1 || !fits(found) {
			return fmt.Errorf("%d Events of type %s, the last %+v", n, kind, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestIncidentsAreEventsAndStateIsInAConfigMap has the shipped rights, kills the program,
// and takes the right to write Events away.
func TestIncidentsAreEventsAndStateIsInAConfigMap(t *testing.T) {
	t.Parallel()
	s := startStale(t)
	p := serve(t, s.w.Net, s.settings(s.w, s.alerts+", repeat: 4s}\n"))
	p.await(t, "a report without findings", well)
	s.strike(t)
	first := s.told(t, 1)[0]
	if !strings.HasPrefix(first, "[critical]") || strings.Contains(first, "still, for") {
		t.Errorf("the first message: %s", first)
	}
	e := s.awaitEvent(t, "Warning", func(e event) bool { return e.Count >= 2 })
	if e.Reason != "StaleRecord" || !strings.Contains(e.Message, "4 hostnames") {
		t.Errorf("the Event: %+v", e)
	}
	t.Logf("kubectl describe service: %s %s (x%d) %s", e.Type, e.Reason, e.Count, e.Message)

	p.kill(t)
	before := s.slack.Messages.Len()
	p.start(t)
	for i, text := range s.told(t, before+2)[before:] {
		if !strings.Contains(text, "still, for") {
			t.Errorf("message %d after kill -9 tells it anew: %s", i, text)
		}
	}
	e = s.awaitEvent(t, "Warning", func(now event) bool { return now.Count > e.Count })

	role := world.Path("rbac.authorization.k8s.io/v1", "ClusterRole", "", "driftprobe")
	s.Patch(t, role, `{"rules": [{"apiGroups": ["", "networking.k8s.io", "discovery.k8s.io"], "resources": ["services", "ingresses", "ingressclasses", "endpointslices"], "verbs": ["list", "watch"]}]}`)
	s.told(t, s.slack.Messages.Len()+3)
	err := world.Poll(t, 40*time.Second, func(ctx context.Context) error {
		text, err := p.get(ctx, "/metrics")
		if err == nil && !strings.Contains(string(text), `driftprobe_notification_sink_dead{sink="kubernetes-events"} 1`) {
			err = errors.New("the metric does not say that Events are forbidden")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	p.await(t, "reports as before", func(r report) bool { return len(r.Incidents) == 1 && len(r.all("self/source-degraded")) == 0 })

	s.shipped(t)
	publish(t, s.w, s.w.New)
	over := s.awaitEvent(t, "Normal", func(event) bool { return true })
	t.Logf("kubectl describe service: %s %s (x%d) %s", over.Type, over.Reason, over.Count, over.Message)
	if n := strings.Count(p.log.String(), "grant create, get and update on events"); n != 1 {
		t.Errorf("said %d times that Events are forbidden, want once", n)
	}
	for _, a := range s.ours(t, func(a world.Access) bool {
		return a.ResponseStatus.Code == http.StatusForbidden && a.ObjectRef.Resource != "events"
	}) {
		t.Errorf("forbidden: %s %s", a.Verb, a.RequestURI)
	}
}

// leads tells what the process says of itself.
func (p *watcher) leads(ctx context.Context) (bool, error) {
	text, err := p.get(ctx, "/metrics")
	if err == nil && !strings.Contains(string(text), "\ndriftprobe_leader{") {
		err = errors.New("it does not say whether it leads")
	}
	return strings.Contains(string(text), "\ndriftprobe_leader{shard=\"\"} 1\n"), err
}

// awaitLeader returns the one of the processes that leads, and the others.
func awaitLeader(t *testing.T, limit time.Duration, all ...*watcher) (leader *watcher, others []*watcher) {
	t.Helper()
	err := world.Poll(t, limit, func(ctx context.Context) error {
		leader, others = nil, nil
		for _, p := range all {
			yes, err := p.leads(ctx)
			if err != nil {
				return err
			}
			if yes && leader != nil {
				t.Error("two lead")
			}
			if yes {
				leader = p
			} else {
				others = append(others, p)
			}
		}
		if leader == nil {
			return errors.New("nobody leads")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("wait for a leader: %v", err)
	}
	return leader, others
}

// TestTwoProcessesHaveOneVoice kills the one that alerts while the incident lasts.
func TestTwoProcessesHaveOneVoice(t *testing.T) {
	t.Parallel()
	s := startStale(t)
	s.section = strings.Replace(s.section, "}", ", lease: driftprobe/driftprobe}", 1)
	text := s.settings(s.w, s.alerts+", repeat: 0s}\n")
	a, b := serveAt(t, s.w.Net.Addr(40), text), serveAt(t, s.w.Net.Addr(41), text)
	for _, p := range []*watcher{a, b} {
		p.await(t, "a report without findings", well)
	}
	leader, others := awaitLeader(t, 20*time.Second, a, b)
	s.strike(t)
	s.told(t, 1)
	for _, p := range []*watcher{a, b} {
		p.await(t, "the incident", func(r report) bool { return len(r.Incidents) == 1 && r.Incidents[0].Severity == "critical" })
	}
	s.awaitEvent(t, "Warning", func(event) bool { return true }) // all is sent

	leader.kill(t)
	began := time.Now()
	heir, _ := awaitLeader(t, 40*time.Second, others...)
	t.Logf("from kill -9 of the leader to the next one: %.1f s (the lease lasts 15 s)", time.Since(began).Seconds())
	taken := time.Now()
	heir.await(t, "reports of the heir", func(r report) bool { return r.At.After(taken.Add(5 * time.Second)) })
	if n := s.slack.Messages.Len(); n != 1 {
		t.Errorf("%d messages of one incident after the change of leaders, want 1", n)
	}
	leader.start(t)
	leader.await(t, "the former leader", func(r report) bool { return len(r.Incidents) == 1 })
	publish(t, s.w, s.w.New)
	texts := s.told(t, 2)
	if !strings.HasPrefix(texts[1], "[resolved]") {
		t.Errorf("the second message: %s", texts[1])
	}
	cleared := time.Now()
	for _, p := range []*watcher{a, b} {
		p.await(t, "reports after the all-clear", func(r report) bool { return r.At.After(cleared.Add(3 * time.Second)) })
	}
	if n := s.slack.Messages.Len(); n != 2 {
		t.Errorf("%d messages in all, want 2", n)
	}
	if now, _ := awaitLeader(t, time.Second, a, b); now != heir {
		t.Error("the lead changed again without need")
	}
	s.awaitEvent(t, "Normal", func(e event) bool { return e.Count == 1 })
	for _, a := range s.ours(t, func(a world.Access) bool { return a.ResponseStatus.Code == http.StatusForbidden }) {
		t.Errorf("forbidden: %s %s", a.Verb, a.RequestURI)
	}
}
