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
	out := make([][]ResolverAnswer, len(w.r.resolvers))
	var asked sync.WaitGroup
	for i, resolver := range w.r.resolvers {
		w.do(&asked, func() { out[i] = w.askResolver(ctx, resolver, name) })
	}
	asked.Wait()
	return slices.DeleteFunc(slices.Concat(out...), func(a ResolverAnswer) bool { return a.Outcome == unasked || a.Outcome == "" })
}

// askResolver puts both questions to one resolver. If it fails it is asked, once for
// both, whether that is because it validates.
func (w *walk) askResolver(ctx context.Context, resolver netip.AddrPort, name string) []ResolverAnswer {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	out, servfail := make([]ResolverAnswer, len(types)), make([]bool, len(types))
	var asked sync.WaitGroup
	for i, qtype := range types {
		w.do(&asked, func() {
			q := question{name: name, qtype: qtype, recurse: true}
			r := w.r.wire.ask(ctx, resolver, q)
			if r.outcome == unasked {
				w.limit(r.detail)
			}
			out[i], servfail[i] = readResolver(resolver, q, r), isServFail(r)
		})
	}
	asked.Wait()
	if i := slices.Index(servfail, true); i >= 0 {
		out[i].Bogus = w.holdsBogus(ctx, resolver, question{name: name, qtype: types[i], recurse: true}, out[i].EDE)
	}
	return out
}

func isServFail(r reply) bool { return r.msg != nil && r.msg.Rcode == dns.RcodeServerFailure }

// holdsBogus tells whether a resolver that failed at q (SERVFAIL, with that
// extended error) holds what is published for bogus: told not to validate, it
// answers.
//
// That alone can also be trouble on its way to the zone's servers that is over by
// now. So unless it has said that validation failed, it is asked once more; not q
// again, as the failure may come from its cache (RFC 9520), but something of the
// same name that nobody has asked it for. An answer out of a cache that has expired
// proves nothing either (RFC 8767).
func (w *walk) holdsBogus(ctx context.Context, resolver netip.AddrPort, q question, why uint16) bool {
	q.unchecked = true
	a := readResolver(resolver, q, w.r.wire.ask(ctx, resolver, q))
	if !a.Outcome.Speaks() || a.EDE == dns.ExtendedErrorCodeStaleAnswer || a.EDE == dns.ExtendedErrorCodeStaleNXDOMAINAnswer {
		return false
	}
	return saysBogus(why) || isServFail(w.r.wire.ask(ctx, resolver, question{name: q.name, qtype: dns.TypeSOA, recurse: true}))
}

func readResolver(resolver netip.AddrPort, q question, r reply) ResolverAnswer {
	a := ResolverAnswer{Outcome: r.outcome, Detail: r.detail}
	if r.msg != nil {
		a = readRecursive(q, r.msg)
		a.EDE, a.Validated = extendedCode(r.msg), a.Outcome.Speaks() && r.msg.AuthenticatedData
	}
	a.Resolver, a.Type, a.At = resolver, askedType(q.qtype), time.Now()
	return a
}

// readRecursive follows the aliases inside the answer of a resolver to the
// addresses. The TTL is the smallest on the way: then something is read anew.
func readRecursive(q question, m *dns.Msg) ResolverAnswer {
	switch {
	case m.Rcode == dns.RcodeRefused:
		return ResolverAnswer{Outcome: Refused, Detail: "REFUSED" + extendedError(m)}
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return ResolverAnswer{Outcome: Failed, Detail: rcodeText(m.Rcode) + extendedError(m)}
	case !m.RecursionAvailable && !m.Authoritative && len(m.Answer) == 0:
		return ResolverAnswer{Outcome: Lame, Detail: "offers no recursion"}
	}
	var aliases []Link
	at := q
	for range MaxSteps {
		set := gather(at, m.Answer)
		switch {
		case set.fault != "":
			return ResolverAnswer{Outcome: Malformed, Detail: "sent " + set.fault}
		case len(set.addrs) > 0:
			return ResolverAnswer{Outcome: OK, Addresses: set.addrs}.at(at, aliases, set.ttl)
		case set.target == "" && at.name == q.name && set.others:
			return ResolverAnswer{Outcome: Malformed, Detail: "sent records of other names than the one asked for"}
		case set.target == "":
			return emptyRecursive(at, aliases, m)
		}
		aliases = append(aliases, Link{Owner: bare(at.name), Type: "CNAME", Value: bare(set.target), TTL: set.ttl})
		at.name = set.target
	}
	return ResolverAnswer{Outcome: Malformed, Detail: "sent a chain of aliases that is too long or a loop"}
}

// emptyRecursive is a negative answer, perhaps at the end of aliases.
func emptyRecursive(end question, aliases []Link, m *dns.Msg) ResolverAnswer {
	a := ResolverAnswer{Outcome: NoData}
	if m.Rcode == dns.RcodeNameError {
		a.Outcome = NoName
	}
	return a.at(end, aliases, negativeTTL(denialOf(end.name, m)))
}

// at adds the way to an answer, and the smallest TTL on it.
func (a ResolverAnswer) at(end question, aliases []Link, ttl uint32) ResolverAnswer {
	a.TTL = ttl
	for _, l := range aliases {
		a.TTL = min(a.TTL, l.TTL)
	}
	if len(aliases) > 0 {
		a.Chain = append(aliases, Link{Owner: bare(end.name), Type: string(askedType(end.qtype)), TTL: ttl})
	}
	return a
}

// extendedCode is the extended error of a message: the first that speaks of
// validation, else the first.
func extendedCode(m *dns.Msg) uint16 {
	opt := m.IsEdns0()
	if opt == nil {
		return 0
	}
	var first uint16
	for _, o := range opt.Option {
		switch e, ok := o.(*dns.EDNS0_EDE); {
		case !ok:
		case saysBogus(e.InfoCode):
			return e.InfoCode
		case first == 0:
			first = e.InfoCode
		}
	}
	return first
}

// saysBogus tells whether an extended error says that validation failed.
func saysBogus(code uint16) bool {
	switch code {
	case dns.ExtendedErrorCodeDNSBogus, dns.ExtendedErrorCodeSignatureExpired, dns.ExtendedErrorCodeSignatureNotYetValid,
		dns.ExtendedErrorCodeDNSKEYMissing, dns.ExtendedErrorCodeRRSIGsMissing, dns.ExtendedErrorCodeNoZoneKeyBitSet,
		dns.ExtendedErrorCodeNSECMissing, dns.ExtendedErrorCodeSignatureExpiredBeforeValid:
		return true
	}
	return false
}
