package probe

import (
	"fmt"

	"driftprobe/finding"
)

// past is what a finding says of where it was seen, if the probe did not cross the load
// balancer.
const past = " (from inside the cluster, past the load balancer)"

// unlikeClients tells whether what the probe met in the TLS phase says nothing of what
// clients meet: the load balancer ends TLS for them, or introduces them in a way in
// which we may not be believed.
func (j *judge) unlikeClients() bool {
	b := j.seen.Bypass
	if b == nil {
		return false
	}
	failed := j.seen.Fault.Phase == PhaseTLS
	switch {
	case failed && j.seen.Fault.Kind == Self:
		return false
	case b.TerminatesTLS:
		return failed || j.seen.TLS != nil && !j.seen.TLS.Valid(j.now)
	}
	return b.ProxyProtocol && failed
}

// bypassed says that nobody could see what clients see.
func (j *judge) bypassed() finding.Finding {
	f := j.finding(finding.SelfBypassed, finding.Unknown,
		fmt.Sprintf("what clients of %s get at %s cannot be seen from inside the cluster", j.host, j.at))
	f.Expected = "a probe that crosses the load balancer of " + finding.Printable(j.seen.Bypass.Service.String(), maxText)
	f.Observed = "the load balancer ends TLS, and this probe went past it"
	if !j.seen.Bypass.TerminatesTLS {
		f.Observed = "the load balancer speaks PROXY protocol; this probe went past it and did so itself (version 1), and was not understood"
	}
	if text := j.faultText(); text != "" {
		f.Observed += ": " + text
	}
	f.Hint = "look from outside the cluster: driftprobe --once on another machine"
	return f
}
