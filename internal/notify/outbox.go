package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"driftprobe/finding"
)

// Sink delivers messages to one place.
type Sink interface {
	// Name is stable over restarts and different for each sink.
	Name() string
	// Send returns nil if and only if the message has arrived. It may return a
	// RetryAfterError, a DeadHookError, a GivenUpError or a NotYetError; any other error
	// is tried again soon.
	Send(ctx context.Context, m Message) error
}

// renewable is a Sink whose address can be replaced while it runs.
type renewable interface {
	// Renewed tells whether the next message would go elsewhere than the last one.
	Renewed() bool
}

const (
	// storeName is the name of our value in the Store.
	storeName = "notify"
	// sendTimeout bounds one delivery.
	sendTimeout = 30 * time.Second
	// pace is the least time between two deliveries to one sink.
	pace = time.Second
	// lookEvery is how often is looked whether a sink that failed has another address.
	lookEvery = 5 * time.Second
	// lastMoment is for what is on its way when we are to end.
	lastMoment = 2 * time.Second
	// saveEvery is how often running clocks are saved while nothing else changes.
	saveEvery = time.Minute
)

// Outbox follows incidents and delivers messages: at least once to each sink, in
// order, over restarts. A sink that fails does not delay another.
type Outbox struct {
	policy Policy
	store  Store
	log    *slog.Logger
	sinks  []Sink
	names  []string
	routes []Route // of the sinks
	wake   map[string]chan struct{}
	heard  []chan struct{} // others that want to know of changes

	// writing has a value while the store is written, which may take long where that is
	// another machine.
	writing chan struct{}

	mu    sync.Mutex
	state State
	// revision counts the states; kept is the one that the store has, or has refused with
	// failure.
	revision, kept uint64
	failure        error
	// unwritten are the keys of messages that no write has been tried of.
	unwritten map[string]bool
	saved     time.Time // State.At when the store was last written
	tally     tally
	// greeting waits for the next report.
	greeting []Message
}

// Delivery is how one sink does, for metrics.
type Delivery struct {
	Sink string
	// Sent and Failed count attempts since the start.
	Sent, Failed uint64
	// Queued is the number of messages that wait.
	Queued int
	// Dead: the last attempt failed with a DeadHookError or a GivenUpError.
	Dead bool
	// LastSent is when the last message arrived; zero if none did.
	LastSent time.Time
}

// NewOutbox takes up the state in store; a nil store is none. A stored state
// that is unusable is logged and left behind. It fails if the store cannot be
// read, or two sinks have one name.
func NewOutbox(p Policy, store Store, log *slog.Logger, sinks ...Sink) (*Outbox, error) {
	o := &Outbox{policy: p, store: store, log: log, sinks: sinks, wake: map[string]chan struct{}{}, unwritten: map[string]bool{}, writing: make(chan struct{}, 1)}
	for _, s := range sinks {
		if o.wake[s.Name()] != nil {
			return nil, fmt.Errorf("two sinks are named %q", s.Name())
		}
		o.wake[s.Name()] = make(chan struct{}, 1)
		o.names = append(o.names, s.Name())
		i := slices.IndexFunc(p.Routes, func(r Route) bool { return r.Sink == s.Name() })
		if i < 0 {
			o.policy.Routes = append(slices.Clip(o.policy.Routes), Route{Sink: s.Name(), MinSeverity: p.MinSeverity})
			i = len(o.policy.Routes) - 1
		}
		o.routes = append(o.routes, o.policy.Routes[i])
	}
	if store == nil {
		return o, nil
	}
	stored, err := store.Load(storeName)
	if err != nil {
		return nil, fmt.Errorf("load the state of alerts: %w", err)
	}
	if stored != nil {
		state, err := decode(stored)
		if err != nil {
			log.Warn("the stored state of alerts is unusable; incidents may be told again", "error", err, "kept", store.SetAside())
		}
		o.state = handedOver(p.Shard, Retain(state, o.names))
	}
	return o, nil
}

// Observe takes a report. What it leads to is saved before it is sent. If saving
// fails, that is returned, and messages are sent all the same: an alert that may
// come twice after a crash is better than none.
func (o *Outbox) Observe(r finding.Report) error {
	due, told := o.take(r)
	var err error
	if due {
		err = o.save()
	}
	if told {
		for _, wake := range o.wake {
			signal(wake)
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, wake := range o.heard {
			signal(wake)
		}
	}
	return err
}

// take makes the next state of a report, and tells whether it is to be saved, and whether
// it has something to say.
func (o *Outbox) take(r finding.Report) (due, told bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next, messages := Next(o.policy, o.state, r)
	if len(o.greeting) > 0 {
		messages = slices.Concat(o.greeting, messages) // also where the first report has news
		o.greeting = nil
	}
	next = Enqueue(next, o.routes, messages)
	told = len(messages) > 0
	due = told || changed(o.state, next) || next.At.Sub(o.saved).Abs() >= saveEvery
	if lost := next.Dropped - o.state.Dropped; lost > 0 {
		o.log.Error("too many alerts wait; the oldest were dropped", "dropped", lost)
	}
	if next.Untracked > 0 && o.state.Untracked == 0 {
		o.log.Error("too many incidents at once; some are not told", "incidents", next.Untracked)
	}
	for _, q := range next.Queue {
		if !slices.ContainsFunc(o.state.Queue, func(old Queued) bool { return old.Message.Key == q.Message.Key }) {
			o.unwritten[q.Message.Key] = true
		}
	}
	o.state = next
	o.revision++
	return due, told
}

// Watch says which hostnames are watched, from now on. The map must not be changed
// afterwards.
func (o *Outbox) Watch(hosts map[string]Host) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.policy.Watched = hosts
}

