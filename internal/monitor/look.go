package monitor

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// look is one kind of look.
type look[K comparable, O any] struct {
	// bound is the time that one look has.
	bound time.Duration
	// begin makes the task for a key; only the owner of the lane calls it.
	begin func(K) task[O]
	// settle, if not nil, completes an observation before it is kept; only the
	// owner calls it.
	settle func(K, O) O
	// again, if not nil, is when what was seen is to be looked at before its turn; zero: in
	// turn.
	again func(O) time.Time

	done   *atomic.Uint64
	panics *atomic.Uint64
	log    *slog.Logger
}

// task is one look. It carries all it needs, because it runs beside its owner.
type task[O any] struct {
	name string
	see  func(context.Context) O
	// failed is the observation that says that there is none, and why.
	failed func(at time.Time, why string) O
}

const lookFailed = "this look failed: "

func overdueText(bound time.Duration) string { return "it did not end in " + (2 * bound).String() }

// guarded does one look. A panic becomes an observation. Looks keep the bound by
// themselves and know what to say about it; the context ends a little later, for
// those that do not, so that it is never the cause of a verdict.
func (l look[K, O]) guarded(ctx context.Context, t task[O]) (o O) {
	ctx, cancel := context.WithTimeout(ctx, l.bound+l.bound/4)
	defer cancel()
	defer l.done.Add(1)
	defer func() {
		if v := recover(); v != nil {
			l.panics.Add(1)
			l.log.Error("a look panicked", "look", t.name, "panic", brief(v), "stack", string(debug.Stack()))
			o = t.failed(time.Now(), "panic: "+brief(v))
		}
	}()
	return t.see(ctx)
}

// brief is a panic's value as one short line.
func brief(v any) string {
	const limit = 200
	text := strings.Join(strings.Fields(strings.ToValidUTF8(fmt.Sprint(v), "�")), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

func (o Options) dnsLook() look[string, dnscheck.Observation] {
	return look[string, dnscheck.Observation]{
		bound: o.DNSTimeout, done: &o.Stats.DNSLooks, panics: &o.Stats.Panics, log: o.Log,
		begin: func(host string) task[dnscheck.Observation] {
			return task[dnscheck.Observation]{
				name: "DNS of " + host,
				see:  func(ctx context.Context) dnscheck.Observation { return o.Resolve(ctx, host) },
				failed: func(at time.Time, why string) dnscheck.Observation {
					return dnscheck.Observation{Host: host, At: at, Steps: []dnscheck.Step{{
						Name: host, Failure: dnscheck.Failure{Outcome: dnscheck.Silent, Text: lookFailed + why},
					}}}
				},
			}
		},
		// The host is the key under which the newest stands, whatever came back.
		settle: func(host string, seen dnscheck.Observation) dnscheck.Observation {
			seen.Host = host
			return seen
		},
	}
}

// probeLook looks at addresses as steps says at the moment when a look begins.
func (o Options) probeLook(steps func(probeKey) step) look[probeKey, probe.Observation] {
	return look[probeKey, probe.Observation]{
		bound: o.Timeout, done: &o.Stats.Probes, panics: &o.Stats.Panics, log: o.Log,
		begin: func(k probeKey) task[probe.Observation] {
			s := steps(k)
			return task[probe.Observation]{
				name:   "probe of " + k.target + " at " + k.address.String(),
				see:    func(ctx context.Context) probe.Observation { return o.probe(ctx, s) },
				failed: func(at time.Time, why string) probe.Observation { return unprobed(s, at, lookFailed+why) },
			}
		},
		settle: func(k probeKey, seen probe.Observation) probe.Observation {
			seen.Target, seen.Address = k.target, k.address
			return seen
		},
	}
}

// probe does one step. What is secret is read now, because its files may have
// changed, and only for an address that is the target's own.
func (o Options) probe(ctx context.Context, s step) probe.Observation {
	request := s.request()
	if s.trusted && !s.stranger && o.Secrets != nil {
		var err error
		if request, err = o.Secrets(request); err != nil {
			return unprobed(s, time.Now(), "not sent without its secrets: "+err.Error())
		}
	}
	return o.Probe(ctx, request)
}

// unprobed is the observation of a probe that could not be made.
func unprobed(s step, at time.Time, why string) probe.Observation {
	return probe.Observation{
		Target: s.target.Key, Host: s.target.ProbeName(), Address: s.address, Stranger: s.stranger, Scheme: s.target.Scheme, At: at,
		Fault: probe.Fault{Phase: probe.PhaseConnect, Kind: probe.Self, Text: why},
	}
}

// cloudLook asks an account; news are the ids of balancers whose Services have just
// changed.
func (o Options) cloudLook(a *accounts, news func() []string) look[int, lbcheck.Observation] {
	return look[int, lbcheck.Observation]{
		bound: 3 * o.Timeout, done: &o.Stats.CloudLooks, panics: &o.Stats.Panics, log: o.Log,
		begin: func(i int) task[lbcheck.Observation] {
			ids := news()
			return task[lbcheck.Observation]{
				name: fmt.Sprint("cloud account ", i+1),
				see:  func(ctx context.Context) lbcheck.Observation { return o.Clouds[i](ctx, ids) },
				failed: func(_ time.Time, why string) lbcheck.Observation {
					return lbcheck.Observation{
						Provider: unknownProvider, Failure: lookFailed + why,
						FailureHint: "read our log; if it shows a panic, report it as a bug",
					}
				},
			}
		},
		settle: a.settle,
		again: func(seen lbcheck.Observation) time.Time {
			if seen.Again.IsZero() {
				return seen.Again
			}
			// Many probes that were told the same time must not all come back then.
			return seen.Again.Add(rand.N(spread))
		},
	}
}

// spread is within what time after the end of a rest the cloud is asked again.
const spread = 3 * time.Second
