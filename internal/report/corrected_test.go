package report

import (
	"strings"
	"testing"

	"driftprobe/finding"
)

// A hostname that is corrected is not well as long as caches give the dead address, also if
// the incident goes on for others.
func TestCorrectedHostDrains(t *testing.T) {
	s := newSeen()
	s.target("https://mended.example/", "mended.example")
	s.target("https://broken.example/", "broken.example")
	s.report.Incidents = []finding.Incident{{
		Code: finding.DNSStaleRecord, Severity: finding.Critical, State: finding.Firing, Cause: "DNS points elsewhere",
		Hosts: []string{"broken.example"}, Corrected: []string{"mended.example"},
	}}
	page := s.hostPage(t, "mended.example")
	if head, _, _ := strings.Cut(page, "</h1>"); !strings.HasSuffix(head, "DRAINING</b>") || !strings.Contains(page, "DNS points elsewhere") {
		t.Errorf("the page of a host that drains does not say so:\n%s", page)
	}
	if all := s.page(t); !strings.Contains(all, ">DRAINING</b> <a href=\"host?name=mended.example\"") {
		t.Errorf("the page calls the host something else:\n%s", all)
	}
}

// Records and commands belong to the step before them, and are not counted as steps.
func TestRecordsAreNoStepsOfTheirOwn(t *testing.T) {
	s := newSeen()
	s.report.Incidents = []finding.Incident{{Severity: finding.Critical, Cause: "c", Fix: []finding.Step{
		{Text: "set these"}, {Record: &finding.Record{Owner: "a.example", Type: "A"}}, {Record: &finding.Record{Owner: "b.example", Type: "A"}},
		{Text: finding.Otherwise + " with doctl:", Command: "doctl x"}, {Command: "doctl y"}, {Text: "look again"},
	}}}
	if page := s.page(t); strings.Count(page, "<ol>\n<li>") != 1 || strings.Count(page, "<li>set")+strings.Count(page, "<li>look") != 2 || strings.Count(page, "<li>or") != 0 || strings.Contains(page, "<li><p>") || !strings.Contains(page, "<p>or, with doctl:</p><pre>doctl x</pre>") {
		t.Errorf("steps:\n%s", page)
	}
}
