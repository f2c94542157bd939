package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
)

// duty is one server in its duty for one zone.
type duty struct {
	zone   string
	server dnscheck.Server
}

// judgeZones judges the zones. A look at a zone can be minutes older than those at
// its hosts, and asks for other records: a server that failed in it, and that speaks
// of a host, is not called broken. Hosts are asked for with EDNS.
func (v *view) judgeZones() []finding.Finding {
	failing := func(s dnscheck.ZoneServer) bool {
		return s.EDNS == dnscheck.EDNSDropped || s.Outcome != "" && !s.Outcome.Speaks()
	}
	suspect := map[duty]bool{}
	for _, z := range v.snap.Observations.Zones {
		for _, s := range z.Servers {
			if failing(s) {
				suspect[duty{z.Zone, s.Server}] = true
			}
		}
	}
	if len(suspect) > 0 {
		v.acquit(suspect)
	}
	var fs []finding.Finding
	for _, z := range v.snap.Observations.Zones {
		z.Servers = slices.Clone(z.Servers)
		for i, s := range z.Servers {
			if failing(s) && !suspect[duty{z.Zone, s.Server}] {
				z.Servers[i] = dnscheck.ZoneServer{Server: s.Server, EDNS: dnscheck.EDNSOK}
			}
		}
		fs = append(fs, v.ofZone(z)...)
	}
	return fs
}

// ofZone judges one zone. Nobody is called lost for all resolvers who was heard within
// the last hour, and a zone that others run is theirs to mend.
func (v *view) ofZone(z dnscheck.ZoneObservation) []finding.Finding {
	fs := dnscheck.JudgeZone(v.now, z)
	for i, f := range fs {
		if f.Code == finding.DNSServerDegraded && f.Severity == finding.Critical && v.heardOf(z.Zone) {
			fs[i].Severity = finding.Warning
		}
	}
	return v.abroad(fs)
}

// lately is for how long an answer of a zone's servers tells that they take EDNS.
const lately = time.Hour

// heardOf tells whether a host's look has got addresses of the zone's servers lately.
func (v *view) heardOf(zone string) bool {
	for _, name := range v.hostsIn(zone) {
		for _, s := range v.of(name).seen {
			if v.now.Sub(s.LastSeen) <= lately {
				return true
			}
		}
	}
	return false
}

// acquit takes out the servers that speak of a host.
func (v *view) acquit(suspect map[duty]bool) {
	for _, o := range v.snap.Observations.DNS {
		for _, s := range o.Steps {
			for _, a := range s.Answers {
				if a.Outcome.Speaks() {
					delete(suspect, duty{s.Zone, a.Server})
				}
			}
		}
	}
}

// delegations makes one incident of all that is wrong with the delegation of a zone:
// the two sides that differ, and the servers that fail because of it.
func (v *view) delegations() []finding.Incident {
	var all []finding.Incident
	for _, fs := range groupBy(v.unclaimed(is(finding.DNSDelegationMismatch)), func(f finding.Finding) string { return f.Subject.Host }) {
		zone := fs[0].Subject.Host
		effects := v.claim(fs)
		if finding.Worst(fs) >= finding.Warning {
			effects = slices.Concat(fs, v.claim(v.unclaimed(func(f finding.Finding) bool {
				return f.Code == finding.DNSServerDegraded && f.Subject.Host == zone && v.disputed(f, fs)
			})))
		}
		in := finding.Incident{
			ID:   string(finding.DNSDelegationMismatch) + ":" + zone,
			Code: finding.DNSDelegationMismatch, Severity: finding.Worst(effects), State: finding.Firing,
			Subject: finding.Subject{Host: zone}, Cause: fs[0].Summary, Hosts: v.hostsIn(zone), Effects: effects,
			Evidence: evidence(fs), Fix: hints(fs),
		}
		if len(fs) > 1 {
			in.Cause = fmt.Sprintf("the delegation of %s does not match the zone", zone)
		}
		for _, f := range fs {
			if f.ClearBy.After(in.ClearBy) {
				in.ClearBy = f.ClearBy
			}
		}
		all = append(all, in)
	}
	return all
}

// disputed tells whether a server that fails is one on which the two sides of the
// cut do not agree.
func (v *view) disputed(failed finding.Finding, mismatches []finding.Finding) bool {
	name, _, _ := strings.Cut(failed.Subject.Server, " ")
	for _, f := range mismatches {
		if f.Subject.Server == name {
			return true
		}
	}
	return slices.ContainsFunc(v.snap.Observations.Zones, func(z dnscheck.ZoneObservation) bool {
		return z.Zone == failed.Subject.Host && z.OneSided(name)
	})
}

// hostsInZones are the hosts of all zones that the findings are about.
func (v *view) hostsInZones(fs []finding.Finding) []string {
	var hosts []string
	for _, zone := range distinct(fs, func(f finding.Finding) string { return f.Subject.Host }) {
		hosts = append(hosts, v.hostsIn(zone)...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// nonconformantKey is the server, whose fault is the same for all its zones.
func nonconformantKey(_ *view, f finding.Finding) string {
	if f.Subject.Server == "" {
		return "zone " + f.Subject.Host
	}
	return f.Subject.Server
}

func nonconformantCause(_ *view, fs []finding.Finding, _ []string) string {
	if len(fs) == 1 {
		return fs[0].Summary
	}
	return fmt.Sprintf("%s does less than resolvers rely on, for %d zones", fs[0].Subject.Server, len(fs))
}

// zoneLimits say which delegations were looked at only in part, and why.
func (v *view) zoneLimits() []string {
	byCut := map[string][]string{}
	for _, z := range v.snap.Observations.Zones {
		if z.Cut != "" {
			byCut[z.Cut] = append(byCut[z.Cut], z.Zone)
		}
	}
	var notes []string
	for _, cut := range keys(byCut) {
		slices.Sort(byCut[cut])
		notes = append(notes, fmt.Sprintf("the delegation of %s was looked at only in part: %s", finding.List(byCut[cut], 4), cut))
	}
	return notes
}
