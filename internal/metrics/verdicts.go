package metrics

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
	"driftprobe/probe"
)

// verdicts is a Report, indexed by what it says about hosts and addresses.
type verdicts struct {
	// bad hosts have a finding, or an incident, of at least a warning; blind ones
	// were not observed. offline: nothing was.
	bad, blind map[string]bool
	offline    bool
	// badAt are the host and address of such a finding; the address is empty if
	// the response or the certificate is wrong everywhere.
	badAt   map[place]bool
	stale   map[string]map[string]bool
	clearBy map[string]time.Time
}

type place struct{ host, address string }

func newVerdicts(r finding.Report) verdicts {
	v := verdicts{
		bad: map[string]bool{}, blind: map[string]bool{}, badAt: map[place]bool{},
		stale: map[string]map[string]bool{}, clearBy: map[string]time.Time{},
	}
	for _, f := range r.Findings {
		v.add(f)
	}
	for _, i := range r.Incidents {
		for _, h := range i.Hosts {
			v.bad[h] = v.bad[h] || i.Severity >= finding.Warning
			v.clear(h, i.ClearBy)
		}
		for _, f := range i.Effects {
			v.add(f)
		}
	}
	return v
}

func (v *verdicts) add(f finding.Finding) {
	host := f.Subject.Host
	switch f.Code {
	case finding.SelfOffline:
		v.offline = true
	case finding.SelfNotObserved, finding.DNSUnresolvable:
		v.blind[host] = true
	case finding.DNSDraining:
		// A server that gave a wrong address is silent: see dnscheck.
		v.blind[host] = v.blind[host] || f.Severity == finding.Unknown
	case finding.DNSStaleRecord:
		if v.stale[host] == nil {
			v.stale[host] = map[string]bool{}
		}
		v.stale[host][f.Subject.Address] = true
	}
	v.clear(host, f.ClearBy)
	if f.Severity < finding.Warning {
		return
	}
	v.bad[host] = true
	// What DNS publishes is no fault of the address that answers.
	if family := f.Code.Family(); family == "http" || family == "tls" {
		v.badAt[place{host, f.Subject.Address}] = true
	}
}

func (v *verdicts) clear(host string, at time.Time) {
	if at.After(v.clearBy[host]) {
		v.clearBy[host] = at
	}
}

// collectIncidents shows each incident by its name, which is the same in all processes that
// see it.
func (c *Collector) collectIncidents(e emitter, r finding.Report, shard string) {
	all := slices.Clone(r.Incidents)
	slices.SortStableFunc(all, func(a, b finding.Incident) int { return cmp.Compare(b.Severity, a.Severity) })
	hit := map[[4]string]int{}
	for _, i := range all[:min(len(all), maxIncidents)] {
		hit[[4]string{clean(i.ID), string(i.Code), i.Severity.String(), string(i.State)}] += len(i.Hosts)
	}
	for labels, hosts := range hit {
		e.gauge(c.d.hit, float64(hosts), labels[0], labels[1], labels[2], labels[3], shard)
	}
}

// collectReport counts findings and incidents.
func (c *Collector) collectReport(e emitter, r finding.Report) {
	type kind struct {
		code     finding.Code
		severity finding.Severity
		state    finding.State
	}
	findings, incidents := map[kind]int{}, map[kind]int{}
	for _, f := range r.Findings {
		findings[kind{f.Code, f.Severity, ""}]++
	}
	for _, i := range r.Incidents {
		incidents[kind{i.Code, i.Severity, i.State}]++
	}
	order := func(a, b kind) int {
		return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.severity, b.severity), cmp.Compare(a.state, b.state))
	}
	for _, k := range slices.SortedFunc(maps.Keys(findings), order) {
		e.gauge(c.d.findings, float64(findings[k]), string(k.code), k.severity.String())
	}
	for _, k := range slices.SortedFunc(maps.Keys(incidents), order) {
		e.gauge(c.d.incidents, float64(incidents[k]), string(k.code), k.severity.String(), string(k.state))
	}
}

// fails tells whether an address does not answer as it should.
func (v *verdicts) fails(o probe.Observation, s snapshot.Snapshot) bool {
	i := slices.IndexFunc(s.Inventory.Targets, func(t inventory.Target) bool { return t.Key == o.Target })
	if i < 0 {
		return true
	}
	return !v.right(o, s.Inventory.Targets[i])
}

// right: no fault that is not meant to be there, and no finding of at least a warning.
func (v *verdicts) right(o probe.Observation, t inventory.Target) bool {
	for _, at := range []string{o.Address.Addr().String(), o.Address.String(), ""} {
		if v.badAt[place{t.Host, at}] {
			return false
		}
	}
	return o.Fault.Kind == "" || probe.Meant(t.Expect, o)
}
