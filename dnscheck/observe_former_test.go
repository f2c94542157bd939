package dnscheck_test

import (
	"errors"
	"fmt"
	"testing"

	"driftprobe/internal/lab"
)

const moving = "www.shop.example"

// aMove is a realm in which shop.example was looked at on ns1 (.11), and then moved to ns2
// (.12); asked counts the questions to ns1 for the name.
func aMove(t *testing.T) (r realm, asked func() int) {
	t.Helper()
	r = newRealm(t, func(r realm) []lab.ZoneSpec {
		s := r.shop("www 60 A 192.0.2.9\n@ NS ns1")
		s.Delegation = fmt.Sprintf("shop NS ns1.shop\nns1.shop A %s", r.net.Addr(11))
		return []lab.ZoneSpec{s}
	}, nil)
	r.dns.Observe(t.Context(), moving)
	err := errors.Join(
		r.tree.SetRecords("shop.example.", "www 60 A 192.0.2.1\n@ NS ns2", r.net.Addr(12)),
		r.tree.SetRecords("example.", fmt.Sprintf("shop NS ns2.shop\nns2.shop A %s", r.net.Addr(12))),
	)
	if err != nil {
		t.Fatal(err)
	}
	return r, func() int { return r.asked(moving+".", 11) }
}

const moved = `
	www.shop.example in shop.example
	  ns2.shop.example A ok 192.0.2.1 ttl 60
	  ns2.shop.example AAAA nodata ttl 300
	`

// A server that fails in the look that finds the move is none of the zone's when it
// speaks again, although it was known as such a moment ago.
func TestAFormerServerThatRecoversIsNotTheZonesOwn(t *testing.T) {
	t.Parallel()
	r, _ := aMove(t)
	r.server(11).SetFault(lab.Refuse)
	expect(t, r.dns.Observe(t.Context(), moving), moved)
	r.server(11).SetFault(nil)
	expect(t, r.dns.Observe(t.Context(), moving), moved)
}

// The zone moves while its delegation is kept; the look at the zone sees it. The former server is asked as long as it says something.
func TestWhatAFormerServerIsAsked(t *testing.T) {
	t.Parallel()
	r, asked := aMove(t)
	r.dns.ObserveZone(t.Context(), "shop.example")
	for range 2 {
		before := asked()
		o := r.dns.Observe(t.Context(), moving)
		expect(t, o, moved)
		former := o.Steps[0].Former
		if len(former) != 1 || former[0].Server.Address.Addr() != r.net.Addr(11) || len(former[0].Addresses) != 1 || former[0].Addresses[0].String() != "192.0.2.9" {
			t.Errorf("of the former server: %+v", former)
		}
		if n := asked() - before; n != 2 {
			t.Errorf("it was asked %d questions", n)
		}
	}
	r.server(11).RemoveZone("shop.example.")
	for look, want := range []int{2, 0, 0} {
		before := asked()
		if o := r.dns.Observe(t.Context(), moving); len(o.Steps[0].Former) > 0 {
			t.Errorf("it refuses, and %+v", o.Steps[0].Former)
		}
		if n := asked() - before; n != want {
			t.Errorf("look %d since it refuses: %d questions, want %d", look+1, n, want)
		}
	}
}

// Where the parent says what was known, it is asked once more, and the servers are not.
func TestServersThatFailAreNotAskedAnewForNothing(t *testing.T) {
	t.Parallel()
	r := newShop(t, "www 60 A 192.0.2.1")
	const name = "www.shop.example"
	r.dns.Observe(t.Context(), name)
	for last := byte(11); last <= 13; last++ {
		r.server(last).SetFault(lab.Refuse)
	}
	address := func(q lab.Query) bool { return q.Name == name+"." }
	before, above := r.count(address, 11), r.count(address, 2)
	o := r.dns.Observe(t.Context(), name)
	// A and AAAA, and at most one to find the zone anew.
	if n := r.count(address, 11) - before; n < 2 || n > 3 {
		t.Errorf("%d questions to a server that refuses", n)
	}
	if n := r.count(address, 2) - above; n != 1 {
		t.Errorf("%d questions to the parent", n)
	}
	if answers := o.Steps[0].Answers; len(answers) != 6 {
		t.Errorf("%d answers: %s", len(answers), told(o))
	}
}
