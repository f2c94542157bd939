package monitor

import (
	"context"
	"hash/maphash"
	"reflect"
	"slices"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// grace is how long Run waits for looks that do not heed the end of their context.
const grace = 5 * time.Second

// Run looks and judges until ctx ends, and returns the last snapshot. It has then
// waited for all it started, but for looks that ignore their context: those are
// left behind after five seconds, and logged.
//
// The first report is published when everything was looked at once, or after
// twice the bound of a look. Later ones follow whenever something changed, at
// most once a second.
func Run(ctx context.Context, o Options) snapshot.Snapshot {
	o = o.withDefaults()
	l := newLoop(o)
	j := &judge{o: o, history: o.Previous.History, seed: maphash.MakeSeed()}
	rounds := make(chan round, 1)
	l.rounds = rounds
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		j.serve(rounds, l.outcomes)
	}()
	l.run(ctx)
	close(rounds)
	<-ended
	l.drain()
	s, _ := j.prepare(l.round(), time.Now())
	return s
}

const (
	// judgeShare keeps judging at a tenth of one core, however many targets there
	// are; maxPause is the longest that a change may wait for it.
	judgeShare = 10
	maxPause   = 5 * time.Second
)

// loop owns all that is known, and starts every look and every judgement.
type loop struct {
	o        Options
	began    time.Time
	dns      *lane[string, dnscheck.Observation]
	zones    *lane[string, dnscheck.ZoneObservation]
	probes   *lane[probeKey, probe.Observation]
	clouds   *lane[int, lbcheck.Observation]
	hosted   *lane[string, lbcheck.HostedZone]
	logs     *lane[string, issuance.Reading]
	known    *logs
	domains  []string // of the targets, which the logs are read for
	accounts *accounts
	news     []headline

	inventory inventory.Inventory
	targets   map[string]bool
	steps     []step // the plan, in the order of its keys
	fresh     snapshot.Observations

	rounds chan<- round
	// outcomes has room for all that one judgement says, so that the judge never
	// waits for the loop, even after its end.
	outcomes chan outcome
	changed  <-chan struct{}

	// dirty: something is new since the last judgement began. judging: one is
	// under way. stale: the cluster has changed since it was read.
	// urgent: a load balancer has changed, so the judgement does not wait for the pause.
	dirty, judging, stale, urgent bool
	// pause is the time from one judgement to the next: a second, or more where
	// judging is dear.
	pause time.Duration
	// judged, read and swept are when each was last done.
	judged, read, swept time.Time
}

func newLoop(o Options) *loop {
	l := &loop{o: o, began: time.Now(), pause: gap, outcomes: make(chan outcome, 2)}
	l.accounts = newAccounts(len(o.Clouds), o.Previous.Observations.Clouds)
	l.dns = newLane(o.dnsLook(), o.DNSInterval, o.Workers, hashName)
	l.zones = newLane(o.zoneLook(), max(o.DNSInterval, zoneInterval), o.zoneSlots(), hashName)
	l.probes = newLane(o.probeLook(l.step), o.Interval, o.Workers, hashProbe)
	l.hosted = newLane(o.hostedLook(), hostedInterval, maxHosted, hashName)
	l.known = newLogs(o.Logs, o.Previous.History.Certificates)
	l.logs = newLane(o.logLook(l.known, logTime, func() []string { return l.domains }), logInterval, max(1, len(o.Logs)), shuffled())
	l.clouds = newLane(o.cloudLook(l.accounts, l.inTheNews), o.CloudInterval, max(1, len(o.Clouds)), hashNumber)
	l.seed(o.Previous.Observations)
	l.clouds.sync(numbers(o.Clouds), l.began)
	if o.Cluster != nil {
		l.changed = o.Cluster.Changed()
	}
	l.reread(l.began)
	return l
}

// seed takes over observations from before, unless they are so old that a report
// made from them would not be about now.
func (l *loop) seed(before snapshot.Observations) {
	for _, seen := range before.DNS {
		if l.began.Sub(seen.At) <= 3*l.o.DNSInterval {
			l.dns.newest[seen.Host] = seen
		}
	}
	for _, seen := range before.Zones {
		if l.began.Sub(seen.At) <= 3*l.zones.interval {
			l.zones.newest[seen.Zone] = seen
			l.zones.ordered = append(l.zones.ordered, seen.Zone)
		}
	}
	for _, seen := range before.Probes {
		if l.began.Sub(seen.At) <= 3*l.o.Interval {
			k := probeKey{seen.Target, seen.Address}
			l.probes.newest[k] = seen
			l.probes.ordered = append(l.probes.ordered, k)
		}
	}
	// What an account says of a zone names the record to edit in a command: without it the
	// first report after a reload would have another fix.
	for _, seen := range before.Hosted {
		if l.o.Hosted != nil && l.began.Sub(seen.At) <= 3*hostedInterval {
			l.hosted.newest[seen.Zone] = seen
			l.hosted.ordered = append(l.hosted.ordered, seen.Zone)
		}
	}
	slices.SortFunc(l.probes.ordered, probeKey.compare)
	slices.Sort(l.zones.ordered)
	slices.Sort(l.hosted.ordered)
}

