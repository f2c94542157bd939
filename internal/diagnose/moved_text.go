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
)

// movedCause is the verdict in one line.
func (v *view) movedCause(stale []finding.Finding, e inventory.Expected) string {
	var partial, alive, owned, unseen int
	for _, f := range stale {
		if slices.ContainsFunc(v.of(f.Subject.Host).published, e.Accepts) || v.onlySome(f) {
			partial++
		}
		if v.met(f).Valid {
			alive++
		}
		if v.met(f).Unseen {
			unseen++
		}
		if v.owner(addrOf(f.Subject.Address)) != "" {
			owned++
		}
	}
	former := slices.ContainsFunc(stale, func(f finding.Finding) bool {
		return slices.Contains(v.of(f.Subject.Host).expected.Former, addrOf(f.Subject.Address))
	})
	what := "an address that is not the load balancer's"
	switch {
	case alive > 0 && alive < len(stale):
		what = "wrong addresses, of which some still answer"
		if len(distinct(stale, func(f finding.Finding) string { return f.Subject.Address })) == 1 {
			what = "a wrong address that still answers for some of the names"
		}
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
	case former && v.accounted() && unseen == 0:
		what = "a load balancer that no longer exists"
	case former:
		what = "an address that the load balancer no longer has"
	}
	if partial == len(stale) {
		return "DNS sends some clients to " + what
	}
	if former && alive == 0 {
		return "DNS still points at " + what
	}
	return "DNS points at " + what
}

// met is what the probe met at the address of a finding.
func (v *view) met(f finding.Finding) dnscheck.Stranger {
	return v.of(f.Subject.Host).strangers[addrOf(f.Subject.Address)]
}

// onlySome tells whether some servers of the zone give a stale address and others do
// not, though each of them always says the same.
func (v *view) onlySome(f finding.Finding) bool {
	h := v.of(f.Subject.Host)
	return len(f.SeenAt) < serversOf(*h.dns, publisher(*h.dns, f), speaks) &&
		!dnscheck.TakesTurns(*h.dns, h.seen, addrOf(f.Subject.Address))
}

// publisher is the zone that gives a stale address; the record to change may lie in
// another one.
func publisher(o dnscheck.Observation, f finding.Finding) string {
	for _, s := range o.Steps {
		for _, a := range s.Answers {
			if slices.Contains(a.Addresses, addrOf(f.Subject.Address)) {
				return s.Zone
			}
		}
	}
	return f.Record.Zone
}

func speaks(a dnscheck.Answer) bool { return a.Outcome.Speaks() }
func isAsked(dnscheck.Answer) bool  { return true }

// serversOf counts the servers of a zone whose answers count.
func serversOf(o dnscheck.Observation, zone string, counts func(dnscheck.Answer) bool) int {
	seen := map[dnscheck.Server]bool{}
	for _, s := range o.Steps {
		if s.Zone != zone {
			continue
		}
		for _, a := range s.Answers {
			if counts(a) {
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

// replaced says between which two moments a Service's load balancer got its present
// address: the last look that saw another one, and the first that saw this one. The
// cloud's own date is taken if it lies between them. Both are zero if that was before
// our time.
func (v *view) replaced(e inventory.Expected) (after, before time.Time) {
	if e.Service == (inventory.ServiceRef{}) {
		return after, before
	}
	seen := v.snap.History.Addresses.Of(e.Service)
	for _, s := range seen {
		if e.Has(s.Address) && s.FirstSeen.After(before) {
			before = s.FirstSeen
		}
	}
	for _, s := range seen {
		if !e.Has(s.Address) && s.FirstSeen.Before(before) && s.LastSeen.After(after) {
			after = s.LastSeen
		}
	}
	if after.IsZero() {
		return time.Time{}, time.Time{}
	}
	if b := v.fronts[e.Service].Balancer; b != nil && b.Created.After(after.Add(-time.Second)) && b.Created.Before(before) {
		return b.Created, b.Created
	}
	return after, before
}

// continuous is the longest time between two looks that a person would still call
// one moment.
const continuous = 2 * time.Minute

// replacedText dates the replacement as well as the looks allow.
func (v *view) replacedText(e inventory.Expected) string {
	after, before := v.replaced(e)
	switch {
	case before.IsZero():
		return ", replaced"
	case before.Sub(after) > continuous:
		return ", replaced within the last " + finding.Span(v.now.Sub(after))
	}
	return ", replaced " + finding.Span(v.now.Sub(before)) + " ago"
}

// movedFront says what the load balancer is now, and how it answers.
func (v *view) movedFront(e inventory.Expected, hosts []string, stale []finding.Finding) []finding.Note {
	old := distinct(stale, func(f finding.Finding) string { return f.Subject.Address })
	now := finding.List(texts(e.Addresses), 4)
	note := finding.Note{Label: "expected", Text: cmp.Or(now, "no address") + " (pinned in the configuration)"}
	if name := e.Fronts(); name != "" {
		note.Label = name
		note.Text = "has " + cmp.Or(now, "no address")
		if former := known(old, e); len(former) > 0 {
			note.Text = finding.List(former, 4) + " → " + now + v.replacedText(e)
		}
	}
	notes := []finding.Note{note}
	for _, ref := range append([]inventory.ServiceRef{e.Service}, e.Others...) {
		if f := v.fronts[ref]; f.Balancer != nil {
			notes = append(notes, finding.Note{Text: fmt.Sprintf("%s %s %q, %s", f.Provider, short(f.Balancer.ID), f.Balancer.Name, f.Balancer.Status)})
		}
	}
	switch a := v.answering(e, hosts); {
	case len(notes) == 2:
		notes[1].Text += a
	case len(notes) > 2:
		notes[0].Text += a // it is said of all of them
	case a != "":
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

// movedPublished says what is published instead, where, and whose it is.
func (v *view) movedPublished(stale []finding.Finding) []finding.Note {
	var notes []finding.Note
	for _, fs := range groupBy(stale, func(f finding.Finding) string { return f.Subject.Address }) {
		addr := addrOf(fs[0].Subject.Address)
		places := distinct(fs, func(f finding.Finding) string {
			o := *v.of(f.Subject.Host).dns
			zone := publisher(o, f)
			return fmt.Sprintf("on %d of %d authoritative servers of %s", len(f.SeenAt), max(serversOf(o, zone, isAsked), len(f.SeenAt)), zone)
		})
		text := fmt.Sprintf("%s %s", addr, finding.List(places, 3))
		met := distinct(fs, func(f finding.Finding) string { return v.met(f).Text })
		if len(met) > 0 {
			text += "; there: " + finding.List(met, 2)
		}
		if owner := v.owner(addr); owner != "" {
			text += "; it belongs to " + owner
		} else if v.accounted() && !slices.ContainsFunc(fs, func(f finding.Finding) bool { return v.met(f).Valid }) {
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
		if v.bypassed(e) {
			so.Text = "only DNS is wrong, as far as can be seen from inside the cluster: certificates and applications are fine; this probe did not cross the load balancer itself."
		}
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
