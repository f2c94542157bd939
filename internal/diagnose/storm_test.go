package diagnose_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// stormOver is what is said in a quarter of an hour about 100 hosts, of which a trouble between
// two moments bends the looks. A tenth of the hosts is looked at every three seconds, so
// trouble comes and goes in parts.
func stormOver(t *testing.T, from, to time.Duration, bend func(b *builder, host string)) []string {
	t.Helper()
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("n%03d.shop.example", i))
	}
	alerts := config.Default().Alerts
	p := notify.Policy{
		Pending:      map[finding.Severity]time.Duration{finding.Critical: alerts.Pending.Critical, finding.Warning: alerts.Pending.Warning, finding.Unknown: alerts.Pending.Warning},
		ResolveAfter: alerts.ResolveAfter, MinSeverity: finding.Warning,
	}
	var state notify.State
	var history snapshot.History
	var said []string
	seen := map[string]*builder{} // the newest look at each host
	for at := time.Duration(0); at < 15*time.Minute; at += 3 * time.Second {
		now := noon().Add(at)
		for i, h := range names {
			if at > 0 && i%10 != int(at/(3*time.Second))%10 {
				continue
			}
			b := shop(h)
			if at >= from && at < to {
				bend(b, h)
			}
			for j := range b.Observations.DNS {
				b.Observations.DNS[j].At = now
			}
			for j := range b.Observations.Probes {
				b.Observations.Probes[j].At = now
			}
			seen[h] = b
		}
		all := shop(names...)
		all.Began, all.At = time.Time{}, now
		all.Observations.DNS, all.Observations.Probes = nil, nil
		for _, h := range names {
			all.Observations.DNS = append(all.Observations.DNS, seen[h].Observations.DNS...)
			all.Observations.Probes = append(all.Observations.Probes, seen[h].Observations.Probes...)
		}
		all.Observations.Clouds = seen[names[int(at/(3*time.Second))%10]].Observations.Clouds
		all.History = history
		history = diagnose.Remember(now, all.Snapshot, all.Observations)
		all.History = history
		var messages []notify.Message
		state, messages = notify.Next(p, state, diagnose.Diagnose(policy(), now, all.Snapshot))
		for _, m := range messages {
			said = append(said, fmt.Sprintf("%s %s %s, %d hosts", at, m.Kind, m.Incident.ID, m.HostCount))
		}
	}
	return said
}

// Our own network goes: all else is held, and nothing is called well because it can't be
// seen.
func TestOurOwnNetworkDownIsOneAlert(t *testing.T) {
	said := stormOver(t, 3*time.Minute, 9*time.Minute, func(b *builder, host string) {
		b.servers("", dnscheck.Silent, "timeout")
		for i := range b.Observations.DNS {
			b.Observations.DNS[i].Heard = false
		}
		b.probes(newAddr, func(o *probe.Observation) { silent(o); o.TLS, o.HTTP = nil, nil })
		b.Observations.Clouds[0].Failure = "network is unreachable"
	})
	want := []string{"firing self/offline, 100 hosts", "resolved self/offline, 100 hosts"}
	compareSaid(t, said, want)
}

// A load balancer dies under 100 names: one cause, one incident.
func TestABalancerLostUnder100NamesIsOneAlert(t *testing.T) {
	said := stormOver(t, 3*time.Minute, 9*time.Minute, func(b *builder, _ string) {
		b.probes(newAddr, func(o *probe.Observation) { refused(o); o.TLS, o.HTTP = nil, nil })
	})
	want := []string{"firing address-dead:203.0.113.77, 100 hosts", "resolved address-dead:203.0.113.77, 100 hosts"}
	compareSaid(t, said, want)
}

// compareSaid leaves the moments out.
func compareSaid(t *testing.T, said, want []string) {
	t.Helper()
	var got []string
	for _, s := range said {
		t.Log(s)
		for i := range s {
			if s[i] == ' ' {
				got = append(got, s[i+1:])
				break
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}
