package diagnose

import (
	"cmp"
	"fmt"
	"maps"
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
		h.expected = &h.targets[0].expected
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
		joined := inventory.Joined(derived)
		h.expected = &joined
		return
	}
	joined := inventory.Joined(said)
	h.expected = &joined
	for _, t := range h.targets {
		if t.expected.Rule != inventory.RuleConfig {
			t.expected = joined
		}
	}
}

// wildcard is a record that can serve several hosts, a wildcard or the target of
// aliases: its zone and owner.
type wildcard struct{ zone, owner string }

// split finds the wildcards, and targets of aliases, that serve hosts which should
// publish different addresses.
func (v *view) split() map[wildcard]bool {
	first, split := map[wildcard]*inventory.Expected{}, map[wildcard]bool{}
	targets := v.aliasTargets()
	for _, h := range v.hosts {
		for i := range h.dns.Steps {
			s := &h.dns.Steps[i]
			at := wildcard{s.Zone, s.Owner()}
			if !strings.HasPrefix(at.owner, "*.") && !targets[s.Name] {
				continue
			}
			// Where it is not known what a host should publish, it is a loss to move it away
			// from what answers, or to what another Service has.
			if !h.expected.Known && h.expected.Service == (inventory.ServiceRef{}) && !v.answered(h) {
				continue
			}
			if one := first[at]; one == nil {
				first[at] = h.expected
			} else if !alike(one, h.expected) {
				split[at] = true
			}
		}
	}
	return split
}

// alike tells whether one record suits two hosts: both should publish the same, or
// stay as they are.
func alike(a, b *inventory.Expected) bool {
	if !a.Known || !b.Known {
		return a.Known == b.Known
	}
	return slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Hostnames, b.Hostnames)
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
	return v.wildcards[wildcard{s.Zone, s.Name}] && s.Owner() == s.Name
}

// contested tells whether a name is served by a wildcard that also serves names
// of other load balancers, so that editing it would break those.
func (v *view) contested(s dnscheck.Step) bool {
	return s.Owner() != s.Name && v.wildcards[wildcard{s.Zone, s.Owner()}]
}

// spared says which names need records of their own before a wildcard that serves them too
// is moved away from them: any tenant can declare a wildcard. moved is sorted.
func (v *view) spared(moved []string) []finding.Step {
	stay := map[string][]string{}
	for w := range v.wildcards {
		if _, found := slices.BinarySearch(moved, w.owner); found {
			stay[w.owner] = nil
		}
	}
	if len(stay) == 0 {
		return nil
	}
	for _, h := range v.hosts {
		for _, s := range h.dns.Steps {
			names, moves := stay[s.Owner()]
			if moves && h.name != s.Owner() && v.contested(s) && !alike(h.expected, v.of(s.Owner()).expected) && !slices.Contains(names, h.name) {
				stay[s.Owner()] = append(names, h.name)
			}
		}
	}
	var steps []finding.Step
	for _, wild := range slices.Sorted(maps.Keys(stay)) {
		if names := stay[wild]; len(names) > 0 {
			steps = append(steps, finding.Step{Text: fmt.Sprintf("first give %s, which %s serves too and which must stay, records of their own", finding.List(names, 4), wild)})
		}
	}
	return steps
}

// judgeRecords judges one host's records. Where a contested wildcard serves it,
// what is to be set is a record of the name's own.
func (v *view) judgeRecords(c *dnscheck.Case) []finding.Finding {
	fs := dnscheck.Judge(v.dnsPolicy, v.now, *c)
	if len(v.wildcards) == 0 || !slices.ContainsFunc(c.Observed.Steps, v.contested) {
		return fs
	}
	apart := *c
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
	open := map[inventory.ServiceRef]string{}
	for ref, front := range v.fronts {
		if !front.Known {
			open[ref] = front.Why
		}
	}
	for _, f := range fs {
		// A gap that is only worth knowing does not say why nothing was compared.
		if f.Severity > finding.Info && is(finding.SelfSourceDegraded, finding.SelfOffline)(f) {
			return nil
		}
		if f.Code.Family() == "lb" {
			delete(open, refOf(f))
		}
	}
	var more []finding.Finding
	for _, h := range v.hosts {
		ref := h.expected.Service
		why, untold := open[ref]
		if !untold {
			continue
		}
		delete(open, ref)
		more = append(more, finding.Finding{
			Code: finding.SelfNotObserved, Severity: finding.Unknown,
			Subject:  finding.Subject{Namespace: ref.Namespace, Name: ref.Name},
			Summary:  fmt.Sprintf("which addresses the load balancer of %s has could not be told, so no record was compared with it", ref),
			Expected: "the addresses of the load balancer",
			Observed: why,
			Hint:     "look again in a minute; if it stays, pin the addresses in the configuration: targets[].addresses",
		})
	}
	return more
}
