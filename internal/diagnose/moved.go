package diagnose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/probe"
)

// movedID identifies the incident of a front whose names publish something else.
// It keeps its identity while the caches drain.
func movedID(front string) string { return "dns-drift:" + front }

// balancersMoved makes one incident for each front (load balancer) whose names
// publish other addresses: whatever the number of names, the cause is one.
func (v *view) balancersMoved() []finding.Incident {
	var all []finding.Incident
	stale := v.unclaimed(is(finding.DNSStaleRecord))
	for _, fs := range groupBy(stale, func(f finding.Finding) string { return v.frontKey(f.Subject.Host) }) {
		all = append(all, v.moved(v.claim(fs)))
	}
	return all
}

func (v *view) moved(stale []finding.Finding) finding.Incident {
	hosts := v.hostsOf(stale)
	front := v.frontKey(hosts[0])
	e := v.expectedOf(hosts[0])
	effects := slices.Concat(stale, v.claim(v.unclaimed(func(f finding.Finding) bool {
		switch f.Code {
		case finding.DNSMissingRecord, finding.DNSInconsistent, finding.DNSTTLExposure:
			return slices.Contains(hosts, f.Subject.Host)
		case finding.DNSCachedStale, finding.DNSDraining:
			// Names that were corrected before the others drain beside them.
			return v.frontKey(f.Subject.Host) == front
		}
		return replacementOf(e.Service)(f)
	})))
	finding.Sort(effects)
	in := finding.Incident{
		ID: movedID(front), Code: finding.DNSStaleRecord, Severity: finding.Worst(stale), State: finding.Firing,
		Subject: finding.Subject{Namespace: e.Service.Namespace, Name: e.Service.Name},
		Cause:   v.movedCause(stale, e), Hosts: hosts, Effects: effects,
		Since: v.movedSince(e),
	}
	if e.Service == (inventory.ServiceRef{}) {
		in.Subject = finding.Subject{Address: cmp.Or(strings.Join(texts(e.Addresses), ", "), front)}
	}
	in.Evidence = slices.Concat(v.movedFront(e, hosts, stale), v.movedPublished(stale))
	in.Evidence = append(in.Evidence, v.movedConclusion(e, hosts))
	in.Fix = slices.Concat(v.lagging(stale), v.records(effects), v.ofTheirOwn(stale))
	if len(e.Hostnames) > 0 {
		in.Fix = []finding.Step{{Text: fmt.Sprintf("point these names at %s: a CNAME, or your provider's ALIAS at the apex of a zone", finding.List(e.Hostnames, 3))}}
	}
	in.Fix = append(v.notYet(e, hosts, stale), in.Fix...)
	in.Recovery, in.ClearBy = v.recovery(stale, e)
	if end := drainedBy(effects); end.After(in.ClearBy) {
		in.ClearBy = end
		in.Recovery += "; what was corrected before clears by " + finding.Clock(end, v.now)
	}
	return in
}

