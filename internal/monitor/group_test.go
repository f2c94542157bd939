package monitor

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Looks that are due within a moment are started together, a few at a time, and none
// of them sooner than it may.
func TestLooksThatAreDueSoonStartTogether(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		due  []time.Duration // from now
		want int             // started now
	}{
		"nothing is due":          {[]time.Duration{ms, 2 * ms}, 0},
		"one is due":              {[]time.Duration{0, ahead + ms}, 1},
		"others are due soon":     {[]time.Duration{0, 5 * ms, ahead, ahead + ms}, 3},
		"more than a few soon":    {[]time.Duration{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, together},
		"more than a few are due": {make([]time.Duration, 3*together), 3 * together},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				due, now := map[string]time.Duration{}, time.Unix(1_800_000_000, 0)
				var keys []string
				for i, d := range c.due {
					k := fmt.Sprintf("h%02d.example", i)
					keys, due[k] = append(keys, k), d
				}
				// The place in the interval is the look's own; now is its beginning.
				place := func(k string) uint64 { return uint64(due[k] + time.Second) }
				l := newLane(newOutside(time.Hour).options().withDefaults().dnsLook(), 10*time.Second, 100, place)
				for _, k := range keys {
					l.newest[k] = published(k, now)
				}
				l.sync(keys, now)
				l.dispatch(t.Context(), now.Add(time.Second))
				if got := len(l.running); got != c.want {
					t.Errorf("%d were started, want %d", got, c.want)
				}
			})
		})
	}
}
