package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// cleanFronts lists what is well: each front with the hosts behind it that no
// incident names at or above unknown, and that drain in none.
func (v *view) cleanFronts(incidents []finding.Incident) []finding.Front {
	hit := map[string]bool{}
	for _, in := range incidents {
		for _, h := range in.Corrected {
			hit[h] = true
		}
		if in.Severity >= finding.Unknown || !in.PlannedUntil.IsZero() {
			for _, h := range in.Hosts {
				hit[h] = true
			}
		}
	}
	fronts := map[string]*finding.Front{}
	for _, h := range v.hosts {
		if hit[h.name] || !h.looked || !v.answered(h) {
			continue
		}
		e := h.expected
		f := fronts[h.front]
		if f == nil {
			f = &finding.Front{Name: frontName(*e), Drift: e.Known, Why: e.Why, Addresses: texts(e.Addresses)}
			fronts[h.front] = f
		}
		if !e.Known || len(e.Addresses) == 0 {
			f.Addresses = texts(h.published)
		}
		f.Hosts = append(f.Hosts, h.name)
		if e.Rule != "" && !slices.Contains(f.Rules, e.Rule) {
			f.Rules = append(f.Rules, e.Rule)
		}
		f.MaxTTL = max(f.MaxTTL, longestTTL(h.dns))
		if until := h.certificatesUntil(); !until.IsZero() && (f.CertificatesUntil.IsZero() || until.Before(f.CertificatesUntil)) {
			f.CertificatesUntil = until
		}
	}
	var all []finding.Front
	for _, k := range keys(fronts) {
		all = append(all, *fronts[k])
	}
	return all
}

func frontName(e inventory.Expected) string {
	switch {
	case e.Service != (inventory.ServiceRef{}):
		return e.Fronts()
	case len(e.Addresses) > 0:
		return "pinned"
	}
	return "published"
}

// answered tells whether every target of the host answered somewhere that is not
// a stranger's.
func (v *view) answered(h *host) bool {
	for _, t := range h.targets {
		if !v.served(t) {
			return false
		}
	}
	return true
}

// served tells whether a probe of the target went through somewhere.
func (v *view) served(t *target) bool {
	for i := range t.probes {
		if v.well(&t.probes[i]) {
			return true
		}
	}
	return false
}

func (h *host) certificatesUntil() time.Time {
	var until time.Time
	for _, t := range h.targets {
		for i := range t.probes {
			o := &t.probes[i]
			if o.Stranger || o.TLS == nil {
				continue
			}
			if end := o.TLS.Trust.NotAfter; until.IsZero() || end.Before(until) {
				until = end
			}
		}
	}
	return until
}

// coverage counts what was looked at, and says what was not.
func (v *view) coverage(r finding.Report) finding.Coverage {
	c := finding.Coverage{Hosts: len(v.hosts)}
	if !v.snap.Began.IsZero() {
		c.Took = v.snap.At.Sub(v.snap.Began)
	}
	servers, resolvers := map[dnscheck.Server]bool{}, map[netip.AddrPort]bool{}
	for i := range v.snap.Observations.DNS {
		o := &v.snap.Observations.DNS[i]
		for k := range o.Steps {
			for n := range o.Steps[k].Answers {
				a := &o.Steps[k].Answers[n]
				if spoke, known := servers[a.Server]; !known || !spoke && a.Outcome.Speaks() {
					servers[a.Server] = a.Outcome.Speaks()
				}
			}
		}
		for _, r := range o.Resolvers {
			resolvers[r.Resolver] = resolvers[r.Resolver] || r.Outcome.Speaks()
		}
	}
	for _, spoke := range servers {
		c.Servers++
		if !spoke {
			c.ServersSilent++
		}
	}
	for _, spoke := range resolvers {
		if spoke {
			c.Resolvers++
		}
	}
	addresses := map[netip.AddrPort]bool{}
	noIPv6 := map[netip.Addr]bool{}
	for i := range v.snap.Observations.Probes {
		o := &v.snap.Observations.Probes[i]
		addresses[o.Address] = true
		if o.Fault.Kind == probe.NoRoute && o.Address.Addr().Is6() {
			noIPv6[o.Address.Addr()] = true
		}
	}
	c.Addresses = len(addresses)
	for _, cloud := range v.snap.Observations.Clouds {
		c.Balancers += len(cloud.Balancers)
	}
	c.Unread = lbcheck.Unread(v.snap.Inventory, "kubernetes")
	c.Notes = v.limits(r, len(noIPv6))
	return c
}

// limits are what this look could not see, where nothing else in the report says
// so.
func (v *view) limits(r finding.Report, noIPv6 int) []string {
	var notes []string
	if shard := v.snap.Inventory.Shard; shard.Partial() {
		notes = append(notes, fmt.Sprintf("only the hostnames of shard %s were looked at; the others have theirs", shard))
	}
	for _, h := range v.hosts {
		if h.dns.Cut != "" {
			notes = append(notes, h.name+": "+h.dns.Cut)
		}
	}
	notes = append(notes, v.zoneLimits()...)
	notes = append(notes, issuance.LogNotes(v.now, v.snap.Observations.Logs)...)
	byReason := v.unjudged(r)
	for _, why := range keys(byReason) {
		notes = append(notes, fmt.Sprintf("stale records could not be looked for on %s (%s): %s",
			finding.Count(len(byReason[why]), "hostname", "hostnames"), finding.List(byReason[why], 4), why))
	}
	if noIPv6 > 0 {
		notes = append(notes, fmt.Sprintf("%s could not be probed: this machine has no IPv6", finding.Count(noIPv6, "IPv6 address", "IPv6 addresses")))
	}
	for i := range v.snap.Inventory.Targets {
		if t := &v.snap.Inventory.Targets[i]; t.Wildcard() {
			notes = append(notes, fmt.Sprintf("%s was probed as %s", t.Host, t.ProbeName()))
		}
	}
	return notes
}

// unjudged names the hosts of which it is not known what they should publish, by the
// reason, where nothing else in the report says so.
func (v *view) unjudged(r finding.Report) map[string][]string {
	unknown := map[string]*host{}
	for _, h := range v.hosts {
		if !h.expected.Known {
			unknown[h.name] = h
		}
	}
	for _, f := range r.Fronts {
		for _, h := range f.Hosts {
			delete(unknown, h)
		}
	}
	for _, in := range r.Incidents {
		if in.Code.Family() == "self" || in.Code.Family() == "lb" {
			for _, h := range in.Hosts {
				delete(unknown, h)
			}
		}
	}
	byReason := map[string][]string{}
	for _, h := range v.hosts {
		if unknown[h.name] != nil {
			byReason[h.expected.Why] = append(byReason[h.expected.Why], h.name)
		}
	}
	return byReason
}

func refOf(f finding.Finding) inventory.ServiceRef {
	return inventory.ServiceRef{Namespace: f.Subject.Namespace, Name: f.Subject.Name}
}
