package monitor

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
)

// parents notes when which delegation was looked at.
type parents struct {
	took time.Duration

	mu    sync.Mutex
	times map[string][]time.Time
}

func (p *parents) resolve(_ context.Context, zone string) dnscheck.ZoneObservation {
	time.Sleep(p.took)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.times == nil {
		p.times = map[string][]time.Time{}
	}
	p.times[zone] = append(p.times[zone], time.Now())
	if strings.HasPrefix(zone, "panic.") {
		panic("no such zone")
	}
	return dnscheck.ZoneObservation{Zone: "another name", At: time.Now(), Parent: "test"}
}

// inZones publishes every host in the zone that is its parent name.
func (w *outside) inZones(ctx context.Context, host string) dnscheck.Observation {
	o := w.resolve(ctx, host)
	if len(o.Steps) > 0 {
		_, o.Steps[0].Zone, _ = strings.Cut(host, ".")
	}
	return o
}

func zonesIn(s snapshot.Snapshot) []string {
	var zones []string
	for _, z := range s.Observations.Zones {
		zones = append(zones, z.Zone)
	}
	return zones
}

func TestZonesAreThoseThatHoldNames(t *testing.T) {
	named := dnscheck.Answer{Server: dnscheck.Server{Name: "ns.example"}, Outcome: dnscheck.OK}
	byAddress := dnscheck.Answer{Server: dnscheck.Server{Address: netip.MustParseAddrPort("192.0.2.53:53")}, Outcome: dnscheck.OK}
	step := func(zone string, answers ...dnscheck.Answer) dnscheck.Step {
		return dnscheck.Step{Zone: zone, Answers: answers}
	}
	look := func(steps ...dnscheck.Step) dnscheck.Observation { return dnscheck.Observation{Steps: steps} }
	for rule, c := range map[string]struct {
		looks []dnscheck.Observation
		want  []string
	}{
		"the zones of hosts, and those that their aliases lead to": {
			[]dnscheck.Observation{look(step("shop.example", named), step("cdn.test", named)), look(step("shop.example", named))},
			[]string{"cdn.test", "shop.example"},
		},
		"no zone that is asked at configured addresses": {[]dnscheck.Observation{look(step("shop.example", byAddress))}, nil},
		"not the root": {[]dnscheck.Observation{look(step(".", named))}, nil},
		"no parent at which the way to a name ended": {
			[]dnscheck.Observation{look(dnscheck.Step{Zone: "example", Failure: dnscheck.Failure{Outcome: dnscheck.NoName, At: "example"}})}, nil,
		},
		"no zone at all before the first look": {[]dnscheck.Observation{look()}, nil},
	} {
		if got := zonesOf(c.looks); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", rule, got, c.want)
		}
	}
	var flood []dnscheck.Observation
	for i := range maxZones {
		flood = append(flood, look(step(fmt.Sprintf("z%05d.example", i), named), step(fmt.Sprintf("a%05d.hostile.test", i), named)))
	}
	if got := zonesOf(flood); len(got) != maxZones || slices.ContainsFunc(got, func(z string) bool { return strings.HasSuffix(z, "hostile.test") }) {
		t.Errorf("%d zones of too many, and not those of the hosts first", len(got))
	}
	if got := zonesOf(flood[:maxZones-farZones-10]); len(got) != maxZones-10 {
		t.Errorf("%d zones, of which %d hold hosts", len(got), maxZones-farZones-10)
	}
}

func TestADelegationIsLookedAtEveryFiveMinutesAndVanishesWithItsHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, above := newOutside(time.Millisecond), &press{}, &parents{took: 2 * time.Second}
		c := newCluster(inventory.Inventory{Targets: []inventory.Target{site("a.one.example"), site("b.one.example"), site("a.two.example")}})
		o := w.options()
		o.Cluster, o.Publish, o.Resolve, o.ResolveZone = c, p.publish, w.inZones, above.resolve
		began := time.Now()
		stop := start(t.Context(), o)
		time.Sleep(20*time.Minute + time.Second)
		if got := zonesIn(p.last()); !slices.Equal(got, []string{"one.example", "two.example"}) {
			t.Errorf("zones: %q", got)
		}
		if got := zonesIn(p.papers[0]); len(got) != 2 {
			t.Errorf("the first report was made with the zones %q", got)
		}
		c.set(inventory.Inventory{Targets: []inventory.Target{site("a.two.example")}})
		time.Sleep(10 * time.Second)
		if got := zonesIn(p.last()); !slices.Equal(got, []string{"two.example"}) {
			t.Errorf("zones after the hosts of one are gone: %q", got)
		}
		time.Sleep(20 * time.Minute)
		stop()
		for zone, most := range map[string]int{"one.example": 5, "two.example": 9} {
			times := above.times[zone]
			if len(times) < most-1 || len(times) > most || times[0].Sub(began) > 4*time.Second {
				t.Errorf("%s was looked at %d times, first after %v", zone, len(times), times[0].Sub(began))
			}
		}
	})
}

func TestOnceLooksAtEachDelegationOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, above := newOutside(time.Millisecond), &parents{}
		o := w.options()
		o.Targets = []inventory.Target{site("b.one.example"), site("a.one.example"), site("a.panic.example")}
		o.Resolve, o.ResolveZone, o.Stats = w.inZones, above.resolve, new(Stats)
		last := [2]int{}
		s, _ := Once(t.Context(), o, func(done, total int) { last = [2]int{done, total} })
		if got := zonesIn(s); !slices.Equal(got, []string{"one.example", "panic.example"}) {
			t.Errorf("zones: %q", got)
		}
		if cut := s.Observations.Zones[1].Cut; !strings.Contains(cut, "panic: no such zone") || s.Observations.Zones[0].Parent != "test" {
			t.Errorf("observed %+v", s.Observations.Zones)
		}
		for zone, times := range above.times {
			if len(times) != 1 {
				t.Errorf("%s was looked at %d times", zone, len(times))
			}
		}
		if last != [2]int{8, 8} || o.Stats.ZoneLooks.Load() != 2 {
			t.Errorf("progress ended at %v, %d looks at zones", last, o.Stats.ZoneLooks.Load())
		}
	})
}

func TestWhatWasKnownOfDelegationsBeforeARestartStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p, above := newOutside(time.Millisecond), &press{}, &parents{}
		o := w.options()
		o.Targets = []inventory.Target{site("a.one.example")}
		o.Resolve, o.ResolveZone = w.inZones, above.resolve
		before, _ := Once(t.Context(), o, nil)
		time.Sleep(time.Minute)
		o.Previous, o.Publish = before, p.publish
		stop := start(t.Context(), o)
		time.Sleep(2 * time.Second)
		stop()
		if !reflect.DeepEqual(p.papers[0].Observations.Zones, before.Observations.Zones) {
			t.Errorf("zones: %+v", p.papers[0].Observations.Zones)
		}
	})
}
