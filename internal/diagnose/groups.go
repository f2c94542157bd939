package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
)

// likeness says which findings of one code have one cause: those with equal keys.
// cause words it for a group.
type likeness struct {
	key   func(v *view, f finding.Finding) string
	cause func(v *view, fs []finding.Finding, hosts []string) string
}

// groups makes incidents of all that no stronger rule has explained: findings of
// one code that share a key are one incident.
func (v *view) groups() []finding.Incident {
	alike := likenesses()
	var all []finding.Incident
	rest := v.unclaimed(func(finding.Finding) bool { return true })
	leadOf := lead(rest)
	for _, effects := range groupBy(rest, func(f finding.Finding) string {
		l := leadOf(f)
		return string(kin(l)) + " " + alike[kin(l)].key(v, l)
	}) {
		v.claim(effects)
		fs, others := parted(effects, leadOf)
		how := alike[fs[0].Code]
		hosts := v.affected(fs)
		in := finding.Incident{
			ID:   string(fs[0].Code) + ":" + how.key(v, fs[0]),
			Code: fs[0].Code, Severity: finding.Worst(fs), State: finding.Firing,
			Subject: commonSubject(fs), Cause: how.cause(v, fs, hosts), Hosts: hosts, Effects: effects,
			Evidence: append(evidence(fs), alsoWrong(others)...), Fix: hints(fs),
		}
		switch fs[0].Code {
		case finding.DNSNoRecord:
			in.Recovery, in.ClearBy = v.negativeRecovery(fs)
			if fix := v.records(fs); fix != nil {
				in.Fix = append(fix, v.externalDNS(fs)...)
			}
		case finding.DNSMissingRecord:
			in.Fix = append(in.Fix, v.commandsFor(fs)...)
		case finding.DNSBogus:
			in.Evidence = append(in.Evidence, v.narrowed(fs[0])...)
		case finding.DNSUnresolvable:
			if fs[0].Subject.Name != "" {
				break // the rest of the name is seen
			}
			in.Evidence = append(in.Evidence, v.lastKnown(hosts)...)
			if endOf(*v.of(fs[0].Subject.Host).dns) == "." {
				in.Fix = []finding.Step{{Text: "check dns.root_servers, and that UDP and TCP port 53 leave this machine"}}
			}
		}
		all = append(all, in)
	}
	return all
}

// likenesses is the table: a code that is not in it would be a bug that a test
// finds.
func likenesses() map[finding.Code]likeness {
	bySubject := likeness{subjectKey, summary}
	byFront := func(cause func(*view, []finding.Finding, []string) string) likeness {
		return likeness{frontKey, cause}
	}
	byNames := likeness{
		func(_ *view, f finding.Finding) string {
			return strings.TrimSpace(f.Subject.Certificate + " " + refOf(f).String())
		}, summary,
	}
	byServer := likeness{func(_ *view, f finding.Finding) string { return f.Subject.Server }, serverCause}
	byCertificate := likeness{certificateKey, certificateCause}
	byAnswer := likeness{answerKey, answerCause}
	bySilence := likeness{silenceKey, silenceCause}
	byZone := func(cause func(*view, []finding.Finding, []string) string) likeness {
		return likeness{func(_ *view, f finding.Finding) string { return f.Record.Zone }, cause}
	}
	table := map[finding.Code]likeness{
		finding.DNSTTLExposure:           byFront(exposureCause),
		finding.DNSMissingRecord:         byFront(missingCause),
		finding.DNSServerDegraded:        byServer,
		finding.DNSResolverDegraded:      byServer,
		finding.DNSResolverDiffers:       {byServer.key, summary},
		finding.DNSNonconformant:         {nonconformantKey, nonconformantCause},
		finding.DNSUnresolvable:          bySilence,
		finding.DNSInconsistent:          byZone(disagreeCause),
		finding.DNSOddTTL:                byZone(oddCause),
		finding.DNSNoRecord:              {denialKey, denialCause},
		finding.DNSBogus:                 {bogusZone, bogusCause},
		finding.SelfBypassed:             {bypassKey, bypassCause},
		finding.SelfNotObserved:          {unobservedKey, unobservedCause},
		finding.IssuanceRateLimit:        byNames,
		finding.IssuanceUnexpectedIssuer: byNames,
		finding.HTTPStatus:               byAnswer,
		finding.HTTPBody:                 byAnswer,
		finding.HTTPHeader:               byAnswer,
		finding.TLSHandshake:             byAnswer,
		finding.TLSProtocol:              byAnswer,
		finding.TLSClientCertificate:     byFront(answerCause),
	}
	for _, e := range finding.Catalogue() {
		if _, own := table[e.Code]; own {
			continue
		}
		table[e.Code] = bySubject
		if e.Code.Family() == "tls" {
			table[e.Code] = byCertificate
		}
	}
	return table
}

