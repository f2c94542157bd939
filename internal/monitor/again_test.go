package monitor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/lbcheck"
)

// A cloud that wants to be left alone is asked again when that is over, not at the next
// minute; and one that says nothing of it once a minute.
func TestACloudIsAskedAgainWhenItsRestIsOver(t *testing.T) {
	for rule, c := range map[string]struct {
		rest        time.Duration // none: it does not say
		least, most time.Duration // from the failure to the next look
	}{
		"a short rest":               {20 * time.Second, 20 * time.Second, 20*time.Second + spread},
		"one longer than the minute": {80 * time.Second, 80 * time.Second, 80*time.Second + spread},
		"no word of a rest":          {0, 30 * time.Second, 90 * time.Second},
		"a rest that is over":        {-time.Hour, gap, 2 * gap},
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newOutside(10 * time.Millisecond)
				var failed, well time.Time
				var looks int
				o := w.options()
				o.Targets = []inventory.Target{site("a.example")}
				o.Clouds = []func(context.Context, []string) lbcheck.Observation{func(context.Context, []string) lbcheck.Observation {
					now := time.Now()
					seen := lbcheck.Observation{Provider: "testcloud", At: now}
					switch {
					case failed.IsZero():
						failed = now
						seen.Failure = "no"
						if c.rest != 0 {
							seen.Again = now.Add(c.rest)
						}
					case well.IsZero() && now.Sub(failed) < c.rest:
						seen.Failure, seen.Again = "no", failed.Add(c.rest) // asked too early, as by its minute
					case well.IsZero():
						well = now
					default:
						looks++
					}
					return seen
				}}
				stop := start(t.Context(), o)
				time.Sleep(5 * time.Minute)
				stop()
				if d := well.Sub(failed); d < c.least || d > c.most {
					t.Errorf("asked again after %s, want from %s to %s", d, c.least, c.most)
				}
				if looks < 2 || looks > 5 {
					t.Errorf("%d looks in the minutes after it", looks)
				}
			})
		})
	}
}
