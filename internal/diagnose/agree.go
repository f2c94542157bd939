package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// agree says what the host should publish. One name has one set of records,
// however many targets (ports, paths) it has: what their expectations accept is
// right for the name. What the configuration says counts before what was derived,
// and goes for the targets that it does not speak of too.
func (h *host) agree() {
	if len(h.targets) == 1 {
		h.expected = h.targets[0].expected
		return
	}
	var said, derived []inventory.Expected
	for _, t := range slices.SortedFunc(slices.Values(h.targets), func(a, b *target) int { return cmp.Compare(a.Key, b.Key) }) {
		if t.expected.Rule == inventory.RuleConfig {
			said = append(said, t.expected)
		} else {
			derived = append(derived, t.expected)
		}
	}
	if len(said) == 0 {
		h.expected = inventory.Joined(derived)
		return
	}
	h.expected = inventory.Joined(said)
	for _, t := range h.targets {
		if t.expected.Rule != inventory.RuleConfig {
			t.expected = h.expected
		}
	}
}

// wildcard is a record that can serve several hosts, a wildcard or the target of
// aliases: its zone and owner.
type wildcard struct{ zone, owner string }

// shared tells what the hosts that one wildcard serves, or one target of aliases,
// should publish.
func (v *view) shared() map[wildcard]map[string]bool {
	all := map[wildcard]map[string]bool{}
	targets := v.aliasTargets()
	served := func(s dnscheck.Step) bool { return strings.HasPrefix(s.Owner(), "*.") || targets[s.Name] }
	for _, h := range v.hosts {
		if !slices.ContainsFunc(h.dns.Steps, served) {
			continue
		}
		e := h.expected
		should := strings.Join(append(texts(e.Addresses), e.Hostnames...), " ")
		if !e.Known {
			// What it should publish is not known; but it is a loss to move it away from
			// what answers, or to what another Service has.
			if e.Service == (inventory.ServiceRef{}) && !v.answered(h) {
				continue
			}
			should = "as it is"
		}
		for _, s := range h.dns.Steps {
			if !served(s) {
				continue
			}
			at := wildcard{s.Zone, s.Owner()}
			if all[at] == nil {
				all[at] = map[string]bool{}
			}
			all[at][should] = true
		}
	}
	return all
}

// aliasTargets are the names that some host is an alias of.
func (v *view) aliasTargets() map[string]bool {
	var all map[string]bool
	for _, h := range v.hosts {
		steps := h.dns.Steps
		for i := 1; i < len(steps); i++ {
			if all == nil {
				all = map[string]bool{}
			}
			all[steps[i].Name] = true
		}
	}
	return all
}

// torn tells whether names of other load balancers are aliases of a name too, so that
// editing it would break those.
func (v *view) torn(s dnscheck.Step) bool {
	return s.Owner() == s.Name && len(v.wildcards[wildcard{s.Zone, s.Name}]) > 1
}

// contested tells whether a name is served by a wildcard that also serves names
// of other load balancers, so that editing it would break those.
func (v *view) contested(s dnscheck.Step) bool {
	return s.Owner() != s.Name && len(v.wildcards[wildcard{s.Zone, s.Owner()}]) > 1
}

// judgeRecords judges one host's records. Where a contested wildcard serves it,
// what is to be set is a record of the name's own.
func (v *view) judgeRecords(c dnscheck.Case) []finding.Finding {
	fs := dnscheck.Judge(v.dnsPolicy, v.now, c)
	if !slices.ContainsFunc(c.Observed.Steps, v.contested) {
		return fs
	}
	apart := c
	apart.Observed.Steps = slices.Clone(c.Observed.Steps)
	for i, s := range apart.Observed.Steps {
		if v.contested(s) {
			apart.Observed.Steps[i].WildcardOwner = ""
		}
	}
	edits := is(finding.DNSStaleRecord, finding.DNSMissingRecord)
	fs = slices.DeleteFunc(fs, edits)
	for _, f := range dnscheck.Judge(v.dnsPolicy, v.now, apart) {
		if edits(f) {
			fs = append(fs, f)
		}
	}
	finding.Sort(fs)
	return fs
}

// undecided says of which Services nobody can tell the right addresses, where no
// other finding does: their names were not found right, they were not judged.
func (v *view) undecided(fs []finding.Finding) []finding.Finding {
	told := map[inventory.ServiceRef]bool{}
	for _, f := range fs {
		// A gap that is only worth knowing does not say why nothing was compared.
		if f.Severity > finding.Info && (f.Code == finding.SelfSourceDegraded || f.Code == finding.SelfOffline) {
			return nil
		}
		if f.Code.Family() == "lb" {
			told[refOf(f)] = true
		}
	}
	var more []finding.Finding
	for _, h := range v.hosts {
		ref := h.expected.Service
		front, there := v.fronts[ref]
		if !there || front.Known || told[ref] {
			continue
		}
		told[ref] = true
		more = append(more, finding.Finding{
			Code: finding.SelfNotObserved, Severity: finding.Unknown,
			Subject:  finding.Subject{Namespace: ref.Namespace, Name: ref.Name},
			Summary:  fmt.Sprintf("which addresses the load balancer of %s has could not be told, so no record was compared with it", ref),
			Expected: "the addresses of the load balancer",
			Observed: front.Why,
			Hint:     "look again in a minute; if it stays, pin the addresses in the configuration: targets[].addresses",
		})
	}
	return more
}
