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
