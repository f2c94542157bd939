package diagnose

import (
	"cmp"
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// incidents finds the root causes. Each rule claims the findings that its cause
// explains, the strongest cause first; what is left is grouped by likeness, so
// that no finding is lost.
func (v *view) incidents() []finding.Incident {
	var all []finding.Incident
	for _, rule := range []func() []finding.Incident{
		v.offline,
		v.certificatesLost,
		v.balancersGone,
		v.disputes,
		v.balancersMoved,
		v.backendsGone,
		v.denialsDraining,
		v.cachesDraining,
		v.addressesDead,
		v.delegations,
		v.groups,
	} {
		all = append(all, rule()...)
	}
	v.planned(all)
	v.maintained(all)
	slices.SortStableFunc(all, func(a, b finding.Incident) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(len(b.Hosts), len(a.Hosts)), cmp.Compare(a.ID, b.ID))
	})
	return all
}

// unclaimed returns the findings that no rule has explained yet and that the
// filter takes, in order.
func (v *view) unclaimed(take func(finding.Finding) bool) []finding.Finding {
	var fs []finding.Finding
	for _, f := range v.findings {
		if take(f) && !v.claimed[f.ID()] {
			fs = append(fs, f)
		}
	}
	return fs
}

func (v *view) claim(fs []finding.Finding) []finding.Finding {
	for _, f := range fs {
		v.claimed[f.ID()] = true
	}
	return fs
}

func is(codes ...finding.Code) func(finding.Finding) bool {
	return func(f finding.Finding) bool { return slices.Contains(codes, f.Code) }
}

// among tells whether a finding is about one of the hosts, which are sorted.
func among(hosts []string, f finding.Finding) bool {
	_, found := slices.BinarySearch(hosts, f.Subject.Host)
	return found
}

// hostsOf returns the hosts among the subjects that are targets, sorted.
func (v *view) hostsOf(fs []finding.Finding) []string {
	var hosts []string
	for _, f := range fs {
		if v.byName[f.Subject.Host] != nil {
			hosts = append(hosts, f.Subject.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// behind are the hosts that a Service fronts, sorted.
func (v *view) behind(ref inventory.ServiceRef) []string {
	var hosts []string
	for _, h := range v.hosts {
		if slices.ContainsFunc(h.targets, func(t *target) bool { return t.expected.FrontedBy(ref) }) {
			hosts = append(hosts, h.name)
		}
	}
	return hosts
}

// byFront partitions findings by what should be in front of their hosts.
func (v *view) byFront(fs []finding.Finding) [][]finding.Finding {
	return groupBy(fs, func(f finding.Finding) string { return frontKey(v, f) })
}

// frontKey groups findings by what should be in front of their hosts.
func frontKey(v *view, f finding.Finding) string { return v.of(f.Subject.Host).front }

// groupBy partitions findings by a key, in the order of the keys.
func groupBy(fs []finding.Finding, key func(finding.Finding) string) [][]finding.Finding {
	parts := map[string][]finding.Finding{}
	var keys []string
	for _, f := range fs {
		k := key(f)
		if parts[k] == nil {
			keys = append(keys, k)
		}
		parts[k] = append(parts[k], f)
	}
	slices.Sort(keys)
	all := make([][]finding.Finding, 0, len(keys))
	for _, k := range keys {
		all = append(all, parts[k])
	}
	return all
}

// distinct collects one text of each finding, sorted, empty ones left out.
func distinct(fs []finding.Finding, text func(finding.Finding) string) []string {
	var words []string
	for _, f := range fs {
		if w := text(f); w != "" {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}
