package metrics

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

func shown(t *testing.T, v Visit) string {
	t.Helper()
	w := httptest.NewRecorder()
	Single(v).ServeHTTP(w, httptest.NewRequest("GET", "/probe", nil))
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func visited(t inventory.Target, os ...probe.Observation) Visit {
	s := snapshot.Snapshot{At: noon()}
	s.Inventory.Targets, s.Observations.Probes = []inventory.Target{t}, os
	return Visit{Snapshot: s, Report: finding.Report{At: noon()}, Lookup: time.Millisecond, Took: time.Second}
}

// TestOneVisitTellsOfTheWorstAddress: which of several a scrape sees must not be
// chance.
func TestOneVisitTellsOfTheWorstAddress(t *testing.T) {
	bad := probed("a.example", "192.0.2.8:443")
	bad.HTTP.Status = 503
	bad.Took.Redirects, bad.Took.Resolve = 3*time.Second, 2*time.Second
	v := visited(target("a.example"), probed("a.example", "192.0.2.7:443"), bad, probed("a.example", "[2001:db8::7]:443"))
	v.Report.Findings = []finding.Finding{{
		Code: finding.HTTPStatus, Severity: finding.Critical, Subject: finding.Subject{Host: "a.example", Address: "192.0.2.8"},
	}}
	got := shown(t, v)
	for _, want := range []string{
		"probe_success 0", "probe_http_status_code 503", "probe_addresses 3", "probe_addresses_failed 1", `probe_findings{severity="critical"} 1`,
		`probe_http_duration_seconds{phase="resolve"} 2.001`, "probe_duration_seconds 1",
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestOneVisitSucceedsIfItWasSeen(t *testing.T) {
	meant := target("a.example")
	meant.Expect.Unreachable = true
	refused := probed("a.example", "192.0.2.7:443")
	refused.Fault, refused.HTTP, refused.TLS = probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Refused}, nil, nil
	refused.Reached = probe.PhaseNone
	stranger := probed("a.example", "192.0.2.7:443")
	stranger.Stranger = true
	warned := visited(target("a.example"), probed("a.example", "192.0.2.7:443"))
	warned.Report.Findings = []finding.Finding{{Code: finding.DNSTTLExposure, Severity: finding.Warning, Subject: finding.Subject{Host: "a.example"}}}
	blind := visited(target("a.example"), probed("a.example", "192.0.2.7:443"))
	blind.Report.Findings = []finding.Finding{{Code: finding.SelfNotObserved, Severity: finding.Unknown, Subject: finding.Subject{Host: "a.example"}}}
	for name, c := range map[string]struct {
		visit Visit
		want  string
	}{
		"an answer":                    {visited(target("a.example"), probed("a.example", "192.0.2.7:443")), "1"},
		"a warning":                    {warned, "1"},
		"what was not seen":            {blind, "0"},
		"no address":                   {visited(target("a.example")), "0"},
		"a stranger's address alone":   {visited(target("a.example"), stranger), "0"},
		"refused":                      {visited(target("a.example"), refused), "0"},
		"refused, and meant to refuse": {visited(meant, refused), "1"},
	} {
		if got := shown(t, c.visit); !strings.Contains(got, "\nprobe_success "+c.want+"\n") {
			t.Errorf("%s: want %s in\n%s", name, c.want, got)
		}
	}
	// In the loop's metrics it is the same.
	s := visited(meant, refused).Snapshot
	c := New("1", "2")
	c.Set(s, finding.Report{At: noon()})
	if got := exposition(t, c); !strings.Contains(got, `probe_success{address="192.0.2.7",target="https://a.example/"} 1`) {
		t.Error(got)
	}
}

// TestOneVisitIsBounded: whatever a peer says, the series stay as few.
func TestOneVisitIsBounded(t *testing.T) {
	var many []probe.Observation
	for i := range 300 {
		o := probed("a.example", fmt.Sprintf("10.0.%d.%d:443", i/256, i%256))
		o.HTTP.Protocol, o.HTTP.Location, o.HTTP.Server = []string{"", "HTTP", "\xff\n", "HTTP/NaN"}[i%4], "\xff", "\xff\n"
		o.TLS.Version = uint16(i)
		many = append(many, o)
	}
	n := 0
	for line := range strings.Lines(shown(t, visited(target("a.example"), many...))) {
		if !strings.HasPrefix(line, "#") {
			n++
		}
	}
	if n > 32 {
		t.Errorf("%d series", n)
	}
}
