package diagnose_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/notify"
	"driftprobe/internal/snapshot"
)

// A stale address that the servers give by turns is one incident: told once, and not
// over before the address is out of the rotation for good.
func TestAStaleAddressByTurnsIsToldOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var history snapshot.History
	var state notify.State
	var said []string
	policyOfNotify := notify.Policy{ResolveAfter: time.Minute, MinSeverity: finding.Warning}
	for half := range 200 {
		now := noon().Add(time.Duration(half) * 30 * time.Second)
		b := shop(hosts(t, 1)...).probe("api.shop.example", oldAddr, stranger)
		b.Began, b.At = time.Time{}, now
		if half < 100 && random.IntN(3) == 0 {
			b.publish("api.shop.example", 300, oldAddr)
		}
		b.Observations.DNS[0].At, b.Observations.Clouds[0].At = now, now
		for i := range b.Observations.Probes {
			b.Observations.Probes[i].At = now
		}
		b.History = history
		history = diagnose.Remember(now, b.Snapshot, b.Observations)
		b.History = history
		report := diagnose.Diagnose(policy(), now, b.Snapshot)
		for _, in := range report.Incidents {
			for _, step := range in.Fix {
				if strings.Contains(step.Text, "copy of the zone differs") {
					t.Fatalf("%s: a server is accused of what all do by turns: %q", now.Sub(noon()), step.Text)
				}
			}
		}
		var messages []notify.Message
		state, messages = notify.Next(policyOfNotify, state, report)
		for _, m := range messages {
			said = append(said, string(m.Kind)+" "+m.Incident.ID)
		}
	}
	want := []string{"firing dns-drift:traefik/traefik", "resolved dns-drift:traefik/traefik"}
	if !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
}

// The names of a zone whose secondary lags have one cause.
func TestAZoneThatLagsIsOneIncident(t *testing.T) {
	b := shop(hosts(t, 5)...).pinned(newAddr, oldAddr)
	b.each(func(h string) { b.publish(h, 300, newAddr, "-"+oldAddr).probe(h, oldAddr, good) })
	b.behind()
	report := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	if len(report.Incidents) != 1 || report.Incidents[0].ID != "dns/inconsistent:shop.example" || len(report.Incidents[0].Hosts) != 5 {
		t.Fatalf("%d incidents: %+v", len(report.Incidents), report.Incidents)
	}
	in := report.Incidents[0]
	if in.Cause != "the servers of shop.example disagree about 5 names" || len(in.Fix) != 1 || !strings.Contains(in.Fix[0].Text, "mend the transfer of shop.example to ns3.shop.example") {
		t.Errorf("%q, fix %+v", in.Cause, in.Fix)
	}
}

// Packets that get lost near us are no server's fault, and nobody is woken.
func TestLossIsOneIncidentOfNoServer(t *testing.T) {
	b := shop(hosts(t, 5)...)
	for i := range 6 {
		a := &b.Observations.DNS[i%5].Steps[0].Answers[i]
		*a = dnscheck.Answer{Server: a.Server, Type: a.Type, Outcome: dnscheck.Silent, Detail: "no answer in 2.8s"}
	}
	report := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	if len(report.Incidents) != 1 || report.Incidents[0].Code != finding.DNSPacketLoss || report.Incidents[0].Severity != finding.Info || len(report.Incidents[0].Hosts) != 5 {
		t.Errorf("%d incidents: %+v", len(report.Incidents), report.Incidents)
	}
}

// behind gives the zone's third server an older serial than the others.
func (b *builder) behind() *builder {
	for i := range b.Observations.DNS {
		for k := range b.Observations.DNS[i].Steps[0].Answers {
			a := &b.Observations.DNS[i].Steps[0].Answers[k]
			a.Serial, a.Primary = 42, "ns1.shop.example"
			if a.Server.Name == "ns3.shop.example" {
				a.Serial = 41
			}
		}
	}
	return b
}

// Nobody is told to set a record that is right already where the zone is newest.
func TestAStaleAddressOfAServerThatLagsIsMendedByTheTransfer(t *testing.T) {
	b := shop(hosts(t, 5)...).had(oldAddr, noon().Add(-time.Hour))
	b.each(func(h string) { b.publish(h, 300, newAddr, "-"+oldAddr).probe(h, oldAddr, stranger) }).behind()
	report := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	in := report.Incidents[0]
	if in.Code != finding.DNSStaleRecord || len(in.Fix) != 1 || !strings.HasPrefix(in.Fix[0].Text, "mend the transfer of shop.example to ns3.shop.example") {
		t.Errorf("%s, fix %+v", in.Cause, in.Fix)
	}
}

// What a silent server gave has no all-clear time, and is not called right.
func TestAServerThatGaveAWrongAddressAndIsSilentKeepsTheIncident(t *testing.T) {
	b := shop(hosts(t, 3)...).published(oldAddr, 600, noon().Add(-time.Hour)).servers("ns3", dnscheck.Silent, "timeout after 5 s")
	for i := range b.History.Records.Sightings {
		s := &b.History.Records.Sightings[i]
		s.Gone, s.Zone, s.Servers = time.Time{}, "shop.example", []string{"ns3.shop.example (192.0.2.3)"}
	}
	report := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	i := slices.IndexFunc(report.Incidents, func(in finding.Incident) bool { return in.Code == finding.DNSDraining })
	if i < 0 {
		t.Fatalf("%+v", report.Incidents)
	}
	in := report.Incidents[i]
	if in.State != finding.Firing || in.Severity != finding.Unknown || !in.ClearBy.IsZero() || len(in.Hosts) != 3 ||
		in.Cause != "3 names may still publish a wrong address: no usable answer now from ns3.shop.example (192.0.2.3), which gave it" {
		t.Errorf("%s %s %v: %s", in.Severity, in.State, in.ClearBy, in.Cause)
	}
}
