package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/issuance"
)

// spent is the set of names that has the least left of its authority's limit, and when
// all of those that are used up are issued again.
type spent struct {
	known    bool
	ca       string
	used, of int
	// next is zero while there is something left.
	next time.Time
}

func (v *view) spent(orders []order) spent {
	var worst spent
	for _, o := range orders {
		limit, left, known := o.set.Left(v.policy.Certificates, v.now)
		if !known {
			continue
		}
		if used := limit.Tokens - left.Free; !worst.known || used*worst.of > worst.used*limit.Tokens {
			worst = spent{true, o.set.CA, used, limit.Tokens, worst.next}
		}
		if left.Free == 0 && left.Next.After(worst.next) {
			worst.next = left.Next
		}
	}
	worst.ca = finding.Printable(worst.ca, 80)
	return worst
}

// story writes the incident of certificates that are lost and ordered again.
func (v *view) story(r reordered, effects []finding.Finding) finding.Incident {
	s, hosts := v.spent(r.orders), v.hit(r)
	in := finding.Incident{
		ID: "certificates:" + r.key, Code: rootOf(r), Severity: finding.Worst(effects), State: finding.Firing,
		Subject: v.frontOf(r, hosts), Cause: v.lostCause(r, s), Hosts: hosts, Effects: effects,
		Fix: v.lostFix(r, s),
	}
	if len(r.placeholders) > 0 {
		in.Evidence = append(in.Evidence, finding.Note{Label: "served", Text: finding.List(distinct(r.placeholders, observedOf), 2)})
	}
	for _, f := range r.store {
		in.Evidence = append(in.Evidence, finding.Note{Label: "why", Text: r.workload.String() + ": " + f.Observed})
	}
	if text := v.restarts(r); text != "" {
		in.Evidence = append(in.Evidence, finding.Note{Label: "restarts", Text: text})
	}
	in.Evidence = append(in.Evidence, ordered(r.orders)...)
	in.Evidence = append(in.Evidence, finding.Note{Label: "so", Text: v.lostSo(r, s)})
	if !s.next.IsZero() {
		in.ClearBy = s.next
		in.Recovery = fmt.Sprintf("when %s issues one more, from %s, or at once with one more name in the certificate", s.ca, finding.Clock(s.next, v.now))
		if len(r.placeholders) == 0 {
			in.Recovery = ""
		}
	}
	return in
}

// rootOf is the deepest cause that is known.
func rootOf(r reordered) finding.Code {
	if len(r.store) > 0 {
		return finding.IssuanceEphemeralStorage
	}
	found := finding.IssuanceReissueLoop
	for _, o := range r.orders {
		if slices.ContainsFunc(o.found, is(finding.IssuanceRateLimit)) {
			found = finding.IssuanceRateLimit
		}
	}
	return found
}

// frontOf is the Service in front, or else the workload, or the one host.
func (v *view) frontOf(r reordered, hosts []string) finding.Subject {
	ref := inventory.ServiceRef{}
	if len(hosts) > 0 {
		ref = v.of(hosts[0]).expected.Service
	}
	switch {
	case ref != (inventory.ServiceRef{}):
		return finding.Subject{Namespace: ref.Namespace, Name: ref.Name}
	case len(r.store) > 0:
		return r.store[0].Subject
	case len(hosts) == 1:
		return finding.Subject{Host: hosts[0]}
	}
	return finding.Subject{}
}

// lostCause is the verdict in one line.
func (v *view) lostCause(r reordered, s spent) string {
	client, text := issuance.Loses(r.workload), ""
	switch {
	case len(r.orders) == 0 && len(r.placeholders) == 0:
		return r.store[0].Summary
	case len(r.placeholders) > 0 && client != "" && !s.next.IsZero():
		text = client + " lost its certificates at a restart"
	case len(r.placeholders) > 0 && client != "":
		text = client + " lost its certificates at a restart and serves a placeholder"
	case len(r.placeholders) > 0:
		text = "clients get no valid certificate"
	case client != "":
		text = "certificates of " + title(r.orders) + " are lost and ordered again at each restart"
	default:
		text = "certificates of " + title(r.orders) + " are ordered again and again"
	}
	switch {
	case !s.next.IsZero():
		text += fmt.Sprintf(", and %s refuses new ones until %s", s.ca, finding.Clock(s.next, v.now))
	case s.known && s.used*2 >= s.of:
		text += fmt.Sprintf(": at least %d of %d used", s.used, s.of)
	}
	return text
}

// title names the certificates of the orders.
func title(orders []order) string {
	var all []string
	for _, o := range orders {
		all = append(all, finding.Printable(o.set.Names[0], 80))
	}
	return finding.List(all, 3)
}

