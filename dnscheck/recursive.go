package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// askResolvers puts both questions to every configured resolver.
func (w *walk) askResolvers(ctx context.Context, name string) []ResolverAnswer {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	out := make([]ResolverAnswer, len(w.r.resolvers)*len(types))
	var asked sync.WaitGroup
	for i, resolver := range w.r.resolvers {
		for j, qtype := range types {
			w.do(&asked, func() {
				out[i*len(types)+j] = w.askResolver(ctx, resolver, question{name: name, qtype: qtype, recurse: true})
			})
		}
	}
	asked.Wait()
	return slices.DeleteFunc(out, func(a ResolverAnswer) bool { return a.Outcome == unasked || a.Outcome == "" })
}

func (w *walk) askResolver(ctx context.Context, resolver netip.AddrPort, q question) ResolverAnswer {
	r := w.r.wire.ask(ctx, resolver, q)
	a := ResolverAnswer{Outcome: r.outcome, Detail: r.detail}
	switch {
	case r.msg != nil:
		a = readRecursive(q, r.msg)
	case r.outcome == unasked:
		w.limit(r.detail)
	}
	a.Resolver, a.Type, a.At = resolver, askedType(q.qtype), time.Now()
	return a
}

// readRecursive follows the aliases inside the answer of a resolver to the
// addresses. The TTL is the smallest on the way: then something is read anew.
func readRecursive(q question, m *dns.Msg) ResolverAnswer {
	switch {
	case m.Rcode == dns.RcodeRefused:
		return ResolverAnswer{Outcome: Refused, Detail: "REFUSED"}
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return ResolverAnswer{Outcome: Failed, Detail: rcodeText(m.Rcode)}
	case !m.RecursionAvailable && !m.Authoritative && len(m.Answer) == 0:
		return ResolverAnswer{Outcome: Lame, Detail: "offers no recursion"}
	}
	ttl := uint32(1<<32 - 1)
	at := q
	for range MaxSteps {
		set := gather(at, m.Answer)
		switch {
		case set.fault != "":
			return ResolverAnswer{Outcome: Malformed, Detail: "sent " + set.fault}
		case len(set.addrs) > 0:
			return ResolverAnswer{Outcome: OK, Addresses: set.addrs, TTL: min(ttl, set.ttl)}
		case set.target == "" && at.name == q.name && set.others:
			return ResolverAnswer{Outcome: Malformed, Detail: "sent records of other names than the one asked for"}
		case set.target == "":
			return emptyRecursive(at, m, ttl)
		}
		ttl = min(ttl, set.ttl)
		at.name = set.target
	}
	return ResolverAnswer{Outcome: Malformed, Detail: "sent a chain of aliases that is too long or a loop"}
}

// emptyRecursive is a negative answer, perhaps at the end of aliases.
func emptyRecursive(at question, m *dns.Msg, ttl uint32) ResolverAnswer {
	a := ResolverAnswer{Outcome: NoData, TTL: min(ttl, negativeTTL(denialOf(at.name, m)))}
	if m.Rcode == dns.RcodeNameError {
		a.Outcome = NoName
	}
	return a
}