// Greet adds to the next report's messages one that says how many hostnames are watched.
func (o *Outbox) Greet(at time.Time, hosts int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	shard := o.policy.Shard.String()
	o.greeting = []Message{{
		Key: strings.TrimSuffix("started@"+at.UTC().Format(time.RFC3339)+"@"+shard, "@"), Kind: Started, At: at, Shard: shard,
		Incident: finding.Incident{ID: "started", Cause: "driftprobe watches " + finding.Count(hosts, "hostname", "hostnames")},
	}}
}

// Changes returns a channel that gets a value when there is something new to say.
func (o *Outbox) Changes() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	wake := make(chan struct{}, 1)
	o.heard = append(o.heard, wake)
	return wake
}

// State returns the state as it is now. It shares memory with the Outbox and is
// for reading.
func (o *Outbox) State() State {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state
}

// Deliveries returns how the sinks do, in the order given to NewOutbox.
func (o *Outbox) Deliveries() []Delivery {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]Delivery, 0, len(o.names))
	for _, name := range o.names {
		d := o.tally.of(name, name)
		_, d.Queued = Waiting(o.state, name)
		all = append(all, d)
	}
	return all
}

// Run delivers until ctx ends, and returns when every sender has stopped. What
// is not delivered then stays in the state. What was delivered is written beside the
// sending: a place that is slow to take the state must not make alerts late.
func (o *Outbox) Run(ctx context.Context) {
	noted := make(chan struct{}, 1)
	var senders, writer sync.WaitGroup
	for _, s := range o.sinks {
		senders.Go(func() { o.deliver(ctx, s, noted) })
	}
	writer.Go(func() {
		for range noted {
			if err := o.save(); err != nil {
				o.log.Warn("what was delivered may be sent again after a restart", "error", err)
			}
		}
	})
	senders.Wait()
	close(noted)
	writer.Wait()
}

// next is the oldest message for a sink that may be sent.
func (o *Outbox) next(sink string) (Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, n := Waiting(o.state, sink)
	return m, n > 0 && !o.unwritten[m.Key]
}

func (o *Outbox) deliver(ctx context.Context, s Sink, noted chan<- struct{}) {
	failures := 0
	for ctx.Err() == nil {
		m, ok := o.next(s.Name())
		if !ok {
			select {
			case <-o.wake[s.Name()]:
			case <-ctx.Done():
			}
			continue
		}
		err := send(ctx, s, m)
		if err != nil && ctx.Err() != nil {
			return // stopped in the middle: it may have arrived, and is tried again
		}
		if _, unready := errors.AsType[*NotYetError](err); unready {
			o.log.Debug("alert waits", "sink", s.Name(), "message", m.Key, "why", err)
			sleep(ctx, soonWait)
			continue
		}
		if o.done(s.Name(), m, err) {
			signal(noted)
			o.report(s.Name(), m, failures, err)
			failures = 0
			sleep(ctx, pace)
			continue
		}
		failures++
		pause := wait(failures, err, rand.Float64())
		level := slog.LevelWarn
		if _, dead := errors.AsType[*DeadHookError](err); dead {
			level = slog.LevelError
		}
		o.log.Log(ctx, level, "alert not delivered", "sink", s.Name(), "message", m.Key, "attempt", failures, "retry_in", pause.Round(time.Second), "error", err)
		rest(ctx, s, pause)
	}
}

// report logs the end of a message that was no matter of course.
func (o *Outbox) report(sink string, m Message, failures int, err error) {
	if over, ok := errors.AsType[*GivenUpError](err); ok && !over.Logged {
		o.log.Error("an alert is given up", "sink", sink, "message", m.Key, "error", err)
	}
	if err == nil && failures > 0 {
		o.log.Info("alert delivered after all", "sink", sink, "message", m.Key, "failures", failures)
	}
}

// rest waits after a failure, and no longer than until the sink has another address: who
// mends a dead hook need not wait to see it work.
func rest(ctx context.Context, s Sink, d time.Duration) {
	for end := time.Now().Add(d); ctx.Err() == nil && time.Now().Before(end); {
		sleep(ctx, min(lookEvery, time.Until(end)))
		if r, ok := s.(renewable); ok && r.Renewed() {
			return
		}
	}
}

// done notes the outcome of one attempt, and tells whether the message is off the queue:
// only success takes it off, or that the sink gave it up.
func (o *Outbox) done(sink string, m Message, err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		_, dead := errors.AsType[*DeadHookError](err)
		_, over := errors.AsType[*GivenUpError](err)
		o.tally.failed(sink, dead || over)
		if !over {
			return false
		}
	} else {
		o.tally.sent(sink)
	}
	o.state = Delivered(o.state, sink, m.Key)
	o.revision++
	return true
}

// send bounds one delivery, also when ctx ends meanwhile. A panic in a sink is an error of that sink.
func send(ctx context.Context, s Sink, m Message) (err error) {
	// A send that is broken off may have arrived or not, and has to be done again.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		sleep(sending, lastMoment)
		cancel()
	})()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while sending: %v", p)
		}
	}()
	return s.Send(sending, m)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
