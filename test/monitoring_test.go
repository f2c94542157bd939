package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// monitoring is where the files are that a chart wraps: rules.yaml, rules_test.yaml, dashboard.json.
const monitoring = "../deploy/chart/files/"

func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir, cmd.Stdin = monitoring, strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %q: %v\n%s", args, err, out)
	}
}

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr         string
			Labels, Annotations map[string]string
		}
	}
}

func alertRules(t *testing.T) ruleFile {
	t.Helper()
	var f ruleFile
	readYAML(t, "rules.yaml", &f)
	return f
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(monitoring + name)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(name, err)
	}
}

// TestAlertRules: promtool accepts them, and each has a world in which it fires and one in
// which it does not.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool(t, "", "check", "rules", "rules.yaml")
	promtool(t, "", "test", "rules", "rules_test.yaml")
	var tests struct {
		Tests []struct {
			Cases []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, "rules_test.yaml", &tests)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			fires[c.Alertname] = fires[c.Alertname] || len(c.Expected) > 0
			silent[c.Alertname] = silent[c.Alertname] || len(c.Expected) == 0
		}
	}
	for _, g := range alertRules(t).Groups {
		for _, r := range g.Rules {
			if !fires[r.Alert] || !silent[r.Alert] && r.Alert != "DriftprobeSinkDead" { // at once, or never
				t.Errorf("rules_test.yaml does not show both when %s fires and when it does not", r.Alert)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say what is wrong and what to do", r.Alert)
			}
		}
	}
}

// expressions are all of the rules and the dashboard, with where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, g := range alertRules(t).Groups {
		for _, r := range g.Rules {
			text := r.Expr
			for _, a := range r.Annotations {
				for _, query := range regexp.MustCompile(`query "([^"]+)"`).FindAllStringSubmatch(a, -1) {
					text += "\n" + query[1]
				}
				for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(a, -1) {
					text += "\nby (" + label[1] + ")"
				}
			}
			all["alert "+r.Alert] = text
		}
	}
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			text := q.Expr
			for _, label := range regexp.MustCompile(`{{(\w+)}}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				text += "\nby (" + label[1] + ")"
			}
			all["panel "+p.Title+" "+q.RefID] = text
		}
	}
	return all
}

// exposed are the labels of each metric that a scrape shows.
func exposed(text string) map[string][]string {
	all := map[string][]string{}
	series := regexp.MustCompile(`(?m)^([a-z_]+)(?:{(.*)})? \S+$`)
	label := regexp.MustCompile(`(\w+)="`)
	for _, m := range series.FindAllStringSubmatch(text, -1) {
		all[m[1]] = append(all[m[1]], "job", "instance")
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			all[m[1]] = append(all[m[1]], l[1])
		}
	}
	return all
}

