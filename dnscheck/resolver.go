package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"driftprobe/internal/ipspace"
)

// Settings say whom to ask and within which bounds. The zero value asks the
// public DNS.
type Settings struct {
	// Roots are where walks begin; empty means the 13 public root servers.
	Roots []netip.AddrPort
	// Port is that of authoritative servers found by walking, as the DNS cannot say
	// a port; 0 means 53.
	Port uint16
	// Timeout bounds one observation, all of it; 0 means 5 s.
	Timeout time.Duration
	// Resolvers are recursive resolvers that are asked for each host too.
	Resolvers []netip.AddrPort
	// Servers names, for a zone, the servers to ask instead of following its
	// delegation (split horizon); the longest suffix of a name wins.
	Servers map[string][]netip.AddrPort
	// Workers bounds the questions under way at once, over all observations; 0
	// means 256. As many sockets may be open, and as many TCP connections.
	Workers int
	// Rate bounds the questions a second that one server is asked, with a burst of
	// two seconds' worth; what finds no turn in time is said in Cut. 0 means
	// DefaultRate, but no limit for special-purpose addresses, where servers are the
	// user's own. A negative Rate is no limit for any.
	Rate int
}

// DefaultRate is the rate for servers of the public Internet. It lets 10,000 names
// of one zone be looked at once a minute.
const DefaultRate = 400

// Resolver asks authoritative servers, and shares what it learns of delegations
// between observations. It is safe for concurrent use. Close it after use.
type Resolver struct {
	roots     delegation
	fixed     map[string]delegation // from Settings.Servers, by zone
	named     map[netip.Addr]bool   // addresses in Settings.Servers
	private   bool                  // the roots are special-purpose, so servers may be too
	port      uint16
	timeout   time.Duration
	resolvers []netip.AddrPort
	space     ipspace.Space
	wire      *exchanger

	zones     kept[delegation]
	places    kept[string] // observed name → the zone it lies in
	hosts     kept[hostAddrs]
	besides   kept[delegation] // zone → its servers, also those that its delegation lacks
	servings  kept[[]Serving]  // zone → its servers, and those that it had
	quiet     kept[bool]       // by quietKey
	wildcards kept[Answer]     // and SOA records, where servers disagree
	ipv6      kept[bool]       // by ipv6Works

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	cancels map[*walk]context.CancelFunc
}

// New returns a Resolver; it asks nothing yet.
func New(s Settings) *Resolver {
	r := &Resolver{
		fixed:     map[string]delegation{},
		named:     map[netip.Addr]bool{},
		port:      orElse(s.Port, 53),
		timeout:   orElse(s.Timeout, 5*time.Second),
		resolvers: slices.Clone(s.Resolvers),
		space:     ipspace.New(),
		cancels:   map[*walk]context.CancelFunc{},
	}
	r.wire = newExchanger(orElse(s.Workers, 256), r.timeout/10, r.rate(s.Rate))
	r.roots = publicRoots(r.port)
	if len(s.Roots) > 0 {
		r.roots = fixedDelegation(".", s.Roots)
		r.private = slices.ContainsFunc(s.Roots, func(a netip.AddrPort) bool { return r.space.Special(a.Addr()) != "" })
	}
	for zone, servers := range s.Servers {
		d := fixedDelegation(canonical(zone), servers)
		r.fixed[d.zone] = d
		for _, a := range servers {
			r.named[a.Addr().Unmap()] = true
		}
	}
	return r
}

// rate is the limit for the server at an address, in questions a second.
func (r *Resolver) rate(wanted int) func(netip.Addr) int {
	return func(a netip.Addr) int {
		if wanted == 0 && r.space.Special(a) != "" {
			return 0
		}
		return orElse(wanted, DefaultRate)
	}
}

func orElse[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// fixedDelegation is a zone whose servers are configured by address.
func fixedDelegation(zone string, servers []netip.AddrPort) delegation {
	d := delegation{zone: zone, fixed: true}
	for _, a := range servers {
		d.names = append(d.names, nameServer{at: []netip.AddrPort{a}})
	}
	return d
}

// Close ends running observations, waits for them, and closes all sockets.
// Observations after it say in Cut that the resolver is closed.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	for _, cancel := range r.cancels {
		cancel()
	}
	r.mu.Unlock()
	r.running.Wait()
	r.wire.close()
}

// begin enters an observation and bounds its time; without a walk the Resolver is
// closed. Call end after it.
func (r *Resolver) begin(ctx context.Context) (w *walk, bounded context.Context, end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ctx, func() {}
	}
	bounded, cancel := context.WithTimeout(ctx, r.timeout)
	w = &walk{r: r, began: time.Now()}
	r.running.Add(1)
	r.cancels[w] = cancel
	return w, bounded, func() {
		cancel()
		r.mu.Lock()
		delete(r.cancels, w)
		r.mu.Unlock()
		r.running.Done()
	}
}

// closedText stands in Cut after Close.
const closedText = "the resolver is closed"
