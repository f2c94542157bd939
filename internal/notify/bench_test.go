package notify

import (
	"fmt"
	"testing"
	"time"

	"driftprobe/finding"
)

// As many incidents as are followed, each of as many hostnames as are kept, half of them by
// turns with the others.
func BenchmarkNext(b *testing.B) {
	for name, host := range map[string]func(incident, n int) int{
		"the same hostnames":    func(_, n int) int { return n },
		"others":                func(incident, n int) int { return incident*maxTouched + n },
		"between those of each": func(incident, n int) int { return n*maxTracked + incident },
	} {
		b.Run(name, func(b *testing.B) {
			var reports [2]finding.Report
			for k := range maxTracked {
				i := facetOf(fmt.Sprint(k))
				i.Hosts = nil
				for n := range maxTouched {
					i.Hosts = append(i.Hosts, fmt.Sprintf("h%07d.shop.example", host(k, n)))
				}
				reports[k%2].Incidents = append(reports[k%2].Incidents, i)
			}
			var s State
			for n := 0; b.Loop(); n++ {
				r := reports[n%2]
				r.At = start.Add(time.Duration(n) * 20 * time.Second)
				s, _ = Next(policy, s, r)
			}
		})
	}
}