// numbers are the keys of cloud accounts: they have no better name before they
// answer.
func numbers(clouds []func(context.Context, []string) lbcheck.Observation) []int {
	keys := make([]int, len(clouds))
	for i := range keys {
		keys[i] = i
	}
	return keys
}

func (l *loop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		l.turn(ctx, now)
		timer.Reset(l.wake(now).Sub(now))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case r := <-l.dns.results:
			l.take(ctx, r)
		case r := <-l.zones.results:
			l.dirty = ctx.Err() == nil && l.zones.take(r, time.Now()) || l.dirty
		case r := <-l.probes.results:
			l.takeProbe(ctx, r)
		case r := <-l.clouds.results:
			l.takeCloud(ctx, r)
		case r := <-l.hosted.results:
			l.dirty = ctx.Err() == nil && l.hosted.take(r, time.Now()) || l.dirty
		case r := <-l.logs.results:
			l.takeLog(ctx, r)
		case _, open := <-l.changed:
			if l.stale = true; !open {
				l.changed = nil
			}
		case o := <-l.outcomes:
			l.follow(o, time.Now())
		}
	}
}

// take keeps what the DNS said, unless it is only the echo of our own end.
func (l *loop) take(ctx context.Context, r result[string, dnscheck.Observation]) {
	if ctx.Err() == nil && l.dns.take(r, time.Now()) {
		l.fresh.DNS = append(l.fresh.DNS, l.dns.newest[r.entry.key])
		l.dirty = true
	}
}

// takeProbe keeps what an address said.
func (l *loop) takeProbe(ctx context.Context, r result[probeKey, probe.Observation]) {
	if ctx.Err() == nil && l.probes.take(r, time.Now()) {
		l.fresh.Probes = append(l.fresh.Probes, l.probes.newest[r.entry.key])
		l.dirty = true
	}
}

// takeCloud keeps what an account said. If that is news, it is judged at once.
func (l *loop) takeCloud(ctx context.Context, r result[int, lbcheck.Observation]) {
	before := l.clouds.newest[r.entry.key]
	if ctx.Err() == nil && l.clouds.take(r, time.Now()) {
		l.dirty = true
		now := l.clouds.newest[r.entry.key]
		l.urgent = l.urgent || !before.At.IsZero() && !reflect.DeepEqual(before.Balancers, now.Balancers)
	}
}

// turn does what is due.
func (l *loop) turn(ctx context.Context, now time.Time) {
	if l.stale && now.Sub(l.read) >= gap {
		l.reread(now)
	}
	if now.Sub(l.swept) >= gap {
		l.swept = now
		if n := l.dns.expire(now) + l.zones.expire(now) + l.probes.expire(now) + l.clouds.expire(now) + l.hosted.expire(now) + l.logs.expire(now); n > 0 {
			l.dirty = true
			l.o.Stats.Overdue.Add(uint64(n))
			l.o.Log.Error("looks did not come back in twice their time", "looks", n)
		}
	}
	l.dns.dispatch(ctx, now)
	l.zones.dispatch(ctx, now)
	l.probes.dispatch(ctx, now)
	l.clouds.dispatch(ctx, now)
	l.hosted.dispatch(ctx, now)
	l.logs.dispatch(ctx, now)
	l.o.Stats.LagNanoseconds.Store(int64(max(l.dns.lag(now), l.zones.lag(now), l.probes.lag(now), l.clouds.lag(now))))
	if !l.judged.IsZero() && now.Sub(l.judged) >= atLeast {
		l.dirty = true
	}
	if l.dirty && !l.judging && (l.urgent || now.Sub(l.judged) >= l.pause) {
		l.judged, l.judging, l.dirty, l.urgent = now, true, false, false
		r := l.round()
		l.fresh = snapshot.Observations{}
		l.rounds <- r
	}
}

// atLeast is how often there is a report, however seldom anything is looked at: those who
// count the time that a fault is there, or gone, count it between reports.
const atLeast = time.Minute

// wake is when the next turn is due, if nothing happens before.
func (l *loop) wake(now time.Time) time.Time {
	at := now.Add(time.Hour)
	sooner := func(t time.Time, ok bool) {
		if ok && t.Before(at) {
			at = t
		}
	}
	sooner(l.dns.next())
	sooner(l.zones.next())
	sooner(l.probes.next())
	sooner(l.clouds.next())
	sooner(l.hosted.next())
	sooner(l.logs.next())
	sooner(l.read.Add(gap), l.stale)
	sooner(l.judged.Add(l.pause), l.dirty && !l.judging)
	sooner(l.judged.Add(atLeast), !l.judged.IsZero() && !l.judging)
	sooner(now, l.dirty && !l.judging && l.urgent)
	sooner(l.swept.Add(gap), l.running() > 0)
	return at
}

