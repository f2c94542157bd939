package diagnose_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
)

// phase bends the shop as it is from a minute on.
type phase struct {
	from int
	bend func(b *builder, now time.Time)
}

// outagePhases are the post-mortem's hour: the Service is deleted and created again
// twice, the TTL is lowered before the records are corrected.
func outagePhases() []phase {
	const third = "203.0.113.88"
	running := func(addr, published string, ttl uint32) func(*builder, time.Time) {
		return func(b *builder, _ time.Time) {
			b.Inventory.Services[0].Addresses, b.Inventory.Services[0].BalancerID = ips(addr), addr
			b.Observations.Clouds[0].Balancers = []lbcheck.Balancer{{ID: addr, Status: "active", Addresses: ips(addr)}}
			for i := range b.Inventory.Targets {
				b.Inventory.Targets[i].Declarations[0].StatusAddresses = ips(addr)
			}
			b.each(func(h string) { b.publish(h, ttl, published).probe(h, published, stranger).probe(h, addr, good) })
		}
	}
	without := func(pending bool) func(*builder, time.Time) {
		return func(b *builder, now time.Time) {
			s := &b.Inventory.Services[0]
			s.Addresses, s.BalancerID, s.Created = nil, "", now
			if !pending {
				b.Inventory.Services = nil
			}
			b.Observations.Clouds[0].Balancers = nil
			b.each(func(h string) { b.publish(h, 3600, oldAddr).probe(h, oldAddr, silent) })
			for i := range b.Inventory.Targets {
				b.Inventory.Targets[i].Declarations[0].StatusAddresses = ips(oldAddr)
			}
		}
	}
	return []phase{
		{0, running(oldAddr, oldAddr, 3600)},
		{5, without(false)}, {7, without(true)}, {10, running(newAddr, oldAddr, 3600)},
		{30, without(false)}, {33, without(true)}, {36, running(third, oldAddr, 3600)},
		{45, running(third, oldAddr, 60)},
		{50, running(third, third, 60)},
	}
}

// told plays the phases to the judges and to the notifier, a report every half minute,
// and returns what was said, and when.
func told(t *testing.T, phases []phase, minutes int) []string {
	t.Helper()
	var history snapshot.History
	var state notify.State
	var said []string
	policyOfNotify := notify.Policy{ResolveAfter: time.Minute, MinSeverity: finding.Unknown, Pending: map[finding.Severity]time.Duration{finding.Warning: 24 * time.Hour}}
	for half := range 2 * minutes {
		now := noon().Add(time.Duration(half) * 30 * time.Second)
		b := shop(hosts(t, 3)...)
		b.Began, b.At, b.Observations.Probes = time.Time{}, now, nil
		current := phases[0]
		for _, p := range phases {
			if p.from <= half/2 {
				current = p
			}
		}
		current.bend(b, now)
		for i := range b.Observations.DNS {
			b.Observations.DNS[i].At = now
		}
		for i := range b.Observations.Probes {
			b.Observations.Probes[i].At = now
		}
		b.Observations.Clouds[0].At = now
		b.History = history
		history = diagnose.Remember(now, b.Snapshot, b.Observations)
		b.History = history
		var messages []notify.Message
		state, messages = notify.Next(policyOfNotify, state, diagnose.Diagnose(policy(), now, b.Snapshot))
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%s %s %s", now.Sub(noon()), m.Kind, m.Incident.ID))
		}
	}
	return said
}

// What was told must hold from the first minute to the last: no incident is called
// over while its truth is merely missing, and the all-clear waits for the TTL that
// the records had before it was lowered.
func TestTheOutageIsToldOnce(t *testing.T) {
	said := told(t, outagePhases(), 130)
	want := []string{
		"5m30s firing balancer-gone:traefik/traefik",
		"10m30s firing dns-drift:traefik/traefik",
		"11m0s resolved balancer-gone:traefik/traefik",
		"30m30s firing balancer-gone:traefik/traefik",
		// The records have to be other ones now.
		"36m0s update dns-drift:traefik/traefik",
		"37m0s resolved balancer-gone:traefik/traefik",
		// The TTL of an hour was last seen at 44m30s, and gone at 45m0s.
		"1h46m0s resolved dns-drift:traefik/traefik",
	}
	if !slices.Equal(said, want) {
		t.Errorf("said\n  %q\nwant\n  %q", said, want)
	}
}

// A name that was denied is told until the last cache has forgotten that, also when the
// negative TTL was lowered before the name was mended.
func TestADeniedNameIsToldUntilCachesHaveForgotten(t *testing.T) {
	well := func(b *builder, _ time.Time) {
		b.each(func(h string) { b.publish(h, 300, newAddr).probe(h, newAddr, good) })
	}
	denied := func(ttl uint32) func(*builder, time.Time) {
		return func(b *builder, now time.Time) {
			well(b, now)
			b.servers("ns", dnscheck.NoName, "")
			for _, o := range b.Observations.DNS {
				for i := range o.Steps[0].Answers {
					o.Steps[0].Answers[i].TTL = ttl
				}
			}
		}
	}
	said := told(t, []phase{{0, well}, {5, denied(900)}, {8, denied(60)}, {10, well}}, 40)
	want := []string{
		"5m30s firing dns/no-record:shop.example traefik/traefik",
		// The negative TTL of 15 min was last seen at 7m30s, and gone at 8m0s.
		"24m0s resolved dns/no-record:shop.example traefik/traefik",
	}
	if !slices.Equal(said, want) {
		t.Errorf("said\n  %q\nwant\n  %q", said, want)
	}
}

// A replaced load balancer stays worth knowing for a while; what is to be done about it
// is said only as long as a name does not follow it.
func TestAReplacedBalancerThatAllNamesFollowAsksForNothing(t *testing.T) {
	fix := func(b *builder) string {
		r := diagnose.Diagnose(policy(), noon(), b.had(oldAddr, noon().Add(-20*time.Minute)).Snapshot)
		i := slices.IndexFunc(r.Incidents, func(in finding.Incident) bool { return in.Code == finding.LBReplaced })
		if i < 0 || len(r.Incidents[i].Fix) != 1 {
			t.Fatalf("incidents: %+v", r.Incidents)
		}
		return r.Incidents[i].Fix[0].Text
	}
	if got, want := fix(shop(hosts(t, 3)...)), "nothing is left to do: 3 names publish what it has now"; got != want {
		t.Errorf("all follow: %q, want %q", got, want)
	}
	unseen := shop(hosts(t, 3)...)
	unseen.Observations.DNS = unseen.Observations.DNS[:2]
	lacking := shop(hosts(t, 3)...).publish("api.shop.example", 300)
	for name, b := range map[string]*builder{"a name was not looked at": unseen, "a name has no record": lacking} {
		if got, want := fix(b), "point the names behind it at the new address"; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
