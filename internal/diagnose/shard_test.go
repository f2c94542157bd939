package diagnose_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/diagnose"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// part is the snapshot as one shard would have it: its own targets and what was seen of
// them; all else is whole.
func part(s snapshot.Snapshot, shard inventory.Shard) snapshot.Snapshot {
	own, other := map[string]bool{}, map[string]bool{}
	for _, t := range s.Inventory.Targets {
		if shard.Holds(t.Host) {
			own[t.Key] = true
		} else {
			other[t.Host] = true
		}
	}
	s.Inventory.Shard, s.Inventory.Targets = shard, shard.Of(s.Inventory.Targets)
	s.Observations.DNS = slices.DeleteFunc(slices.Clone(s.Observations.DNS), func(o dnscheck.Observation) bool { return other[o.Host] })
	var zones []string // as the loop: those that hold one of the names
	for i := range s.Observations.DNS {
		for _, step := range s.Observations.DNS[i].Steps {
			zones = append(zones, step.Zone)
		}
	}
	s.Observations.Zones = slices.DeleteFunc(slices.Clone(s.Observations.Zones), func(o dnscheck.ZoneObservation) bool { return !slices.Contains(zones, o.Zone) })
	s.Observations.Probes = slices.DeleteFunc(slices.Clone(s.Observations.Probes), func(o probe.Observation) bool { return !own[o.Target] })
	return s
}

func bySeverity(fs []finding.Finding) map[string]bool {
	all := map[string]bool{}
	for _, f := range fs {
		all[fmt.Sprintf("%s %v", f.Severity, f.ID())] = true
	}
	return all
}

// Whatever has happened, shards say together what one process says alone: nothing is wrong
// because its hosts are elsewhere, and nothing is missed.
func TestShardsSayTogetherWhatOneSaysAlone(t *testing.T) {
	otherwise := map[string]string{
		"a running probe that loses its network says so before all it knows is old": "fewer looks fail together, so it is seen later",
		"a move that only some of the names announce is an incident":                "it is one of those that do not announce it, and planned for the others",
		"the account is suddenly empty and nobody answers":                          "who has no host behind a balancer cannot know that none answers",
	}
	for _, c := range slices.Concat(situations(), hardSituations(), zoneSituations(), clientSituations(), clusterSituations(), truthSituations(), certificateSituations()) {
		if otherwise[c.name] != "" {
			delete(otherwise, c.name)
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			snap := c.make(t).Snapshot
			want := bySeverity(diagnose.Diagnose(policy(), noon(), snap).Findings)
			for _, count := range []int{2, 3} {
				got := map[string]bool{}
				for i := range count {
					r := diagnose.Diagnose(policy(), noon(), part(snap, inventory.Shard{Index: i, Count: count}))
					whole(t, r)
					for f := range bySeverity(r.Findings) {
						got[f] = true
					}
				}
				for f := range got {
					if !want[f] {
						t.Errorf("of %d shards one says in addition: %s", count, f)
					}
				}
				for f := range want {
					if !got[f] {
						t.Errorf("none of %d shards says: %s", count, f)
					}
				}
			}
		})
	}
	if len(otherwise) > 0 {
		t.Errorf("no such situations: %v", otherwise)
	}
}

// What is of no host is told by one shard and not by each; what cannot be read, by each.
func TestWhatIsOfNoHostIsToldOnce(t *testing.T) {
	const cluster = "k8s:0d8a1c2e-7f6b-4a55-9c3d-1e2f3a4b5c6d"
	b := shop(hosts(t, 5)...)
	b.Inventory.Whole = true
	for n := range 6 {
		b.Inventory.Services = append(b.Inventory.Services, inventory.Service{
			ServiceRef: inventory.ServiceRef{Namespace: "shop", Name: fmt.Sprint("pending-", n)}, Created: noon().Add(-time.Hour),
		})
		b.Inventory.Notices = append(b.Inventory.Notices, inventory.Notice{Kind: "Ingress", Namespace: "shop", Name: fmt.Sprint("web-", n), What: "x", Why: "y"})
		b.Observations.Clouds[0].Balancers = append(b.Observations.Clouds[0].Balancers, lbcheck.Balancer{
			ID: fmt.Sprint("orphan-", n), Tags: []string{cluster}, Created: noon().Add(-2 * time.Hour), Status: "active", Addresses: ips(fmt.Sprintf("203.0.113.%d", 100+n)),
		})
	}
	b.Observations.Clouds[0].Balancers[0].Tags = []string{cluster}
	b.Inventory.Gaps = []inventory.Gap{{Source: "kubernetes", Resources: []string{"gateways"}, What: "gateways", Why: "forbidden"}}
	wanted := []finding.Code{finding.LBPending, finding.LBOrphan, finding.SelfDeclarationUnused}
	said := map[string]int{}
	const count = 3
	for i := range count {
		for _, f := range diagnose.Diagnose(policy(), noon(), part(b.Snapshot, inventory.Shard{Index: i, Count: count})).Findings {
			said[fmt.Sprintf("%s %s", f.Code, f.Subject.Name)]++
		}
	}
	for _, code := range wanted {
		n := 0
		for what, times := range said {
			if strings.HasPrefix(what, string(code)) {
				if n++; times != 1 {
					t.Errorf("%s is said %d times", what, times)
				}
			}
		}
		if code != finding.LBOrphan && n != 6 || n == 0 {
			t.Errorf("%s is said of %d objects", code, n)
		}
	}
	for what, times := range said {
		if strings.HasPrefix(what, "self/source-") && times != count {
			t.Errorf("%s is said by %d of %d shards", what, times, count)
		}
	}
}