// running counts the looks that are under way.
func (l *loop) running() int {
	return len(l.dns.running) + len(l.zones.running) + len(l.probes.running) + len(l.clouds.running) + len(l.hosted.running) + len(l.logs.running)
}

func (l *loop) round() round {
	var hosted []lbcheck.HostedZone // none is none, over a restart too
	if len(l.hosted.newest) > 0 {
		hosted = l.hosted.seen()
	}
	return round{
		inventory: l.inventory,
		seen:      snapshot.Observations{DNS: l.dns.seen(), Zones: l.zones.seen(), Probes: l.probes.seen(), Clouds: l.accounts.list(), Hosted: hosted, Logs: brought(l.logs.seen())},
		fresh:     l.fresh,
		answered:  l.accounts.answered(),
		publish:   time.Since(l.began) >= 2*max(l.o.Timeout, l.o.DNSTimeout),
	}
}

// reread takes over what should be. Vanished targets lose their probes at once;
// new ones get theirs when the next plan is made.
func (l *loop) reread(now time.Time) {
	first, before := l.read.IsZero(), l.inventory.Services
	l.stale, l.dirty, l.read = false, true, now
	l.inventory = l.o.current()
	var ids []string
	changed := false
	if !first {
		l.inventory.Services, ids, changed = compared(before, l.inventory.Services, now)
	}
	l.targets = make(map[string]bool, len(l.inventory.Targets))
	for _, t := range l.inventory.Targets {
		l.targets[t.Key] = true
	}
	l.dns.sync(hosts(l.inventory), now)
	l.watch(l.inventory.Targets, now)
	if len(l.steps) > 0 {
		l.adopt(l.steps, now)
	}
	if changed {
		// Whoever stands behind it is told now, not when the pause is over. Until the cloud
		// confirms it, a new address is only half a truth.
		l.urgent = true
		l.report(ids, now)
		l.clouds.hurry(numbers(l.o.Clouds), now)
		for _, s := range l.inventory.Services {
			l.dns.hurry(s.Hostnames, now)
		}
	}
}

// adopt makes the steps of targets that are still there the ones to do. It takes the
// list over.
func (l *loop) adopt(steps []step, now time.Time) {
	l.steps = slices.DeleteFunc(steps, func(s step) bool { return !l.targets[s.target.Key] })
	keys := make([]probeKey, 0, len(l.steps))
	for _, s := range l.steps {
		keys = append(keys, s.key())
	}
	l.probes.sync(keys, now)
}

// step is the one for a key of the probes.
func (l *loop) step(k probeKey) step {
	i, _ := slices.BinarySearchFunc(l.steps, k, func(s step, k probeKey) int { return s.key().compare(k) })
	return l.steps[i]
}

// follow does what a judgement says. What it does not know yet (the inventory may
// have changed since it began) is left to the next.
func (l *loop) follow(o outcome, now time.Time) {
	if o.over {
		l.judging = false
		if o.reported {
			l.hosted.sync(o.wrong, now)
		}
		l.pause = min(max(gap, judgeShare*o.took), maxPause)
		return
	}
	old := l.steps
	var names []string
	var again []probeKey
	for _, s := range o.steps {
		k := s.key()
		for len(old) > 0 && old[0].key().compare(k) < 0 {
			old = old[1:]
		}
		moved := o.moved[k.target]
		if moved && (len(names) == 0 || names[len(names)-1] != s.target.Host) {
			names = append(names, s.target.Host)
		}
		if moved || len(old) > 0 && old[0].key() == k && !sameWay(old[0], s) {
			again = append(again, k)
		}
	}
	l.adopt(o.steps, now)
	l.zones.sync(o.zones, now)
	l.dns.hurry(names, now)
	l.probes.hurry(again, now)
}

// drain waits for the looks that are still under way. Their results are not kept:
// they only tell of our own end.
func (l *loop) drain() {
	limit := time.NewTimer(grace)
	defer limit.Stop()
	for l.running() > 0 {
		select {
		case r := <-l.dns.results:
			delete(l.dns.running, r.entry)
		case r := <-l.zones.results:
			delete(l.zones.running, r.entry)
		case r := <-l.probes.results:
			delete(l.probes.running, r.entry)
		case r := <-l.clouds.results:
			delete(l.clouds.running, r.entry)
		case r := <-l.hosted.results:
			delete(l.hosted.running, r.entry)
		case r := <-l.logs.results:
			delete(l.logs.running, r.entry)
		case <-limit.C:
			l.o.Log.Error("looks were left behind at the end", "looks", l.running())
			return
		}
	}
}