// unknownNames are metrics and labels of an expression that nothing exposes.
func unknownNames(expr string, have map[string][]string) []string {
	var unknown, labels []string
	for _, m := range regexp.MustCompile(`\b(driftprobe|probe|go|process)_[a-z_]+`).FindAllString(expr, -1) {
		if have[m] == nil {
			unknown = append(unknown, m)
		}
		labels = append(labels, have[m]...)
	}
	// namespace is set by whoever scrapes pods; status by count_values.
	labels = append(labels, "namespace", "status")
	used := regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`).FindAllStringSubmatch(expr, -1)
	for _, list := range regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
		for _, name := range strings.Split(list[1], ",") {
			used = append(used, []string{"", strings.TrimSpace(name)})
		}
	}
	for _, l := range used {
		if !slices.Contains(labels, l[1]) {
			unknown = append(unknown, l[1])
		}
	}
	return unknown
}

func TestUnknownNamesAreFound(t *testing.T) {
	t.Parallel()
	have := exposed("# HELP x\ndriftprobe_a{host=\"h{}\",code=\"c\"} 1\ndriftprobe_b 2e+09\n")
	for expr, want := range map[string]string{
		`max by (host, job) (driftprobe_a{code=~"x"}) or driftprobe_b`: "",
		`driftprobe_c`:                         "driftprobe_c",
		`driftprobe_a{cod="x"} * driftprobe_b`: "cod",
		`sum by (hosts) (driftprobe_a)`:        "hosts",
		`driftprobe_b{code="x"}`:               "code",
	} {
		if got := strings.Join(unknownNames(expr, have), " "); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// drifting is the demo's world in the middle of the outage, and the program that watches it.
func drifting(t *testing.T) *watcher {
	t.Helper()
	var nets [2]lab.Net
	for i := range nets {
		var err error
		if nets[i], err = lab.RandomNet(); err != nil {
			t.Fatal(err)
		}
	}
	w, err := lab.NewWorld(t.Context(), lab.WorldSpec{DNS: nets[0], LB: nets[1], TTL: 2 * time.Minute, Forgetful: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	slice := map[string]any{
		"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
		"metadata":  map[string]any{"namespace": "traefik", "name": "traefik-1", "labels": map[string]any{"kubernetes.io/service-name": "traefik"}},
		"endpoints": []any{map[string]any{"addresses": []any{"10.1.0.1"}, "conditions": map[string]any{"ready": true}}},
	}
	if err := w.Kube.Apply(slice); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ca.pem": string(w.CAPEM()), "kubeconfig": string(w.Kubeconfig()), "token": w.DOToken(), "slack": w.SlackURL(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := serveAt(t, nets[0].Addr(40), fmt.Sprintf(`interval: 1s
timeout: 1s
dns: {interval: 1s, timeout: 1s, root_servers: [%s], port: %d, resolvers: [%q]}
tls: {ca_file: %q}
probe: {allow_addresses: [127.0.0.0/8]}
kubernetes: {kubeconfig: %q, https_port: %d}
digitalocean: {token_file: %q, api_url: %q}
alerts: {pending: {critical: 1s, warning: 1s}, slack: {webhook_url_file: %q}}
`, w.Root().Addr(), w.DNSPort(), w.ResolverAddr(), filepath.Join(dir, "ca.pem"), filepath.Join(dir, "kubeconfig"), w.HTTPSPort,
		filepath.Join(dir, "token"), w.DOURL(), filepath.Join(dir, "slack")))
	p.await(t, "all hosts", func(r report) bool { return r.Coverage.Hosts == len(w.Hosts) })
	for _, event := range []func(context.Context) error{w.DeleteTraefik, w.CreateTraefik} {
		if err := event(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.await(t, "the outage", func(r report) bool { return len(r.all("dns/stale-record")) == len(w.Hosts) })
	return p
}

// TestPrometheusOnADriftingWorld scrapes the real binary with a real Prometheus: each query
// of the dashboard shows something, and the rules see the outage.
func TestPrometheusOnADriftingWorld(t *testing.T) {
	t.Parallel()
	p := drifting(t)
	text, err := p.get(t.Context(), "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	var ours []string // promtool objects to names that the Go runtime gives
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), "go_") {
			ours = append(ours, line)
		}
	}
	promtool(t, strings.Join(ours, "\n"), "check", "metrics")

	rules, err := filepath.Abs(monitoring + "rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	prometheus := world.StartPrometheus(t, "driftprobe", strings.TrimPrefix(p.url, "http://"), rules)
	// What is sent is known only when Slack has taken it.
	have := map[string][]string{}
	var missing []string
	err = world.PollEvery(t, time.Second, time.Minute, func(ctx context.Context) error {
		text, err := p.get(ctx, "/metrics")
		if err != nil {
			return err
		}
		have, missing = exposed(string(text)), nil
		for where, expr := range expressions(t) {
			if names := unknownNames(expr, have); len(names) > 0 {
				missing = append(missing, fmt.Sprintf("%s: %q", where, names))
			}
		}
		if len(missing) > 0 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("the program exposes no such metric or label:\n%s", strings.Join(missing, "\n"))
	}
	shows(t, prometheus)
	err = world.PollEvery(t, time.Second, time.Minute, func(ctx context.Context) error { return alerted(ctx, prometheus) })
	if err != nil {
		t.Error(err)
	}
}

// shows expects that each query of the dashboard gives a series.
func shows(t *testing.T, prometheus *world.Prometheus) {
	t.Helper()
	variables := strings.NewReplacer("$job", ".*", "$host", ".*", "$__rate_interval", "30s")
	for _, panel := range readDashboard(t).Panels {
		for _, q := range panel.Targets {
			expr := variables.Replace(q.Expr)
			err := world.PollEvery(t, time.Second, time.Minute, func(ctx context.Context) error {
				found, err := prometheus.Query(ctx, expr)
				if err == nil && len(found) == 0 {
					err = errors.New("no series")
				}
				return err
			})
			if err != nil {
				t.Errorf("panel %q: %s: %v", panel.Title, expr, err)
			}
		}
	}
}

// alerted tells whether the rules see the outage, and nothing that is not there.
func alerted(ctx context.Context, prometheus *world.Prometheus) error {
	all, err := prometheus.Rules(ctx)
	if err != nil {
		return err
	}
	// The world's Traefik loses its certificates too.
	expected := []string{"DriftprobeIncidentCritical", "DriftprobeIncidentWarning", "DriftprobeCertificateBudget"}
	for _, r := range all {
		if r.Health != "ok" {
			return fmt.Errorf("%s: %s %s", r.Name, r.Health, r.LastError)
		}
		if r.State != "inactive" && !slices.Contains(expected, r.Name) {
			return fmt.Errorf("%s is %s", r.Name, r.State)
		}
		if r.Name == expected[0] && r.State == "inactive" {
			return errors.New("the outage is no alert")
		}
	}
	if len(all) < 10 {
		return fmt.Errorf("%d rules", len(all))
	}
	return nil
}
