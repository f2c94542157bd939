package dnscheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"driftprobe/finding"
)

// judgeServers reports each server that does not serve its zone while another
// one does.
func judgeServers(c Case) []finding.Finding {
	var fs []finding.Finding
	for _, s := range c.Observed.Steps {
		if len(s.speaking()) == 0 {
			continue
		}
		named := map[Server]bool{}
		for _, a := range s.Answers {
			if a.Outcome.Speaks() || named[a.Server] {
				continue
			}
			named[a.Server] = true
			fs = append(fs, finding.Finding{
				Code: finding.DNSServerDegraded, Severity: finding.Warning,
				Subject:  finding.Subject{Host: s.Zone, Server: a.Server.String()},
				Summary:  fmt.Sprintf("%s does not serve the zone %s: %s", a.Server, s.Zone, a.misbehaviour()),
				Expected: "an authoritative answer, as the zone's other servers give",
				Observed: a.misbehaviour(),
				Hint:     fmt.Sprintf("mend this server, or take it out of the delegation of %s", s.Zone),
				SeenAt:   []string{a.Server.String()},
			})
		}
	}
	return fs
}

// misbehaviour says in words what an answer that does not speak was.
func (a Answer) misbehaviour() string {
	words := map[Outcome]string{
		Silent: "no answer", Unreachable: "nothing listens on its DNS port", Refused: "REFUSED",
		Failed: "an error code", Lame: "an answer without authority", Malformed: "nothing but broken packets",
		Forbidden: "not asked: its address is special-purpose",
	}
	if a.Detail != "" && a.Detail != words[a.Outcome] {
		return words[a.Outcome] + " (" + a.Detail + ")"
	}
	return words[a.Outcome]
}

// judgeSilence reports a name about which no authority said anything. It is
// unknown, because the fault may be between us and the servers; but if a resolver
// elsewhere fails for the name too, clients fail.
func judgeSilence(_ time.Time, c Case) []finding.Finding {
	last := Step{Name: c.Observed.Host}
	if n := len(c.Observed.Steps); n > 0 {
		last = c.Observed.Steps[n-1]
	}
	f := finding.Finding{
		Code: finding.DNSUnresolvable, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("no authoritative server gave a usable answer about %s", c.Observed.Host),
		Expected: "an authoritative answer from at least one server",
		Observed: last.silence(),
		Hint:     "look at the zone's servers from another network; if the registrar's delegation names other servers than the zone's host, correct it there",
	}
	for _, a := range last.Answers {
		f.SeenAt = append(f.SeenAt, a.Server.String())
	}
	slices.Sort(f.SeenAt)
	f.SeenAt = slices.Compact(f.SeenAt)
	var failing []string
	for _, r := range c.Observed.Resolvers {
		switch r.Outcome {
		case OK:
			return []finding.Finding{f}
		case Failed:
			failing = append(failing, r.Resolver.Addr().String())
		}
	}
	if len(failing) > 0 {
		slices.Sort(failing)
		f.Severity = finding.Critical
		f.Observed += "; SERVFAIL from " + strings.Join(slices.Compact(failing), ", ")
	}
	return []finding.Finding{f}
}

// silence says what happened instead of an answer.
func (s Step) silence() string {
	if s.Failure.Text != "" {
		return s.Failure.Text
	}
	if len(s.Answers) == 0 {
		return "no server of the zone is known"
	}
	kinds := map[string]int{}
	servers := map[Server]bool{}
	for _, a := range s.Answers {
		if !servers[a.Server] {
			servers[a.Server] = true
			kinds[a.misbehaviour()]++
		}
	}
	parts := make([]string, 0, len(kinds))
	for kind, n := range kinds {
		parts = append(parts, fmt.Sprintf("%d of %d servers of %s: %s", n, len(servers), s.Zone, kind))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// judgeConsistency compares the servers of each zone with each other, per name
// and type.
func judgeConsistency(c Case) []finding.Finding {
	var fs []finding.Finding
	for _, s := range c.Observed.Steps {
		var differ []string
		var owner, typ string
		for _, t := range []Type{A, AAAA} {
			if said := s.said(t); len(said) > 1 {
				differ = append(differ, describe(t, said)...)
				owner, typ = s.owner(t), string(t)
			}
		}
		if len(differ) == 0 {
			continue
		}
		fs = append(fs, finding.Finding{
			Code: finding.DNSInconsistent, Severity: finding.Warning,
			Subject:  finding.Subject{Host: c.Observed.Host, Name: other(s.Name, c.Observed.Host)},
			Summary:  fmt.Sprintf("the servers of %s disagree about %s", s.Zone, s.Name),
			Expected: "the same records on every server of the zone",
			Observed: strings.Join(differ, "; "),
			Hint:     "compare the zone's serial on each server and mend the transfer to the one that lags",
			SeenAt:   s.speaking(),
			Record:   &finding.Record{Zone: s.Zone, Owner: owner, Type: typ},
		})
	}
	return fs
}

func other(name, host string) string {
	if name == host {
		return ""
	}
	return name
}

// said groups the servers that speak by what they say about a type.
func (s Step) said(t Type) map[string][]string {
	groups := map[string][]string{}
	for _, a := range s.Answers {
		if a.Type != t || !a.Outcome.Speaks() {
			continue
		}
		var what string
		switch a.Outcome {
		case OK:
			what = addrList(a.Addresses)
		case Alias:
			what = "CNAME " + a.Target
		case NoData:
			what = "no record"
		case NoName:
			what = "NXDOMAIN"
		}
		groups[what] = append(groups[what], a.Server.String())
	}
	return groups
}

func describe(t Type, said map[string][]string) []string {
	parts := make([]string, 0, len(said))
	for what, servers := range said {
		slices.Sort(servers)
		parts = append(parts, fmt.Sprintf("%s %s on %s", t, what, strings.Join(servers, ", ")))
	}
	slices.Sort(parts)
	return parts
}

// speaking are the servers of the step that said something usable, sorted.
func (s Step) speaking() []string {
	var names []string
	for _, a := range s.Answers {
		if a.Outcome.Speaks() {
			names = append(names, a.Server.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
