package monitor

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/snapshot"
)

// paper is a source that notes when it is asked for what.
type paper struct {
	name string
	read func(n int, domains []string, from []issuance.Position) issuance.Reading

	mu    sync.Mutex
	times []time.Time
	asked [][]string
	from  [][]issuance.Position
}

func (p *paper) Name() string { return p.name }

func (p *paper) Read(_ context.Context, domains []string, from []issuance.Position) issuance.Reading {
	p.mu.Lock()
	p.times, p.asked, p.from = append(p.times, time.Now()), append(p.asked, domains), append(p.from, from)
	n := len(p.times)
	p.mu.Unlock()
	return p.read(n, domains, from)
}

// told is an answer with one certificate.
func told(serial string) issuance.Reading {
	now := time.Now()
	return issuance.Reading{
		At: now, Moved: now, Seen: []issuance.Seen{{At: now, Names: []string{"x.shop.example"}, CA: "Example", Serial: serial, Issued: now, NotAfter: now.Add(time.Hour), Log: "paper"}},
		Positions: []issuance.Position{{Source: "paper", Domains: []string{"shop.example"}, After: serial, At: now, Moved: now}},
	}
}

func watchedByLog(w *outside, p *paper) Options {
	o := w.options()
	o.Targets = []inventory.Target{site("*.shop.example", "192.0.2.1"), site("a.shop.example", "192.0.2.1"), site("192.0.2.1")}
	o.Logs = []CertificateLog{p}
	return o
}

func TestALogIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{name: "paper", read: func(n int, _ []string, _ []issuance.Position) issuance.Reading {
			r := told(string(rune('a' + n)))
			r.More = n == 1
			return r
		}}
		w := newOutside(time.Millisecond)
		w.publish("a.shop.example", "192.0.2.1")
		o := watchedByLog(w, p)
		o.Previous.History.Certificates.Positions = []issuance.Position{{Source: "paper", Domains: []string{"shop.example"}, After: "old"}, {Source: "other"}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		last := Run(ctx, o)

		if n := len(p.times); n < 5 || n > 6 {
			t.Errorf("asked %d times in an hour", n)
		}
		if first := p.times[1].Sub(p.times[0]); first > 2*time.Second {
			t.Errorf("there was more, and it was asked for after %s", first)
		}
		if !reflect.DeepEqual(p.asked[0], []string{"shop.example"}) || len(p.from[0]) != 1 || p.from[0][0].After != "old" || p.from[1][0].After != "b" {
			t.Errorf("asked for %v from %+v", p.asked, p.from)
		}
		h := last.History.Certificates
		if len(h.Sets) != 1 || len(h.Sets[0].Issuances) != len(p.times) || len(h.Positions) != 2 {
			t.Errorf("remembered %+v", h)
		}
		if logs := last.Observations.Logs; len(logs) != 1 || logs[0].Source != "paper" || logs[0].Seen != nil || logs[0].At.IsZero() {
			t.Errorf("%+v", logs)
		}
	})
}

// Who is too slow to give anything in one look is not asked again at once, for ever.
func TestALogThatIsTooSlowIsNotAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{name: "paper", read: func(n int, _ []string, from []issuance.Position) issuance.Reading {
			time.Sleep(logTime)
			if n == 1 {
				r := told("a")
				r.More = true
				return r
			}
			return issuance.Reading{At: from[0].At, Moved: from[0].Moved, More: true, Positions: from}
		}}
		w := newOutside(time.Millisecond)
		w.publish("a.shop.example", "192.0.2.1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		Run(ctx, watchedByLog(w, p))
		if n := len(p.times); n < 4 || n > 6 {
			t.Errorf("asked %d times in an hour", n)
		}
		if second := p.times[1].Sub(p.times[0]); second > logTime+2*time.Second {
			t.Errorf("it came further, and was asked for the rest after %s", second)
		}
		time.Sleep(logTime) // until the look that was under way has ended
	})
}

