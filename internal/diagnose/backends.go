package diagnose

import (
	"net/netip"
	"slices"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// backendsGone makes one incident for each Service that has an address and nothing
// ready behind it, with all that fails there.
func (v *view) backendsGone() []finding.Incident {
	var all []finding.Incident
	for _, f := range v.unclaimed(is(finding.LBUnhealthy)) {
		ref := refOf(f)
		hosts := v.behind(ref)
		failing := v.unclaimed(func(g finding.Finding) bool {
			return among(hosts, g) && v.isAt(ref, g.Subject.Address) &&
				is(finding.HTTPUnreachable, finding.HTTPStatus, finding.HTTPBody, finding.HTTPHeader, finding.TLSHandshake)(g)
		})
		so := "no client has an answer until one is ready, whatever the records say."
		if behind := v.fronts[ref].Service.Endpoints; behind == nil || behind.Ready > 0 {
			// It is the cloud's word, and what is behind it is ready.
			so = plural(len(v.hostsOf(failing)), "a name behind it fails.", "names behind it fail.")
			if len(failing) == 0 {
				so = "nothing behind it is seen to fail yet."
			}
		} else if len(failing) == 0 {
			so = "nothing behind it is seen to fail yet."
			if slices.ContainsFunc(hosts, func(h string) bool { return v.answered(v.of(h)) }) {
				// Whoever answers is not ready for Kubernetes, and is there.
				so = "names behind it still answer, so perhaps only the readiness probe fails, or what Kubernetes says is late."
				f = v.lowered(f, finding.Warning)
			}
		}
		effects := v.claim(append([]finding.Finding{f}, failing...))
		finding.Sort(effects)
		all = append(all, finding.Incident{
			ID: "backends-gone:" + ref.String(), Code: f.Code, Severity: finding.Worst(effects), State: finding.Firing,
			Subject: f.Subject, Cause: f.Summary, Hosts: hosts, Effects: effects,
			Evidence: []finding.Note{{Label: ref.String(), Text: f.Observed}, {Label: "so", Text: so}},
			Fix:      []finding.Step{{Text: f.Hint}},
		})
	}
	return all
}

// isAt tells whether the address of a finding's subject is the Service's.
func (v *view) isAt(ref inventory.ServiceRef, address string) bool {
	front := v.fronts[ref]
	return slices.ContainsFunc(slices.Concat(front.Addresses, front.Uncertain), func(a netip.Addr) bool { return isOf(address, a) })
}
