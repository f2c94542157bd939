package dnscheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"driftprobe/finding"
)

// judgeBogus reports a name whose answers validating resolvers refuse: clients of
// those have no address, whatever authority publishes.
func judgeBogus(c *Case) *finding.Finding {
	failing := c.Observed.refusing()
	if len(failing) == 0 {
		return nil
	}
	sound := map[string]string{}
	for _, r := range c.Observed.Resolvers {
		name := resolverName(r.Resolver)
		switch _, fails := failing[name]; {
		case fails || !r.Outcome.Speaks():
		case r.Validated:
			sound[name] = " has checked it and answers"
		case sound[name] == "":
			sound[name] = " answers, perhaps without checking"
		}
	}
	names := slices.Sorted(maps.Keys(failing))
	first := failing[names[0]]
	for _, name := range names {
		if r := failing[name]; saysBogus(r.EDE) && !saysBogus(first.EDE) {
			first = r // it says why
		}
	}
	f := &finding.Finding{
		Code: finding.DNSBogus, Severity: finding.Critical,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("resolvers that check signatures refuse the answers about %s (DNSSEC)", c.Observed.Host),
		Expected: "signatures that fit the DS records at the parent; or none, and no DS record",
		Hint:     bogusHint(first.EDE, strings.Join(c.Observed.zones(), " or ")),
		SeenAt:   names,
	}
	if len(names) == 1 && len(sound) > 0 {
		f.Severity = finding.Warning
		f.Summary = fmt.Sprintf("the resolver %s refuses the answers about %s (DNSSEC); others do not", names[0], c.Observed.Host)
		f.Hint = "flush the zone there, and check that resolver's clock and its trust anchors; if they are right: " + f.Hint
	}
	f.Observed = fmt.Sprintf("%d of %s: %s from %s, and an answer when told not to check (CD=1)", len(names),
		finding.Count(len(names)+len(sound), "resolver that answers", "resolvers that answer"), first.Detail, finding.List(names, maxServers))
	for _, name := range slices.Sorted(maps.Keys(sound))[:min(len(sound), maxServers)] {
		f.Observed += "; " + name + sound[name]
	}
	return f
}

// refusing are the resolvers that hold what is published for bogus, by name, with
// the answer that tells most.
func (o *Observation) refusing() map[string]ResolverAnswer {
	var failing map[string]ResolverAnswer
	for _, r := range o.Resolvers {
		if r.Bogus {
			if failing == nil {
				failing = map[string]ResolverAnswer{}
			}
			failing[resolverName(r.Resolver)] = r
		}
	}
	return failing
}

// zones are those that the way to the addresses leads through, from the host on. Any
// of them can be the one whose signatures do not fit.
func (o *Observation) zones() []string {
	var all []string
	for _, s := range o.Steps {
		if s.Zone != "" && !slices.Contains(all, s.Zone) {
			all = append(all, s.Zone)
		}
	}
	return all
}

// bogusHint says what to do about a zone, by the extended error that a resolver gave.
func bogusHint(ede uint16, zone string) string {
	const wait = "; caches keep the old DS records for their TTL"
	switch ede {
	case dns.ExtendedErrorCodeSignatureExpired, dns.ExtendedErrorCodeSignatureExpiredBeforeValid:
		return "sign the zone " + zone + " again: its signatures have expired; find out why they were not renewed"
	case dns.ExtendedErrorCodeSignatureNotYetValid:
		return "check the clock of what signs the zone " + zone + ": its signatures begin in the future"
	case dns.ExtendedErrorCodeDNSKEYMissing, dns.ExtendedErrorCodeNoZoneKeyBitSet:
		return "at the registrar, replace the DS records of " + zone + " by those of a key that the zone has, or remove them" + wait
	case dns.ExtendedErrorCodeRRSIGsMissing:
		return "sign the zone " + zone + ", or remove its DS records at the registrar: its answers have no signatures" + wait
	case dns.ExtendedErrorCodeNSECMissing:
		return "sign the zone " + zone + " again: it does not prove what it denies (NSEC, NSEC3)"
	}
	return "compare the DS records of " + zone + " at the parent with the zone's DNSKEY records, and see when its signatures expire (dig +dnssec +cd); if it can't be signed right soon, remove the DS records at the registrar" + wait
}
