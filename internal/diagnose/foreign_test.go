package diagnose_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
)

// leads makes a host an alias of a name, whose records are those that it had.
func (b *builder) leads(host, target, zone string) *builder {
	for i := range b.Observations.DNS {
		o := &b.Observations.DNS[i]
		if o.Host != host {
			continue
		}
		end, first := o.Steps[0], o.Steps[0]
		end.Name, end.Zone, end.Wildcard, end.WildcardOwner = target, zone, nil, ""
		first.Answers, first.Wildcard, first.WildcardOwner = nil, nil, ""
		for _, a := range end.Answers {
			first.Answers = append(first.Answers, dnscheck.Answer{Server: a.Server, Type: a.Type, Outcome: dnscheck.Alias, Target: target, TTL: 3600})
		}
		o.Steps = []dnscheck.Step{first, end}
	}
	return b
}

// set lists the records of all fixes.
func set(r finding.Report) []string {
	var all []string
	for _, in := range r.Incidents {
		for _, s := range in.Fix {
			if s.Record != nil {
				all = append(all, s.Record.Zone+": "+s.Record.Owner+" "+s.Record.Type+" "+strings.Join(s.Record.Values, " "))
			}
		}
	}
	return all
}

// What lies in a zone of others is corrected at the last alias that is ours.
func TestAFixIsWhereItCanBeMade(t *testing.T) {
	const host = "api.shop.example"
	b := shop(hosts(t, 1)...).pinned(newAddr).publish(host, 60, oldAddr).leads(host, "shop-77.cdn.test", "cdn.test")
	r := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	if got := set(r); !slices.Equal(got, []string{"shop.example: " + host + " A " + newAddr}) {
		t.Errorf("fix %v", got)
	}
	if end := r.Incidents[0].ClearBy; !end.Equal(noon().Add(time.Hour)) {
		t.Errorf("clear by %s, but the alias has a TTL of an hour", end)
	}

	two := shop(hosts(t, 2)...)
	one, other := two.Inventory.Targets[0].Host, two.Inventory.Targets[1].Host
	two.pinned(newAddr)
	two.Inventory.Targets[1].Addresses = ips(oldAddr)
	for _, h := range []string{one, other} {
		two.publish(h, 60, oldAddr).leads(h, "ingress.shop.example", "shop.example")
	}
	if got := set(diagnose.Diagnose(policy(), noon(), two.Snapshot)); !slices.Equal(got, []string{"shop.example: " + one + " A " + newAddr}) {
		t.Errorf("a target that another name needs as it is: fix %v", got)
	}
}

// A zone of others is theirs to mend, and wakes nobody here.
func TestTheZonesOfOthersAreOnlyTold(t *testing.T) {
	const host = "api.shop.example"
	b := shop(hosts(t, 1)...).leads(host, "shop-77.cdn.test", "cdn.test").zone(func(o *dnscheck.ZoneObservation) {
		o.Zone = "cdn.test"
		for i, h := range o.Handed {
			o.Handed[i] = dnscheck.Handed{Server: h.Server, Outcome: dnscheck.NoName, TTL: 900}
		}
		o.Servers[1].TCP = dnscheck.Silent
	})
	found := 0
	for _, f := range diagnose.Diagnose(policy(), noon(), b.Snapshot).Findings {
		if f.Subject.Host == "cdn.test" {
			found++
			if f.Severity != finding.Info || f.Hint != "tell who runs cdn.test" {
				t.Errorf("%s %s: %s", f.Severity, f.Code, f.Hint)
			}
		}
	}
	if found < 2 {
		t.Errorf("%d findings about cdn.test", found)
	}
}

// The addresses of a load balancer that is known by its hostname are not to be set.
func TestBehindAHostnameNoAddressIsToBeSet(t *testing.T) {
	b := behindHostname(t)
	for _, f := range diagnose.Diagnose(policy(), noon(), b.Snapshot).Findings {
		if strings.Contains(f.Hint, newAddr) || f.Record != nil && slices.Contains(f.Record.Values, newAddr) {
			t.Errorf("%s: %s %+v", f.Code, f.Hint, f.Record)
		}
	}
}

// A server that answers for a host takes EDNS, whatever got lost in the look at its zone.
func TestAServerThatSpeaksOfAHostTakesEDNS(t *testing.T) {
	dropped := func(o *dnscheck.ZoneObservation) {
		for i := range o.Servers {
			o.Servers[i].EDNS = dnscheck.EDNSDropped
		}
	}
	b := shop(hosts(t, 1)...).zone(dropped)
	if fs := diagnose.Diagnose(policy(), noon(), b.Snapshot).Findings; len(fs) != 0 {
		t.Errorf("found %+v", fs)
	}
	silent := shop(hosts(t, 1)...).zone(dropped).servers("ns", dnscheck.Silent, "no answer in 2 s").published(newAddr, 300, noon().Add(-10*time.Minute))
	for _, f := range diagnose.Diagnose(policy(), noon(), silent.Snapshot).Findings {
		if f.Code == finding.DNSServerDegraded && f.Severity == finding.Critical {
			t.Errorf("critical, though it was heard ten minutes ago: %s", f.Summary)
		}
	}
}

// Where the load balancer names one family, an address of the other is not well
// because nobody looked.
func TestAnAddressOfAFamilyThatIsNotNamedMustAnswer(t *testing.T) {
	const six = "2001:db8::9"
	for _, c := range []struct {
		answers bool
		fronts  int
	}{{true, 1}, {false, 0}} {
		b := shop(hosts(t, 1)...).publish("api.shop.example", 300, newAddr, six)
		b.Observations.Clouds, b.Inventory.Services[0].BalancerID = nil, ""
		b.Inventory.Targets[0].Declarations = nil
		b.Inventory.Targets[0].Service = traefik()
		if c.answers {
			b.probe("api.shop.example", six, good)
		} else {
			b.probe("api.shop.example", six, noRoute)
		}
		r := diagnose.Diagnose(policy(), noon(), b.Snapshot)
		if len(r.Fronts) != c.fronts {
			t.Errorf("answers %t: %d fronts are well: %+v", c.answers, len(r.Fronts), r.Findings)
		}
	}
}
