package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

// patience bounds every wait; none is expected to last as long.
const patience = 30 * time.Second

// service is the program while it runs for long.
type service struct {
	*stage
	stdout, stderr *syncBuffer
	url            string
	stop           context.CancelFunc
	ended          chan int
	client         *http.Client
	label          string
}

// serve starts the program and returns when its web server listens.
func (s *stage) serve(args ...string) *service {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	v := &service{
		stage: s, stdout: &syncBuffer{}, stderr: &syncBuffer{}, stop: stop, ended: make(chan int, 1),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience},
		label:  fmt.Sprintf("%s %p", s.t.Name(), &stop),
	}
	args = append([]string{"--web.listen-address", "127.0.0.1:0", "--log.level", "debug"}, args...)
	go pprof.Do(ctx, pprof.Labels("service", v.label), func(ctx context.Context) {
		v.ended <- run(ctx, s.process(v.stdout, v.stderr), args)
	})
	s.t.Cleanup(func() {
		v.stop()
		if s.t.Failed() {
			s.t.Logf("log of driftprobe %s\n%s", strings.Join(args, " "), shortened(v.stderr.String()))
		}
	})
	web := regexp.MustCompile(`msg=watching .*web=(\S+)`)
	s.until("the web server listens", func() bool {
		m := web.FindStringSubmatch(v.stderr.String())
		if m != nil {
			v.url = "http://" + m[1]
		}
		return m != nil || len(v.ended) > 0
	})
	if v.url == "" {
		s.t.Fatalf("it did not start:\n%s", v.stderr)
	}
	return v
}

// until waits for something that the program does by itself.
func (d *desk) until(what string, done func() bool) {
	d.t.Helper()
	d.within(patience, what, done)
}

func (d *desk) within(most time.Duration, what string, done func() bool) {
	d.t.Helper()
	limit, tick := time.NewTimer(most), time.NewTicker(20*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !done() {
		select {
		case <-limit.C:
			d.t.Fatalf("waited %s in vain: %s", most, what)
		case <-tick.C:
		}
	}
}

// end stops the program and expects that nothing of it is left.
func (v *service) end() {
	v.t.Helper()
	v.stop()
	select {
	case code := <-v.ended:
		equal(v.t, "exit code", code, exitClean)
	case <-time.After(patience):
		v.t.Fatalf("it does not end:\n%s", goroutines(v.label))
	}
	var left string
	limit := time.Now().Add(patience / 2) // before until gives up, which shows no stacks
	v.until("its goroutines end", func() bool {
		left = goroutines(v.label)
		return left == "" || time.Now().After(limit)
	})
	if left != "" {
		v.t.Errorf("goroutines are left:\n%s", left)
	}
}

// goroutines are the stacks of those that carry the label: a goroutine inherits it
// from the one that started it.
func goroutines(label string) string {
	var all strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	var mine []string
	for _, stack := range strings.Split(all.String(), "\n\n") {
		if strings.Contains(stack, fmt.Sprintf("%q", label)) && !pooled(stack) {
			mine = append(mine, stack)
		}
	}
	return strings.Join(mine, "\n\n")
}

// pooled tells of goroutines that belong to the process and not to a run: idle
// connections in the pools that it shares, and the reader of signals.
func pooled(stack string) bool {
	for _, part := range []string{"http.(*persistConn).readLoop", "http.(*persistConn).writeLoop", "http2.(*clientConnReadLoop).run", "os/signal.loop"} {
		if strings.Contains(stack, part) {
			return true
		}
	}
	return false
}

// ask sends one request and returns the answer. The header is names and values by turns.
func (v *service) ask(method, path string, header ...string) (int, string, http.Header) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, nil)
	v.must(err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := v.client.Do(req)
	v.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	v.must(err)
	return resp.StatusCode, string(body), resp.Header
}

// get expects 200.
func (v *service) get(path string) string {
	v.t.Helper()
	status, body, _ := v.ask(http.MethodGet, path)
	if status != http.StatusOK {
		v.t.Fatalf("GET %s: %d %s", path, status, body)
	}
	return body
}

func (v *service) untilReady() {
	v.t.Helper()
	v.until("it is ready", func() bool {
		status, _, _ := v.ask(http.MethodGet, "/-/ready")
		return status == http.StatusOK
	})
}

// report is the newest one.
func (v *service) report() finding.Report {
	v.t.Helper()
	var doc struct{ Report finding.Report }
	v.must(json.Unmarshal([]byte(v.get("/api/v1/snapshot")), &doc))
	return doc.Report
}

// told waits until Slack was sent n messages, and expects that it was not more.
func (v *service) told(n int) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	messages, err := v.Slack.Wait(ctx, n)
	v.must(err)
	equal(v.t, "messages to Slack", len(messages), n)
	return slackText(messages[n-1].Body)
}

