package issuance

import (
	"testing"
	"time"
)

var start = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)

func at(hours float64) time.Time { return start.Add(time.Duration(hours * float64(time.Hour))) }

// The table is computed by hand from the published rule: 5 certificates, one more each
// 33.6 hours. A bucket that was full at 0 and had n taken is full again at n * 33.6.
func TestTheLimitOfSameNames(t *testing.T) {
	for _, c := range []struct {
		name   string
		issued []float64
		now    float64
		free   int
		next   float64 // 0: none is missing
	}{
		{"nothing issued", nil, 0, 5, 0},
		{"one, at once", []float64{0}, 0, 4, 33.6},
		{"one, a minute before it comes back", []float64{0}, 33.5, 4, 33.6},
		{"one, come back", []float64{0}, 33.6, 5, 0},
		{"three at once", []float64{0, 0, 0}, 0, 2, 33.6},
		{"five at once", []float64{0, 0, 0, 0, 0}, 0, 0, 33.6},
		{"five at once, a day later", []float64{0, 0, 0, 0, 0}, 24, 0, 33.6},
		{"five at once, one back", []float64{0, 0, 0, 0, 0}, 33.6, 1, 67.2},
		{"five at once, after five days", []float64{0, 0, 0, 0, 0}, 120, 3, 134.4},
		{"five at once, after the week", []float64{0, 0, 0, 0, 0}, 168, 5, 0},
		{"one a day, five days", []float64{0, 24, 48, 72, 96}, 96, 2, 100.8},
		{"one each 33.6 hours never empties it", []float64{0, 33.6, 67.2, 100.8, 134.4, 168}, 168, 4, 201.6},
		{"the order does not matter", []float64{96, 0, 72, 24, 48}, 96, 2, 100.8},
		{"a renewal that was exempt takes nothing from an empty bucket", []float64{0, 0, 0, 0, 0, 1}, 1, 0, 33.6},
		{"a renewal that was exempt takes what there is", []float64{0, 0, 0, 0, 0, 34}, 34, 0, 67.2},
		{"the clock was set back", []float64{10}, 0, 4, 33.6},
		{"long ago", []float64{-1000, -999, -998}, 0, 5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var issued []time.Time
			for _, h := range c.issued {
				issued = append(issued, at(h))
			}
			want := Budget{Free: c.free}
			if c.next != 0 {
				want.Next = at(c.next)
			}
			if got := SameNames().Left(issued, at(c.now)); got.Free != want.Free || !got.Next.Equal(want.Next) {
				t.Errorf("left %d, next %v; want %d, next %v", got.Free, got.Next, want.Free, want.Next)
			}
		})
	}
}

func TestWhenAnOrderIsRefused(t *testing.T) {
	hours := func(all ...float64) []time.Time {
		var issued []time.Time
		for _, h := range all {
			issued = append(issued, at(h))
		}
		return issued
	}
	for _, c := range []struct {
		name   string
		issued []time.Time
		now    time.Time
		pace   time.Duration
		want   time.Time
	}{
		// The n-th order of one a day finds 33.6*n - 24*n hours owed and adds 33.6; more
		// than 168 first at n = 15.
		{"one a day", hours(0, 24, 48), at(50), 24 * time.Hour, at(24 * 15)},
		{"one an hour", hours(0, 1, 2), at(2), time.Hour, at(5)},
		{"as fast as they come back", hours(0, 33.6), at(34), 336 * time.Minute * 6, time.Time{}},
		{"nothing issued", nil, at(0), time.Hour, time.Time{}},
		{"no pace", hours(0), at(0), 0, time.Time{}},
		{"it should have been refused by now", hours(0, 1, 2), at(100), time.Hour, at(100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := SameNames().Refused(c.issued, c.now, c.pace); !got.Equal(c.want) {
				t.Errorf("refused at %v (hour %.1f), want %v", got, got.Sub(start).Hours(), c.want)
			}
		})
	}
}
