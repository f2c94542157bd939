package diagnose

import (
	"fmt"
	"net/netip"
	"slices"

	"driftprobe/finding"
	"driftprobe/lbcheck"
	"driftprobe/probe"
)

// disputes makes one incident for each Service about whose address Kubernetes and the
// cloud disagree: it says which of the addresses answers for the names behind it, and
// takes with it what fails there.
func (v *view) disputes() []finding.Incident {
	var all []finding.Incident
	for _, f := range v.unclaimed(is(finding.LBAddressMismatch)) {
		ref := refOf(f)
		front, hosts := v.fronts[ref], v.behind(ref)
		failing := v.unclaimed(func(g finding.Finding) bool {
			return among(hosts, g) && is(finding.HTTPUnreachable, finding.TLSHandshake)(g) &&
				slices.ContainsFunc(front.Uncertain, func(a netip.Addr) bool { return isOf(g.Subject.Address, a) })
		})
		effects := v.claim(append([]finding.Finding{f}, failing...))
		finding.Sort(effects)
		in := finding.Incident{
			ID: "address-dispute:" + ref.String(), Code: f.Code, Severity: finding.Worst(effects), State: finding.Firing,
			Subject: f.Subject, Cause: f.Summary, Hosts: hosts, Effects: effects,
			Fix: []finding.Step{{Text: f.Hint}},
		}
		var good, bad []string
		for _, a := range front.Uncertain {
			text, answers := v.testimony(a, hosts)
			in.Evidence = append(in.Evidence, finding.Note{Label: sourceOf(a, front), Text: a.String() + ": " + text})
			switch {
			case answers == yes:
				good = append(good, a.String())
			case answers == no:
				bad = append(bad, a.String())
			}
		}
		if published := v.publishedFor(hosts); published != "" {
			in.Evidence = append(in.Evidence, finding.Note{Label: "published", Text: published})
		}
		in.Evidence = append(in.Evidence, finding.Note{Label: "so", Text: settled(good, bad, len(front.Uncertain))})
		if len(good) > 0 && slices.ContainsFunc(hosts, func(h string) bool {
			return slices.ContainsFunc(v.of(h).published, func(a netip.Addr) bool { return slices.Contains(bad, a.String()) })
		}) {
			in.Fix = append(in.Fix, finding.Step{Text: fmt.Sprintf("as soon as both agree on %s, set the records to it", finding.List(good, 2))})
		}
		all = append(all, in)
	}
	return all
}

// sourceOf names who says that the load balancer is at the address.
func sourceOf(a netip.Addr, front lbcheck.Front) string {
	if slices.Contains(front.Service.Addresses, a) {
		return "Service.status"
	}
	return front.Provider
}

// answer is what a probe can testify about an address.
type answer int

const (
	untold answer = iota
	yes
	no
)

// testimony says how an address answers for the hosts, and whether that counts: what
// goes past the load balancer says nothing of its address.
func (v *view) testimony(a netip.Addr, hosts []string) (text string, counts answer) {
	var good, looked int
	var fault string
	for _, h := range hosts {
		for _, t := range v.of(h).targets {
			for _, o := range t.probes {
				if o.Address.Addr() != a || o.Stranger || blind(o) {
					continue
				}
				if looked++; v.well(&o) {
					good++
				} else if fault == "" || o.Fault.Text != "" && o.Fault.Text < fault {
					fault = o.Fault.Text
				}
			}
		}
	}
	past := v.past[a] != probe.Bypass{}
	switch {
	case looked == 0:
		return "could not be probed for any of the names", untold
	case past && good > 0:
		return "the ingress controller answers; this probe went past the load balancer, so that says nothing of the address", untold
	case past:
		return "the ingress controller does not answer; this probe went past the load balancer, so that says nothing of the address", untold
	case good == looked:
		return fmt.Sprintf("answers for %s", plural(len(hosts), "the name behind it", fmt.Sprintf("all %d names behind it", len(hosts)))), yes
	case good > 0:
		return fmt.Sprintf("answers for %d of %d", good, looked), yes
	case fault == "":
		return "does not answer as it should", no
	}
	return "does not answer: " + fault, no
}

// settled says what the probes make of the dispute. It is no reason to call a record
// stale: the losing address can be a stranger's, or right in a minute.
func settled(good, bad []string, all int) string {
	const until = " No record is called stale until Kubernetes and the cloud agree."
	switch {
	case len(good) > 0 && len(good)+len(bad) == all && len(bad) > 0:
		return fmt.Sprintf("clients are served at %s, and not at %s.", finding.List(good, 2), finding.List(bad, 2)) + until
	case len(good) == all:
		return "both answer: probably the load balancer is being replaced." + until
	case len(bad) == all:
		return "neither answers: clients fail, whichever is right." + until
	case len(good) > 0:
		return fmt.Sprintf("clients are served at %s.", finding.List(good, 2)) + until
	case len(bad) > 0:
		return fmt.Sprintf("nobody is served at %s.", finding.List(bad, 2)) + until
	}
	return "which of them serves clients could not be seen from here." + until
}

// orphanOf names the finding of the balancer that has an address and no Service.
func (v *view) orphanOf(a netip.Addr) (id string, found bool) {
	for _, c := range v.snap.Observations.Clouds {
		for _, b := range c.Balancers {
			if slices.Contains(b.Addresses, a) && v.orphans[b.ID] {
				return b.ID, true
			}
		}
	}
	return "", false
}

// orphaned takes the findings of balancers without a Service at which some of the wrong
// records point.
func (v *view) orphaned(stale []finding.Finding) func(finding.Finding) bool {
	ids := map[string]bool{}
	for _, f := range stale {
		if id, found := v.orphanOf(addrOf(f.Subject.Address)); found {
			ids[id] = true
		}
	}
	return func(f finding.Finding) bool {
		return f.Code == finding.LBOrphan && f.Subject.Namespace == "" && ids[f.Subject.Name]
	}
}
