package monitor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
)

// Who alerts counts time between reports; so they come although nothing is looked at.
func TestReportsComeEveryMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Millisecond)
		w.publish("a.shop.example", "192.0.2.1")
		o := w.options()
		o.Targets = []inventory.Target{site("a.shop.example", "192.0.2.1")}
		o.Interval, o.DNSInterval = 30*time.Minute, 30*time.Minute
		var reports int
		o.Publish = func(snapshot.Snapshot, finding.Report) { reports++ }
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		Run(ctx, o)
		if reports < 19 || reports > 30 {
			t.Errorf("%d reports in 20 minutes, want about one a minute", reports)
		}
		time.Sleep(time.Hour)
	})
}