func summary(_ *view, fs []finding.Finding, hosts []string) string {
	if len(fs) == 1 || len(hosts) < 2 {
		return fs[0].Summary
	}
	entry, _ := finding.Lookup(fs[0].Code)
	return entry.Title
}

// certificateKey is the certificate itself: however many names and addresses
// present it, it is one fault. A placeholder is new at each start of a controller,
// so there the front is the key.
func certificateKey(v *view, f finding.Finding) string {
	h := v.of(f.Subject.Host)
	if f.Code == finding.TLSDefaultCertificate {
		return h.front
	}
	for _, t := range h.targets {
		for _, o := range t.probes {
			if o.TLS != nil && len(o.TLS.Chain) > 0 && isAt(o, f.Subject.Address) {
				return o.TLS.Chain[0].SHA256
			}
		}
	}
	return h.front
}

func certificateCause(_ *view, fs []finding.Finding, hosts []string) string {
	if len(hosts) < 2 {
		return fs[0].Summary
	}
	entry, _ := finding.Lookup(fs[0].Code)
	if fs[0].Code == finding.TLSDefaultCertificate {
		return entry.Title + " instead of the real one"
	}
	return entry.Title
}

func serverCause(_ *view, fs []finding.Finding, _ []string) string {
	if f := fs[0]; f.Code == finding.DNSServerDegraded {
		return fmt.Sprintf("the name server %s does not serve its zone", f.Subject.Server)
	}
	return fs[0].Summary
}

// silenceKey is the zone at which the way ended, or the one name or type that fails
// beside what is published.
func silenceKey(v *view, f finding.Finding) string {
	if f.Subject.Name != "" {
		return f.Subject.Name
	}
	return endOf(*v.of(f.Subject.Host).dns)
}

func silenceCause(v *view, fs []finding.Finding, _ []string) string {
	if fs[0].Subject.Name != "" {
		return fs[0].Summary
	}
	zone := endOf(*v.of(fs[0].Subject.Host).dns)
	text := "no authoritative server of " + zone + " gives a usable answer"
	switch zone {
	case ".":
		text = "no root server gives a usable answer"
	case "":
		text = "the way to the zone of " + fs[0].Subject.Host + " is broken"
	}
	if finding.Worst(fs) >= finding.Critical {
		text += ", and resolvers fail too"
	}
	return text
}

func denialCause(_ *view, fs []finding.Finding, _ []string) string {
	denied := len(slices.DeleteFunc(slices.Clone(fs), isMended))
	if denied < 2 {
		return fs[0].Summary
	}
	return fmt.Sprintf("%d names have no address record in the zone %s", denied, fs[0].Record.Zone)
}

func disagreeCause(_ *view, fs []finding.Finding, hosts []string) string {
	if len(hosts) < 2 {
		return fs[0].Summary
	}
	return fmt.Sprintf("the servers of %s disagree about %d names", fs[0].Record.Zone, len(hosts))
}

func oddCause(_ *view, fs []finding.Finding, hosts []string) string {
	if len(hosts) < 2 {
		return fs[0].Summary
	}
	return fmt.Sprintf("the TTLs of %d names in the zone %s are not what they seem", len(hosts), fs[0].Record.Zone)
}

// endOf is the zone at which the way to a host's addresses ended.
func endOf(o dnscheck.Observation) string {
	if len(o.Steps) == 0 {
		return ""
	}
	last := o.Steps[len(o.Steps)-1]
	return cmp.Or(last.Failure.At, last.Zone)
}

// lastKnown says what the hosts published when it could last be seen.
func (v *view) lastKnown(hosts []string) []finding.Note {
	var last time.Time
	right, seen := 0, 0
	for _, name := range hosts {
		h := v.of(name)
		var newest dnscheck.Sighting
		for _, s := range h.seen {
			if s.LastSeen.After(newest.LastSeen) {
				newest = s
			}
		}
		if newest.Host == "" {
			continue
		}
		seen++
		if h.expected.Known && h.expected.Accepts(newest.Address) && !h.expected.Doubts(newest.Address) {
			right++
		}
		if newest.LastSeen.After(last) {
			last = newest.LastSeen
		}
	}
	if seen == 0 {
		return nil
	}
	return []finding.Note{{Label: "last known", Text: fmt.Sprintf("%s: %d of %s published right", finding.Clock(last, v.now), right, finding.Count(len(hosts), "hostname", "hostnames"))}}
}

// answerKey is what stays the same while one trouble lasts: the front and the class of the
// status (RFC 9110 section 15), or what failed before one came. All else in an answer (the
// status beside it, Retry-After, the backend's name, a Location with a state) may be another
// at each look, and each would be an incident of its own, too short to be told.
func answerKey(v *view, f finding.Finding) string {
	key := frontKey(v, f) + " " + f.Observed
	switch {
	case f.Status > 0:
		key = fmt.Sprintf("%s HTTP %dxx", frontKey(v, f), f.Status/100)
	case f.Fault != "":
		key = frontKey(v, f) + " " + f.Fault
	}
	if f.Severity == finding.Info {
		key += " " + f.Severity.String() // no hostname where nobody suffers beside one where all do
	}
	return key
}

