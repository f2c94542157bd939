package notify

import (
	"slices"

	"driftprobe/finding"
)

// blind is what a report says it could not look at.
type blind struct {
	// all: nothing at all; some: at least one hostname; truth: a source that says
	// which addresses are right.
	all, some, truth bool
	// kinds are those of objects that were never read.
	kinds    []string
	hosts    map[string]bool
	services map[[2]string]bool
	// open are Services whose load balancer is gone, has no address, or has one that
	// is disputed: which records are right is not decided for as long.
	open map[[2]string]bool
	// servers are name servers that gave no usable answer.
	servers map[string]bool
	// mute are by hostname the places that present no certificate.
	mute map[string][]string
	// named are the hostnames that the report says anything about, if truth is set.
	named map[string]bool
}

func newBlind(r finding.Report) blind {
	b := blind{
		kinds: r.Coverage.Unread, hosts: map[string]bool{}, services: map[[2]string]bool{},
		open: map[[2]string]bool{}, servers: map[string]bool{}, mute: map[string][]string{}, named: map[string]bool{},
	}
	for _, f := range r.Findings {
		switch f.Code {
		case finding.LBMissing, finding.LBPending, finding.LBAddressMismatch:
			b.open[[2]string{f.Subject.Namespace, f.Subject.Name}] = true
		case finding.HTTPUnreachable, finding.TLSHandshake:
			b.mute[f.Subject.Host] = append(b.mute[f.Subject.Host], f.SeenAt...)
		case finding.DNSServerDegraded:
			b.servers[f.Subject.Server] = true
		}
		if f.Code == finding.SelfOffline {
			b.all = true
		}
		if f.Severity != finding.Unknown {
			continue
		}
		s := f.Subject
		if s.Host != "" {
			b.hosts[s.Host], b.some = true, true
		}
		if s.Name != "" {
			b.services[[2]string{s.Namespace, s.Name}] = true
		}
		if s.Source == "" || s.Host != "" || s.Name != "" {
			continue
		}
		switch f.Code {
		// The logs of certificates do not say which addresses are right; what is over a
		// limit says nothing of what is within it; and kinds has what was never read.
		case finding.IssuanceLogUnread, finding.SelfOverLimit, finding.SelfSourceUnread:
		default:
			b.truth = true
		}
	}
	if !b.truth {
		return b // nobody asks who is named: there can be a million
	}
	for _, i := range r.Incidents {
		b.name(i.Hosts)
		b.name(i.Corrected)
	}
	for _, f := range r.Fronts {
		b.name(f.Hosts)
	}
	return b
}

func (b blind) name(hosts []string) {
	for _, h := range hosts {
		b.named[h] = true
	}
}

// ofCertificate tells whether an incident is seen in what certificate is presented.
func ofCertificate(i finding.Incident) bool {
	return i.Code.Family() == "tls" && i.Code != finding.TLSHandshake
}

// to tells whether the absence of an incident means nothing.
func (b blind) to(t Tracked) bool {
	i := t.Message.Incident
	family, certificate := i.Code.Family(), ofCertificate(i)
	showed := func(at string) bool { // as far as places are named
		return len(t.Message.SeenOn) < t.Message.SeenOnCount || slices.Contains(t.Message.SeenOn, at)
	}
	return b.all ||
		// What was seen without a kind of objects can be gone without it; any other may
		// have been seen because of them.
		slices.ContainsFunc(b.kinds, func(k string) bool { return !slices.Contains(t.Unread, k) }) ||
		b.truth && (family == "dns" || family == "lb" || slices.ContainsFunc(t.Touched, func(h string) bool { return !b.named[h] })) ||
		family == "dns" && b.open[[2]string{i.Subject.Namespace, i.Subject.Name}] && i.Subject.Name != "" ||
		// A server that gave the wrong records and says nothing now may still give them.
		family == "dns" && slices.ContainsFunc(t.Message.SeenOn, func(s string) bool { return b.servers[s] }) ||
		b.some && len(t.Touched) >= maxTouched ||
		i.Subject.Name != "" && b.services[[2]string{i.Subject.Namespace, i.Subject.Name}] ||
		b.hosts[i.Subject.Host] ||
		// Another place that presents none says nothing of those that showed the certificate.
		slices.ContainsFunc(t.Touched, func(h string) bool { return b.hosts[h] || certificate && slices.ContainsFunc(b.mute[h], showed) })
}
