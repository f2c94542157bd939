package dnscheck

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/miekg/dns"
)

const (
	// serverLimit bounds the server addresses of one zone.
	serverLimit = 26
	// nestLimit bounds walks for the name of a server within walks for the name of
	// a server.
	nestLimit = 4
)

// hostAddrs are the addresses found for the name of a server, or why there are none.
type hostAddrs struct {
	addrs []netip.Addr
	why   Answer // Outcome and Detail, if addrs is empty
	alias string // the target if the name is one, no final dot
}

// serversToWalk gives servers that can lead on: those with glue, or else the
// first whose addresses are found. dead are those that cannot be asked.
func (w *walk) serversToWalk(ctx context.Context, d delegation, depth int) (servers []Server, dead []heard) {
	servers, dead = w.split(d, d.names)
	for _, n := range d.names {
		if len(servers) > 0 || ctx.Err() != nil {
			break
		}
		if len(n.at) == 0 {
			found, missing := w.look(ctx, n, depth)
			more, bad := w.split(d, found)
			servers = append(servers, more...)
			dead = append(append(dead, missing...), bad...)
		}
	}
	return servers, dead
}

// serversToJudge gives every address of every server of a zone, and what to say
// of the servers that cannot be asked.
func (w *walk) serversToJudge(ctx context.Context, d delegation) (servers []Server, dead []heard) {
	names := slices.Clone(d.names)
	missing := make([][]heard, len(names))
	var glueless []int
	for i, n := range names {
		if len(n.at) == 0 {
			glueless = append(glueless, i)
		}
	}
	for len(glueless) > 0 {
		n := min(len(glueless), max(1, w.straysLeft()))
		var lookups sync.WaitGroup
		for _, i := range glueless[:n] {
			w.do(&lookups, func() {
				var found []nameServer
				found, missing[i] = w.look(ctx, names[i], 0)
				if len(found) > 0 {
					names[i] = found[0]
				}
			})
		}
		lookups.Wait()
		glueless = glueless[n:]
	}
	servers, dead = w.split(d, names)
	for _, m := range missing {
		dead = append(dead, m...)
	}
	return servers, dead
}

// look finds the addresses of one server by its name.
func (w *walk) look(ctx context.Context, n nameServer, depth int) ([]nameServer, []heard) {
	h := hostAddrs{why: Answer{Outcome: unasked, Detail: fmt.Sprintf("%d name servers have no address; the others were not looked up", strayLimit)}}
	if w.mayLookUp(n.host) {
		h = w.lookup(ctx, n.host, depth)
	}
	if len(h.addrs) == 0 {
		if h.why.Outcome != unasked {
			w.stray(n.host)
		}
		return nil, []heard{{server: Server{Name: bare(n.host)}, answer: h.why}}
	}
	for _, a := range h.addrs {
		n.at = append(n.at, netip.AddrPortFrom(a, w.r.port))
	}
	return []nameServer{n}, nil
}

// split makes servers of names: each address once, one address of every name
// before the second of any, so that the limit on them is fair.
func (w *walk) split(d delegation, names []nameServer) (servers []Server, dead []heard) {
	seen := map[netip.AddrPort]bool{}
	for i, more := 0, true; more; i++ {
		more = false
		for _, n := range names {
			if i >= len(n.at) {
				continue
			}
			more = true
			s := Server{Name: bare(n.host), Address: n.at[i]}
			if n.host == "" {
				s.Name = ""
			}
			why := w.r.forbidden(d, s.Address.Addr())
			switch {
			case seen[s.Address]:
			case why != "":
				dead = append(dead, heard{server: s, answer: Answer{Outcome: Forbidden, Detail: why}})
			case s.Address.Addr().Unmap().Is6() && !w.r.reaches(s.Address.Addr()):
			case len(servers) == serverLimit:
				w.limit(fmt.Sprintf("the zone %s has more than %d server addresses", bare(d.zone), serverLimit))
			default:
				servers = append(servers, s)
			}
			seen[s.Address] = true
		}
	}
	slices.SortStableFunc(servers, func(a, b Server) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Address.Compare(b.Address))
	})
	return servers, dead
}