func answerCause(_ *view, fs []finding.Finding, hosts []string) string {
	if len(hosts) < 2 {
		return fs[0].Summary
	}
	entry, _ := finding.Lookup(fs[0].Code)
	return entry.Title + ": " + finding.List(distinct(fs, func(f finding.Finding) string { return f.Observed }), 3)
}

func exposureCause(_ *view, fs []finding.Finding, _ []string) string {
	var ttl uint32
	for _, f := range fs {
		ttl = max(ttl, f.Record.TTL)
	}
	return fmt.Sprintf("if this load balancer is replaced, clients fail for up to %s after the records are corrected", finding.Span(time.Duration(ttl)*time.Second))
}

func missingCause(v *view, fs []finding.Finding, hosts []string) string {
	addrs := distinct(fs, func(f finding.Finding) string { return f.Subject.Address })
	if len(hosts) < 2 && len(fs) == 1 {
		return fs[0].Summary
	}
	return finding.List(addrs, 4) + ": an address of the load balancer that is not published"
}

// affected are the hosts of a group; for a fault of a zone's server, the hosts of
// that zone; for a fault of ours, all of them.
func (v *view) affected(fs []finding.Finding) []string {
	switch f := fs[0]; f.Code {
	case finding.DNSServerDegraded, finding.DNSNonconformant, finding.DNSPacketLoss:
		return v.hostsInZones(fs)
	case finding.SelfOffline, finding.SelfSourceDegraded:
		return names(v.hosts)
	case finding.IssuanceRateLimit, finding.IssuanceUnexpectedIssuer:
		return v.certified(fs)
	}
	if f := fs[0]; f.Subject.Namespace != "" && f.Subject.Host == "" {
		return v.behind(refOf(f))
	}
	return v.hostsOf(fs)
}

func (v *view) hostsIn(zone string) []string {
	var hosts []string
	for _, h := range v.hosts {
		if slices.ContainsFunc(h.dns.Steps, func(s dnscheck.Step) bool { return s.Zone == zone }) {
			hosts = append(hosts, h.name)
		}
	}
	return hosts
}

func commonSubject(fs []finding.Finding) finding.Subject {
	s := fs[0].Subject
	for _, f := range fs[1:] {
		if f.Subject.Host != s.Host {
			s.Host = ""
		}
		if f.Subject.Address != s.Address {
			s.Address = ""
		}
		if f.Subject.Server != s.Server {
			s.Server = ""
		}
	}
	return s
}

// evidence lists what was expected and found, each distinct text once. What is
// only worth knowing is said by its one line.
func evidence(fs []finding.Finding) []finding.Note {
	if finding.Worst(fs) == finding.Info {
		return nil
	}
	var notes []finding.Note
	observed := distinct(fs, observedOf)
	for _, o := range observed[:min(len(observed), 4)] {
		notes = append(notes, finding.Note{Label: "found", Text: o})
	}
	if more := len(observed) - 4; more > 0 {
		notes = append(notes, finding.Note{Text: fmt.Sprintf("… %d more", more)})
	}
	if expected := distinct(fs, func(f finding.Finding) string { return f.Expected }); len(expected) > 0 {
		text := expected[0]
		if len(expected) > 1 {
			text += ", and likewise for the others"
		}
		notes = append(notes, finding.Note{Label: "expected", Text: text})
	}
	if at := seenAt(fs); len(at) > 0 {
		notes = append(notes, finding.Note{Label: "seen at", Text: finding.List(at, 6)})
	}
	return notes
}

func seenAt(fs []finding.Finding) []string {
	seen := map[string]bool{}
	for _, f := range fs {
		for _, s := range f.SeenAt {
			seen[s] = true
		}
	}
	return keys(seen)
}

func (v *view) negativeRecovery(fs []finding.Finding) (string, time.Time) {
	var clear time.Time
	var ttl uint32
	for _, f := range fs {
		if f.ClearBy.After(clear) {
			clear, ttl = f.ClearBy, f.Record.TTL
		}
	}
	return fmt.Sprintf("by %s if the record is created now (negative TTL %d s)", finding.Clock(clear, v.now), ttl), clear
}

// longestTTL is the largest TTL of any record that leads to an address.
func longestTTL(o *dnscheck.Observation) uint32 {
	var ttl uint32
	for i := range o.Steps {
		for k := range o.Steps[i].Answers {
			a := &o.Steps[i].Answers[k]
			if a.Outcome == dnscheck.OK || a.Outcome == dnscheck.Alias {
				ttl = max(ttl, a.TTL)
			}
		}
	}
	return ttl
}
