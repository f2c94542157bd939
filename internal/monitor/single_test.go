package monitor

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// TestWithoutItsSecretsNothingIsSent: a request that lacks them would only tell of
// the lack.
func TestWithoutItsSecretsNothingIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Millisecond)
		w.publish("a.example", "192.0.2.1")
		o := w.options()
		o.Targets = []inventory.Target{site("a.example", "192.0.2.1")}
		o.Secrets = func(r probe.Request) (probe.Request, error) { return r, errors.New("no such file") }
		s, r := Once(t.Context(), o, nil)
		if len(w.came) != 0 || len(s.Observations.Probes) != 1 {
			t.Fatalf("%d probes went out, %+v", len(w.came), s.Observations.Probes)
		}
		f := s.Observations.Probes[0].Fault
		if f.Kind != probe.Self || !strings.Contains(f.Text, "no such file") || finding.Worst(r.Findings) != finding.Unknown {
			t.Errorf("%+v, %+v", f, r.Findings)
		}
	})
}

// TestSingle looks at one target alone, with what the last snapshot says of the
// world, and without its maintenance.
func TestSingle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Millisecond)
		w.publish("a.example", "192.0.2.1")
		w.publish("b.example", "192.0.2.2")
		o := w.options()
		o.Targets = []inventory.Target{site("a.example", "192.0.2.1"), site("b.example", "192.0.2.9")}
		last, _ := Once(t.Context(), o, nil)
		asked, came := len(w.asked["a.example"]), len(w.came)
		open := []inventory.Window{{From: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)}}
		target := last.Inventory.Targets[1]
		target.Maintenance = open
		o.Policy = diagnose.Policy{Maintenance: open}
		s, r := Single(t.Context(), o, last, target)
		if len(w.asked["a.example"]) != asked || len(s.Inventory.Targets) != 1 || len(s.Observations.DNS) != 1 {
			t.Errorf("the other target was looked at too: %+v", s.Inventory.Targets)
		}
		if len(w.came) != came+2 { // the expected address and the published one
			t.Errorf("%d probes", len(w.came)-came)
		}
		if finding.Worst(r.Findings) < finding.Warning {
			t.Errorf("in maintenance it says %+v", r.Findings)
		}
		if _, r = Single(t.Context(), o, snapshot.Snapshot{}, site("c.example")); finding.Worst(r.Findings) < finding.Unknown {
			t.Errorf("a name without records: %+v", r.Findings)
		}
	})
}
