package test

import (
	"encoding/json"
	"os"
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
