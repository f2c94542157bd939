package issuance

import (
	"encoding/json"
	"testing"
	"time"

	"driftprobe/finding"
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
		// 0.8 hours are owed, so that five orders from now on are taken.
		{"what was due by now was not ordered", hours(0, 1, 2), at(100), time.Hour, at(105)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := SameNames().Refused(c.issued, c.now, c.pace); !got.Equal(c.want) {
				t.Errorf("refused at %v (hour %.1f), want %v", got, got.Sub(start).Hours(), c.want)
			}
		})
	}
}

// Each look is that of a process of its own, with what the one before wrote. Its clock is
// wrong by so many hours. What is left does not depend on when anybody looked, and the table
// is that of the rule: five in 24 hours from a full bucket leave it empty until 33.6.
func TestTheBudgetOverRestartsAndClockSteps(t *testing.T) {
	issued := []float64{0, 6, 12, 18, 24}
	for _, c := range []struct {
		name  string
		wrong []float64 // by how much the clock is wrong at the look after each order
	}{
		{"a right clock", []float64{0, 0, 0, 0, 0}},
		{"set back by a day after the third", []float64{0, 0, 0, -24, -24}},
		{"set back, and right again", []float64{0, 0, -30, -30, 0}},
		{"a day ahead, and right again", []float64{24, 24, 0, 0, 0}},
		{"1970 until the time is known", []float64{0, 0, -498_000, -498_000, 0}},
		{"by turns", []float64{5, -5, 5, -5, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var state History
			for n, wrong := range c.wrong {
				for _, look := range []float64{issued[n] + 1, issued[n] + 5} { // the second sees what the first saw
					state = restarted(t, state.Remember([]Seen{{
						At: at(look + wrong), Host: "shop.example", Address: edge, Names: []string{"shop.example"}, CA: letsEncrypt,
						Serial: string(rune('a' + n)), Issued: at(issued[n]), NotAfter: at(issued[n] + 90*24),
					}}))
				}
			}
			for _, want := range []struct {
				now  float64
				free int
				next float64
			}{{24, 0, 33.6}, {33.5, 0, 33.6}, {33.6, 1, 67.2}, {67.2, 2, 100.8}, {134.4, 4, 168}, {168, 5, 0}} {
				_, left, known := state.Sets[0].Left(Policy{}, at(want.now))
				if !known || left.Free != want.free || want.next != 0 && !left.Next.Equal(at(want.next)) {
					t.Errorf("at %.1f h %d are left, next %s; want %d, next %s", want.now, left.Free, left.Next, want.free, at(want.next))
				}
			}
			fs := Judge(Policy{}, at(30), state)
			if got := codes(fs); got != "critical issuance/rate-limit, warning issuance/reissue-loop" || !fs[0].ClearBy.Equal(at(33.6)) {
				t.Errorf("%s, until %v", got, fs)
			}
		})
	}
}

// restarted is what the next process reads.
func restarted(t *testing.T, h History) History {
	t.Helper()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var next History
	if err := json.Unmarshal(text, &next); err != nil {
		t.Fatal(err)
	}
	return next
}

// A limit that somebody configured is larger than Let's Encrypt's.
func TestALargeLimit(t *testing.T) {
	p := Policy{SameNames: map[string]Limit{"Example Trust": {Tokens: 60, Every: 2 * time.Hour}}}
	h := History{}.Remember(serve([]string{"shop.example"}, "Example Trust", 90*day, at(1), every(time.Minute, 60)...))
	if f := Judge(p, at(1), h)[0]; f.Severity != finding.Critical || f.Code != finding.IssuanceRateLimit {
		t.Errorf("%s: %s", f.Severity, f.Summary)
	}
}