// alerts go to Slack: what is wrong once it has lasted, what is well at once.
func (s *stage) alerts(pending time.Duration) string {
	return fmt.Sprintf(`alerts:
  cluster_name: lab
  pending: {critical: %[1]s, warning: %[1]s}
  resolve_after: 0s
  slack: {webhook_url_file: slack-url}`, pending)
}

func TestServePages(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	v := s.serve("--config", s.whole())
	equal(t, "/-/healthy", v.get("/-/healthy"), "driftprobe is running\n")
	v.untilReady()
	metrics := v.get("/metrics")
	for _, series := range []string{
		"driftprobe_build_info{", "driftprobe_config_last_reload_successful 1", "driftprobe_target_ok{", "driftprobe_judgements_total",
		`probe_success{`, `probe_http_status_code{`, `probe_ssl_earliest_cert_expiry{`, "api.shop.example",
	} {
		if !strings.Contains(metrics, series) {
			t.Errorf("/metrics has no %s", series)
		}
	}
	if page := v.get("/"); !strings.Contains(page, "OK  14 hostnames are published where their load balancers are") {
		t.Errorf("/ says:\n%s", page)
	}
	_, _, header := v.ask(http.MethodGet, "/")
	equal(t, "content type of /", header.Get("Content-Type"), "text/plain; charset=utf-8")
	_, _, header = v.ask(http.MethodGet, "/api/v1/snapshot")
	equal(t, "content type of the snapshot", header.Get("Content-Type"), "application/json")
	equal(t, "hosts in the snapshot", v.report().Coverage.Hosts, 14)
	for _, c := range []struct {
		method, path string
		want         int
	}{{"GET", "/nowhere", 404}, {"GET", "/-/reload", 405}, {"POST", "/metrics", 405}} {
		status, _, _ := v.ask(c.method, c.path)
		equal(t, c.method+" "+c.path, status, c.want)
	}
	// What is served can be judged again.
	s.run("judge", "--config", s.whole(), s.file("served.json", v.get("/api/v1/snapshot"))).exits(exitClean).says("OK  14 hostnames")
	v.end()
	equal(t, "stdout", v.stdout.String(), "")
}

