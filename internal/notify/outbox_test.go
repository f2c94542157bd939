package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"driftprobe/finding"
)

// memory is a Store, and a log of what was in it when.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	fail   error
	saves  int
	aside  int
}

func (m *memory) Load(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[name], nil
}

func (m *memory) Save(name string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[name] = value
	m.saves++
	return nil
}

func (m *memory) SetAside() string {
	m.aside++
	return "aside"
}

// crash is a copy of the store as it is now.
func (m *memory) crash() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{values: maps.Clone(m.values)}
}

// pipe is a Sink that answers with the next of its errors, then with success.
type pipe struct {
	name    string
	mu      sync.Mutex
	errs    []error
	tries   []time.Time
	arrived []string
	before  func()
}

func (p *pipe) Name() string { return p.name }

func (p *pipe) Send(_ context.Context, m Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries = append(p.tries, time.Now())
	if p.before != nil {
		p.before()
	}
	if len(p.errs) > 0 {
		err := p.errs[0]
		p.errs = p.errs[1:]
		if err != nil {
			return err
		}
	}
	p.arrived = append(p.arrived, fmt.Sprint(m.Kind, " ", m.Incident.ID))
	return nil
}

func (p *pipe) gaps() []time.Duration {
	var gaps []time.Duration
	for n := 1; n < len(p.tries); n++ {
		gaps = append(gaps, p.tries[n].Sub(p.tries[n-1]))
	}
	return gaps
}

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// atOnce tells and resolves without waiting.
var atOnce = Policy{Pending: map[finding.Severity]time.Duration{finding.Critical: 0}}

func newOutbox(t *testing.T, store Store, sinks ...Sink) *Outbox {
	t.Helper()
	o, err := NewOutbox(atOnce, store, silent, sinks...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// observe reports that these incidents fire now.
func observe(t *testing.T, o *Outbox, ids ...string) {
	t.Helper()
	r := finding.Report{At: time.Now()}
	for _, id := range ids {
		i := incident(finding.Critical)
		i.ID = id
		r.Incidents = append(r.Incidents, i)
	}
	if err := o.Observe(r); err != nil {
		t.Fatal(err)
	}
}

// run delivers for a while.
func run(t *testing.T, o *Outbox, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	o.Run(ctx)
}

func wantArrived(t *testing.T, p *pipe, want ...string) {
	t.Helper()
	if !slices.Equal(p.arrived, want) {
		t.Errorf("%s got %q, want %q", p.name, p.arrived, want)
	}
}

func TestMessagesArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "a"}
		o := newOutbox(t, nil, p)
		observe(t, o, "x", "y")
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { o.Run(ctx) })
		time.Sleep(10 * time.Second)
		observe(t, o, "y")
		time.Sleep(10 * time.Second)
		cancel()
		running.Wait()
		wantArrived(t, p, "firing x", "firing y", "resolved x")
		if gaps := p.gaps(); gaps[0] < pace {
			t.Errorf("two messages within %s", gaps[0])
		}
		if d := o.Deliveries()[0]; d.Sent != 3 || d.Failed != 0 || d.Queued != 0 || d.LastSent.IsZero() {
			t.Errorf("%+v", d)
		}
	})
}

func TestTheStartIsToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "p"}
		o := newOutbox(t, nil, p)
		o.Greet(time.Now(), 3)
		observe(t, o, "a")
		run(t, o, time.Minute)
		wantArrived(t, p, "started started", "firing a")
	})
}

func TestAMessageIsStoredBeforeItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		var stored string
		p := &pipe{name: "a", before: func() {
			value, _ := store.Load(storeName)
			stored = string(value)
		}}
		o := newOutbox(t, store, p)
		observe(t, o, "x")
		run(t, o, time.Minute)
		if !strings.Contains(stored, `"waiting":["a"]`) || !strings.Contains(stored, "x@") {
			t.Errorf("when it was sent, the store had %q", stored)
		}
	})
}

func TestARestartNeitherLosesNorRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		p := &pipe{name: "a", errs: slices.Repeat([]error{errors.New("down")}, 3)}
		o := newOutbox(t, store, p)
		observe(t, o, "x")
		run(t, o, time.Second)
		wantArrived(t, p)

		o = newOutbox(t, store.crash(), p)
		observe(t, o, "x")
		run(t, o, time.Hour)
		wantArrived(t, p, "firing x")

		store = o.store.(*memory).crash()
		o = newOutbox(t, store, p)
		observe(t, o, "x")
		run(t, o, time.Hour)
		wantArrived(t, p, "firing x")

		observe(t, o)
		run(t, o, time.Hour)
		wantArrived(t, p, "firing x", "resolved x")
	})
}

func TestOneSinkThatFailsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := &pipe{name: "bad", errs: slices.Repeat([]error{errors.New("down")}, 1000)}, &pipe{name: "good"}
		o := newOutbox(t, nil, bad, good)
		observe(t, o, "x", "y")
		run(t, o, 10*time.Second)
		wantArrived(t, good, "firing x", "firing y")
		wantArrived(t, bad)
		d := o.Deliveries()
		if d[0].Queued != 2 || d[0].Failed == 0 || d[1].Queued != 0 || d[1].Sent != 2 {
			t.Errorf("%+v", d)
		}
	})
}

func TestAPanicInASinkIsAFailedDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "a"}
		once := true
		p.before = func() {
			if once {
				once = false
				panic("boom")
			}
		}
		o := newOutbox(t, nil, p)
		observe(t, o, "x")
		run(t, o, time.Minute)
		wantArrived(t, p, "firing x")
		if d := o.Deliveries()[0]; d.Failed != 1 {
			t.Errorf("%+v", d)
		}
	})
}

func TestLostAlertsAreLogged(t *testing.T) {
	var logged strings.Builder
	p := &pipe{name: "a", errs: slices.Repeat([]error{errors.New("down")}, 9)}
	o, err := NewOutbox(Policy{Pending: atOnce.Pending, Repeat: time.Minute}, nil, slog.New(slog.NewTextHandler(&logged, nil)), p)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, maxTracked+1)
	for n := range ids {
		ids[n] = fmt.Sprint(n)
	}
	r := finding.Report{At: time.Now()}
	for _, id := range ids {
		i := incident(finding.Critical)
		i.ID = id
		r.Incidents = append(r.Incidents, i)
	}
	for range 2 {
		if err := o.Observe(r); err != nil {
			t.Fatal(err)
		}
		r.At = r.At.Add(2 * time.Minute)
	}
	for what, text := range map[string]string{
		"one incident too many, once": "some are not told", "a full queue": "the oldest were dropped",
	} {
		if n := strings.Count(logged.String(), text); n != 1 {
			t.Errorf("%s: logged %d times: %s", what, n, shortLog(logged.String()))
		}
	}
}

func shortLog(text string) string { return text[:min(len(text), 1000)] }

func TestRetriesSlowDownAndGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "a", errs: slices.Repeat([]error{errors.New("down")}, 30)}
		o := newOutbox(t, nil, p)
		observe(t, o, "x")
		run(t, o, 24*time.Hour)
		wantArrived(t, p, "firing x")
		for n, gap := range p.gaps() {
			full := longestWait
			if n < 20 {
				full = min(full, firstWait<<n)
			}
			if gap < full/2 || gap > full {
				t.Errorf("gap %d is %s, want between %s and %s", n, gap, full/2, full)
			}
		}
	})
}

func TestASinkIsObeyedWhenItAsksToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "a", errs: []error{
			fmt.Errorf("wrapped: %w", &RetryAfterError{Wait: 42 * time.Second, Err: errors.New("slow down")}),
			&RetryAfterError{Wait: 1000 * time.Hour, Err: errors.New("slow down")},
			&DeadHookError{Reason: "gone"},
		}}
		o := newOutbox(t, nil, p)
		observe(t, o, "x")
		run(t, o, 24*time.Hour)
		wantArrived(t, p, "firing x")
		gaps := p.gaps()
		if gaps[0] != 42*time.Second || gaps[1] != longestAsked || gaps[2] < deadWait || gaps[2] > deadWait+time.Minute {
			t.Errorf("gaps %s", gaps)
		}
	})
}

// A sink that is not ready is asked again soon, however often: that is neither a failure nor
// worth a line of the log.
func TestASinkThatIsNotReadyHasNotFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		p := &pipe{name: "a", errs: slices.Repeat([]error{&NotYetError{Reason: "nothing is read"}}, 100)}
		o, err := NewOutbox(Policy{}, nil, slog.New(slog.NewTextHandler(&log, nil)), p)
		if err != nil {
			t.Fatal(err)
		}
		o.state.Queue = []Queued{{Message{Key: "x", Kind: Firing, Incident: finding.Incident{ID: "x"}}, []string{"a"}}}
		run(t, o, 5*time.Minute)
		wantArrived(t, p, "firing x")
		for _, gap := range p.gaps() {
			if gap > 5*time.Second {
				t.Errorf("it is asked again after %s", gap)
			}
		}
		if d := o.Deliveries()[0]; d.Failed != 0 || d.Sent != 1 || log.Len() > 0 {
			t.Errorf("%+v\n%s", d, shortLog(log.String()))
		}
	})
}

func TestADeadHookIsSeenUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "a", errs: []error{&DeadHookError{Reason: "gone"}}}
		o := newOutbox(t, nil, p)
		observe(t, o, "x")
		run(t, o, time.Minute)
		if d := o.Deliveries()[0]; !d.Dead || d.Queued != 1 {
			t.Errorf("after the failure: %+v", d)
		}
		run(t, o, time.Minute)
		if d := o.Deliveries()[0]; d.Dead || d.Queued != 0 {
			t.Errorf("after the success: %+v", d)
		}
	})
}

func TestWhatASinkGivesUpIsOffItsQueueAndCountedAsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{name: "a", errs: []error{&GivenUpError{Reason: "forbidden"}}}
		o := newOutbox(t, nil, p)
		observe(t, o, "x")
		run(t, o, time.Hour)
		if d := o.Deliveries()[0]; !d.Dead || d.Queued != 0 || d.Failed != 1 || d.Sent != 0 || len(p.tries) != 1 {
			t.Errorf("%+v after %d attempts", d, len(p.tries))
		}
		observe(t, o, "x", "y")
		run(t, o, time.Minute)
		if d := o.Deliveries()[0]; d.Dead || d.Sent != 1 {
			t.Errorf("after the next: %+v", d)
		}
	})
}
