package dnscheck_test

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// staleCache answers what is asked with CD=1 out of a cache that has expired.
func staleCache(q lab.Query, truth *dns.Msg) lab.Reply {
	if !q.Msg.CheckingDisabled {
		return lab.ServFail(q, truth)
	}
	truth.IsEdns0().Option = append(truth.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeStaleAnswer})
	return lab.Send(truth)
}

func TestBogusIsWhatAValidatingResolverRefuses(t *testing.T) {
	t.Parallel()
	addresses := lab.When(func(q lab.Query) bool { return q.Type != dns.TypeSOA && !q.Msg.CheckingDisabled }, lab.ServFail)
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		bogus bool
		ede   uint16
		asked int // questions to the resolver
	}{
		{"the resolver says why", lab.Bogus("shop.example.", dns.ExtendedErrorCodeNoReachableAuthority, dns.ExtendedErrorCodeDNSKEYMissing), true, 9, 3},
		{"it says nothing, fails at a fresh question too, and the zone is signed", signed("shop.example.", lab.Bogus("shop.example.")), true, 0, 6},
		{"what the end of the alias says is refused", signed("lb.test.", lab.Bogus("lb.test.")), true, 0, 7},
		{"no zone on the way is signed", lab.Bogus("shop.example."), false, 0, 7},
		{"it says that it did not reach the servers", signed("shop.example.", lab.Bogus("shop.example.", dns.ExtendedErrorCodeNoReachableAuthority)), false, 22, 2},
		{"it says that the network failed", signed("shop.example.", lab.Bogus("shop.example.", dns.ExtendedErrorCodeNetworkError)), false, 23, 2},
		{"it fails, and answers once when it need not validate", signed("shop.example.", answersOnce()), false, 0, 5},
		{"it fails also if it need not validate", lab.ServFail, false, 0, 3},
		{"it refuses not to validate, and fails", refusesCD, false, 0, 3},
		{"its trouble is over by now", lab.Times(2, lab.ServFail), false, 0, 4},
		{"its trouble is over by now, and it remembers the failure", addresses, false, 0, 4},
		{"it answers from an expired cache", staleCache, false, 0, 3},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r, resolver := withResolver(t, "www 600 CNAME pool.lb.test.", "pool 3600 A 192.0.2.1")
			resolver.SetFault(c.fault)
			o := r.dns.Observe(t.Context(), "www.shop.example")
			bogus := slices.ContainsFunc(o.Resolvers, func(a dnscheck.ResolverAnswer) bool { return a.Bogus })
			if bogus != c.bogus || o.Resolvers[0].EDE != c.ede {
				t.Errorf("bogus %t with EDE %d, want %t with %d: %+v", bogus, o.Resolvers[0].EDE, c.bogus, c.ede, o.Resolvers)
			}
			if n := len(questions(&resolver.Queries)); n != c.asked {
				t.Errorf("the resolver was asked %d times, want %d", n, c.asked)
			}
			if p := o.Published(); len(p) != 1 || o.Cut != "" {
				t.Errorf("what authority says must not depend on a resolver: %s, %s", p, o.Cut)
			}
		})
	}
}

// signed lets a zone have a DS record at its parent.
func signed(zone string, fault lab.Fault) lab.Fault {
	return func(q lab.Query, truth *dns.Msg) lab.Reply {
		if q.Type != dns.TypeDS || q.Name != zone {
			return fault(q, truth)
		}
		truth.Rcode = dns.RcodeSuccess
		truth.Answer = []dns.RR{&dns.DS{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeDS, Class: dns.ClassINET, Ttl: 60}, KeyTag: 1, Algorithm: dns.ED25519, DigestType: dns.SHA256, Digest: "00"}}
		return lab.Send(truth)
	}
}

// answersOnce fails, but for the first question with CD=1.
func answersOnce() lab.Fault {
	var seen atomic.Int64
	return lab.When(func(q lab.Query) bool { return !q.Msg.CheckingDisabled || seen.Add(1) > 1 }, lab.ServFail)
}

func refusesCD(q lab.Query, truth *dns.Msg) lab.Reply {
	if q.Msg.CheckingDisabled {
		return lab.Refuse(q, truth)
	}
	return lab.ServFail(q, truth)
}

func TestAResolverThatHasCheckedTheSignaturesIsNoted(t *testing.T) {
	t.Parallel()
	r, resolver := withResolver(t, "www 60 A 192.0.2.1", "")
	for fault, want := range map[*lab.Fault]bool{new(lab.Fault): false, ref(lab.Bogus("lb.test.")): true} {
		resolver.SetFault(*fault)
		for _, a := range r.dns.Observe(t.Context(), "www.shop.example").Resolvers {
			if a.Validated != want || a.Bogus || !a.Outcome.Speaks() {
				t.Errorf("%+v, want validated %t", a, want)
			}
		}
	}
}

func ref[T any](v T) *T { return &v }