// ordered says of each set of names when it was issued, those with the worst findings
// first.
func ordered(orders []order) []finding.Note {
	orders = slices.Clone(orders)
	slices.SortStableFunc(orders, func(a, b order) int { return cmp.Compare(finding.Worst(b.found), finding.Worst(a.found)) })
	const most = 3
	var notes []finding.Note
	for _, o := range orders[:min(len(orders), most)] {
		f := o.found[0]
		if n := slices.IndexFunc(o.found, is(finding.IssuanceRateLimit)); n >= 0 {
			f = o.found[n]
		}
		notes = append(notes, finding.Note{Label: "ordered", Text: title([]order{o}) + more(len(o.set.Names)-1) + ": " + f.Observed})
	}
	if n := len(orders) - most; n > 0 {
		notes = append(notes, finding.Note{Text: fmt.Sprintf("… %s more", finding.Count(n, "set of names", "sets of names"))})
	}
	return notes
}

func more(names int) string {
	if names == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %s)", finding.Count(names, "name more", "names more"))
}

// near is how soon after a start an order shows that the start made it.
const near = 15 * time.Minute

// restarts says what is known of the pods of the workload that loses certificates.
func (v *view) restarts(r reordered) string {
	if len(r.workload.Pods) == 0 {
		return ""
	}
	count := 0
	newest, oldest := r.workload.Pods[0], v.now
	for _, p := range r.workload.Pods {
		count += p.Restarts
		if p.Created.Before(oldest) && !p.Created.IsZero() {
			oldest = p.Created
		}
		if since(p).After(since(newest)) {
			newest = p
		}
	}
	started := since(newest)
	if started.IsZero() {
		return ""
	}
	text := fmt.Sprintf("the pod %s runs since %s", finding.Printable(newest.Name, 80), finding.Clock(started, v.now))
	if count > 0 {
		text += fmt.Sprintf(", %s in %s", finding.Count(count, "restart", "restarts"), finding.Left(v.now.Sub(oldest)))
	}
	for _, o := range r.orders {
		last := o.set.Issuances[len(o.set.Issuances)-1].Issued
		if after := last.Sub(started); after > -time.Minute && after < near {
			return text + "; the last order for " + title([]order{o}) + " came right after it started"
		}
	}
	return text
}

func since(p inventory.Pod) time.Time {
	if p.Started.IsZero() {
		return p.Created
	}
	return p.Started
}

// lostSo says what follows.
func (v *view) lostSo(r reordered, s spent) string {
	if len(r.placeholders) == 0 {
		switch {
		case !s.next.IsZero():
			return "no bad certificate was seen yet; a restart would lose the good ones and get no others."
		case len(r.store) > 0:
			return "a restart orders all certificates again; when the authority refuses, clients get a placeholder."
		}
		return "something loses them; when the authority refuses, clients get a placeholder or one that expires."
	}
	text := "how often they were ordered before is not known here; an authority that was asked too often refuses."
	if count, span := v.busiest(r.orders); count > 0 {
		text = fmt.Sprintf("at least %s in %s", finding.Count(count, "order", "orders"), finding.Lasted(span))
		switch {
		case !s.next.IsZero():
			text += " for the same names, so that no more are accepted now."
		case s.known:
			text += " for the same names; another is accepted now, if there were no more than were seen."
		default:
			text += "; whether " + finding.Printable(cmp.Or(r.orders[0].set.CA, "the authority"), 80) + " refuses more is not known here."
		}
	}
	return text + " DNS and the load balancer are not the cause."
}

// busiest counts the orders of the last week for the set with most of them, and says in
// how much time.
func (v *view) busiest(orders []order) (count int, span time.Duration) {
	for _, o := range orders {
		var within []time.Time
		for _, i := range o.set.Issuances {
			if v.now.Sub(i.Issued) < 7*24*time.Hour {
				within = append(within, i.Issued)
			}
		}
		if len(within) > count {
			count, span = len(within), within[len(within)-1].Truncate(time.Minute).Sub(within[0].Truncate(time.Minute)) // as the moments are told
		}
	}
	return count, span
}

// lostFix is what to do, in order. What loses them comes first, or new ones are lost too;
// but mending that restarts the client, which loses those in use.
func (v *view) lostFix(r reordered, s spent) []finding.Step {
	mend := hints(r.store)
	if len(mend) == 0 {
		mend = []finding.Step{{Text: "find what loses them: see where the ACME client keeps its certificates, and whether a restart loses them"}}
	}
	until := finding.Clock(s.next, v.now)
	switch {
	case len(r.placeholders) > 0 && !s.next.IsZero():
		return append(mend, finding.Step{Text: fmt.Sprintf(
			"then, before %s, order a certificate with one more name in it: that is another set of names, with a budget of its own", until)})
	case len(r.placeholders) > 0:
		return append(mend, hints(r.placeholders)...)
	case !s.next.IsZero():
		wait := []finding.Step{{Text: fmt.Sprintf("restart nothing before %s", until)}}
		soon := "if a restart can't wait: with it"
		if len(r.store) > 0 { // to mend it restarts it
			mend[0].Text = "after that: " + mend[0].Text
			soon = "if it can't wait: do it now, and in the same change"
		}
		return append(append(wait, mend...), finding.Step{Text: soon +
			" put one more name into the certificate: that is another set of names, with a budget of its own"})
	case len(r.store) > 0 && s.known:
		return append(mend, finding.Step{Text: fmt.Sprintf(
			"this change restarts it, which orders once more; at most %s left", finding.Count(s.of-s.used, "order is", "orders are"))})
	}
	return mend
}
