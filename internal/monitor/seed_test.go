package monitor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
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

// What the account said of a zone stands in the first report after a reload, so that the
// command to run does not change for a moment.
func TestTheRecordsOfAHostedZoneAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside(time.Millisecond).options()
		o.Targets = []inventory.Target{site("a.example")}
		o = o.withDefaults()
		asked := func(context.Context, string) lbcheck.HostedZone { return lbcheck.HostedZone{} }
		for _, c := range []struct {
			age    time.Duration
			hosted func(context.Context, string) lbcheck.HostedZone
			want   int
		}{
			{3 * hostedInterval, asked, 2},
			{3*hostedInterval + 1, asked, 0},
			{0, nil, 0}, // there is no account any more
		} {
			at := time.Now().Add(-c.age)
			o.Hosted = c.hosted
			o.Previous.Observations.Hosted = []lbcheck.HostedZone{{Zone: "b.example", At: at}, {Zone: "a.example", At: at}}
			seen := newLoop(o).round().seen.Hosted
			if len(seen) != c.want || c.want > 0 && seen[0].Zone != "a.example" {
				t.Errorf("%v old: %+v", c.age, seen)
			}
		}
	})
}
