package dnscheck_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/lab"
)

// Where three packets of ten get lost on the way to every server, no server is accused.
// (That one is taken for down here needs ten losses in a row, and no other loss.)
func TestLossAccusesNobody(t *testing.T) {
	t.Parallel()
	const loss, rounds = 0.3, 10
	var all sync.WaitGroup
	defer all.Wait()
	for round := range uint64(rounds) {
		all.Go(func() {
			r := newShop(t, "www 60 A 192.0.2.1")
			for last := byte(11); last <= 13; last++ {
				r.server(last).SetFault(lab.OverProto("udp", lab.When(chance(loss, round, uint64(last)), lab.Silent)))
			}
			d := r.fresh(t, func(s *dnscheck.Settings) { s.Timeout = 5 * time.Second })
			for range 2 {
				o := d.Observe(t.Context(), "www.shop.example")
				fs := dnscheck.Judge(dnscheck.Policy{}, time.Now(), dnscheck.Case{Observed: o})
				for _, f := range append(fs, dnscheck.JudgeZone(time.Now(), d.ObserveZone(t.Context(), "shop.example"))...) {
					if f.Severity > finding.Info {
						t.Errorf("round %d:\n%s%s", round, findingTexts([]finding.Finding{f}), told(o))
					}
				}
			}
		})
	}
}

// chance is true with a probability.
func chance(p float64, seed ...uint64) func(lab.Query) bool {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed[0], seed[1]))
	return func(lab.Query) bool {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64() < p
	}
}
