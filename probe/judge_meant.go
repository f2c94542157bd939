package probe

import (
	"fmt"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// Meant tells whether an observation shows the fault that the target is meant to
// have, so that it is as it should be.
func Meant(e inventory.Expect, o Observation) bool {
	switch {
	case o.Stranger || !e.Bad():
		return false
	case e.Unreachable:
		return silent(o)
	}
	return o.TLS != nil || o.Fault.Phase == PhaseTLS && o.Fault.Kind != Self
}

// silent tells whether nobody answers there. A load balancer with nothing behind it
// accepts a connection and hangs up at once; who accepts and keeps it is somebody, slow
// or not. Where we have no IPv6 we do not know.
func silent(o Observation) bool {
	if o.Fault.Phase != PhaseConnect && (o.TLS != nil || o.HTTP != nil || o.Fault.Kind == Timeout) {
		return false
	}
	ways := []Kind{Timeout, Refused, Reset, Closed, NoRoute}
	return slices.Contains(ways, o.Fault.Kind) && (o.Fault.Kind != NoRoute || o.Address.Addr().Unmap().Is4())
}

// meant turns what was found around for a target that is meant to be faulty.
func (j *judge) meant(found []finding.Finding) []finding.Finding {
	expect := j.target.Expect
	switch {
	case expect.Unreachable && silent(j.seen):
		return nil
	case expect.Unreachable && !slices.Contains([]Kind{Self, Forbidden, NoRoute}, j.seen.Fault.Kind):
		return []finding.Finding{j.reachable()}
	case len(expect.TLS) == 0 || j.seen.TLS == nil && j.seen.Fault.Phase != PhaseTLS:
		return found
	}
	var rest []finding.Finding
	there := false
	for _, f := range found {
		name, isTLS := strings.CutPrefix(string(f.Code), "tls/")
		switch {
		case isTLS && slices.Contains(expect.TLS, name):
			there = true
		case f.Code != finding.SelfNotObserved || j.seen.Fault.Kind == Self:
			rest = append(rest, f)
		}
	}
	if !there && j.seen.Fault.Kind != Self {
		rest = append(rest, j.accepted())
	}
	return rest
}

func (j *judge) reachable() finding.Finding {
	f := j.finding(finding.HTTPReachable, finding.Critical,
		fmt.Sprintf("%s answers at %s, where nothing may answer", j.host, j.at))
	f.Expected = "no answer (expect.unreachable)"
	f.Observed = "a connection on port " + fmt.Sprint(j.seen.Address.Port())
	if j.seen.HTTP != nil {
		f.Observed = j.responseText(*j.seen.HTTP)
	}
	f.Hint = "close the port, or take expect.unreachable away"
	return f
}

func (j *judge) accepted() finding.Finding {
	want := "tls/" + strings.Join(j.target.Expect.TLS, ", tls/")
	f := j.finding(finding.TLSAccepted, finding.Warning,
		fmt.Sprintf("the certificate of %s at %s does not have the fault that it is meant to have", j.host, j.at))
	f.Expected = want
	f.Observed = "a certificate without it"
	f.Hint = "take expect.tls away, or restore the certificate that is meant to be refused"
	return f
}
