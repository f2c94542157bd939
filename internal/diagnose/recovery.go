package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// rrset names a set of records.
type rrset struct{ zone, owner, typ string }

// edits are what each wrong RRset should become, and which of its values are wrong.
func edits(fs []finding.Finding) (wanted map[rrset]finding.Record, wrong map[rrset][]string) {
	wanted, wrong = map[rrset]finding.Record{}, map[rrset][]string{}
	for _, f := range fs {
		if f.Record == nil || !is(finding.DNSStaleRecord, finding.DNSMissingRecord, finding.DNSNoRecord)(f) || f.Severity < finding.Warning {
			continue
		}
		if f.Code == finding.DNSNoRecord && len(f.Record.Values) == 0 {
			continue // nothing is known that could be set
		}
		k := rrset{f.Record.Zone, f.Record.Owner, f.Record.Type}
		r := *f.Record
		r.TTL = max(r.TTL, wanted[k].TTL)
		wanted[k] = r
		if f.Code == finding.DNSStaleRecord && !slices.Contains(wrong[k], f.Subject.Address) {
			wrong[k] = append(wrong[k], f.Subject.Address)
		}
	}
	return wanted, wrong
}

// records lists what each wrong RRset should become, once for all the hosts that
// it serves, zone by zone.
func (v *view) records(fs []finding.Finding) []finding.Step {
	wanted, wrong := edits(fs)
	var steps []finding.Step
	for k, r := range wanted {
		steps = append(steps, v.step(r, wrong[k]))
	}
	slices.SortStableFunc(steps, func(a, b finding.Step) int {
		return cmp.Or(cmp.Compare(a.Record.Zone, b.Record.Zone), cmp.Compare(a.Record.Owner, b.Record.Owner), cmp.Compare(a.Record.Type, b.Record.Type))
	})
	var zones []string
	for _, s := range steps {
		zones = append(zones, s.Record.Zone)
	}
	zones = slices.Compact(zones)
	if len(steps) == 0 {
		return nil
	}
	more := len(steps) - maxRecords
	first := finding.Step{Text: fmt.Sprintf("set %s in the zone %s:", plural(len(steps), "this record", "these records"), finding.List(zones, 4))}
	all := append([]finding.Step{first}, steps[:min(len(steps), maxRecords)]...)
	if more > 0 {
		all = append(all, finding.Step{Text: fmt.Sprintf("and %d more of that kind (-o json lists all)", more)})
	}
	return all
}

// maxRecords bounds the records that one fix lists.
const maxRecords = 20

