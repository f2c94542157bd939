package dnscheck_test

import (
	"slices"
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
		{"it says nothing, and fails at a fresh question too", lab.Bogus("shop.example."), true, 0, 4},
		{"what the end of the alias says is refused", lab.Bogus("lb.test."), true, 0, 4},
		{"it says something else, and fails at a fresh question too", lab.Bogus("shop.example.", dns.ExtendedErrorCodeNoReachableAuthority), true, 22, 4},
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
			if n := len(resolver.Queries.All()); n != c.asked {
				t.Errorf("the resolver was asked %d times, want %d", n, c.asked)
			}
			if p := o.Published(); len(p) != 1 || o.Cut != "" {
				t.Errorf("what authority says must not depend on a resolver: %s, %s", p, o.Cut)
			}
		})
	}
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
