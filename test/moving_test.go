package test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"driftprobe/test/world"
)

// TestAZoneThatMovedDrainsAsLongAsUnboundAsksItsOldServer moves a zone while the program
// is down. Unbound goes on asking the old server, which still gives the old address, as
// long as it holds the NS records; what is said of it is compared with that.
func TestAZoneThatMovedDrainsAsLongAsUnboundAsksItsOldServer(t *testing.T) {
	t.Parallel()
	const host = "www.shop.example"
	w := world.StartMoving(t, 24)
	w.Balancer(t, w.New, w.CA.Issue(t, host))
	w.Shop[0].Serve(t, "www 1 IN A "+w.Old.String())
	w.Shop[1].Serve(t, "www 1 IN A "+w.New.String())

	p := watch(t, w.World, []string{host})
	p.await(t, "the old address to be found", func(r report) bool { return len(r.all("dns/stale-record")) == 1 })
	p.awaitState(t, []string{host, "servings"})
	p.kill(t)

	w.Resolver.Flush(t)
	primed := w.Resolver.Prime(t, host)
	if !slices.Equal(primed.Addresses, []netip.Addr{w.Old}) {
		t.Fatalf("unbound says %v", primed.Addresses)
	}
	w.Move(t)
	p.start(t)
	r := p.await(t, "the zone to drain", func(r report) bool { return len(r.all("dns/draining")) == 1 })
	r.none(t, "dns/stale-record", "dns/missing-record", "dns/unresolvable", "dns/resolver-differs")
	f := r.one(t, "dns/draining", host)
	if f.Severity != "warning" {
		t.Errorf("severity %s: %s", f.Severity, f.Summary)
	}
	wantText(t, "the finding", f.text(), w.Old.String(), w.Shop[0].Addr.String())
	at := slices.IndexFunc(r.Incidents, func(in incident) bool { return in.Code == "dns/draining" })
	if at < 0 {
		t.Fatalf("no incident drains: %s", indent(r.Incidents))
	}
	in := r.Incidents[at]
	wantText(t, "the incident", in.text(), "servers that a zone had before still give an old address", "ask the former provider")
	if !in.ClearBy.Equal(f.ClearBy) {
		t.Errorf("the incident is clear by %s, the finding by %s", in.ClearBy, f.ClearBy)
	}

	var wrong, right time.Time // when unbound gave the old address last, and the new one first
	err := world.Poll(t, time.Minute, func(ctx context.Context) error {
		answer, err := world.Ask(ctx, w.Resolver.Addr, host)
		switch {
		case err != nil:
			return err
		case slices.Equal(answer.Addresses, []netip.Addr{w.Old}):
			wrong = answer.Asked
			return errors.New("it still gives the old address")
		}
		right = answer.At
		return nil
	})
	if err != nil {
		t.Fatalf("wait for unbound: %v", err)
	}
	ignorant := r.At.Sub(primed.Asked) // nobody looked in between
	t.Logf("computed %+.1f s beside unbound, which was wrong for %.1f s, after %.1f s without a look", f.ClearBy.Sub(right).Seconds(), wrong.Sub(primed.Asked).Seconds(), ignorant.Seconds())
	if f.ClearBy.Before(wrong) {
		t.Errorf("unbound gives the old address at %s, after the end %s", wrong, f.ClearBy)
	}
	within(t, "the end of "+host, f.ClearBy, right, right.Add(ignorant))
	p.await(t, "the all-clear", func(r report) bool { return len(r.all("dns/draining"))+len(r.all("dns/cached-stale")) == 0 })
}
