package monitor

import (
	"hash/maphash"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// BenchmarkRound is one judgement's share of ours at 10,000 targets, a sixtieth of
// them seen since the last: assemble, remember, plan.
func BenchmarkRound(b *testing.B) {
	targets, at := sites(10000), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	names, dns := []string{}, map[string]dnscheck.Observation{}
	for _, t := range targets {
		names = append(names, t.Host)
		dns[t.Host] = published(t.Host, at, addrs("192.0.2.1")...)
	}
	j := &judge{o: Options{}.withDefaults(), seed: maphash.MakeSeed()}
	all := round{inventory: inventory.Inventory{Targets: targets}, seen: snapshot.Observations{DNS: inOrder(names, dns)}}
	all.fresh.DNS = all.seen.DNS
	_, next := j.prepare(all, at)
	keys, probes := []probeKey{}, map[probeKey]probe.Observation{}
	for _, s := range next.steps {
		keys = append(keys, s.key())
		probes[s.key()] = probe.Observation{Target: s.target.Key, Address: s.address, At: at}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := round{inventory: all.inventory, fresh: snapshot.Observations{DNS: all.seen.DNS[:167]}}
		r.seen = snapshot.Observations{DNS: inOrder(names, dns), Probes: inOrder(keys, probes)}
		if s, _ := j.prepare(r, at); len(s.Observations.Probes) != 10000 {
			b.Fatal("probes are missing")
		}
	}
}
