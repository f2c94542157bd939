package monitor

import (
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// What was seen three intervals ago is of now, what is older is not; each kind by its
// own interval.
func TestOnlyFreshObservationsAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside(time.Millisecond).options()
		o.DNSInterval, o.Interval = 10*time.Minute, time.Minute
		o.Targets = []inventory.Target{site("a.example")}
		o = o.withDefaults()
		old := func(age time.Duration) snapshot.Observations {
			at := time.Now().Add(-age)
			return snapshot.Observations{
				DNS:    []dnscheck.Observation{published("a.example", at)},
				Zones:  []dnscheck.ZoneObservation{{Zone: "example", At: at}},
				Probes: []probe.Observation{{Target: "https://a.example/", At: at}},
			}
		}
		for _, c := range []struct {
			age                time.Duration
			dns, zones, probes int
		}{
			{0, 1, 1, 1},
			{3 * time.Minute, 1, 1, 1},
			{3*time.Minute + 1, 1, 1, 0},
			{30 * time.Minute, 1, 1, 0},
			{30*time.Minute + 1, 0, 0, 0},
		} {
			o.Previous.Observations = old(c.age)
			l := newLoop(o)
			if got := [3]int{len(l.dns.newest), len(l.zones.newest), len(l.probes.newest)}; got != [3]int{c.dns, c.zones, c.probes} {
				t.Errorf("%v old: names, zones, probes %v, want %v", c.age, got, [3]int{c.dns, c.zones, c.probes})
			}
		}
		o.DNSInterval = time.Minute // a zone is looked at less often (zoneInterval)
		o.Previous.Observations = old(3 * zoneInterval)
		if l := newLoop(o); len(l.zones.newest) != 1 || len(l.dns.newest) != 0 {
			t.Errorf("%d names, %d zones", len(l.dns.newest), len(l.zones.newest))
		}
	})
}
