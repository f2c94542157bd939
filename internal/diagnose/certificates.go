package diagnose

import (
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
)

// reordered is all that is found of the certificates behind one front that are, or will
// be, ordered again: the parts of one story, some of which may not be known.
type reordered struct {
	key string
	// store is where the ACME client keeps them, if that is wrong; and the workload.
	store    []finding.Finding
	workload inventory.Workload
	// orders are the sets of names that were ordered too often, with what is found of each.
	orders []order
	// placeholders are what clients are given in their place.
	placeholders []finding.Finding
}

// order is one set of names.
type order struct {
	set   issuance.Set
	found []finding.Finding
}

// certificatesLost makes one incident for each front whose certificates are ordered again
// and again. It is the same one from the first warning to the placeholder that is served
// in the end.
func (v *view) certificatesLost() []finding.Incident {
	parts := v.reordered()
	all := make([]finding.Incident, 0, len(parts))
	for _, key := range keys(parts) {
		r := parts[key]
		r.key = key
		r.placeholders = v.placeholders(*r)
		effects := slices.Concat(r.store, r.placeholders)
		for _, o := range r.orders {
			effects = append(effects, o.found...)
		}
		finding.Sort(effects)
		all = append(all, v.story(*r, v.claim(effects)))
	}
	return all
}

// reordered finds the stores and the orders of each front, by its name, which is that of
// the first front of the workload that loses them.
func (v *view) reordered() map[string]*reordered {
	parts, owner := map[string]*reordered{}, map[string]string{}
	part := func(key string) *reordered {
		if parts[key] == nil {
			parts[key] = &reordered{}
		}
		return parts[key]
	}
	for _, f := range v.unclaimed(func(f finding.Finding) bool {
		return f.Severity > finding.Info && is(finding.IssuanceEphemeralStorage)(f)
	}) {
		w := v.workload(f)
		key := w.String()
		var free []string
		for _, front := range v.frontsOf(w) {
			if owner[front] == "" {
				free = append(free, front)
			}
		}
		if len(free) > 0 {
			key = free[0]
		}
		for _, front := range free {
			owner[front] = key
		}
		p := part(key)
		p.store, p.workload = append(p.store, f), w
	}
	sets := v.sets()
	found := v.unclaimed(func(f finding.Finding) bool {
		_, known := sets[f.Subject.Certificate]
		return known && is(finding.IssuanceRateLimit, finding.IssuanceReissueLoop)(f)
	})
	for _, fs := range groupBy(found, func(f finding.Finding) string { return f.Subject.Certificate }) {
		key := v.servedAt(fs[0].Subject.Host, sets[fs[0].Subject.Certificate])
		if owner[key] != "" {
			key = owner[key]
		}
		p := part(key)
		p.orders = append(p.orders, order{sets[fs[0].Subject.Certificate], fs})
	}
	return parts
}

// servedAt is the front at which a set was seen, or would be served: of what only a log
// tells nobody knows the host.
func (v *view) servedAt(host string, s issuance.Set) string {
	if v.byName[host] == nil {
		for _, h := range v.hosts {
			if s.Covers(h.name) {
				return h.front
			}
		}
	}
	if host == "" {
		host = s.Names[0]
	}
	return v.of(host).front
}

// sets are those of which an authority's limit, or a loop, is told.
func (v *view) sets() map[string]issuance.Set {
	told := map[string]bool{}
	for _, f := range v.unclaimed(is(finding.IssuanceRateLimit, finding.IssuanceReissueLoop)) {
		told[f.Subject.Certificate] = true
	}
	all := make(map[string]issuance.Set, len(told))
	if len(told) == 0 {
		return all
	}
	for _, s := range v.snap.History.Certificates.Sets {
		if len(s.Names) > 0 && len(s.Issuances) > 0 && told[s.Identity()] {
			all[s.Identity()] = s
		}
	}
	return all
}

// workload is the one that a finding about a store is about.
func (v *view) workload(f finding.Finding) inventory.Workload {
	for _, w := range v.snap.Inventory.Workloads {
		if w.Namespace == f.Subject.Namespace && w.Name == f.Subject.Name && len(issuance.Storage([]inventory.Workload{w})) > 0 {
			return w
		}
	}
	return inventory.Workload{Namespace: f.Subject.Namespace, Name: f.Subject.Name}
}

// frontsOf are the fronts of the hosts that a workload answers for, sorted.
func (v *view) frontsOf(w inventory.Workload) []string {
	var fronts []string
	for _, ref := range w.Services {
		for _, h := range v.behind(ref) {
			fronts = append(fronts, v.of(h).front)
		}
	}
	slices.Sort(fronts)
	return slices.Compact(fronts)
}

// placeholders finds what clients are given because there is no certificate: at a front
// whose certificates are lost, all; else what one of the sets would be for. A certificate
// that has expired belongs to it if no other is issued.
func (v *view) placeholders(r reordered) []finding.Finding {
	fronts := []string{r.key}
	if len(r.store) > 0 {
		fronts = v.frontsOf(r.workload)
	}
	return v.unclaimed(func(f finding.Finding) bool {
		if !is(finding.TLSDefaultCertificate, finding.TLSExpired)(f) || !slices.Contains(fronts, v.of(f.Subject.Host).front) {
			return false
		}
		if f.Code == finding.TLSDefaultCertificate && len(r.store) > 0 {
			return true
		}
		return slices.ContainsFunc(r.orders, func(o order) bool {
			return o.set.Covers(f.Subject.Host) && (f.Code == finding.TLSDefaultCertificate || finding.Worst(o.found) == finding.Critical)
		})
	})
}

// hit are the hosts of the story: those without a certificate, or else those that a
// certificate in it is for.
func (v *view) hit(r reordered) []string {
	if len(r.placeholders) > 0 {
		return v.hostsOf(r.placeholders)
	}
	var hosts []string
	for _, ref := range r.workload.Services {
		hosts = append(hosts, v.behind(ref)...)
	}
	for _, h := range v.hosts {
		if slices.ContainsFunc(r.orders, func(o order) bool { return o.set.Covers(h.name) }) {
			hosts = append(hosts, h.name)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// certified are the hosts that a certificate would be for, or is, which a limit or an
// authority concerns.
func (v *view) certified(fs []finding.Finding) []string {
	var hosts []string
	for _, f := range fs {
		var covering []issuance.Set
		for _, o := range v.snap.Inventory.Refused {
			if o.Namespace == f.Subject.Namespace && (o.Name == f.Subject.Name || o.Certificate == f.Subject.Name) {
				covering = append(covering, issuance.Set{Names: o.Hosts})
			}
		}
		if domain, all := strings.CutPrefix(f.Subject.Certificate, issuance.Below); all {
			for _, h := range v.hosts {
				if h.name == domain || strings.HasSuffix(h.name, "."+domain) {
					hosts = append(hosts, h.name)
				}
			}
		}
		for _, h := range v.hosts {
			if h.name == f.Subject.Host || slices.ContainsFunc(covering, func(s issuance.Set) bool { return s.Covers(h.name) }) {
				hosts = append(hosts, h.name)
			}
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