// notYet warns of a correction that would move names from where they work to where
// nothing answers.
func (v *view) notYet(e inventory.Expected, hosts []string, stale []finding.Finding) []finding.Step {
	good, looked := v.answers(e, hosts)
	works := func(f finding.Finding) bool {
		return v.strangers(f.Subject.Host)[addrOf(f.Subject.Address)].Valid
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

// ofTheirOwn says why the names that a wildcard serves get records of their own.
func (v *view) ofTheirOwn(stale []finding.Finding) []finding.Step {
	var owners []string
	for _, f := range stale {
		for _, s := range v.dns[f.Subject.Host].Steps {
			if v.contested(s) {
				owners = append(owners, s.Owner())
			}
		}
	}
	slices.Sort(owners)
	if owners = slices.Compact(owners); len(owners) == 0 {
		return nil
	}
	return []finding.Step{{Text: fmt.Sprintf("leave %s as it is: it serves names too that must stay", finding.List(owners, 4))}}
}

// lagging names the servers that are wrong while others of their zone are right.
func (v *view) lagging(stale []finding.Finding) []finding.Step {
	var names []string
	for _, f := range stale {
		if len(f.SeenAt) < serversOf(v.dns[f.Subject.Host], f.Record.Zone) {
			names = append(names, f.SeenAt...)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil
	}
	return []finding.Step{{Text: fmt.Sprintf("only %s: see why its copy of the zone differs", finding.List(names, 4)+plural(len(names), " is wrong", " are wrong"))}}
}

// replacementOf takes the finding that tells of a Service's new load balancer.
func replacementOf(ref inventory.ServiceRef) func(finding.Finding) bool {
	return func(f finding.Finding) bool {
		return f.Code == finding.LBReplaced && refOf(f) == ref
	}
}

// movedCause is the verdict in one line.
func (v *view) movedCause(stale []finding.Finding, e inventory.Expected) string {
	var partial, alive, owned int
	for _, f := range stale {
		addr := addrOf(f.Subject.Address)
		o := v.dns[f.Subject.Host]
		if v.gives(o, e) || len(f.SeenAt) < serversOf(o, f.Record.Zone) {
			partial++
		}
		if s, ok := v.strangers(f.Subject.Host)[addr]; ok && s.Valid {
			alive++
		}
		if v.owner(addr) != "" {
			owned++
		}
	}
	former := slices.ContainsFunc(stale, func(f finding.Finding) bool {
		return slices.Contains(v.expectedOf(f.Subject.Host).Former, addrOf(f.Subject.Address))
	})
	what := "an address that is not the load balancer's"
	switch {
	case owned == len(stale) && alive > 0:
		what = "another load balancer, which answers for the name"
	case owned == len(stale) && former:
		what = "an address that is another load balancer's now"
	case owned == len(stale):
		what = "another load balancer"
	case alive > 0 && former:
		what = "an old load balancer that still answers"
	case alive > 0:
		what = "another server that answers for the name"
	case former:
		what = "a load balancer that no longer exists"
	}
	if partial == len(stale) {
		return "DNS sends some clients to " + what
	}
	if former {
		return "DNS still points at " + what
	}
	return "DNS points at " + what
}

// gives tells whether the host publishes any right address too.
func (v *view) gives(o dnscheck.Observation, e inventory.Expected) bool {
	return slices.ContainsFunc(o.Published(), e.Accepts)
}

func serversOf(o dnscheck.Observation, zone string) int {
	seen := map[dnscheck.Server]bool{}
	for _, s := range o.Steps {
		if s.Zone != zone {
			continue
		}
		for _, a := range s.Answers {
			if a.Outcome.Speaks() {
				seen[a.Server] = true
			}
		}
	}
	names := map[string]bool{}
	for s := range seen {
		names[s.String()] = true
	}
	return len(names)
}

// movedSince is when the present address was first seen in the place of another;
// zero if that was before our time.
func (v *view) movedSince(e inventory.Expected) time.Time {
	var since time.Time
	seen := v.snap.History.Addresses.Of(e.Service)
	if e.Service == (inventory.ServiceRef{}) || len(seen) < 2 {
		return since
	}
	for _, s := range seen {
		if e.Has(s.Address) && s.FirstSeen.After(since) {
			since = s.FirstSeen
		}
	}
	for _, s := range seen {
		if !e.Has(s.Address) && s.FirstSeen.Before(since) {
			return since
		}
	}
	return time.Time{}
}

// movedFront says what the load balancer is now, and how it answers.
func (v *view) movedFront(e inventory.Expected, hosts []string, stale []finding.Finding) []finding.Note {
	old := distinct(stale, func(f finding.Finding) string { return f.Subject.Address })
	now := finding.List(texts(e.Addresses), 4)
	note := finding.Note{Label: "expected", Text: cmp.Or(now, "no address") + " (pinned in the configuration)"}
	if name := e.Service.String(); name != "" {
		note.Label = name
		note.Text = "has " + cmp.Or(now, "no address")
		if former := known(old, e); len(former) > 0 {
			note.Text = finding.List(former, 4) + " → " + now + ", replaced"
			if since := v.movedSince(e); !since.IsZero() {
				note.Text += " " + finding.Span(v.now.Sub(since)) + " ago"
			}
		}
	}
	notes := []finding.Note{note}
	if f := v.fronts[e.Service]; f.Balancer != nil {
		notes = append(notes, finding.Note{Text: fmt.Sprintf("%s %s %q, %s%s", f.Provider, short(f.Balancer.ID), f.Balancer.Name, f.Balancer.Status, v.answering(e, hosts))})
	} else if a := v.answering(e, hosts); a != "" {
		notes = append(notes, finding.Note{Text: strings.TrimPrefix(a, ", ")})
	}
	return notes
}

func known(old []string, e inventory.Expected) []string {
	var former []string
	for _, o := range old {
		if slices.Contains(e.Former, addrOf(o)) {
			former = append(former, o)
		}
	}
	return former
}

// answering says how many of the hosts the expected addresses answer for.
func (v *view) answering(e inventory.Expected, hosts []string) string {
	good, looked := v.answers(e, hosts)
	switch {
	case looked == 0:
		return ""
	case good == len(hosts) && good > 1:
		return fmt.Sprintf(", answers correctly for all %d hostnames", good)
	case good == len(hosts):
		return ", answers correctly"
	case good == 0:
		return ", does not answer correctly"
	}
	return fmt.Sprintf(", answers correctly for %d of %s", good, finding.Count(len(hosts), "hostname", "hostnames"))
}

// answers counts the hosts that were looked at on every expected address, and
// those that have no finding at or above warning there.
func (v *view) answers(e inventory.Expected, hosts []string) (good, looked int) {
	bad := map[string]bool{}
	for _, f := range v.findings {
		if fam := f.Code.Family(); (fam == "http" || fam == "tls" || fam == "self") && f.Severity >= finding.Unknown {
			bad[f.Subject.Host] = true
		}
	}
	for _, h := range hosts {
		if !v.lookedAt(h, e) {
			continue
		}
		looked++
		if !bad[h] {
			good++
		}
	}
	return good, looked
}

// lookedAt tells whether every target of the host was probed at an expected
// address, so that the absence of a finding means something.
func (v *view) lookedAt(host string, e inventory.Expected) bool {
	for _, t := range v.targets[host] {
		probed := false
		for _, o := range v.probes[t.Key] {
			probed = probed || e.Has(o.Address.Addr()) && !blind(o)
		}
		if !probed {
			return false
		}
	}
	return len(v.targets[host]) > 0
}

// blind tells whether the probe says nothing about the target, through a limit or
// fault of ours.
func blind(o probe.Observation) bool {
	switch o.Fault.Kind {
	case probe.Forbidden, probe.Self:
		return true
	case probe.NoRoute:
		return o.Address.Addr().Is6()
	}
	return false
}

// movedPublished says what is published instead, where, and whose it is.
func (v *view) movedPublished(stale []finding.Finding) []finding.Note {
	var notes []finding.Note
	for _, fs := range groupBy(stale, func(f finding.Finding) string { return f.Subject.Address }) {
		addr := addrOf(fs[0].Subject.Address)
		places := distinct(fs, func(f finding.Finding) string {
			o := v.dns[f.Subject.Host]
			return fmt.Sprintf("on %d of %d authoritative servers of %s", len(f.SeenAt), max(serversOf(o, f.Record.Zone), len(f.SeenAt)), f.Record.Zone)
		})
		text := fmt.Sprintf("%s %s", addr, finding.List(places, 3))
		met := distinct(fs, func(f finding.Finding) string { return v.strangers(f.Subject.Host)[addr].Text })
		if len(met) > 0 {
			text += "; there: " + finding.List(met, 2)
		}
		if owner := v.owner(addr); owner != "" {
			text += "; it belongs to " + owner
		} else if v.accounted() {
			text += "; owned by no load balancer of this account: it may be given to a stranger"
		}
		notes = append(notes, finding.Note{Label: "published", Text: text})
	}
	return notes
}

// movedConclusion says what is not broken, if that was looked at.
func (v *view) movedConclusion(e inventory.Expected, hosts []string) finding.Note {
	good, looked := v.answers(e, hosts)
	so := finding.Note{Label: "so"}
	switch {
	case good == len(hosts):
		so.Text = "only DNS is wrong. Load balancer, certificates and applications are fine."
	case looked == 0:
		so.Text = "DNS is wrong. Whether the load balancer and the applications are fine could not be seen from here."
	default:
		bad := len(hosts) - good
		so.Text = fmt.Sprintf("DNS is wrong, and that is not all: %s %s not answer correctly at the load balancer either.",
			finding.Count(bad, "hostname", "hostnames"), plural(bad, "does", "do"))
	}
	return so
}

func texts(addrs []netip.Addr) []string {
	words := make([]string, 0, len(addrs))
	for _, a := range addrs {
		words = append(words, a.String())
	}
	return words
}

// short cuts a long identifier to what a person compares.
func short(id string) string {
	if len(id) > 12 {
		return id[:8] + "…"
	}
	return id
}

// addrOf reads an address out of a subject; a text that holds none (a snapshot from
// elsewhere can say anything) gives the zero Addr, which equals no real one.
func addrOf(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a
}
