package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/probe"
)

// After a start the records are known before the old load balancer was probed. Whether
// clients suffer there is not known until then: it must not be told as an outage, and
// the verdict must not say that nothing is there.
func TestAStrangerThatWasNotMetYetIsUnknown(t *testing.T) {
	ours := func(o *probe.Observation) {
		o.Stranger, o.Fault = true, probe.Fault{Kind: probe.Self, Text: "the look panicked"}
	}
	for _, c := range []struct {
		name  string
		bend  func(*probe.Observation) // nil: no probe yet
		want  finding.Severity
		cause string
	}{
		{"not looked at", nil, finding.Unknown, "DNS still points at an address that the load balancer no longer has"},
		{"our own fault", ours, finding.Unknown, "DNS still points at an address that the load balancer no longer has"},
		{"it still answers", strangerAlive, finding.Warning, "DNS points at an old load balancer that still answers"},
		{"it is dead", stranger, finding.Critical, "DNS still points at a load balancer that no longer exists"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := shop(hosts(t, 3)...).had(oldAddr, noon().Add(-time.Hour))
			b.each(func(h string) { b.publish(h, 300, oldAddr) })
			if c.bend != nil {
				b.probes(oldAddr, c.bend)
			}
			r := diagnose.Diagnose(diagnose.Policy{}, noon(), b.Snapshot)
			if len(r.Incidents) != 1 || r.Incidents[0].Code != finding.DNSStaleRecord {
				t.Fatalf("incidents: %+v", r.Incidents)
			}
			i := r.Incidents[0]
			if i.Severity != c.want || !strings.HasPrefix(i.Cause, c.cause) {
				t.Errorf("%s %q, want %s %q", i.Severity, i.Cause, c.want, c.cause)
			}
			for _, f := range i.Effects {
				if told := strings.Contains(f.Observed, "not looked at yet"); f.Code == finding.DNSStaleRecord && told != (c.want == finding.Unknown) {
					t.Errorf("it says: %s", f.Observed)
				}
			}
		})
	}
}
