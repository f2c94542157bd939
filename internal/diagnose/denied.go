package diagnose

import (
	"fmt"
	"slices"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
)

// denialKey says which names were denied for one cause: those of one zone behind one
// front.
func denialKey(v *view, f finding.Finding) string {
	return f.Record.Zone + " " + v.of(f.Subject.Host).front
}

// isMended takes the findings of names that have an address again which caches may
// still deny.
func isMended(f finding.Finding) bool {
	return f.Code == finding.DNSDraining && f.Subject.Address == ""
}

// kin is the code whose group a finding belongs to: a name that is mended already
// goes with those that are denied still.
func kin(f finding.Finding) finding.Code {
	if isMended(f) {
		return finding.DNSNoRecord
	}
	return f.Code
}

// denialsDraining makes one incident for names that were denied, all of which have
// an address again while caches forget the denial. It continues the incident of the
// missing records.
func (v *view) denialsDraining() []finding.Incident {
	denied := map[string]bool{}
	for _, f := range v.unclaimed(is(finding.DNSNoRecord)) {
		denied[denialKey(v, f)] = true
	}
	var all []finding.Incident
	for _, fs := range groupBy(v.unclaimed(isMended), func(f finding.Finding) string { return denialKey(v, f) }) {
		if key := denialKey(v, fs[0]); !denied[key] {
			all = append(all, v.mended(key, v.claim(fs)))
		}
	}
	return all
}

func (v *view) mended(key string, fs []finding.Finding) finding.Incident {
	hosts := v.hostsOf(fs)
	fs = append(fs, v.claim(v.unclaimed(func(f finding.Finding) bool {
		return f.Code == finding.DNSCachedStale && f.Subject.Address == "" && among(hosts, f)
	}))...)
	in := finding.Incident{
		ID: noRecordID(key), Code: finding.DNSDraining, Severity: finding.Worst(fs), State: finding.Draining,
		Subject: commonSubject(fs), Hosts: hosts, Effects: fs, Evidence: v.drainNotes(fs, hosts),
	}
	var since time.Time
	for _, f := range fs {
		if f.ClearBy.After(in.ClearBy) {
			in.ClearBy = f.ClearBy
		}
		for _, d := range v.of(f.Subject.Host).denied {
			if d.Gone.After(since) {
				since = d.Gone
			}
		}
	}
	in.Cause = fmt.Sprintf("%s there since %s; caches may deny %s until %s, for another %s",
		plural(len(hosts), "the record is", "the records are"), finding.Clock(since, v.now),
		plural(len(hosts), "it", "them"), finding.Clock(in.ClearBy, v.now), finding.Span(in.ClearBy.Sub(v.now)))
	return in
}

// noRecordID identifies the incident of names without an address. It keeps its
// identity while the caches drain.
func noRecordID(key string) string { return string(finding.DNSNoRecord) + ":" + key }

// bogusZone is the zone whose signatures make resolvers refuse a host: the first on
// the way of which no resolver that refuses things accepts any other host.
func bogusZone(v *view, f finding.Finding) string {
	zones := zonesOf(*v.of(f.Subject.Host).dns)
	for _, z := range zones {
		if !v.validates(z) {
			return z
		}
	}
	return zones[0]
}

// narrowed says why only one of the zones on the way is to blame.
func (v *view) narrowed(f finding.Finding) []finding.Note {
	zone := bogusZone(v, f)
	passed := slices.DeleteFunc(zonesOf(*v.of(f.Subject.Host).dns), func(z string) bool { return z == zone || !v.validates(z) })
	if len(passed) == 0 {
		return nil
	}
	return []finding.Note{{Label: "so", Text: fmt.Sprintf("the zone %s is to blame: other names in %s pass", zone, finding.List(passed, 4))}}
}

// validates tells whether a resolver that refuses some host accepts one whose way
// leads through the zone.
func (v *view) validates(zone string) bool {
	if v.sound == nil {
		v.sound = v.soundZones()
	}
	return v.sound[zone]
}

func (v *view) soundZones() map[string]bool {
	strict := map[string]bool{}
	for _, o := range v.snap.Observations.DNS {
		for _, r := range o.Resolvers {
			if r.Bogus {
				strict[r.Resolver.String()] = true
			}
		}
	}
	sound := map[string]bool{}
	for _, o := range v.snap.Observations.DNS {
		if slices.ContainsFunc(o.Resolvers, func(r dnscheck.ResolverAnswer) bool { return r.Bogus }) {
			continue
		}
		for _, r := range o.Resolvers {
			if r.Outcome != dnscheck.OK || !strict[r.Resolver.String()] {
				continue
			}
			for _, z := range zonesOf(o) {
				sound[z] = true
			}
		}
	}
	return sound
}

// zonesOf are the zones on the way of a host, from its own on; never none.
func zonesOf(o dnscheck.Observation) []string {
	var zones []string
	for _, s := range o.Steps {
		if !slices.Contains(zones, s.Zone) {
			zones = append(zones, s.Zone)
		}
	}
	if len(zones) == 0 {
		return []string{""}
	}
	return zones
}

func bogusCause(v *view, fs []finding.Finding, hosts []string) string {
	zone := bogusZone(v, fs[0])
	switch {
	case len(hosts) < 2:
		return fs[0].Summary
	case fs[0].Severity < finding.Critical:
		return fmt.Sprintf("the resolver %s refuses the answers about the zone %s (DNSSEC); others do not", finding.List(seenAt(fs), 4), zone)
	}
	return fmt.Sprintf("resolvers that check signatures refuse the answers about the zone %s (DNSSEC)", zone)
}
