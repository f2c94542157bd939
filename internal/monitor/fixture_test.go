package monitor

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

func addrs(texts ...string) []netip.Addr {
	var as []netip.Addr
	for _, t := range texts {
		as = append(as, netip.MustParseAddr(t))
	}
	return as
}

// site is a target for a host; addresses pin what is expected.
func site(host string, addresses ...string) inventory.Target {
	return inventory.Target{
		Key: "https://" + host + "/", Host: host, Port: 443, Path: "/", Origin: "config", Addresses: addrs(addresses...),
	}
}

func sites(n int) []inventory.Target {
	var ts []inventory.Target
	for i := range n {
		ts = append(ts, site(fmt.Sprintf("host-%05d.example", i)))
	}
	return ts
}

// published is an observation in which one server gives the addresses.
func published(host string, at time.Time, as ...netip.Addr) dnscheck.Observation {
	slices.SortFunc(as, netip.Addr.Compare)
	return dnscheck.Observation{Host: host, At: at, Steps: []dnscheck.Step{{Name: host, Zone: "example", Answers: []dnscheck.Answer{{
		Server: dnscheck.Server{Name: "ns.example", Address: netip.MustParseAddrPort("192.0.2.53:53")},
		Type:   dnscheck.A, Outcome: dnscheck.OK, Addresses: as, TTL: 300,
	}}}}}
}

// outside is a fake world: what it publishes can be changed, and it notes who
// came when. Each look takes its time.
type outside struct {
	took time.Duration

	mu      sync.Mutex
	records map[string][]netip.Addr
	busy    int
	busiest int
	asked   map[string][]time.Time
	went    map[probeKey][]time.Time
	came    []probe.Request
}

func newOutside(took time.Duration) *outside {
	return &outside{
		took: took, records: map[string][]netip.Addr{},
		asked: map[string][]time.Time{}, went: map[probeKey][]time.Time{},
	}
}

func (w *outside) publish(host string, as ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records[host] = addrs(as...)
}

func (w *outside) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy++
	w.busiest = max(w.busiest, w.busy)
}

func (w *outside) leave(ctx context.Context) bool {
	var ended bool
	select {
	case <-ctx.Done():
		ended = true
	case <-time.After(w.took):
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	return ended
}

func (w *outside) resolve(ctx context.Context, host string) dnscheck.Observation {
	w.enter()
	w.mu.Lock()
	w.asked[host] = append(w.asked[host], time.Now())
	as := slices.Clone(w.records[host])
	w.mu.Unlock()
	if w.leave(ctx) {
		return dnscheck.Observation{Host: host, Cut: "cancelled"}
	}
	if as == nil {
		as = addrs("192.0.2.1")
	}
	return published(host, time.Now(), as...)
}

func (w *outside) probe(ctx context.Context, r probe.Request) probe.Observation {
	w.enter()
	w.mu.Lock()
	k := probeKey{r.Target.Key, r.Address}
	w.went[k] = append(w.went[k], time.Now())
	w.came = append(w.came, r)
	w.mu.Unlock()
	o := probe.Observation{Target: r.Target.Key, Host: r.Target.Host, Address: r.Address, Stranger: r.Stranger, Reached: probe.PhaseHTTP}
	if w.leave(ctx) {
		o.Fault = probe.Fault{Kind: probe.Self, Text: "cancelled"}
	}
	o.At = time.Now()
	return o
}

func (w *outside) options() Options {
	return Options{Resolve: w.resolve, Probe: w.probe, Secrets: func(r probe.Request) (probe.Request, error) {
		r.Headers = http.Header{"Authorization": {r.Target.Key}}
		return r, nil
	}}
}

func (w *outside) timesAsked(host string) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked[host])
}

func (w *outside) timesAt(target, address string) []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.went[probeKey{"https://" + target + "/", netip.MustParseAddrPort(address + ":443")}])
}

// press collects what is published.
type press struct {
	mu     sync.Mutex
	times  []time.Time
	papers []snapshot.Snapshot
}

func (p *press) publish(s snapshot.Snapshot, _ finding.Report) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times = append(p.times, time.Now())
	p.papers = append(p.papers, s)
}

func (p *press) last() snapshot.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.papers) == 0 {
		return snapshot.Snapshot{}
	}
	return p.papers[len(p.papers)-1]
}

// cluster is a Cluster whose inventory can be replaced.
type cluster struct {
	mu   sync.Mutex
	inv  inventory.Inventory
	news chan struct{}
}

func newCluster(inv inventory.Inventory) *cluster {
	return &cluster{inv: inv, news: make(chan struct{}, 1)}
}

func (c *cluster) Inventory() inventory.Inventory {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inv
}

func (c *cluster) Changed() <-chan struct{} { return c.news }

func (c *cluster) set(inv inventory.Inventory) {
	c.mu.Lock()
	c.inv = inv
	c.mu.Unlock()
	c.news <- struct{}{}
}

// start runs the loop beside the test; stop ends it and returns its last words.
func start(ctx context.Context, o Options) (stop func() snapshot.Snapshot) {
	ctx, cancel := context.WithCancel(ctx)
	last := make(chan snapshot.Snapshot)
	go func() { last <- Run(ctx, o) }()
	return func() snapshot.Snapshot {
		cancel()
		return <-last
	}
}

func probedKeys(s snapshot.Snapshot) string {
	var keys []string
	for _, o := range s.Observations.Probes {
		keys = append(keys, strings.TrimSuffix(strings.TrimPrefix(o.Target, "https://"), "/")+"@"+o.Address.Addr().String())
	}
	return strings.Join(keys, " ")
}

func resolvedHosts(s snapshot.Snapshot) string {
	var names []string
	for _, o := range s.Observations.DNS {
		names = append(names, o.Host)
	}
	return strings.Join(names, " ")
}