// Not ready until the first look: a load balancer of whoever scrapes us may ask.
func TestNotReadyBeforeTheFirstLook(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	s.DO.SetFault(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	v := s.serve("--config", s.whole("interval: 10s\ntimeout: 10s"))
	equal(t, "/-/healthy", v.get("/-/healthy"), "driftprobe is running\n")
	for _, path := range []string{"/-/ready", "/", "/api/v1/snapshot"} {
		status, body, _ := v.ask(http.MethodGet, path)
		equal(t, path, fmt.Sprint(status, " ", body), "503 the first look is not finished\n")
	}
	s.DO.SetFault(nil)
	v.end()
}

// One outage, two messages: over a restart too.
func TestServeOutage(t *testing.T) {
	t.Parallel()
	s := newStage(t, 2*time.Second)
	// While Traefik is being replaced other things are true for a moment, and seen by a look:
	// an alert waits for two.
	v := s.serve("--config", s.whole(stateSection, s.alerts(9*time.Second)))
	v.untilReady()
	s.replace()
	first, _, _ := strings.Cut(v.told(1), "\n")
	equal(t, "first line", first, "  │ [critical] DNS still points at a load balancer that no longer exists: 14 hostnames of shop.example (lab)")
	fired := onlyIncident(t, v.report())
	equalList(t, "hosts", fired.Hosts, s.sortedHosts()...)
	if page := v.get("/"); !strings.Contains(page, "only DNS is wrong") || !strings.Contains(page, s.NewAddr.String()) {
		t.Errorf("/ says:\n%s", page)
	}
	if !strings.Contains(v.get("/metrics"), `dns/stale-record`) {
		t.Error("/metrics does not have the finding")
	}
	v.end()

	// A message that was not remembered would now be sent at once, again.
	v = s.serve("--config", s.whole(stateSection, s.alerts(0)))
	v.untilReady()
	equal(t, "incident after the restart", onlyIncident(t, v.report()).ID, fired.ID)
	s.must(s.FixRecords(s.NewAddr))
	resolved, _, _ := strings.Cut(v.told(2), "\n")
	if !strings.HasPrefix(resolved, "  │ [resolved]") {
		t.Errorf("second message: %s", resolved)
	}
	v.until("all is well", func() bool { return len(incidentsFrom(v.report(), finding.Unknown)) == 0 })
	v.told(2)
	v.end()
}

func TestReload(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	target := func(host string) string { return fmt.Sprintf("targets: [{url: %q}]", s.url(host)) }
	file := s.configuration("driftprobe.yaml", target("api.shop.example"))
	v := s.serve("--config", file)
	v.untilReady()
	has := func(text string) bool { return strings.Contains(v.get("/metrics"), text) }

	s.configuration("driftprobe.yaml", target("new.shop.example"))
	equal(t, "before the reload", has("new.shop.example"), false)
	status, body, _ := v.ask(http.MethodPost, "/-/reload")
	equal(t, "good reload", fmt.Sprint(status, " ", body), "200 the configuration was reloaded\n")
	v.until("the new target is there", func() bool { return has(`probe_success{`) && has("new.shop.example") })
	v.until("the old target is gone", func() bool { return !has("//api.shop.example") })

	s.configuration("driftprobe.yaml", target("new.shop.example"), "intervall: 3s")
	status, body, _ = v.ask(http.MethodPost, "/-/reload")
	equal(t, "bad reload", status, http.StatusInternalServerError)
	if !regexp.MustCompile(`\Aerror: .*driftprobe\.yaml:\d+:1: unknown key "intervall"\nhint:  did you mean "interval"\?\n\z`).MatchString(body) {
		t.Errorf("a bad reload says: %s", body)
	}
	equal(t, "metric after a bad reload", has("driftprobe_config_last_reload_successful 0"), true)
	equal(t, "the old target stays", has("new.shop.example"), true)
	v.get("/-/ready")

	s.configuration("driftprobe.yaml", target("new.shop.example"))
	status, _, _ = v.ask(http.MethodPost, "/-/reload")
	equal(t, "mended reload", status, http.StatusOK)
	equal(t, "metric after it", has("driftprobe_config_last_reload_successful 1"), true)
	v.end()
}

// After a reload the cluster is watched on, and nothing that was known is forgotten.
func TestReloadInACluster(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	v := s.serve("--config", s.whole("interval: 2s\ntimeout: 2s"))
	v.untilReady()
	s.whole("interval: 3s\ntimeout: 2s")
	status, body, _ := v.ask(http.MethodPost, "/-/reload")
	equal(t, "reload", fmt.Sprint(status, " ", body), "200 the configuration was reloaded\n")
	before := v.report().At
	v.until("a report of the new generation", func() bool {
		r := v.report()
		equal(t, "hosts", r.Coverage.Hosts, len(s.Hosts))
		for _, f := range r.Findings {
			if f.Severity == finding.Unknown {
				t.Errorf("after the reload: %s", f.Summary)
			}
		}
		return r.At.After(before.Add(3 * time.Second))
	})
	s.replace()
	v.until("the change in the cluster is seen", func() bool {
		return len(coded(v.report(), finding.DNSStaleRecord)) == len(s.Hosts)
	})
	v.end()
}

// Whatever goes wrong, no secret is printed.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	s := newStage(t, 2*time.Second)
	s.file("key", "sesame-from-a-file")
	target := fmt.Sprintf("targets: [{url: %q, service: traefik/traefik, headers: {X-Key: sesame-inline}, header_files: {Authorization: key}}]", s.url("api.shop.example"))
	v := s.serve("--config", s.whole(hurried, stateSection, s.alerts(0), target))
	v.untilReady()
	var printed strings.Builder
	collect := func() {
		for _, path := range []string{"/", "/metrics", "/api/v1/snapshot"} {
			printed.WriteString(v.get(path))
		}
	}
	collect()
	s.must(s.Slack.Stop())
	s.Kube.SetToken("an0ther-token")
	s.Kube.EndWatches()
	s.DO.SetToken("an0ther-token")
	s.replaceOnLoopback()
	v.until("Slack was not reached", func() bool { return strings.Contains(v.stderr.String(), "slack") })
	collect()
	s.must(s.Slack.Start())
	v.told(1)
	status, _, _ := v.ask(http.MethodPost, "/-/reload")
	equal(t, "reload", status, http.StatusOK)
	v.end()
	saved, err := os.ReadFile(s.folder + "/state.json")
	s.must(err)
	printed.Write(saved)
	printed.WriteString(v.stdout.String() + v.stderr.String())
	for _, secret := range []string{
		strings.TrimPrefix(s.SlackURL(), "http://"+s.Slack.Addr().String()), "labsecret", s.DOToken(), "dop_v1_lab", "lab-token", "sesame",
	} {
		if i := strings.Index(printed.String(), secret); i >= 0 {
			t.Errorf("the secret %q is printed: …%s…", secret, printed.String()[max(0, i-200):min(i+200, printed.Len())])
		}
	}
}

// replaceOnLoopback makes the records wrong without the cloud or the cluster.
func (s *stage) replaceOnLoopback() {
	s.t.Helper()
	s.must(s.Tree.SetRecords("shop.example.", "* 2 IN A 127.0.0.99"))
}
