package diagnose_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"driftprobe/config"
	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

var healthyRounds = flag.Int("rounds", 10_000, "healthy rounds that are judged")

// TestHealthyRoundsAlertNobody judges many rounds, with a look every half minute, of a
// world in which nothing is wrong: one packet in a hundred gets lost, servers are
// restarted one by one, certificates renewed, and load balancers moved as announced.
func TestHealthyRoundsAlertNobody(t *testing.T) {
	const shards = 10
	for seed := range shards {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			w := healthyWorld(uint64(seed))
			for range *healthyRounds / shards {
				if said := w.round(t); len(said) > 0 {
					t.Fatalf("round %d: %s %s %q\n%+v", w.n, said[0].Kind, said[0].Incident.ID, said[0].Incident.Cause, said[0].Incident.Effects)
				}
			}
			if w.lost == 0 || w.blips == 0 || w.renewals == 0 || w.moves == 0 {
				t.Errorf("it was too quiet: %+v", w)
			}
		})
	}
}

// healthy is a world from round to round.
type healthy struct {
	rng                          *rand.Rand
	n                            int       // of the round
	next                         time.Time // when its results are there
	address, published           string
	issued                       time.Time
	until                        time.Time // of the move
	dns                          []dnscheck.Observation
	history                      snapshot.History
	state                        notify.State
	policy                       notify.Policy
	lost, blips, renewals, moves int
}

const (
	everyMove    = 900 // rounds
	everyRestart = 150
	everyRenewal = 700
)

func healthyWorld(seed uint64) *healthy {
	alerts := config.Default().Alerts
	return &healthy{
		rng: rand.New(rand.NewPCG(seed, 100_000)), address: newAddr, published: newAddr, issued: noon(), next: noon(),
		policy: notify.Policy{
			Pending:      map[finding.Severity]time.Duration{finding.Critical: alerts.Pending.Critical, finding.Warning: alerts.Pending.Warning, finding.Unknown: alerts.Pending.Warning},
			ResolveAfter: alerts.ResolveAfter, MinSeverity: finding.Unknown,
		},
	}
}

// round is one look at everything, and what is said until the next has its results.
func (w *healthy) round(t *testing.T) []notify.Message {
	now := w.next
	w.next = noon().Add(time.Duration(w.n+1)*30*time.Second + time.Duration(w.rng.IntN(1000))*time.Millisecond)
	w.live(now)
	b := w.look(t, now)
	b.History = w.history
	w.history = diagnose.Remember(now, b.Snapshot, b.Observations)
	b.History = w.history
	r := diagnose.Diagnose(policy(), now, b.Snapshot)
	w.n++
	// The same report is told again while other things change, and once more while the
	// next look is under way.
	for _, later := range []time.Duration{0, 10 * time.Second, 20 * time.Second, w.next.Sub(now) - time.Millisecond} {
		var said []notify.Message
		r.At = now.Add(later)
		if w.state, said = notify.Next(w.policy, w.state, r); len(said) > 0 {
			return said
		}
	}
	return nil
}

// live is what the owners of this world do.
func (w *healthy) live(now time.Time) {
	switch w.n % everyMove {
	case 500: // announced for two hours
		w.until = now.Add(2 * time.Hour)
		w.moves++
	case 520: // the load balancer is replaced
		w.address = fmt.Sprintf("203.0.113.%d", 10+w.rng.IntN(200))
	case 530: // and the records follow
		w.published = w.address
	case 780:
		w.until = time.Time{}
	}
	if w.n%everyRenewal == everyRenewal-1 {
		w.issued = now
		w.renewals++
	}
}

// look makes the observations of a round; names are asked every other round.
func (w *healthy) look(t *testing.T, now time.Time) *builder {
	b := shop(hosts(t, 3)...)
	b.Began, b.At = time.Time{}, now
	b.Inventory.Services[0].Addresses, b.Inventory.Services[0].MoveUntil = ips(w.address), w.until
	b.Observations.Clouds[0] = lbcheck.Observation{Provider: "DigitalOcean", At: now, Balancers: []lbcheck.Balancer{{
		ID: "4f0c1b52-1111-4000-8000-000000000001", Name: "k8s-main", Status: "active", Addresses: ips(w.address),
	}}}
	b.Observations.Probes = nil
	for i := range b.Inventory.Targets {
		b.Inventory.Targets[i].Declarations[0].StatusAddresses = ips(w.address)
		host := b.Inventory.Targets[i].Host
		b.publish(host, 300, w.published).probe(host, w.address, w.meets())
		if w.published != w.address {
			b.probe(host, w.published, strangerAlive)
		}
	}
	for i := range b.Observations.Probes {
		b.Observations.Probes[i].At = now
	}
	if w.n%2 == 0 || w.dns == nil {
		w.dns = w.overLossyNet(b.Observations.DNS, now)
	}
	b.Observations.DNS = w.dns
	return b
}

// meets is what one visit meets: now and then a server that is just being restarted, or a
// network that loses all that is sent in ten seconds.
func (w *healthy) meets() func(*probe.Observation) {
	return func(o *probe.Observation) {
		good(o)
		o.TLS = certificate("*.shop.example", w.issued, w.issued.AddDate(0, 0, 90))
		restarting := w.n%everyRestart == 0 && w.rng.IntN(3) == 0
		switch {
		case restarting && w.rng.IntN(2) == 0:
			refused(o)
			o.TLS, o.HTTP = nil, nil
		case restarting:
			o.HTTP.Status = 503
		case w.rng.IntN(100_000) == 0:
			silent(o)
			o.TLS, o.HTTP = nil, nil
		default:
			return
		}
		w.blips++
	}
}

// overLossyNet loses one packet in a hundred, on both ways: a question is asked three
// times before it counts as unanswered.
func (w *healthy) overLossyNet(os []dnscheck.Observation, now time.Time) []dnscheck.Observation {
	lost := func() bool { return w.rng.IntN(10_000) < 199 }
	both := func() bool { return w.rng.IntN(10_000*10_000) < 199*199 }
	for i := range os {
		os[i].At = now
		for j := range os[i].Steps {
			answers := os[i].Steps[j].Answers
			for k := range answers {
				if !lost() {
					continue
				}
				w.lost++
				answers[k].Again = true
				if both() {
					answers[k] = dnscheck.Answer{Server: answers[k].Server, Type: answers[k].Type, Outcome: dnscheck.Silent, Detail: "timeout", Unanswered: 1}
				}
			}
		}
	}
	return os
}
