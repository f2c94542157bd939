package diagnose_test

import (
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// TestMaintenance: within a window a fault is shown as information, with the end of
// the window; outside of it, and if it hits a host that is in none, it is told.
func TestMaintenance(t *testing.T) {
	open := []inventory.Window{{From: noon().Add(-time.Hour), Until: noon().Add(time.Hour)}}
	over := []inventory.Window{{From: noon().Add(-time.Hour), Until: noon()}}
	fails := func(o *probe.Observation) {
		good(o)
		o.HTTP.Status = 503
	}
	for name, c := range map[string]struct {
		own, global []inventory.Window
		first       bool // only the first host has the windows
		want        finding.Severity
	}{
		"no window":                     {nil, nil, false, finding.Critical},
		"within the targets' windows":   {open, nil, false, finding.Info},
		"after them":                    {over, nil, false, finding.Critical},
		"one of two hosts is in none":   {open, nil, true, finding.Critical},
		"within a window for all":       {nil, open, false, finding.Info},
		"of two windows one still open": {append(over, open...), nil, false, finding.Info},
	} {
		t.Run(name, func(t *testing.T) {
			b := shop("a.shop.example", "b.shop.example")
			for i, h := range []string{"a.shop.example", "b.shop.example"} {
				b.probe(h, newAddr, fails)
				if i == 0 || !c.first {
					b.Inventory.Targets[i].Maintenance = c.own
				}
			}
			r := diagnose.Diagnose(diagnose.Policy{Maintenance: c.global}, noon(), b.Snapshot)
			if len(r.Incidents) != 1 {
				t.Fatalf("%+v", r.Incidents)
			}
			in := r.Incidents[0]
			if in.Severity != c.want || in.PlannedUntil.IsZero() != (c.want == finding.Critical) || finding.Worst(r.Findings) != c.want {
				t.Errorf("%s until %s, findings %s; want %s", in.Severity, in.PlannedUntil, finding.Worst(r.Findings), c.want)
			}
			if len(r.Fronts) > 0 {
				t.Errorf("said to be well: %+v", r.Fronts)
			}
		})
	}
}

// TestWhatCannotBeSeenStaysUnknown, in a window too.
func TestWhatCannotBeSeenStaysUnknown(t *testing.T) {
	b := shop("a.shop.example").probe("a.shop.example", newAddr, func(o *probe.Observation) {
		*o = probe.Observation{Target: o.Target, Host: o.Host, Address: o.Address, At: o.At, Fault: probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Self, Text: "x"}}
	})
	r := diagnose.Diagnose(diagnose.Policy{Maintenance: []inventory.Window{{From: noon().Add(-time.Hour), Until: noon().Add(time.Hour)}}}, noon(), b.Snapshot)
	if finding.Worst(r.Findings) != finding.Unknown {
		t.Errorf("%+v", r.Findings)
	}
}

// TestATargetThatIsMeantToBeBadIsWell: nobody asks why it does not answer.
func TestATargetThatIsMeantToBeBadIsWell(t *testing.T) {
	b := shop("a.shop.example")
	b.Inventory.Targets[0].Expect.Unreachable = true
	b.probe("a.shop.example", newAddr, func(o *probe.Observation) {
		*o = probe.Observation{Target: o.Target, Host: o.Host, Address: o.Address, At: o.At, Fault: probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Refused, Text: "x"}}
	})
	if r := diagnose.Diagnose(diagnose.Policy{}, noon(), b.Snapshot); len(r.Findings) > 0 {
		t.Errorf("%+v", r.Findings)
	}
}
