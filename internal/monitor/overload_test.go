package monitor

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
)

// More probes are due than can be made: no place stays empty, nothing piles up, each
// target gets its turn, and the lag says so.
func TestOverloadIsSharedByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, places, minutes = 97, 4, 5
		w, stats := newOutside(time.Second), new(Stats)
		o := w.options()
		o.Interval, o.Workers, o.Stats = 10*time.Second, places, stats // 97 a cycle, of which 40 can be made
		o.Resolve = func(_ context.Context, host string) dnscheck.Observation {
			return published(host, time.Now(), addrs("192.0.2.1")...)
		}
		for i := range many {
			o.Targets = append(o.Targets, site(fmt.Sprintf("h%02d.example", i), "192.0.2.1"))
		}
		stop := start(t.Context(), o)
		time.Sleep(time.Minute) // the first looks
		before, began := stats.Probes.Load(), time.Now()
		count := func(t inventory.Target) (n int) {
			for _, at := range w.timesAt(t.Host, "192.0.2.1") {
				if at.After(began) {
					n++
				}
			}
			return n
		}
		time.Sleep(minutes * time.Minute)
		done, lag := stats.Probes.Load()-before, time.Duration(stats.LagNanoseconds.Load())
		least, most := int(done), 0
		for _, target := range o.Targets {
			least, most = min(least, count(target)), max(most, count(target))
		}
		stop()
		if capacity := uint64(minutes * 60 * places); done < capacity*9/10 {
			t.Errorf("%d probes where %d can be made", done, capacity)
		}
		if w.busiest > places {
			t.Errorf("%d probes at the same time", w.busiest)
		}
		if least*10 < most*9 {
			t.Errorf("a target was visited %d times, another %d times", least, most)
		}
		if cycle := many * time.Second / places; lag < cycle/4 || lag > 2*cycle {
			t.Errorf("the lag is said to be %s; a cycle takes %s", lag, cycle)
		}
	})
}
