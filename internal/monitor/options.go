// Package monitor is the probe loop: it decides when to look at what, keeps the
// newest observation of each thing, and hands out a Snapshot and a Report when
// something changed.
//
// Run loops until its context ends; Once looks at everything one time. The looks
// themselves (DNS, probe, cloud) and the judging (internal/diagnose) are others'
// duties: nothing here decides what is wrong. A look that panics or does not come
// back becomes an observation that says so, and never ends the process.
package monitor

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// Options say what to look at, how often, and with what.
type Options struct {
	// Interval, DNSInterval and CloudInterval are the time between two looks at
	// the same address, name and cloud account. Zero: 30 s, 60 s, 60 s.
	Interval, DNSInterval, CloudInterval time.Duration
	// Timeout is what one probe takes at most; zero: 10 s. A list from a cloud has
	// three times as long, because it comes in pages. The context of a look ends a
	// quarter later; after twice the time the look is given up.
	Timeout time.Duration
	// DNSTimeout is what one look at a name, over all its zones, takes at most;
	// zero: twice Timeout.
	DNSTimeout time.Duration
	// Targets are those of the configuration and the command line.
	Targets []inventory.Target
	// Shard is the part of these and the cluster's hosts that is looked at.
	Shard inventory.Shard
	// Cluster is the watched Kubernetes cluster; nil if there is none.
	Cluster Cluster
	// Clouds list the load balancers of one account each, with the newest facts about
	// those whose ids are given: their Services have just changed.
	Clouds []func(ctx context.Context, news []string) lbcheck.Observation
	// Hosted reads a zone that a cloud account may host; it is asked only for zones in
	// which a record is wrong now. nil: no account can be asked.
	Hosted func(ctx context.Context, zone string) lbcheck.HostedZone
	// Logs are asked, seldom, which certificates were issued for names in the targets'
	// registered domains.
	Logs []CertificateLog
	// Resolve looks at one name, Probe at one address of a target. Both must be
	// safe for concurrent use and should return when their context ends.
	Resolve func(context.Context, string) dnscheck.Observation
	Probe   func(context.Context, probe.Request) probe.Observation
	// ResolveZone looks at the delegation of a zone that holds names, like Resolve;
	// each zone once in five minutes, or in DNSInterval if that is longer. nil: no zone
	// is looked at.
	ResolveZone func(context.Context, string) dnscheck.ZoneObservation
	// Secrets adds what is secret to a request that goes to an address of its target
	// for certain. It is called before each such probe; nil: there is nothing secret.
	// An error says, without the secret, why it cannot be had.
	Secrets func(probe.Request) (probe.Request, error)
	// InCluster tells that this probe runs inside the cluster that it watches.
	InCluster bool
	// Policy is handed to the judges.
	Policy diagnose.Policy
	// Previous is the last snapshot before a restart or reload. Its history is
	// continued; its observations stand until newer ones come, unless they are
	// older than three intervals.
	Previous snapshot.Snapshot
	// Workers bounds the DNS looks, and apart from them the probes, that run at
	// the same time; zero: 256.
	Workers int
	// Publish is called after each judgement, never concurrently. The Snapshot is
	// not changed afterwards. A slow Publish delays the next judgement, no looks.
	Publish func(snapshot.Snapshot, finding.Report)
	// Stats is counted up for metrics; nil if nobody reads it.
	Stats *Stats
	// Log is for faults of our own; nil discards them.
	Log *slog.Logger
}

// Cluster is a Kubernetes cluster that is watched by someone else.
type Cluster interface {
	// Inventory is the newest reading; what it returns is not changed afterwards.
	Inventory() inventory.Inventory
	// Changed gets a value after a change. Changes that come together may share
	// one value.
	Changed() <-chan struct{}
}

// Stats counts what the loop does. It is safe for concurrent use; the zero value
// is ready.
type Stats struct {
	// DNSLooks, ZoneLooks, Probes and CloudLooks count looks that came back, Panics
	// those that panicked, Overdue those that did not come back within twice their
	// bound.
	DNSLooks, ZoneLooks, Probes, CloudLooks, Panics, Overdue atomic.Uint64
	// Judgements counts Reports made.
	Judgements atomic.Uint64
	// LagNanoseconds is how long the look that waits longest is over its time.
	LagNanoseconds atomic.Int64
}

// withDefaults fills in what was left zero.
func (o Options) withDefaults() Options {
	o.Interval = positive(o.Interval, 30*time.Second)
	o.DNSInterval = positive(o.DNSInterval, time.Minute)
	o.CloudInterval = positive(o.CloudInterval, time.Minute)
	o.Timeout = positive(o.Timeout, 10*time.Second)
	o.DNSTimeout = positive(o.DNSTimeout, 2*o.Timeout)
	if o.Workers <= 0 {
		o.Workers = 256
	}
	if o.Publish == nil {
		o.Publish = func(snapshot.Snapshot, finding.Report) {}
	}
	if o.Stats == nil {
		o.Stats = new(Stats)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func positive(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
