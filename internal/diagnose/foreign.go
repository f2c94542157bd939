package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"driftprobe/dnscheck"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/lbcheck"
)

// foreign tells whether others run a zone: no target lies in it, and no account that is
// read here has it. Records in it are not ours to set.
func (v *view) foreign(zone string) bool {
	inside := func(h *host) bool { return h.name == zone || strings.HasSuffix(h.name, "."+zone) }
	ours := func(h lbcheck.HostedZone) bool { return h.Zone == zone }
	return zone != "" && zone != "." && !slices.ContainsFunc(v.hosts, inside) && !slices.ContainsFunc(v.snap.Observations.Hosted, ours)
}

// abroad lowers what is found about the zones of others: it can be told, not mended.
func (v *view) abroad(fs []finding.Finding) []finding.Finding {
	for i, f := range fs {
		if is(finding.DNSDelegationMismatch, finding.DNSNonconformant, finding.DNSServerDegraded)(f) && v.foreign(f.Subject.Host) {
			fs[i].Severity = finding.Info
			fs[i].Hint = "tell who runs " + f.Subject.Host
		}
	}
	return fs
}

// withinReach words the fix of one host's records for where it can be made: not in a
// zone of others, not in a record that other names need as it is, and not by an address
// where the load balancer is known by its hostname.
func (v *view) withinReach(h *host, fs []finding.Finding) []finding.Finding {
	for i, f := range fs {
		if f.Record == nil || !is(finding.DNSStaleRecord, finding.DNSMissingRecord, finding.DNSNoRecord)(f) {
			continue
		}
		end := slices.IndexFunc(h.dns.Steps, func(s dnscheck.Step) bool { return s.Zone == f.Record.Zone && s.Owner() == f.Record.Owner })
		if end >= 0 && (v.foreign(f.Record.Zone) || v.torn(h.dns.Steps[end])) {
			fs[i] = v.turnedOff(h, end, f)
		}
		if len(h.expected.Hostnames) > 0 {
			fs[i] = byHostname(fs[i], *h.expected)
		}
	}
	return fs
}

// turnedOff moves a fix from the end of a chain to the last alias on the way there that
// can be changed.
func (v *view) turnedOff(h *host, end int, f finding.Finding) finding.Finding {
	alias, ok := v.turnoff(h.dns.Steps, end)
	if !ok {
		return f
	}
	var ttl uint32
	for _, a := range alias.Answers {
		ttl = max(ttl, a.TTL)
	}
	rec := *f.Record
	rec.Zone, rec.Owner, rec.TTL = alias.Zone, alias.Owner(), ttl
	set := ""
	if len(rec.Values) > 0 {
		set = fmt.Sprintf(": give it %s %s instead", rec.Type, strings.Join(rec.Values, ", "))
	}
	who := ""
	if v.foreign(f.Record.Zone) {
		who = fmt.Sprintf("; or correct %s in the zone %s, if that is yours too; if not, tell who runs it", f.Record.Owner, f.Record.Zone)
	}
	f.Hint = fmt.Sprintf("change the alias %s (zone %s, TTL %d), which leads to %s%s%s", rec.Owner, rec.Zone, ttl, f.Record.Owner, set, who)
	if f.Code == finding.DNSNoRecord {
		// It stays where it is denied, and so goes on as one incident while it drains.
		rec = *f.Record
		rec.Values = nil
	} else {
		f.ClearBy = v.now.Add(time.Duration(ttl) * time.Second)
	}
	f.Record = &rec
	return f
}

// turnoff finds the last alias before a step that is in a zone of ours and that no
// other name needs as it is.
func (v *view) turnoff(steps []dnscheck.Step, end int) (dnscheck.Step, bool) {
	for name := steps[end].Name; ; {
		i := slices.IndexFunc(steps[:end], func(s dnscheck.Step) bool {
			return slices.ContainsFunc(s.Answers, func(a dnscheck.Answer) bool { return a.Outcome == dnscheck.Alias && a.Target == name })
		})
		if i < 0 {
			return dnscheck.Step{}, false
		}
		if s := steps[i]; !v.foreign(s.Zone) && !v.torn(s) {
			return s, true
		}
		name, end = steps[i].Name, i
	}
}

// aliases are the names on the hosts' ways that are aliases now.
func (v *view) aliases() map[string]bool {
	all := map[string]bool{}
	for _, o := range v.snap.Observations.DNS {
		for _, s := range o.Steps {
			if slices.ContainsFunc(s.Answers, func(a dnscheck.Answer) bool { return a.Outcome == dnscheck.Alias }) {
				all[s.Owner()] = true
			}
		}
	}
	return all
}

// byHostname takes the addresses out of a fix: those of a load balancer that is known
// by its hostname change.
func byHostname(f finding.Finding, e inventory.Expected) finding.Finding {
	rec := *f.Record
	rec.Values = nil
	f.Record = &rec
	f.Hint = fmt.Sprintf("make %s an alias of %s: a CNAME, or your provider's ALIAS at the apex of a zone", f.Subject.Host, finding.List(e.Hostnames, 3))
	return f
}

// unproven reports published addresses that are accepted only because nothing is known
// of their whole family, and that nothing answered at: they may as well be stale.
func (v *view) unproven(h *host, told []finding.Finding) []finding.Finding {
	e := h.expected
	var fs []finding.Finding
	for _, a := range h.published {
		named := e.Has(a) || e.Allowed(a) || slices.Contains(e.Uncertain, a) || e.Doubts(a)
		if !e.Known || !e.OneFamily || named || !e.Accepts(a) || v.wellAt(h, a) ||
			slices.ContainsFunc(told, func(f finding.Finding) bool { return f.Severity >= finding.Unknown && isOf(f.Subject.Address, a) }) {
			continue
		}
		fs = append(fs, finding.Finding{
			Code: finding.SelfNotObserved, Severity: finding.Unknown,
			Subject:  finding.Subject{Host: h.name, Address: a.String()},
			Summary:  fmt.Sprintf("whether %s of %s is right could not be told", a, h.name),
			Expected: "an address of the load balancer, or an answer there",
			Observed: fmt.Sprintf("the load balancer names no address of this family (%s), and nothing was seen to answer at %s", finding.List(texts(e.Addresses), 4), a),
			Hint:     "look from a machine that reaches it, or pin it (targets[].addresses)",
			SeenAt:   []string{a.String()},
		})
	}
	return fs
}

// wellAt tells whether a probe of the host went through at an address.
func (v *view) wellAt(h *host, a netip.Addr) bool {
	for _, t := range h.targets {
		for i := range t.probes {
			if o := &t.probes[i]; o.Address.Addr() == a && v.well(o) {
				return true
			}
		}
	}
	return false
}
