package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

// hook is a pipe whose address can be replaced.
type hook struct {
	pipe
	address secret
}

func (h *hook) Renewed() bool { return h.address.renewed() }

func (h *hook) Send(ctx context.Context, m Message) error {
	if _, err := h.address.text(); err != nil {
		return err
	}
	return h.pipe.Send(ctx, m)
}

// Who mends a dead hook sees within seconds that it works, however long the pause would have
// been; and as long as nobody does, it is asked seldom.
func TestAMendedHookIsTriedAtOnce(t *testing.T) {
	for rule, why := range map[string]error{
		"dead": &DeadHookError{Reason: "gone"}, "asked to wait": &RetryAfterError{Wait: time.Hour, Err: errors.New("slow down")},
		"the file is gone": nil,
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var text atomic.Pointer[string]
				put := func(s string) { text.Store(&s) }
				put("old")
				h := &hook{pipe: pipe{name: "a", errs: slices.Repeat([]error{why}, 20)}, address: secret{read: func() (string, error) {
					if s := *text.Load(); s != "" {
						return s, nil
					}
					return "", errors.New("no such file")
				}}}
				var log strings.Builder
				o, err := NewOutbox(atOnce, nil, slog.New(slog.NewTextHandler(&log, nil)), h)
				if err != nil {
					t.Fatal(err)
				}
				if why == nil {
					put("")
				}
				observe(t, o, "x")
				ctx, stop := context.WithCancel(t.Context())
				var running sync.WaitGroup
				running.Go(func() { o.Run(ctx) })
				time.Sleep(time.Hour)
				h.mu.Lock()
				if n := len(h.tries); n > 13 || len(h.arrived) > 0 {
					t.Errorf("%d attempts in an hour, arrived %q", n, h.arrived)
				}
				h.errs = nil
				h.mu.Unlock()
				put("new\n")
				time.Sleep(lookEvery + time.Second)
				stop()
				running.Wait()
				wantArrived(t, &h.pipe, "firing x")
				if s := log.String(); !strings.Contains(s, "alert delivered after all") || rule == "dead" != strings.Contains(s, "level=ERROR") {
					t.Errorf("the log: %s", s)
				}
			})
		})
	}
}

func TestWhatIsGivenUpIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		p := &pipe{name: "a", errs: []error{&GivenUpError{Reason: "it answered 400"}, &GivenUpError{Reason: "forbidden", Logged: true}}}
		o, err := NewOutbox(atOnce, nil, slog.New(slog.NewTextHandler(&log, nil)), p)
		if err != nil {
			t.Fatal(err)
		}
		observe(t, o, "x", "y")
		run(t, o, time.Minute)
		if s := log.String(); strings.Count(s, "an alert is given up") != 1 || !strings.Contains(s, "it answered 400") || !strings.Contains(s, "message=x@") {
			t.Errorf("the log: %s", s)
		}
	})
}

// What is on its way when the program is to end has a moment to arrive, so that it need not
// come twice; no longer, because another may lead then.
func TestTheEndWaitsAMomentForWhatIsOnItsWay(t *testing.T) {
	for takes, kept := range map[time.Duration]bool{time.Second: false, time.Hour: true} {
		synctest.Test(t, func(t *testing.T) {
			store := &memory{}
			s := &slowly{takes: takes}
			o := newOutbox(t, store, s)
			observe(t, o, "x")
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { o.Run(ctx) })
			synctest.Wait()
			began := time.Now()
			stop()
			running.Wait()
			if d := time.Since(began); d > lastMoment {
				t.Errorf("it ended after %s", d)
			}
			if value, _ := store.Load(storeName); strings.Contains(string(value), `"waiting"`) != kept {
				t.Errorf("takes %s, at the end: %s", takes, value)
			}
		})
	}
}

// slowly is a Sink that takes its time.
type slowly struct{ takes time.Duration }

func (s *slowly) Name() string { return "slowly" }

func (s *slowly) Send(ctx context.Context, _ Message) error {
	sleep(ctx, s.takes)
	return ctx.Err()
}

// The clock is set back and forth while a sink fails: what waits arrives once, in order, and as
// soon as the sink is well.
func TestTheClockMayBeSetWhileMessagesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		p := &pipe{name: "a", errs: slices.Repeat([]error{errors.New("down")}, 6)}
		o := newOutbox(t, store, p)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { o.Run(ctx) })
		began := time.Now()
		for _, set := range []time.Duration{0, -3 * time.Hour, 48 * time.Hour, -time.Minute, 0, 0} {
			i := incident(finding.Critical)
			i.ID = "x"
			if err := o.Observe(finding.Report{At: time.Now().Add(set), Incidents: []finding.Incident{i}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		for range 4 {
			observe(t, o)
			time.Sleep(10 * time.Second)
		}
		stop()
		running.Wait()
		wantArrived(t, p, "firing x", "resolved x")
		if first := p.tries[6].Sub(began); first > 2*time.Minute {
			t.Errorf("it arrived after %s", first)
		}
	})
}
