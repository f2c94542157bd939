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

// askResolver puts both questions to one resolver. If it fails, one of the failures is
// noted as perhaps bogus; see confirmBogus.
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
	if i := slices.Index(servfail, true); i >= 0 && !blind(out) {
		out[i].Bogus = w.answersUnchecked(ctx, resolver, question{name: name, qtype: types[i], recurse: true})
	}
	return out
}

func isServFail(r reply) bool { return r.msg != nil && r.msg.Rcode == dns.RcodeServerFailure }

// blind tells whether a resolver says of one of its failures that it could not reach
// the zone's servers: then nothing is known of signatures.
func blind(all []ResolverAnswer) bool {
	return slices.ContainsFunc(all, func(a ResolverAnswer) bool { return saysUnreached(a.EDE) })
}

// answersUnchecked tells whether a resolver answers q when it is told not to validate.
// An answer out of a cache that has expired proves nothing (RFC 8767).
func (w *walk) answersUnchecked(ctx context.Context, resolver netip.AddrPort, q question) bool {
	q.unchecked = true
	a := readResolver(resolver, q, w.r.wire.ask(ctx, resolver, q))
	return a.Outcome.Speaks() && a.EDE != dns.ExtendedErrorCodeStaleAnswer && a.EDE != dns.ExtendedErrorCodeStaleNXDOMAINAnswer
}

// maxSigned bounds the zones whose DS records a resolver that fails is asked for.
const maxSigned = 4

// confirmBogus keeps of the failures that are perhaps bogus those that are. A resolver
// that has trouble on its way to the zone's servers fails and answers by turns too. So
// unless it has said that validation failed, it must fail once more when it checks,
// answer once more when it does not, and know a DS record of a zone on the way: without
// one there is nothing to validate (RFC 4035 §5.2).
func (w *walk) confirmBogus(ctx context.Context, all []ResolverAnswer, steps []Step) {
	var zones []string
	for _, s := range steps {
		if s.Zone != "" && s.Zone != "." && !slices.Contains(zones, s.Zone) && len(zones) < maxSigned {
			zones = append(zones, s.Zone)
		}
	}
	var asked sync.WaitGroup
	for i := range all {
		if a := &all[i]; a.Bogus && !saysBogus(a.EDE) {
			w.do(&asked, func() { a.Bogus = w.failsAgain(ctx, *a, steps[0].Name) && w.isSigned(ctx, a.Resolver, zones) })
		}
	}
	asked.Wait()
}

// failsAgain asks twice more: not what was asked before, as the failure may come from
// the resolver's cache (RFC 9520), but something of the same name that nobody has
// asked it for.
func (w *walk) failsAgain(ctx context.Context, first ResolverAnswer, name string) bool {
	soa := question{name: canonical(name), qtype: dns.TypeSOA, recurse: true}
	r := w.r.wire.ask(ctx, first.Resolver, soa)
	return isServFail(r) && !saysUnreached(extendedCode(r.msg)) &&
		w.answersUnchecked(ctx, first.Resolver, question{name: soa.name, qtype: qtypeOf(first.Type), recurse: true})
}

// isSigned tells whether a resolver knows a DS record of one of the zones.
func (w *walk) isSigned(ctx context.Context, resolver netip.AddrPort, zones []string) bool {
	for _, zone := range zones {
		q := question{name: canonical(zone), qtype: dns.TypeDS, recurse: true, unchecked: true}
		if r := w.r.wire.ask(ctx, resolver, q); r.msg != nil && slices.ContainsFunc(r.msg.Answer, func(rr dns.RR) bool {
			return rr.Header().Rrtype == dns.TypeDS && dns.CanonicalName(rr.Header().Name) == q.name
		}) {
			return true
		}
	}
	return false
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
