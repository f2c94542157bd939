package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/internal/inventory"
	"driftprobe/internal/metrics"
	"driftprobe/internal/monitor"
	"driftprobe/internal/snapshot"
)

const (
	// maxDemanded is how many targets are probed at the same time because somebody
	// asks at /probe. More wait for their turn, within the time of their scrape, but no
	// more than maxWaiting.
	maxDemanded, maxWaiting = 16, 256
	// scrapeMargin is what a scrape needs beside the probe.
	scrapeMargin = 500 * time.Millisecond
)

// demand answers /probe: it looks at one target at once, in the shape of the
// Prometheus blackbox exporter.
type demand struct {
	slots   chan struct{}
	waiting atomic.Int32

	// mu is held for reading while a generation is used, so that it lives until then.
	mu      sync.RWMutex
	using   *generation
	running context.Context //nolint:containedctx // the life of the generation, which ends what is under way
}

func newDemand() *demand { return &demand{slots: make(chan struct{}, maxDemanded)} }

// use hands out a generation from now on, until the returned function is called. ctx
// ends before that.
func (d *demand) use(ctx context.Context, g *generation) func() {
	set := func(ctx context.Context, g *generation) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.running, d.using = ctx, g
	}
	set(ctx, g)
	return func() { set(nil, nil) }
}

// modules are the names that a scrape may give, with what they leave out of a probe.
// Everything else is said by the configuration of the target.
func modules() map[string]func(*inventory.Target) {
	whole := func(*inventory.Target) {}
	return map[string]func(*inventory.Target){
		"": whole, "http_2xx": whole, "http": whole, "default": whole,
		"tcp_connect": func(t *inventory.Target) {
			t.Scheme, t.Expect = inventory.SchemeTCP, inventory.Expect{Unreachable: t.Expect.Unreachable}
		},
		"tls_connect": func(t *inventory.Target) { t.TLSOnly = t.Scheme == "" },
	}
}

func (d *demand) handler(last func() look) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		narrow, known := modules()[query.Get("module")]
		if !known {
			say(w, http.StatusBadRequest, fmt.Sprintf("unknown module %q: leave it out, or use http_2xx, tls_connect or tcp_connect\n", query.Get("module")))
			return
		}
		limit, err := scrapeTimeout(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"))
		if err != nil {
			say(w, http.StatusBadRequest, err.Error()+"\n")
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		if !d.enter(ctx) {
			w.Header().Set("Retry-After", "1")
			say(w, http.StatusServiceUnavailable, "too many probes are asked for at the same time\n")
			return
		}
		defer func() { <-d.slots }()
		d.mu.RLock()
		defer d.mu.RUnlock()
		seen := last()
		if d.using == nil || !seen.ready {
			say(w, http.StatusServiceUnavailable, "the first look is not finished\n")
			return
		}
		defer context.AfterFunc(d.running, cancel)()
		target, refusal := d.target(query.Get("target"), seen.snap)
		if refusal != "" {
			say(w, http.StatusBadRequest, refusal+"\n")
			return
		}
		narrow(&target)
		metrics.Single(visit(ctx, d.using.parts.options, seen.snap, target)).ServeHTTP(w, r)
	}
}

// enter waits for a slot, and tells whether there is one.
func (d *demand) enter(ctx context.Context) bool {
	defer d.waiting.Add(-1)
	if d.waiting.Add(1) > maxWaiting {
		return false
	}
	select {
	case d.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// visit looks at one target, and measures the look-up in it.
func visit(ctx context.Context, o monitor.Options, last snapshot.Snapshot, t inventory.Target) metrics.Visit {
	began := time.Now()
	var lookup atomic.Int64
	resolve := o.Resolve
	o.Resolve = func(ctx context.Context, host string) dnscheck.Observation {
		asked := time.Now()
		defer func() { lookup.Add(int64(time.Since(asked))) }()
		return resolve(ctx, host)
	}
	o.Stats = nil // these looks are not the loop's
	snap, report := monitor.Single(ctx, o, last, t)
	return metrics.Visit{Snapshot: snap, Report: report, Lookup: time.Duration(lookup.Load()), Took: time.Since(began)}
}

// target finds the target that is meant: one that is watched, by its URL or by its
// host alone. Any other has to be allowed, and has no secrets and no exceptions from
// what may be connected to.
func (d *demand) target(text string, s snapshot.Snapshot) (inventory.Target, string) {
	if text == "" {
		return inventory.Target{}, "name the target: /probe?target=https://HOST/path"
	}
	parsed, err := config.ParseTarget(text)
	var ofHost []inventory.Target
	for _, t := range s.Inventory.Targets {
		switch {
		case t.Key == text || err == nil && t.Key == parsed.Key():
			return t, ""
		case err == nil && !strings.Contains(text, "://") && t.Host == parsed.Host && t.Port == parsed.Port:
			ofHost = append(ofHost, t)
		}
	}
	switch {
	case len(ofHost) == 1:
		return ofHost[0], ""
	case err != nil:
		return inventory.Target{}, "the target cannot be used: " + err.Error()
	case d.using.cfg.Probe.AllowAnyTarget:
		return targetOf(parsed, "/probe"), ""
	}
	if shard := s.Inventory.Shard; err == nil && !shard.Holds(parsed.Host) {
		return inventory.Target{}, "this is shard " + shard.String() + ", and the target is not one of its: ask the shard that has it"
	}
	return inventory.Target{}, "this target is not watched: add it to targets in the configuration, or set probe.allow_any_target"
}

// scrapeTimeout reads how long Prometheus waits, in seconds.
func scrapeTimeout(header string) (time.Duration, error) {
	const most = 50 * time.Second // the web server's own limit is a minute
	if header == "" {
		return most, nil
	}
	seconds, err := strconv.ParseFloat(header, 64)
	if err != nil || !(seconds > 0) {
		return 0, fmt.Errorf("X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds: %.20q", header)
	}
	limit := time.Duration(min(seconds, most.Seconds()) * float64(time.Second))
	if limit > 2*scrapeMargin {
		limit -= scrapeMargin
	}
	return limit, nil
}