// A source that hangs, panics or fails is unknown, keeps its age, and holds nobody up.
func TestALogThatFails(t *testing.T) {
	for name, fail := range map[string]func() issuance.Reading{
		"fails":  func() issuance.Reading { return issuance.Reading{Failure: "503", FailureHint: "wait"} },
		"panics": func() issuance.Reading { panic("no such log") },
		"hangs": func() issuance.Reading {
			time.Sleep(20 * time.Minute)
			return issuance.Reading{Failure: "late", FailureHint: "x"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &paper{name: "paper", read: func(n int, _ []string, _ []issuance.Position) issuance.Reading {
					if n == 1 {
						return told("a")
					}
					return fail()
				}}
				w := newOutside(time.Millisecond)
				w.publish("a.shop.example", "192.0.2.1")
				o := watchedByLog(w, p)
				var first time.Time
				var report finding.Report
				o.Publish = func(_ snapshot.Snapshot, r finding.Report) {
					if report = r; first.IsZero() {
						first = time.Now()
					}
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Minute)
				defer cancel()
				last := Run(ctx, o)
				if first.Sub(began) > 3*time.Second {
					t.Errorf("the first report waited %s", first.Sub(began))
				}
				if !slices.ContainsFunc(report.Findings, func(f finding.Finding) bool {
					return f.Code == finding.IssuanceLogUnread && f.Severity == finding.Info && f.Hint != ""
				}) {
					t.Errorf("nothing says that it failed: %+v", report.Findings)
				}
				if !slices.ContainsFunc(report.Coverage.Notes, func(n string) bool { return strings.HasPrefix(n, "certificates known to paper: last read ") }) {
					t.Errorf("its age is not shown: %q", report.Coverage.Notes)
				}
				p.mu.Lock()
				asked := p.times[0]
				p.mu.Unlock()
				if h := last.History.Certificates; len(h.Sets) != 1 || h.Positions[0].After != "a" || !last.Observations.Logs[0].At.Equal(asked) {
					t.Errorf("%+v, %+v", h, last.Observations.Logs)
				}
				time.Sleep(time.Hour) // until a look that was left behind has ended
			})
		})
	}
}

func TestOnceAsksALogOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{name: "paper", read: func(int, []string, []issuance.Position) issuance.Reading { r := told("a"); r.More = true; return r }}
		o := watchedByLog(newOutside(time.Millisecond), p)
		s, r := Once(t.Context(), o, nil)
		if len(p.times) != 1 || len(s.History.Certificates.Sets) != 1 || len(s.History.Certificates.Positions) != 1 || len(s.Observations.Logs) != 1 {
			t.Errorf("asked %d times, %+v", len(p.times), s.History.Certificates)
		}
		if notes := strings.Join(r.Coverage.Notes, "\n"); !strings.Contains(notes, "certificates known to paper: read just now, and there is more to read") {
			t.Errorf("%q", notes)
		}
		o.Targets = nil
		if s, _ := Once(t.Context(), o, nil); len(p.times) != 1 || s.Observations.Logs != nil {
			t.Error("asked for no domain")
		}
		p.read = func(int, []string, []issuance.Position) issuance.Reading { time.Sleep(time.Hour); return told("b") }
		o = watchedByLog(newOutside(time.Millisecond), p)
		began := time.Now()
		if s, _ := Once(t.Context(), o, nil); time.Since(began) > 10*time.Minute || s.Observations.Logs[0].Failure == "" {
			t.Errorf("a look of %s that says %q", time.Since(began), s.Observations.Logs[0].Failure)
		}
		time.Sleep(2 * time.Hour)
	})
}

// A new domain is looked for at once.
func TestANewDomainIsLookedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{name: "paper", read: func(int, []string, []issuance.Position) issuance.Reading { return told("a") }}
		o := newOutside(time.Millisecond).options()
		o.Logs = []CertificateLog{p}
		c := newCluster(inventory.Inventory{})
		o.Cluster = c
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan snapshot.Snapshot, 1)
		go func() { done <- Run(ctx, o) }()
		time.Sleep(5 * time.Minute)
		if len(p.times) != 0 {
			t.Error("asked for no domain")
		}
		c.set(inventory.Inventory{Targets: []inventory.Target{site("a.shop.example")}})
		time.Sleep(5 * time.Second)
		c.set(inventory.Inventory{Targets: []inventory.Target{site("a.shop.example"), site("b.other.example")}})
		time.Sleep(5 * time.Second)
		cancel()
		<-done
		if want := [][]string{{"shop.example"}, {"other.example", "shop.example"}}; !reflect.DeepEqual(p.asked, want) {
			t.Errorf("asked for %v", p.asked)
		}
	})
}