// step says what one RRset should become, and how its TTL may be better. A set
// for which there is no right value is to be deleted.
func (v *view) step(r finding.Record, wrong []string) finding.Step {
	s := finding.Step{Record: &r}
	most := uint32(min(v.policy.MaxTTL/time.Second, 1<<31-1))
	switch {
	case len(r.Values) == 0:
		r.Values = wrong
		s.Text = "delete it: the load balancer has no address of this family"
	case most > 0 && r.TTL > most:
		s.Text = fmt.Sprintf("TTL %d → %d while you are at it", r.TTL, most)
		r.TTL = most
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// recovery says when the last client has recovered if the records are corrected
// at this moment, and what the resolvers that were asked still hold.
func (v *view) recovery(stale []finding.Finding, e inventory.Expected) (string, time.Time) {
	var ttl uint32
	var clear time.Time
	for _, f := range stale {
		ttl = max(ttl, f.Record.TTL)
		if f.ClearBy.After(clear) {
			clear = f.ClearBy
		}
	}
	if len(e.Hostnames) > 0 {
		// The host's own record is to change, so whatever leads from it lives on in
		// caches: each alias, and the address that is read at its very end.
		for _, f := range stale {
			ttl = max(ttl, wholeTTL(*v.of(f.Subject.Host).dns))
		}
	}
	text := fmt.Sprintf("(TTL %d s)", ttl)
	switch byTTL := v.now.Add(dnscheck.Cached(ttl)); {
	case byTTL.After(clear):
		clear = byTTL
	case clear.After(byTTL):
		text = fmt.Sprintf("(the TTL is %d s now and was longer; caches may hold the record by the longer one)", ttl)
	}
	text = fmt.Sprintf("by %s if you fix it now %s", finding.Clock(clear, v.now), text)
	if held := v.held(stale); len(held) > 0 {
		text += "; " + finding.List(held, 3)
	}
	return text, clear
}

// wholeTTL is the sum of the TTLs on the way to the addresses of a host.
func wholeTTL(o dnscheck.Observation) uint32 {
	var sum uint64
	for _, s := range o.Steps {
		var ttl uint32
		for _, a := range s.Answers {
			if a.Outcome == dnscheck.OK || a.Outcome == dnscheck.Alias {
				ttl = max(ttl, a.TTL)
			}
		}
		sum += uint64(ttl)
	}
	return uint32(min(sum, 1<<31-1))
}

// held says which resolvers still give one of the addresses, for how long at
// most.
func (v *view) held(fs []finding.Finding) []string {
	until := map[string]time.Time{}
	for _, f := range fs {
		for _, h := range v.of(f.Subject.Host).held() {
			if h.Address.String() == f.Subject.Address && h.Until.After(until[h.Resolver]) {
				until[h.Resolver] = h.Until
			}
		}
	}
	var words []string
	for r, t := range until {
		if t.After(v.now) {
			words = append(words, fmt.Sprintf("%s holds the old answer for %s", r, finding.Span(t.Sub(v.now))))
		}
	}
	slices.Sort(words)
	return words
}

// held is what the resolvers that were asked for a host give.
func (h *host) held() []dnscheck.Hold { return dnscheck.Held(*h.dns, h.seen) }

// cachesDraining makes one incident for each front whose records are right again
// while caches still expire. It continues the incident of the wrong records.
func (v *view) cachesDraining() []finding.Incident {
	var all []finding.Incident
	fs := v.unclaimed(func(f finding.Finding) bool {
		return is(finding.DNSDraining, finding.DNSCachedStale)(f) && !isMended(f)
	})
	for _, part := range v.byFront(fs) {
		all = append(all, v.drained(v.claim(part)))
	}
	return all
}

func (v *view) drained(fs []finding.Finding) finding.Incident {
	hosts := v.hostsOf(fs)
	first := v.of(hosts[0])
	front, e := first.front, *first.expected
	fs = append(fs, v.claim(v.unclaimed(replacementOf(e.Service)))...)
	in := finding.Incident{
		ID: movedID(front), Code: finding.DNSDraining, Severity: finding.Worst(fs), State: finding.Draining,
		Subject: finding.Subject{Namespace: e.Service.Namespace, Name: e.Service.Name},
		Hosts:   hosts, Effects: fs,
	}
	if in.Subject == (finding.Subject{}) {
		in.Subject.Address = strings.Join(texts(e.Addresses), ", ")
	}
	var last time.Time
	for _, f := range fs {
		if f.Code != finding.LBReplaced && f.ClearBy.After(in.ClearBy) {
			in.ClearBy = f.ClearBy
		}
		for _, s := range v.of(f.Subject.Host).seen {
			if s.Address.String() == f.Subject.Address && s.Gone.After(last) {
				last = s.Gone
			}
		}
	}
	since := ""
	if !last.IsZero() {
		since = " since " + finding.Clock(last, v.now)
	}
	are := v.corrections(hosts)
	in.Cause = fmt.Sprintf("%s%s; all clear by %s, in %s", are, since, finding.Clock(in.ClearBy, v.now), finding.Span(in.ClearBy.Sub(v.now)))
	if !slices.ContainsFunc(fs, is(finding.DNSDraining)) {
		// Nobody saw the old record, so its TTL is not known: only what the resolvers
		// that were asked have left of it.
		in.Cause = fmt.Sprintf("%s; the resolvers asked hold an old answer until %s, others may hold it longer", are, finding.Clock(in.ClearBy, v.now))
	}
	former, moved := lastFormer(fs)
	if moved && !slices.ContainsFunc(fs, endless) {
		in.Cause = fmt.Sprintf("%s, but servers that a zone had before still give an old address, and caches may ask those; all clear by %s, in %s", are, finding.Clock(in.ClearBy, v.now), finding.Span(in.ClearBy.Sub(v.now)))
		in.State, in.Fix = finding.Firing, []finding.Step{{Text: former.Hint}} // it can be ended sooner
	} else if in.Severity >= finding.Warning {
		in.Cause = "a resolver serves an old address beyond its TTL, until " + finding.Clock(in.ClearBy, v.now)
		if slices.ContainsFunc(fs, endless) {
			in.Cause = "a resolver serves an old address beyond its TTL, for nobody knows how long"
			in.ClearBy = time.Time{}
		}
	}
	in.Evidence = v.drainNotes(fs, hosts)
	if moved {
		in.Evidence = append(in.Evidence, finding.Note{Text: former.Observed})
	}
	if i := slices.IndexFunc(fs, func(f finding.Finding) bool { return f.Code == finding.DNSDraining && f.ClearBy.IsZero() }); i >= 0 && in.Severity <= finding.Unknown {
		// A server that gave the wrong address is silent: whether it is mended is open.
		in.State, in.Cause, in.ClearBy = finding.Firing, fs[i].Summary, time.Time{}
		if len(hosts) > 1 {
			in.Cause = fmt.Sprintf("%d names may still publish a wrong address: no usable answer now from %s, which gave it", len(hosts), finding.List(fs[i].SeenAt, 4))
		}
		in.Fix = []finding.Step{{Text: fs[i].Hint}}
	}
	return in
}

// lastFormer is what drains last because of servers that a zone had before: see dnscheck.
func lastFormer(fs []finding.Finding) (last finding.Finding, found bool) {
	for _, f := range fs {
		if f.Code == finding.DNSDraining && f.Severity == finding.Warning && f.ClearBy.After(last.ClearBy) {
			last, found = f, true
		}
	}
	return last, found
}

// endless takes the findings of resolvers that serve what has expired.
func endless(f finding.Finding) bool {
	return f.Code == finding.DNSCachedStale && f.ClearBy.IsZero()
}

// drainNotes says what the resolvers that were asked give at the moment.
func (v *view) drainNotes(fs []finding.Finding, hosts []string) []finding.Note {
	var notes []finding.Note
	stale, expired := map[string]bool{}, map[string]bool{}
	for _, f := range fs {
		if f.Code == finding.DNSCachedStale {
			stale[f.Subject.Server] = true
			expired[f.Subject.Server] = expired[f.Subject.Server] || endless(f)
		}
	}
	type hold struct {
		addr  string
		until time.Time
	}
	worst := map[string]hold{}
	right := map[string]bool{}
	for _, name := range hosts {
		h := v.of(name)
		for _, held := range h.held() {
			if !stale[held.Resolver] {
				right[held.Resolver] = right[held.Resolver] || h.expected.Accepts(held.Address) && !h.expected.Doubts(held.Address)
			} else if slices.ContainsFunc(fs, func(f finding.Finding) bool {
				return f.Subject.Server == held.Resolver && f.Subject.Address == held.Address.String()
			}) && held.Until.After(worst[held.Resolver].until) {
				worst[held.Resolver] = hold{held.Address.String(), held.Until}
			}
		}
	}
	for _, f := range fs {
		if f.Code == finding.DNSCachedStale && f.Subject.Address == "" {
			notes = append(notes, finding.Note{Text: f.Summary})
		}
	}
	for _, r := range keys(worst) {
		text := fmt.Sprintf("%s still answers %s", r, worst[r].addr)
		if left := worst[r].until.Sub(v.now); left > 0 && !expired[r] {
			text += " for " + finding.Span(left)
		}
		notes = append(notes, finding.Note{Text: text})
	}
	good := slices.DeleteFunc(keys(right), func(r string) bool { return !right[r] })
	if len(good) > 0 {
		notes = append(notes, finding.Note{Text: finding.List(good, 4) + plural(len(good), " is right", " are right")})
	}
	return notes
}

func keys[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
