package diagnose

import (
	"fmt"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/probe"
)

// silence counts looks of one kind: all, and those that gave no sign of life
// since there was one anywhere.
type silence struct{ looks, silent int }

// most tells whether more than half of the looks were in vain.
func (s silence) most() bool { return 2*s.silent > s.looks }

// judgeSelf decides whether it is our own network that is down: something was
// asked, and nothing anywhere gave a sign of life. A refusal is a sign of life.
// If so, this is the only thing said; all else is held.
//
// In a running loop the newest observation of each thing is up to an interval old.
// What answered before the network went down proves nothing: there it is enough
// that, since the last sign of life, most looks of both kinds were in vain.
func (v *view) judgeSelf() []finding.Finding {
	dns, probes, last := v.silences()
	asked := dns.looks + probes.looks
	switch running := v.snap.Began.IsZero(); {
	case asked == 0, !last.IsZero() && !running:
		return nil
	case !last.IsZero() && !(dns.silent > 0 && dns.most() && probes.silent > 0 && probes.most()):
		return nil
	}
	said := fmt.Sprintf("none from %s", finding.Count(asked, "look", "looks"))
	if !last.IsZero() {
		said = fmt.Sprintf("the last one at %s, then none from %s", finding.Clock(last, v.now), finding.Count(dns.silent+probes.silent, "look", "looks"))
	}
	return []finding.Finding{{
		Code: finding.SelfOffline, Severity: finding.Unknown,
		Subject:  finding.Subject{Source: "network"},
		Summary:  "nothing that was asked has answered: this probe has no network, or may not use it",
		Expected: "a sign of life from any name server, resolver or target",
		Observed: said,
		Hint:     "check this machine's network and its way out (egress policy, firewall), and dns.root_servers if it is set",
	}}
}

// silences counts the looks in vain, and says when the last sign of life came;
// zero if none did.
func (v *view) silences() (dns, probes silence, last time.Time) {
	var quietDNS, quietProbes []time.Time
	alive := func(at time.Time) {
		if last.IsZero() || at.After(last) {
			last = at
		}
	}
	for i := range v.snap.Observations.DNS {
		o := &v.snap.Observations.DNS[i]
		if v.byName[o.Host] == nil {
			continue
		}
		if dns.looks++; lives(o) {
			alive(o.At)
		} else {
			quietDNS = append(quietDNS, o.At)
		}
	}
	for i := range v.snap.Observations.Probes {
		o := &v.snap.Observations.Probes[i]
		if probes.looks++; answers(o) {
			alive(o.At)
		} else {
			quietProbes = append(quietProbes, o.At)
		}
	}
	for _, c := range v.snap.Observations.Clouds {
		if c.Failure == "" {
			alive(c.At)
		}
	}
	since := func(quiet []time.Time) (n int) {
		for _, at := range quiet {
			if at.After(last) {
				n++
			}
		}
		return n
	}
	dns.silent, probes.silent = since(quietDNS), since(quietProbes)
	return dns, probes, last
}

// answers tells whether a probe met anyone at all.
func answers(o *probe.Observation) bool {
	switch o.Fault.Kind {
	case probe.Timeout, probe.NoRoute, probe.Self, probe.Forbidden:
		return o.Reached != probe.PhaseNone
	}
	return true
}

// offline makes the one incident of a probe without a network; that the sources
// cannot be read either is its effect.
func (v *view) offline() []finding.Incident {
	fs := v.unclaimed(is(finding.SelfOffline))
	if len(fs) == 0 {
		return nil
	}
	self := fs[0]
	fs = v.claim(append(fs, v.unclaimed(is(finding.SelfSourceDegraded, finding.SelfSourceUnread))...))
	return []finding.Incident{{
		ID: string(self.Code), Code: self.Code, Severity: self.Severity, State: finding.Firing,
		Subject: self.Subject, Cause: self.Summary, Hosts: names(v.hosts), Effects: fs,
		Evidence: evidence(fs[:1]), Fix: hints(fs[:1]),
	}}
}

func lives(o *dnscheck.Observation) bool {
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
