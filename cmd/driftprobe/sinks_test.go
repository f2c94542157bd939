package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/notify"
)

// receiver keeps what was sent to each path.
type receiver struct {
	mu  sync.Mutex
	all map[string][]received
}

type received struct {
	header http.Header
	body   string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[req.URL.Path] = append(r.all[req.URL.Path], received{req.Header, string(body)})
}

func (r *receiver) at(path string) []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[path]
}

// kinds are what a webhook was told.
func (r *receiver) kinds(path string) string {
	var all []string
	for _, m := range r.at(path) {
		var hook notify.Hook
		if err := json.Unmarshal([]byte(m.body), &hook); err != nil {
			return err.Error()
		}
		all = append(all, string(hook.Kind))
	}
	return strings.Join(all, " ")
}

// Each sink of the configuration is told what it wants, the beginning and the end; and
// nobody who reads the log or the metrics learns a secret.
func TestEverySinkIsTold(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	in := &receiver{all: map[string][]received{}}
	server := httptest.NewServer(in)
	t.Cleanup(server.Close)
	s.file("ops-url", server.URL+"/ops-secret\n")
	s.file("ops-key", "key-secret")
	s.file("beat-url", server.URL+"/beat-secret")
	s.file("am-token", "token-secret")
	alerts := fmt.Sprintf(`alerts:
  cluster_name: lab
  external_url: https://status.example/
  startup_notice: true
  pending: {critical: 0s, warning: 0s}
  resolve_after: 0s
  alertmanager: {urls: [%[1]q], bearer_token_file: am-token}
  webhooks:
    - {name: ops, url_file: ops-url, key_file: ops-key, namespaces: [traefik]}
    - {name: blog, url: "%[1]s/blog-secret", hosts: ["*.blog.example"]}
  stdout: {enabled: true, min_severity: critical}
  heartbeat: {url_file: beat-url, every: 1s}`, server.URL)
	v := s.serve("--config", s.whole(hurried, alerts))
	v.untilReady()
	s.replace()
	const manager = "/api/v2/alerts"
	s.until("it is told", func() bool {
		return strings.Contains(in.kinds("/ops-secret"), "firing") && len(in.at(manager)) > 0 && strings.Contains(in.at(manager)[len(in.at(manager))-1].body, "driftprobe")
	})
	s.until("the heart beats", func() bool { return len(in.at("/beat-secret")) > 0 })
	if told := in.kinds("/ops-secret"); !strings.HasPrefix(told, "started firing") {
		t.Fatalf("the webhook was told %q", told)
	}
	s.until("who wants other hosts is told of the start", func() bool { return in.kinds("/blog-secret") != "" })
	equal(t, "told of other hosts", in.kinds("/blog-secret"), "started")
	hook := in.at("/ops-secret")[1]
	if hook.header.Get("Driftprobe-Signature") == "" || !strings.Contains(hook.body, `"link":"https://status.example/"`) {
		t.Errorf("%v\n%s", hook.header, hook.body)
	}
	s.until("a line of it is printed", func() bool { return strings.Contains(v.stdout.String(), `"kind":"firing"`) })
	var line notify.Hook
	for text := range strings.Lines(v.stdout.String()) {
		if err := json.Unmarshal([]byte(text), &line); err != nil || line.Cluster != "lab" {
			t.Errorf("printed %q: %v", text, err)
		}
	}
	equal(t, "authorization", in.at(manager)[0].header.Get("Authorization"), "Bearer token-secret")
	metrics := v.get("/metrics")
	for _, sink := range []string{"webhook/ops", "webhook/blog", "kubernetes-events", "stdout", "heartbeat", "alertmanager " + server.URL} {
		if !strings.Contains(metrics, fmt.Sprintf("driftprobe_notifications_total{result=\"sent\",sink=%q}", sink)) {
			t.Errorf("no metric of %s", sink)
		}
	}
	v.stop()
	equal(t, "exit code", <-v.ended, exitClean)
	if log := v.stderr.String() + metrics; strings.Contains(log, "-secret") {
		t.Errorf("a secret is shown:\n%s", log)
	}
}

func TestALookBesideARunningProbe(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	v := s.serve("--config", s.whole(hurried, stateSection))
	v.untilReady()
	config := s.configuration("once.yaml", s.cluster(), s.cloud(), stateSection)
	o := s.run("--once", "--config", config).exits(exitClean)
	if !strings.Contains(o.err, "state was not saved") || !strings.Contains(o.err, "state.json.lock") {
		t.Errorf("stderr %q", o.err)
	}
	v.end()
	equal(t, "stderr when it is alone", s.run("--once", "--config", config).exits(exitClean).err, "")
}

// Events take the keys that the other sinks take; each is of one Service, so many are not
// told as one.
func TestEventsAreRouted(t *testing.T) {
	t.Parallel()
	a := config.Alerts{MinSeverity: "warning", Storm: 20}
	a.Events.Routing = config.Routing{MinSeverity: "critical", Namespaces: []string{"shop"}, Hosts: []string{"*.example"}, Labels: map[string]string{"team": "shop"}}
	p, err := alertPolicy(config.Config{Alerts: a}, true)
	want := notify.Route{
		Sink: "kubernetes-events", MinSeverity: finding.Critical, Namespaces: []string{"shop"}, Hosts: []string{"*.example"}, Labels: map[string]string{"team": "shop"},
	}
	if err != nil || len(p.Routes) != 1 || !reflect.DeepEqual(p.Routes[0], want) {
		t.Errorf("%+v, %v", p.Routes, err)
	}
}
