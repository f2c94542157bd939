package monitor

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

func panicking(w *outside) (Options, *bytes.Buffer) {
	var log bytes.Buffer
	o := w.options()
	o.Targets = []inventory.Target{site("a.example", "192.0.2.1"), site("b.example", "192.0.2.1")}
	o.Stats, o.Log = new(Stats), slog.New(slog.NewTextHandler(&log, nil))
	o.Resolve = func(ctx context.Context, host string) dnscheck.Observation {
		if host == "a.example" {
			panic("resolver\nbroke")
		}
		return w.resolve(ctx, host)
	}
	o.Probe = func(ctx context.Context, r probe.Request) probe.Observation {
		if r.Target.Host == "b.example" {
			panic("prober broke")
		}
		return w.probe(ctx, r)
	}
	o.Clouds = []func(context.Context, []string) lbcheck.Observation{func(context.Context, []string) lbcheck.Observation { panic("cloud broke") }}
	return o, &log
}

func TestAPanicBecomesAnObservation(t *testing.T) {
	for _, how := range []string{"Run", "Once"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, log := panicking(newOutside(time.Millisecond))
				p := &press{}
				if how == "Once" {
					p.publish(Once(t.Context(), o, nil))
				} else {
					o.Publish = p.publish
					stop := start(t.Context(), o)
					time.Sleep(4 * time.Second)
					stop()
				}
				seen := p.last().Observations
				f := seen.DNS[0].Steps[0].Failure
				if f.Outcome != dnscheck.Silent || f.Text != "this look failed: panic: resolver broke" {
					t.Errorf("DNS: %+v", f)
				}
				if f := seen.Probes[1].Fault; f.Kind != probe.Self || f.Text != "this look failed: panic: prober broke" {
					t.Errorf("probe: %+v", f)
				}
				if seen.Probes[0].Fault.Kind != "" {
					t.Errorf("the other probe: %+v", seen.Probes[0])
				}
				if c := seen.Clouds[0]; c.Provider != "cloud" || c.Failure != "this look failed: panic: cloud broke" {
					t.Errorf("cloud: %+v", c)
				}
				if n := o.Stats.Panics.Load(); n < 3 {
					t.Errorf("%d panics counted", n)
				}
				if !strings.Contains(log.String(), "fault_test.go") {
					t.Errorf("the log has no stack: %s", log)
				}
			})
		})
	}
}

func TestALookThatDoesNotComeBackIsGivenUpAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newOutside(time.Millisecond), &press{}
		release := make(chan struct{})
		var stuck atomic.Int32
		o := w.options()
		o.Targets, o.Publish, o.Timeout, o.Stats = []inventory.Target{site("a.example"), site("b.example")}, p.publish, time.Second, new(Stats)
		o.Resolve = func(ctx context.Context, host string) dnscheck.Observation {
			if host == "a.example" {
				stuck.Add(1)
				<-release
			}
			return w.resolve(ctx, host)
		}
		stop := start(t.Context(), o)
		time.Sleep(5 * time.Minute)
		if n := stuck.Load(); n != 1 {
			t.Errorf("%d looks hang", n)
		}
		if got := p.last().Observations.DNS[0].Steps[0].Failure.Text; got != "this look failed: it did not end in 4s" {
			t.Errorf("the observation says %q", got)
		}
		if n := o.Stats.Overdue.Load(); n != 1 {
			t.Errorf("overdue: %d", n)
		}
		began := time.Now()
		stop()
		if d := time.Since(began); d != grace {
			t.Errorf("the end took %v, want %v", d, grace)
		}
		close(release)
	})
}

func TestOnceDoesNotWaitForeverForALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(time.Millisecond)
		release := make(chan struct{})
		o := w.options()
		o.Targets, o.Timeout = []inventory.Target{site("a.example", "192.0.2.1"), site("b.example")}, time.Second
		o.Probe = func(ctx context.Context, r probe.Request) probe.Observation {
			if r.Target.Host == "a.example" {
				<-release
			}
			return w.probe(ctx, r)
		}
		began := time.Now()
		s, _ := Once(t.Context(), o, nil)
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("it took %v", d)
		}
		if f := s.Observations.Probes[0].Fault; f.Kind != probe.Self || f.Text != "this look failed: it did not end in 2s" {
			t.Errorf("probe: %+v", f)
		}
		if f := s.Observations.Probes[1].Fault; f.Kind != "" {
			t.Errorf("the other probe: %+v", f)
		}
		close(release)
	})
}

func TestWhatOnceSeesAfterItsEndIsNotBlamedOnTheTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOutside(5 * time.Second)
		o := w.options()
		o.Targets = []inventory.Target{site("a.example", "192.0.2.1")}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		s, _ := Once(ctx, o, nil)
		if d := time.Since(began); d != time.Second {
			t.Errorf("it took %v", d)
		}
		if got := s.Observations.DNS[0].Steps[0].Failure.Text; !strings.HasPrefix(got, "this look failed: stopped before it ended") {
			t.Errorf("DNS: %q", got)
		}
		if f := s.Observations.Probes[0].Fault; f.Kind != probe.Self || !strings.HasPrefix(f.Text, "this look failed: stopped before it began") {
			t.Errorf("probe: %+v", f)
		}
	})
}

func TestAPanicsTextIsBounded(t *testing.T) {
	got := brief(strings.Repeat("é\n", 500) + "\xff")
	if len(got) > 204 || strings.ContainsAny(got, "\n") || !strings.HasPrefix(got, "é é") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}
