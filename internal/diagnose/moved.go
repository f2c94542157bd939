package diagnose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// movedID identifies the incident of a front whose names publish something else.
// It keeps its identity while the caches drain.
func movedID(front string) string { return "dns-drift:" + front }

// balancersMoved makes one incident for each front (load balancer) whose names
// publish other addresses: whatever the number of names, the cause is one.
func (v *view) balancersMoved() []finding.Incident {
	var all []finding.Incident
	stale := v.unclaimed(is(finding.DNSStaleRecord))
	for _, fs := range v.byFront(stale) {
		all = append(all, v.moved(v.claim(fs)))
	}
	return all
}

func (v *view) moved(stale []finding.Finding) finding.Incident {
	hosts := v.hostsOf(stale)
	first := v.of(hosts[0])
	front, e := first.front, *first.expected
	orphan := v.orphaned(stale)
	effects := slices.Concat(stale, v.claim(v.unclaimed(func(f finding.Finding) bool {
		switch f.Code {
		case finding.DNSMissingRecord, finding.DNSInconsistent, finding.DNSTTLExposure, finding.DNSOddTTL:
			return among(hosts, f)
		case finding.DNSCachedStale, finding.DNSDraining:
			// Names that were corrected before the others drain beside them.
			return frontKey(v, f) == front
		}
		return replacementOf(e.Service)(f) || orphan(f)
	})))
	finding.Sort(effects)
	_, since := v.replaced(e)
	in := finding.Incident{
		ID: movedID(front), Code: finding.DNSStaleRecord, Severity: finding.Worst(stale), State: finding.Firing,
		Subject: finding.Subject{Namespace: e.Service.Namespace, Name: e.Service.Name},
		Cause:   v.movedCause(stale, e), Hosts: hosts, Effects: effects,
		Since: since,
	}
	if e.Service == (inventory.ServiceRef{}) {
		in.Subject = finding.Subject{Address: cmp.Or(strings.Join(texts(e.Addresses), ", "), front)}
	}
	in.Evidence = slices.Concat(v.movedFront(e, hosts, stale), v.movedPublished(stale))
	in.Evidence = append(in.Evidence, v.movedConclusion(e, hosts))
	v.corrected(&in)
	wrong := slices.DeleteFunc(slices.Clone(effects), v.isBehind)
	in.Fix = slices.Concat(v.lagging(stale), v.records(wrong), v.ofTheirOwn(stale))
	if len(e.Hostnames) == 0 {
		in.Fix = append(in.Fix, v.commandsFor(wrong)...)
	} else {
		in.Fix = []finding.Step{{Text: fmt.Sprintf("point these names at %s: a CNAME, or your provider's ALIAS at the apex of a zone", finding.List(e.Hostnames, 3))}}
	}
	in.Fix = append(in.Fix, v.externalDNS(wrong)...)
	in.Fix = slices.Concat(v.notYet(e, hosts, stale), v.spared(hosts), in.Fix)
	in.Recovery, in.ClearBy = v.recovery(stale, e)
	if end := drainedBy(effects); end.After(in.ClearBy) {
		in.ClearBy = end
		in.Recovery += "; what was corrected before clears by " + finding.Clock(end, v.now)
	}
	return in
}

// corrected says which other names were hit by the same: those that drain, and those of
// which a server that gave the wrong address is silent, so that nobody knows.
func (v *view) corrected(in *finding.Incident) {
	var drain, open []finding.Finding
	for _, f := range in.Effects {
		switch {
		case !is(finding.DNSDraining, finding.DNSCachedStale)(f) || among(in.Hosts, f):
		case f.Severity == finding.Unknown:
			open = append(open, f)
			in.Evidence = append(in.Evidence, finding.Note{Label: "not known", Text: f.Summary})
		default:
			drain = append(drain, f)
		}
	}
	unknown := v.hostsOf(open)
	drain = slices.DeleteFunc(drain, func(f finding.Finding) bool { return among(unknown, f) })
	in.Hosts = slices.Concat(in.Hosts, unknown)
	slices.Sort(in.Hosts)
	if in.Corrected = v.hostsOf(drain); len(in.Corrected) == 0 {
		return
	}
	text := finding.List(in.Corrected, 4) + " already; all clear by " + finding.Clock(drainedBy(drain), v.now)
	if slices.ContainsFunc(drain, endless) {
		text = finding.List(in.Corrected, 4) + " already; a resolver serves the old address beyond its TTL, for nobody knows how long"
	}
	in.Evidence = append(in.Evidence, finding.Note{Label: "corrected", Text: text})
}

