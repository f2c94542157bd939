package monitor

import (
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// BenchmarkRound is one judgement's share of ours at 10,000 targets, a sixtieth of
// them seen since the last: assemble, remember, plan.
func BenchmarkRound(b *testing.B) {
	targets, at := sites(10000), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dns, probes := map[string]dnscheck.Observation{}, map[probeKey]probe.Observation{}
	for _, t := range targets {
		dns[t.Host] = published(t.Host, at, addrs("192.0.2.1")...)
	}
	j := &judge{o: Options{}.withDefaults()}
	all := round{inventory: inventory.Inventory{Targets: targets}, seen: assemble(dns, nil, nil)}
	all.fresh = all.seen.DNS
	_, steps, _ := j.prepare(all, at)
	for _, s := range steps {
		probes[s.key()] = probe.Observation{Target: s.request.Target.Key, Address: s.request.Address, At: at}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := round{inventory: all.inventory, seen: assemble(dns, probes, nil), fresh: all.seen.DNS[:167]}
		if s, _, _ := j.prepare(r, at); len(s.Observations.Probes) != 10000 {
			b.Fatal("probes are missing")
		}
	}
}
