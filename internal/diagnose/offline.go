package diagnose

import (
	"fmt"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/probe"
)

// judgeSelf decides whether it is our own network that is down: something was
// asked, and nothing anywhere gave a sign of life. A refusal is a sign of life.
// If so, this is the only thing said; all else is held.
func (v *view) judgeSelf() []finding.Finding {
	asked := 0
	for _, o := range v.snap.Observations.DNS {
		if _, mine := v.targets[o.Host]; !mine {
			continue
		}
		asked++
		if lives(o) {
			return nil
		}
	}
	for _, o := range v.snap.Observations.Probes {
		asked++
		switch o.Fault.Kind {
		case probe.Timeout, probe.NoRoute, probe.Self, probe.Forbidden:
			if o.Reached == probe.PhaseNone {
				continue
			}
		}
		return nil
	}
	for _, c := range v.snap.Observations.Clouds {
		if c.Failure == "" {
			return nil
		}
	}
	if asked == 0 {
		return nil
	}
	return []finding.Finding{{
		Code: finding.SelfOffline, Severity: finding.Unknown,
		Subject:  finding.Subject{Source: "network"},
		Summary:  "nothing that was asked has answered: this probe has no network, or may not use it",
		Expected: "a sign of life from any name server, resolver or target",
		Observed: fmt.Sprintf("none from %s", finding.Count(asked, "look", "looks")),
		Hint:     "check this machine's network and its way out (egress policy, firewall), and dns.root_servers if it is set",
	}}
}

// offline makes the one incident of a probe without a network; that the sources
// cannot be read either is its effect.
func (v *view) offline() []finding.Incident {
	fs := v.unclaimed(is(finding.SelfOffline))
	if len(fs) == 0 {
		return nil
	}
	self := fs[0]
	fs = v.claim(append(fs, v.unclaimed(is(finding.SelfSourceDegraded))...))
	return []finding.Incident{{
		ID: string(self.Code), Code: self.Code, Severity: self.Severity, State: finding.Firing,
		Subject: self.Subject, Cause: self.Summary, Hosts: v.hosts, Effects: fs,
		Evidence: evidence(fs[:1]), Fix: hints(fs[:1]),
	}}
}

func lives(o dnscheck.Observation) bool {
	if o.Heard {
		return true
	}
	for _, r := range o.Resolvers {
		if r.Outcome.Speaks() || r.Outcome == dnscheck.Refused || r.Outcome == dnscheck.Failed {
			return true
		}
	}
	return false
}
