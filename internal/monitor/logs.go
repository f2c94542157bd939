package monitor

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
)

// logInterval is the time between two looks at one source of Certificate Transparency, and
// logTime what one look has in a running loop: who must wait is asked for the rest later.
const (
	logInterval = 15 * time.Minute
	logTime     = 2 * time.Minute
)

// CertificateLog is a source of Certificate Transparency.
type CertificateLog interface {
	// Name is different for each.
	Name() string
	// Read returns what is new since the positions, for names in the registered domains.
	Read(ctx context.Context, domains []string, from []issuance.Position) issuance.Reading
}

// logs holds how far each source was read, over failures and restarts.
type logs struct {
	sources   map[string]CertificateLog
	names     []string
	positions map[string][]issuance.Position
	last      map[string]time.Time
}

func newLogs(all []CertificateLog, before issuance.History) *logs {
	l := &logs{sources: map[string]CertificateLog{}, positions: map[string][]issuance.Position{}, last: map[string]time.Time{}}
	for _, source := range all {
		l.sources[source.Name()] = source
		l.names = append(l.names, source.Name())
	}
	for _, p := range before.Positions {
		l.positions[p.Source] = append(l.positions[p.Source], p)
	}
	slices.Sort(l.names)
	return l
}

// settle notes how far a source was read. A look that did not come back says nothing of
// that.
func (l *logs) settle(name string, seen issuance.Reading) issuance.Reading {
	seen.Source = name
	if seen.Positions == nil {
		seen.At = l.last[name]
	} else {
		l.positions[name], l.last[name] = seen.Positions, seen.At
	}
	return seen
}

func (o Options) logLook(l *logs, bound time.Duration, domains func() []string) look[string, issuance.Reading] {
	return look[string, issuance.Reading]{
		bound: bound, done: new(atomic.Uint64), panics: &o.Stats.Panics, log: o.Log,
		begin: func(name string) task[issuance.Reading] {
			source, wanted, from := l.sources[name], domains(), slices.Clone(l.positions[name])
			return task[issuance.Reading]{
				name: "certificates known to " + name,
				see:  func(ctx context.Context) issuance.Reading { return source.Read(ctx, wanted, from) },
				failed: func(_ time.Time, why string) issuance.Reading {
					return issuance.Reading{Failure: lookFailed + why, FailureHint: "read our log; if it shows a panic, report it as a bug"}
				},
			}
		},
		settle: l.settle,
	}
}

// shuffled spreads the looks of many processes: a public service must not meet all of them
// at one moment.
func shuffled() func(string) uint64 {
	seed := rand.Uint64()
	return func(name string) uint64 { return hashName(name) ^ seed }
}

// watch looks at the sources for the domains of these targets; at none if there is no
// domain. A new domain is looked for at once.
func (l *loop) watch(targets []inventory.Target, now time.Time) {
	domains := domainsOf(targets)
	if slices.Equal(domains, l.domains) {
		return
	}
	l.domains = domains
	names := l.known.names
	if len(domains) == 0 {
		names = nil
	}
	l.logs.sync(names, now)
	l.logs.hurry(names, now)
}

// takeLog keeps what a source said. If one look was not enough, the next follows; but not
// after one that came no further: the source is too slow for us.
func (l *loop) takeLog(ctx context.Context, r result[string, issuance.Reading]) {
	before := l.logs.newest[r.entry.key]
	if ctx.Err() != nil || !l.logs.take(r, time.Now()) {
		return
	}
	seen := l.logs.newest[r.entry.key]
	l.fresh.Logs = append(l.fresh.Logs, seen)
	l.dirty = true
	if seen.More && seen.Failure == "" && !seen.Moved.Equal(before.Moved) {
		l.logs.hurry([]string{r.entry.key}, time.Now())
	}
}

// readLogs reads all sources once, beside everything else. What it returns waits for that.
func (o Options) readLogs(ctx context.Context, targets []inventory.Target, t *tally) func() []issuance.Reading {
	known, domains := newLogs(o.Logs, o.Previous.History.Certificates), domainsOf(targets)
	if len(domains) == 0 {
		known.names = nil
	}
	t.expect(len(known.names))
	var readings map[string]issuance.Reading
	var all sync.WaitGroup
	all.Go(func() {
		l := o.logLook(known, 3*o.Timeout, func() []string { return domains })
		readings = gather(ctx, l, known.names, len(known.names), t)
	})
	return func() []issuance.Reading {
		all.Wait()
		return inOrder(known.names, readings)
	}
}

// brought are readings without what went into the history.
func brought(all []issuance.Reading) []issuance.Reading {
	var bare []issuance.Reading // none is none, over a restart too
	for _, r := range all {
		r.Seen, r.Positions = nil, nil
		bare = append(bare, r)
	}
	return bare
}

// domainsOf are the registered domains of the targets, sorted.
func domainsOf(targets []inventory.Target) []string {
	var names []string
	for _, t := range targets {
		if _, err := netip.ParseAddr(t.Host); err != nil {
			names = append(names, t.ProbeName())
		}
	}
	return issuance.Domains(names)
}
