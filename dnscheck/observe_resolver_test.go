package dnscheck_test

import (
	"context"
	"net/netip"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// withResolver is a realm whose recursive resolver is asked too.
func withResolver(t *testing.T, shop, lb string) (realm, *lab.Resolver) {
	t.Helper()
	var resolver *lab.Resolver
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.shop(shop), r.oneServer("lb.test.", 21, lb)}
	}, func(s *dnscheck.Settings, tree *lab.DNSTree) {
		n, err := lab.RandomNet()
		if err != nil {
			t.Fatal(err)
		}
		resolver, err = lab.NewResolver(netip.AddrPortFrom(n.Addr(8), 0), tree.Port(), tree.Roots()...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := resolver.Close(); err != nil {
				t.Error(err)
			}
		})
		s.Timeout = silentTime // it may be silent
		s.Resolvers = []netip.AddrPort{resolver.Addr()}
	})
	return r, resolver
}

func resolverText(o dnscheck.Observation) string {
	var b strings.Builder
	for _, a := range o.Resolvers {
		b.WriteString(answerText(dnscheck.Answer{Type: a.Type, Outcome: a.Outcome, Addresses: a.Addresses, TTL: a.TTL}) + "\n")
	}
	return b.String()
}

func TestAResolverGivesTheEndOfTheChainAndTheSmallestTTLLeft(t *testing.T) {
	r, resolver := withResolver(t, "www 600 CNAME pool.lb.test.", "pool 3600 A 192.0.2.1")
	o := r.dns.Observe(t.Context(), "www.shop.example")
	if got, want := resolverText(o), "A ok 192.0.2.1 ttl 600\nAAAA nodata ttl 300\n"; got != want {
		t.Errorf("fresh: %s, want %s", got, want)
	}
	if a := o.Resolvers[0]; a.Resolver != resolver.Addr() || a.At.IsZero() {
		t.Errorf("resolver %s at %s", a.Resolver, a.At)
	}
	if err := r.tree.SetRecords("lb.test.", "pool 3600 A 192.0.2.9"); err != nil {
		t.Fatal(err)
	}
	resolver.Advance(590 * time.Second)
	o = r.dns.Observe(t.Context(), "www.shop.example")
	a := o.Resolvers[0]
	if len(a.Addresses) != 1 || a.Addresses[0].String() != "192.0.2.1" || a.TTL > 10 {
		t.Errorf("after 590 s: %+v, want the old address for at most 10 s", a)
	}
	if p := o.Published(); len(p) != 1 || p[0].String() != "192.0.2.9" {
		t.Errorf("published %s, want the new address", p)
	}
}

func TestAResolverThatFailsIsAnOutcome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault
		host  string
		want  string
	}{
		{"SERVFAIL", lab.ServFail, "www.shop.example", "A failed\nAAAA failed\n"},
		{"REFUSED", lab.Refuse, "www.shop.example", "A refused\nAAAA refused\n"},
		{"silence", lab.Silent, "www.shop.example", "A silent\nAAAA silent\n"},
		{"wrong IDs", lab.WrongID, "www.shop.example", "A malformed\nAAAA malformed\n"},
		{"NXDOMAIN at the end of an alias", nil, "gone.shop.example", "A nxdomain ttl 60\nAAAA nxdomain ttl 60\n"},
		{"a loop of aliases", nil, "loop.shop.example", "A failed\nAAAA failed\n"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r, resolver := withResolver(t, "www 60 A 192.0.2.1\ngone 60 CNAME no.lb.test.\nloop 60 CNAME loop", "")
			resolver.SetFault(c.fault)
			if got := resolverText(r.dns.Observe(t.Context(), c.host)); got != c.want {
				t.Errorf("resolver said\n%swant\n%s", got, c.want)
			}
		})
	}
}

func TestCloseEndsObservationsAndLeavesNoGoroutine(t *testing.T) {
	r := newShop(t, "www 60 A 192.0.2.1")
	for last := byte(11); last <= 13; last++ {
		r.server(last).SetFault(lab.Silent)
	}
	got := make(chan dnscheck.Observation)
	var observing sync.WaitGroup
	for range 5 {
		observing.Go(func() { got <- r.dns.Observe(t.Context(), "www.shop.example") })
	}
	if _, err := r.server(11).Queries.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	go func() { // collects, so that Close has nothing to wait for but observations
		observing.Wait()
		close(got)
	}()
	closed := make(chan struct{})
	go func() {
		r.dns.Close()
		close(closed)
	}()
	for o := range got {
		for _, s := range o.Steps {
			for _, a := range s.Answers {
				t.Errorf("an observation that was ended accuses %s: %s", a.Server, answerText(a))
			}
		}
		if o.Cut == "" {
			t.Error("an observation that was ended does not say so")
		}
	}
	<-closed
	var stacks strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 1); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stacks.String(), "driftprobe/dnscheck.(") {
		t.Errorf("left running:\n%s", stacks.String())
	}
	if o := r.dns.Observe(t.Context(), "www.shop.example"); o.Cut != "the resolver is closed" {
		t.Errorf("after Close: %+v", o)
	}
}

func TestACancelledObservationAccusesNobody(t *testing.T) {
	r := newShop(t, "www 60 A 192.0.2.1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if o := r.dns.Observe(ctx, "www.shop.example"); o.Cut == "" || len(o.Steps) != 1 || len(o.Steps[0].Answers) > 0 || o.Steps[0].Failure.Outcome != "" {
		t.Errorf("observed %+v", o)
	}
}

func TestOneWorkerIsEnough(t *testing.T) {
	r := newRealm(t, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.shop("* 60 A 192.0.2.1")} },
		func(s *dnscheck.Settings, _ *lab.DNSTree) { s.Workers = 1 })
	if o := r.dns.Observe(t.Context(), "www.shop.example"); len(o.Steps[0].Answers) != 6 || o.Cut != "" {
		t.Errorf("observed:\n%s", told(o))
	}
}

func BenchmarkObserve(b *testing.B) {
	r := newShop(b, "* 60 A 192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if o := r.dns.Observe(b.Context(), "www.shop.example"); len(o.Steps[0].Answers) != 6 {
			b.Fatal(told(o))
		}
	}
}