// notYet warns of a correction that would move names from where they work to where
// nothing answers.
func (v *view) notYet(e inventory.Expected, hosts []string, stale []finding.Finding) []finding.Step {
	good, looked := v.answers(e, hosts)
	works := func(f finding.Finding) bool {
		return v.met(f).Valid
	}
	if looked == 0 || good == len(hosts) || !slices.ContainsFunc(stale, works) {
		return nil
	}
	return []finding.Step{{Text: fmt.Sprintf("first make %s answer: until then the names work only where they point now", finding.List(texts(e.Addresses), 4))}}
}

// drainedBy is when the last cache has dropped what is corrected already.
func drainedBy(fs []finding.Finding) time.Time {
	var end time.Time
	for _, f := range fs {
		if is(finding.DNSDraining, finding.DNSCachedStale)(f) && f.ClearBy.After(end) {
			end = f.ClearBy
		}
	}
	return end
}

// ofTheirOwn says why the names that a wildcard serves, or a common target of aliases,
// get records of their own.
func (v *view) ofTheirOwn(stale []finding.Finding) []finding.Step {
	var owners []string
	for _, f := range stale {
		for _, s := range v.of(f.Subject.Host).dns.Steps {
			if v.contested(s) || v.torn(s) && s.Name != f.Subject.Host {
				owners = append(owners, s.Owner())
			}
		}
	}
	slices.Sort(owners)
	moved := v.hostsOf(stale)
	owners = slices.DeleteFunc(slices.Compact(owners), func(owner string) bool {
		_, found := slices.BinarySearch(moved, owner)
		return found
	})
	if len(owners) == 0 {
		return nil
	}
	return []finding.Step{{Text: fmt.Sprintf("leave %s as it is: it serves names too that must stay", finding.List(owners, 4))}}
}

// isBehind takes the stale records that are corrected already where the copy of the
// zone is newest.
func (v *view) isBehind(f finding.Finding) bool {
	return f.Code == finding.DNSStaleRecord && len(v.of(f.Subject.Host).dns.Lagging(addrOf(f.Subject.Address))) > 0
}

// lagging names the servers that are wrong while others of their zone are right.
func (v *view) lagging(stale []finding.Finding) []finding.Step {
	var names []string
	var steps []finding.Step
	for _, f := range stale {
		if v.isBehind(f) {
			steps = append(steps, finding.Step{Text: f.Hint})
		} else if v.onlySome(f) {
			names = append(names, f.SeenAt...)
		}
	}
	if len(steps) > 0 {
		slices.SortStableFunc(steps, func(a, b finding.Step) int { return cmp.Compare(a.Text, b.Text) })
		return slices.CompactFunc(steps, func(a, b finding.Step) bool { return a.Text == b.Text })
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil
	}
	return []finding.Step{{Text: fmt.Sprintf("only %s: see why its copy of the zone differs", finding.List(names, 4)+plural(len(names), " is wrong", " are wrong"))}}
}

// followed says of the load balancers that were replaced which ones all names follow
// already: there is nothing left to do.
func (v *view) followed(fs []finding.Finding) []finding.Finding {
	for i, f := range fs {
		if f.Code != finding.LBReplaced {
			continue
		}
		hosts := v.behind(refOf(f))
		if len(hosts) > 0 && !slices.ContainsFunc(hosts, func(h string) bool { return !v.of(h).follows() }) {
			fs[i].Hint = fmt.Sprintf("nothing is left to do: %s %s what it has now", finding.Count(len(hosts), "name", "names"), plural(len(hosts), "publishes", "publish"))
		}
	}
	return fs
}

// follows tells whether the host publishes what it should, all of it and nothing else.
func (h *host) follows() bool {
	return h.expected.Known && len(h.published) > 0 &&
		!slices.ContainsFunc(h.published, func(a netip.Addr) bool { return !h.expected.Has(a) }) &&
		!slices.ContainsFunc(h.expected.Addresses, func(a netip.Addr) bool { return !slices.Contains(h.published, a) })
}

// replacementOf takes the finding that tells of a Service's new load balancer.
func replacementOf(ref inventory.ServiceRef) func(finding.Finding) bool {
	return func(f finding.Finding) bool {
		return f.Code == finding.LBReplaced && refOf(f) == ref
	}
}