// forbidden says why a server's address is not asked: whoever writes a delegation
// must not be able to aim our questions at our own network.
func (r *Resolver) forbidden(d delegation, a netip.Addr) string {
	a = a.Unmap().WithZone("")
	switch kind := r.space.Special(a); {
	case kind == "" || d.fixed || r.named[a]:
		return ""
	case r.private && !a.IsUnspecified() && !a.IsMulticast():
		return ""
	default:
		return fmt.Sprintf("its address %s is special-purpose (%s) and was not asked", a, kind)
	}
}

// lookup finds the addresses of a server's name by a walk of its own. Lookups at
// depth 0 are shared; a nested one does not wait for another, which could be
// waiting for it.
func (w *walk) lookup(ctx context.Context, host string, depth int) hostAddrs {
	if known, ok := w.r.hosts.get(host); ok {
		return known
	}
	if depth >= nestLimit {
		return hostAddrs{why: Answer{Outcome: Unreachable, Detail: "no address was found for " + bare(host) + ": name servers behind name servers"}}
	}
	if depth == 0 {
		if leave := w.r.hosts.lead(ctx, host); leave != nil {
			defer leave()
		} else if known, ok := w.r.hosts.get(host); ok {
			return known
		}
	}
	found, ttl := w.resolve(ctx, host, depth+1)
	if found.why.Outcome != unasked {
		w.r.hosts.put(host, found, keepFor(ttl))
	}
	return found
}

// resolve follows one alias: no server should be named by one (RFC 2181 section 10.3),
// and BIND does not use such a server, but Unbound does.
func (w *walk) resolve(ctx context.Context, host string, depth int) (found hostAddrs, ttl uint32) {
	if found, ttl = w.addresses(ctx, host, depth); found.alias == "" || found.alias == bare(host) {
		return found, ttl
	}
	end, endTTL := w.addresses(ctx, canonical(found.alias), depth)
	if len(end.addrs) == 0 && end.why.Outcome != unasked {
		end = noAddress(host, "it is an alias, and "+end.why.Detail)
	}
	end.alias = found.alias
	return end, min(ttl, endTTL)
}

// addresses are those of one name; of an alias it has none.
func (w *walk) addresses(ctx context.Context, host string, depth int) (found hostAddrs, ttl uint32) {
	q := question{name: host, qtype: dns.TypeA}
	d, h, failure := w.descend(ctx, q, depth)
	switch {
	case failure.Outcome != "":
		return noAddress(host, failure.Text), 0
	case h.msg == nil && w.cutShort(ctx):
		return hostAddrs{why: Answer{Outcome: unasked, Detail: outOfTime(ctx)}}, 0
	case h.msg == nil:
		return noAddress(host, "no usable answer from the servers of "+bare(d.zone)), 0
	}
	found.addrs, ttl = h.answer.Addresses, h.answer.TTL
	if h.answer.Outcome == Alias {
		found = noAddress(host, "it is an alias")
		found.alias = h.answer.Target
		return found, ttl
	}
	// A server with IPv6 alone has an address, also where IPv6 cannot be used.
	wanted := w.wantsIPv6() || h.answer.Outcome == NoData
	if wanted && h.answer.Outcome != NoName && w.spend() {
		q.qtype = dns.TypeAAAA
		if six := w.hear(ctx, d.zone, h.server, q); six.answer.Outcome == OK {
			found.addrs = append(slices.Clone(found.addrs), six.answer.Addresses...)
			ttl = max(ttl, six.answer.TTL)
		}
	}
	found.addrs = found.addrs[:min(len(found.addrs), glueLimit)]
	if len(found.addrs) == 0 {
		why := "no address records"
		if h.answer.Outcome == NoName {
			why = "NXDOMAIN"
		}
		return noAddress(host, why), 0 // asked for again soon: it may be repaired
	}
	return found, ttl
}

func noAddress(host, why string) hostAddrs {
	return hostAddrs{why: Answer{Outcome: Unreachable, Detail: "no address was found for " + bare(host) + ": " + why}}
}

// cutShort tells whether our own limits ended the walk.
func (w *walk) cutShort(ctx context.Context) bool {
	return ctx.Err() != nil || w.spent()
}
