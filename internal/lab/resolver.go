package lab

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	resolverTry     = 2 * time.Second // one question to one server
	resolverQueries = 60              // for one client question
	resolverChain   = 12              // CNAMEs followed
)

// Resolver is a caching recursive resolver that walks a tree by itself. It
// validates nothing and prefetches nothing. As a server it can be stopped,
// started and given a Fault like any DNSServer; its cache survives a stop.
type Resolver struct {
	*DNSServer

	roots []netip.Addr
	port  uint16

	mu    sync.Mutex
	cache map[rrsetKey]cached
	aged  time.Duration
}

// cached is one RRset or one denial.
type cached struct {
	rrs     []dns.RR // as received, with the TTL they had
	soa     []dns.RR // of a denial
	rcode   int
	expires time.Time
}

// NewResolver starts a resolver. Every name server of the tree is asked at port,
// as the port cannot be said in DNS.
func NewResolver(at netip.AddrPort, port uint16, roots ...netip.Addr) (*Resolver, error) {
	r := &Resolver{roots: roots, port: port, cache: map[rrsetKey]cached{}}
	r.DNSServer = &DNSServer{zones: map[string]*Zone{}, answer: r.recurse}
	if err := r.startAt(at); err != nil {
		return nil, err
	}
	return r, nil
}

// Flush empties the cache.
func (r *Resolver) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cache)
}

// Advance ages the cache by d, so that a test sees an hour pass at once.
func (r *Resolver) Advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.aged += d
}

// recurse answers one client: the CNAME chain, each RRset with the TTL it has left.
func (r *Resolver) recurse(done <-chan struct{}, q Query) *dns.Msg {
	reply := new(dns.Msg).SetReply(q.Msg)
	reply.RecursionAvailable = true
	w := &walk{r: r, done: done, left: resolverQueries}
	name := q.Msg.Question[0].Name
	for range resolverChain {
		entry, ok := w.find(name, q.Type)
		if !ok {
			break
		}
		reply.Answer = append(reply.Answer, r.remaining(entry, entry.rrs, name)...)
		reply.Ns = r.remaining(entry, entry.soa, "")
		reply.Rcode = entry.rcode
		target := cnameTarget(entry.rrs)
		if target == "" || q.Type == dns.TypeCNAME {
			return reply
		}
		name = target
	}
	reply.Answer, reply.Ns, reply.Rcode = nil, nil, dns.RcodeServerFailure
	return reply
}

func cnameTarget(rrs []dns.RR) string {
	if len(rrs) == 1 {
		if c, ok := rrs[0].(*dns.CNAME); ok {
			return c.Target
		}
	}
	return ""
}

// remaining copies records with the TTL that is left, rounded up, so that a
// fresh answer has the TTL its server gave.
func (r *Resolver) remaining(e cached, rrs []dns.RR, owner string) []dns.RR {
	left := max(0, e.expires.Sub(r.now()))
	out := copyRRs(rrs)
	for _, rr := range out {
		rr.Header().Ttl = min(rr.Header().Ttl, uint32(math.Ceil(left.Seconds())))
		if owner != "" {
			rr.Header().Name = owner
		}
	}
	return out
}

func (r *Resolver) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.aged)
}

func (r *Resolver) cachedEntry(key rrsetKey) (cached, bool) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cache[key]
	return e, ok && e.expires.After(now)
}

// keep stores an RRset (or a denial) for its TTL and returns it.
func (r *Resolver) keep(key rrsetKey, e cached) cached {
	ttl := uint32(math.MaxInt32)
	for _, rr := range append(copyRRs(e.rrs), e.soa...) {
		ttl = min(ttl, rr.Header().Ttl)
	}
	if len(e.rrs)+len(e.soa) == 0 {
		ttl = 0 // a denial without SOA is not to be cached (RFC 2308 §5)
	}
	e.expires = r.now().Add(time.Duration(ttl) * time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache[key] = e
	return e
}
