package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// panel is the part of the dashboard that these tests read.
type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		Expr, RefID, LegendFormat string
		Datasource                struct{ Type, UID string }
	}
}

type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []panel
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTheDashboardIsWellFormed: what Grafana accepts in silence and then shows wrong.
func TestTheDashboardIsWellFormed(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	if d.UID != "driftprobe" || d.SchemaVersion < 36 || len(d.Panels) < 20 || d.Panels[0].Title != "Is anything drifting, where, until when" {
		t.Fatalf("%s, schema %d, %d panels, the first %q", d.UID, d.SchemaVersion, len(d.Panels), d.Panels[0].Title)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name+" "+v.Type)
	}
	if !slices.Equal(variables, []string{"datasource datasource", "job query", "host query"}) {
		t.Errorf("variables %q", variables)
	}
	types := []string{"row", "stat", "table", "timeseries", "state-timeline"}
	seen := map[int]bool{}
	for i, p := range d.Panels {
		g := p.GridPos
		if seen[p.ID] || p.ID < 1 || p.Title == "" || !slices.Contains(types, p.Type) || g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("panel %+v", p)
		}
		seen[p.ID] = true
		for _, q := range d.Panels[:i] {
			o := q.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("%q lies over %q", p.Title, q.Title)
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%q has no description, query or templated source", p.Title)
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if refs[q.RefID] || q.RefID == "" || q.Datasource.UID != "${datasource}" || !strings.Contains(q.Expr, `job=~"$job"`) {
				t.Errorf("%q: query %+v", p.Title, q)
			}
			refs[q.RefID] = true
		}
	}
}

// TestTheDashboardCountsEachCauseOnce has promtool ask what the panels ask, of two shards
// with two replicas each: one cause is told by all of them, another by one shard.
func TestTheDashboardCountsEachCauseOnce(t *testing.T) {
	t.Parallel()
	series := func(metric, incident, hosts, shard string) (all string) {
		for _, replica := range []string{"a", "b"} {
			all += fmt.Sprintf("      - {series: '%s{job=\"d\",instance=\"%s%s\",shard=%q%s}', values: %s}\n", metric, replica, shard, shard, incident, hosts)
		}
		return all
	}
	shared := `,incident="moved:a/b",code="dns/stale-record",severity="critical",state="firing"`
	own := `,incident="tls:x",code="tls/expiring",severity="warning",state="firing"`
	input := series("driftprobe_incident_hosts", shared, "3x2", "0") + series("driftprobe_incident_hosts", shared, "4x2", "1") +
		series("driftprobe_incident_hosts", own, "1x2", "1") +
		series("driftprobe_last_report_timestamp_seconds", "", "100x2", "0") + series("driftprobe_last_report_timestamp_seconds", "", "40x2", "1") +
		series("probe_http_status_code", `,target="t",address="192.0.2.1"`, "200x2", "0") + series("probe_http_status_code", `,target="u",address="192.0.2.1"`, "200x2", "1")
	want := map[string]string{
		"Firing now":                "{labels: '{}', value: 2}",
		"Draining":                  "{labels: '{}', value: 0}",
		"Incidents of the DNS":      `{labels: '{code="dns/stale-record",severity="critical"}', value: 1}, {labels: '{}', value: 0}`,
		"Incidents":                 `{labels: '{incident="moved:a/b",code="dns/stale-record",severity="critical",state="firing"}', value: 7}, {labels: '{incident="tls:x",code="tls/expiring",severity="warning",state="firing"}', value: 1}`,
		"Age of the report":         "{labels: '{}', value: 80}",
		"Status codes":              `{labels: '{job="d",status="200"}', value: 2}`,
		"Incidents of certificates": `{labels: '{code="tls/expiring",severity="warning"}', value: 1}, {labels: '{}', value: 0}`,
	}
	text := "evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n" + input + "    promql_expr_test:\n"
	asked := 0
	for _, p := range readDashboard(t).Panels {
		if samples := want[p.Title]; samples != "" {
			asked++
			text += fmt.Sprintf("      - {expr: %q, eval_time: 2m, exp_samples: [%s]}\n", strings.NewReplacer("$job", ".*", "$host", ".*").Replace(p.Targets[0].Expr), samples)
		}
	}
	if asked != len(want) {
		t.Errorf("%d panels of %d are there", asked, len(want))
	}
	file := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "test", "rules", file)
}
