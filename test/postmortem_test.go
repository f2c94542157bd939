package test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"driftprobe/internal/lab"
	"driftprobe/test/world"
)

// lifetime is the TTL of the outage's records in seconds: long enough to be
// looked at twice on a busy machine, short enough to wait for.
const lifetime = 20

// shopHosts are published by the apex record and by the wildcard.
func shopHosts() []string {
	return []string{"api.shop.example", "auth.shop.example", "shop.example", "www.shop.example"}
}

// TestThePostMortem is the outage that driftprobe exists for, on real servers,
// from the last good look to the all-clear.
func TestThePostMortem(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	cert := w.CA.Issue(t, "shop.example", "*.shop.example")
	publish(t, w, w.Old)
	old := w.Balancer(t, w.Old, cert)
	cloud := startCloud(t)
	cloud.put(w.Old)
	more := cloud.section + "state: {file: " + filepath.Join(t.TempDir(), "state.json") + "}\n"

	once(t, clean, "--config", configuration(t, w, more, pinned(w.Old)...))

	old.Stop(t)
	w.Balancer(t, w.New, cert)
	cloud.put(w.New)
	config := configuration(t, w, more, pinned(w.New)...)
	w.Resolver.Prime(t, "api.shop.example")
	stale := once(t, found, "--config", config)
	checkStale(t, w, stale)

	publish(t, w, w.New)
	cached := w.Resolver.Prime(t, "api.shop.example")
	if !slices.Equal(cached.Addresses, []netip.Addr{w.Old}) {
		t.Fatalf("unbound says %v before its copy's TTL is over: this machine is too slow for %d s", cached.Addresses, lifetime)
	}
	draining := once(t, clean, "--config", config)
	clearBy := checkDraining(t, w, stale, draining, cached)

	awaitExpiry(t, w, clearBy)
	after := once(t, clean, "--config", config)
	after.none(t, "dns/stale-record", "dns/cached-stale", "dns/draining")
	if len(after.Incidents) != 0 {
		t.Errorf("incidents after the all-clear: %s", indent(after.Incidents))
	}
}

// publish gives all servers of shop.example one address.
func publish(t *testing.T, w *world.World, addr netip.Addr) {
	t.Helper()
	world.Serve(t, w.Shop,
		fmt.Sprintf("@ %d IN A %s", lifetime, addr),
		fmt.Sprintf("* %d IN A %s", lifetime, addr))
}

// pinned are the targets, all of which should be at addr.
func pinned(addr netip.Addr) []string {
	var targets []string
	for _, host := range shopHosts() {
		targets = append(targets, fmt.Sprintf("{host: %s, addresses: [%q]}", host, addr))
	}
	return targets
}

// cloud is the account that the load balancers belong to.
type cloud struct {
	api     *lab.DigitalOcean
	section string // of the configuration
}

func startCloud(t *testing.T) cloud {
	t.Helper()
	const token = "dop_v1_of_a_test"
	api, err := lab.NewDigitalOcean(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cloud{api, fmt.Sprintf("digitalocean: {token_file: %q, api_url: %q}\n", file, api.URL())}
}

// put makes addr the address of the account's only load balancer.
func (c cloud) put(addr netip.Addr) {
	for _, lb := range c.api.LoadBalancers() {
		c.api.RemoveLoadBalancer(lb.ID)
	}
	c.api.PutLoadBalancer(lab.LoadBalancer{
		ID: "4f0c-" + addr.String(), Name: "k8s-main", IP: addr.String(), Status: "active", Type: "REGIONAL", Network: "EXTERNAL",
	})
}

// checkStale is what must be said while the records are wrong.
func checkStale(t *testing.T, w *world.World, l look) {
	t.Helper()
	if len(l.Incidents) != 1 {
		t.Fatalf("%d incidents for one cause, want 1: %s", len(l.Incidents), indent(l.Incidents))
	}
	i := l.Incidents[0]
	if i.Severity != "critical" || i.State != "firing" || !slices.Equal(i.Hosts, shopHosts()) {
		t.Errorf("incident %s %s about %q, want critical firing about %q", i.Severity, i.State, i.Hosts, shopHosts())
	}
	wantText(t, "the incident", i.text(), w.Old.String(), "only DNS is wrong", "3 of 3", "owned by no load balancer")
	for _, host := range shopHosts() {
		f := l.one(t, "dns/stale-record", host)
		if f.Severity != "critical" {
			t.Errorf("%s: severity %s, want critical: nothing answers at the old address", host, f.Severity)
		}
		wantText(t, "the finding about "+host, f.text(), w.Old.String(), w.New.String())
	}
	records := map[string][]string{}
	for _, s := range i.Fix {
		if s.Record != nil && s.Record.Type == "A" && s.Record.Zone == "shop.example" {
			records[s.Record.Owner] = s.Record.Values
		}
	}
	for _, owner := range []string{"shop.example", "*.shop.example"} {
		if !slices.Equal(records[owner], []string{w.New.String()}) {
			t.Errorf("the fix sets %s A to %q, want %s", owner, records[owner], w.New)
		}
	}
	if len(records) != 2 {
		t.Errorf("the fix sets %v, want the two records that exist", records)
	}
	within(t, "clients recover", i.ClearBy, l.began.Add(lifetime*time.Second), l.ended.Add(lifetime*time.Second))
}

// checkDraining compares what is said after the fix with unbound's own count,
// and returns the all-clear time.
func checkDraining(t *testing.T, w *world.World, stale, l look, cached world.Answer) time.Time {
	t.Helper()
	l.none(t, "dns/stale-record")
	if len(l.Incidents) != 1 || l.Incidents[0].State != "draining" {
		t.Fatalf("want one draining incident: %s", indent(l.Incidents))
	}
	clearBy := l.Incidents[0].ClearBy
	// The old address was last seen during the look before the fix.
	within(t, "all clear", clearBy, stale.began.Add(lifetime*time.Second), stale.ended.Add(lifetime*time.Second))
	expiry := cached.At.Add(time.Duration(cached.TTL) * time.Second)
	if expiry.After(clearBy.Add(2 * time.Second)) {
		t.Errorf("all clear promised at %v, but unbound holds the old answer until %v", clearBy, expiry)
	}
	held := l.one(t, "dns/cached-stale", "api.shop.example")
	wantText(t, "the finding about the cache", held.text(), w.Resolver.Addr.String(), w.Old.String())
	within(t, "unbound's copy ends", held.ClearBy, expiry, expiry)
	return clearBy
}

// within allows for whole seconds in the DNS, on both sides.
func within(t *testing.T, what string, got, from, to time.Time) {
	t.Helper()
	const slack = 2 * time.Second
	if got.Before(from.Add(-slack)) || got.After(to.Add(slack)) {
		t.Errorf("%s at %v, want between %v and %v", what, got, from, to)
	}
}

// awaitExpiry returns when the all-clear time is over and unbound, asked itself,
// has read the new records.
func awaitExpiry(t *testing.T, w *world.World, clearBy time.Time) {
	t.Helper()
	err := world.Poll(t, time.Minute, func(ctx context.Context) error {
		if left := time.Until(clearBy); left >= 0 {
			return fmt.Errorf("%v left", left)
		}
		for _, host := range shopHosts() {
			answer, err := world.Ask(ctx, w.Resolver.Addr, host)
			if err != nil {
				return err
			}
			if !slices.Equal(answer.Addresses, []netip.Addr{w.New}) {
				return fmt.Errorf("unbound still says %v for %s, for %d s", answer.Addresses, host, answer.TTL)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("wait for the caches: %v", err)
	}
}
