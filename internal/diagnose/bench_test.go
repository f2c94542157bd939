package diagnose_test

import (
	"fmt"
	"testing"

	"driftprobe/internal/diagnose"
)

// BenchmarkDiagnose judges 10,000 hostnames, all well: what a big installation
// pays at each change, at most once a second.
func BenchmarkDiagnose(b *testing.B) {
	var names []string
	for n := range 10_000 {
		names = append(names, fmt.Sprintf("h%05d.shop.example", n))
	}
	snap := crowd(names).Snapshot
	b.ReportAllocs()
	for b.Loop() {
		if r := diagnose.Diagnose(policy(), noon(), snap); len(r.Findings) != 0 {
			b.Fatalf("%+v", r.Findings[0])
		}
	}
}
