// Package metrics shows the last Snapshot and Report to Prometheus.
//
// Every series is made anew at each scrape, so one vanishes with its target. What
// cannot be known has no series: an absent value is never a good one. Times are
// absolute, never "seconds left", because a stale sample must not look fresh. The
// names probe_* are those of the Prometheus blackbox exporter, whose rules and
// dashboards work on them. The labels instance and job belong to the scraper and
// are never set. Nothing is judged here: what is well is read from the Report.
package metrics

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
)

const (
	// maxAddresses bounds the series of one target, maxServers those of one zone.
	maxAddresses, maxServers = 64, 32
	// maxIncidents bounds the incidents that are named.
	maxIncidents = 1000
	// maxLabel bounds one label value, in bytes.
	maxLabel = 512
)

// Loop is what the probe loop counts.
type Loop struct {
	// Looks are the looks that came back, by kind: "dns", "zone", "probe", "cloud".
	Looks map[string]uint64
	// Panics are looks that panicked, Overdue those that did not come back,
	// Judgements the reports made.
	Panics, Overdue, Judgements uint64
	// Lag is how long the look that waits longest is over its time.
	Lag time.Duration
}

// Collector is a prometheus.Collector. Its methods may be called concurrently.
type Collector struct {
	version, commit string
	d               descriptions

	mu         sync.Mutex
	snapshot   snapshot.Snapshot
	report     finding.Report
	ready      bool
	loop       func() Loop
	deliveries func() []notify.Delivery
	leads      func() bool
	shard      inventory.Shard
	reload     reload
}

type reload struct {
	known, ok bool
	// at is the time of the last success.
	at time.Time
}

// New returns a Collector that knows nothing yet. version and commit are those of
// the program.
func New(version, commit string) *Collector {
	return &Collector{version: version, commit: commit, d: describe()}
}

// Registry returns a new registry with this Collector, and the Go runtime's and
// the process's own metrics.
func (c *Collector) Registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Set replaces what is shown. Neither argument may be changed afterwards.
func (c *Collector) Set(s snapshot.Snapshot, r finding.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.snapshot, c.report, c.ready = s, r, true
}

// Watch names the sources of the loop's and the alerts' counters, which are read at
// each scrape.
func (c *Collector) Watch(loop func() Loop, deliveries func() []notify.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loop, c.deliveries = loop, deliveries
}

// Lead names what tells whether this process is the one of its shard that alerts; it is
// asked at each scrape.
func (c *Collector) Lead(leads func() bool, shard inventory.Shard) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads, c.shard = leads, shard
}

// ReloadOK notes that a configuration was loaded at a moment, or was refused.
func (c *Collector) ReloadOK(ok bool, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reload.known, c.reload.ok = true, ok
	if ok {
		c.reload.at = at
	}
}

// Describe is part of prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.d.all() {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	s, r, ready, loop, deliveries, leads, shard, load := c.snapshot, c.report, c.ready, c.loop, c.deliveries, c.leads, c.shard, c.reload
	c.mu.Unlock()

	e := emitter{out}
	e.gauge(c.d.build, 1, c.version, c.commit, runtime.Version())
	c.collectSelf(e, loop, load)
	c.collectDeliveries(e, deliveries)
	index := "" // to Prometheus as if there were no label
	if shard.Partial() {
		index = strconv.Itoa(shard.Index)
	}
	if leads != nil {
		e.gauge(c.d.leader, truth(leads()), index)
		e.gauge(c.d.shards, float64(max(shard.Count, 1)), index)
	}
	if !ready {
		return
	}
	e.timestamp(c.d.reportAt, r.At)
	v := newVerdicts(r)
	c.collectReport(e, r)
	c.collectIncidents(e, r, index)
	c.collectHosts(e, s, v)
	c.collectServers(e, s)
	c.collectServices(e, s)
	c.collectBudgets(e, s, r.At)
	c.collectProbes(e, s, v)
}

func (c *Collector) collectSelf(e emitter, loop func() Loop, load reload) {
	if load.known {
		e.gauge(c.d.reloadOK, truth(load.ok))
		e.timestamp(c.d.reloadAt, load.at)
	}
	if loop == nil {
		return
	}
	l := loop()
	for _, kind := range slices.Sorted(maps.Keys(l.Looks)) {
		e.counter(c.d.looks, l.Looks[kind], kind)
	}
	e.counter(c.d.panics, l.Panics)
	e.counter(c.d.overdue, l.Overdue)
	e.counter(c.d.judgements, l.Judgements)
	e.gauge(c.d.lag, l.Lag.Seconds())
}

// collectDeliveries shows how alerts get through. The sinks are as many as are
// configured.
func (c *Collector) collectDeliveries(e emitter, deliveries func() []notify.Delivery) {
	if deliveries == nil {
		return
	}
	for _, d := range deliveries() {
		e.counter(c.d.sent, d.Sent, d.Sink, "sent")
		e.counter(c.d.sent, d.Failed, d.Sink, "failed")
		e.gauge(c.d.queued, float64(d.Queued), d.Sink)
		e.gauge(c.d.dead, truth(d.Dead), d.Sink)
		e.timestamp(c.d.sentAt, d.LastSent, d.Sink)
	}
}

// emitter hands out constant metrics.
type emitter struct{ out chan<- prometheus.Metric }

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.send(d, prometheus.GaugeValue, v, labels)
}

func (e emitter) counter(d *prometheus.Desc, v uint64, labels ...string) {
	e.send(d, prometheus.CounterValue, float64(v), labels)
}

// timestamp emits seconds since 1970; nothing for the zero time.
func (e emitter) timestamp(d *prometheus.Desc, at time.Time, labels ...string) {
	if !at.IsZero() {
		e.gauge(d, float64(at.UnixMilli())/1000, labels...)
	}
}

func (e emitter) send(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels []string) {
	for i := range labels {
		labels[i] = clean(labels[i])
	}
	e.out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
}

// clean makes a label value out of text that may come from anywhere.
func clean(text string) string {
	if len(text) > maxLabel {
		text = text[:maxLabel]
	}
	return strings.ToValidUTF8(text, "�")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
