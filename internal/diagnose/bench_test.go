package diagnose_test

import (
	"fmt"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/snapshot"
)

// BenchmarkDiagnose judges 10,000 hostnames, all well and watched for an hour: what a
// big installation pays at each change, at most once a second.
func BenchmarkDiagnose(b *testing.B) { benchmark(b, crowd(tenThousand()), 0) }

// BenchmarkDiagnoseOutage judges them when their load balancer has moved, and each has
// its own record to correct.
func BenchmarkDiagnoseOutage(b *testing.B) {
	all := crowd(tenThousand())
	stale := shop("a").publish("a", 300, oldAddr).Observations.DNS[0].Steps[0]
	stale.WildcardOwner, stale.Wildcard = "", nil
	for i, o := range all.Observations.DNS {
		stale.Name = o.Host
		all.Observations.DNS[i].Steps = []dnscheck.Step{stale}
	}
	benchmark(b, all.had(oldAddr, noon().Add(-7*time.Minute)), 1)
}

func benchmark(b *testing.B, all *builder, incidents int) {
	watched := watchedFor(time.Hour, all.Snapshot)
	watched.History.Certificates = oneEach(watched.Inventory.Targets)
	b.ReportAllocs()
	for b.Loop() {
		if r := diagnose.Diagnose(policy(), noon(), watched); len(r.Incidents) != incidents {
			b.Fatalf("%d incidents, want %d", len(r.Incidents), incidents)
		}
	}
}

func tenThousand() []string {
	var names []string
	for n := range 10_000 {
		names = append(names, fmt.Sprintf("h%05d.shop.example", n))
	}
	return names
}

// watchedFor gives a snapshot the history that it has if all was like this so long.
func watchedFor(span time.Duration, s snapshot.Snapshot) snapshot.Snapshot {
	for ago := span; ago >= 0; ago -= span / 3 {
		looks := make([]dnscheck.Observation, 0, len(s.Observations.DNS))
		for _, o := range s.Observations.DNS {
			o.At = noon().Add(-ago)
			looks = append(looks, o)
		}
		s.History.Records = s.History.Records.Remember(looks)
	}
	return s
}

// oneEach is what is remembered if each host has a certificate of its own.
func oneEach(targets []inventory.Target) issuance.History {
	seen := make([]issuance.Seen, 0, len(targets))
	for _, t := range targets {
		seen = append(seen, issuance.Seen{
			At: noon(), Host: t.Host, Address: ips(newAddr)[0], Names: []string{t.Host}, CA: "Let's Encrypt",
			Serial: t.Host, Issued: noon().AddDate(0, 0, -9), NotAfter: noon().AddDate(0, 0, 81),
		})
	}
	return issuance.History{}.Remember(seen)
}
