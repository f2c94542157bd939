package dnscheck

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"driftprobe/finding"
)

const (
	// maxServers and maxGroups bound the name servers and the different answers
	// that a text names.
	maxServers = 4
	maxGroups  = 6
)

// hosting is one server in its duty for one zone.
type hosting struct {
	zone   string
	server Server
}

// judgeServers reports each server that does not serve its zone while another
// one does, once, however many questions it failed.
func judgeServers(c Case) []finding.Finding {
	failed := map[hosting][]Answer{}
	speaks := map[hosting]bool{}
	for _, s := range c.Observed.Steps {
		if len(s.speaking()) == 0 {
			continue
		}
		for _, a := range s.Answers {
			at := hosting{s.Zone, a.Server}
			if a.Outcome.Speaks() {
				speaks[at] = true
			} else {
				failed[at] = append(failed[at], a)
			}
		}
	}
	var fs []finding.Finding
	for at, answers := range failed {
		fs = append(fs, degradedServer(at, answers, speaks[at]))
	}
	finding.Sort(fs)
	return fs
}

func degradedServer(at hosting, failed []Answer, partly bool) finding.Finding {
	kinds := map[string]bool{}
	for _, a := range failed {
		kind := a.misbehaviour()
		if partly {
			kind += " for " + string(a.Type)
		}
		kinds[kind] = true
	}
	what := finding.List(slices.Sorted(maps.Keys(kinds)), maxGroups)
	f := finding.Finding{
		Code: finding.DNSServerDegraded, Severity: finding.Warning,
		Subject:  finding.Subject{Host: at.zone, Server: at.server.String()},
		Summary:  fmt.Sprintf("%s does not serve the zone %s: %s", at.server, at.zone, what),
		Expected: "an authoritative answer, as the zone's other servers give",
		Observed: what,
		Hint:     fmt.Sprintf("mend this server, or take it out of the delegation of %s", at.zone),
		SeenAt:   []string{at.server.String()},
	}
	if partly {
		f.Summary = fmt.Sprintf("%s answers only some questions about the zone %s: %s", at.server, at.zone, what)
		f.Expected = "an authoritative answer to every question"
	}
	return f
}

// misbehaviour says in words what an answer that does not speak was.
func (a Answer) misbehaviour() string {
	words := map[Outcome]string{
		Silent: "no answer", Unreachable: "nothing listens on its DNS port", Refused: "REFUSED",
		Failed: "an error code", Lame: "an answer without authority", Malformed: "nothing but broken packets",
		Forbidden: "not asked: its address is special-purpose",
	}
	what := cmp.Or(words[a.Outcome], "no usable answer")
	if a.Detail != "" && a.Detail != what {
		what += " (" + a.Detail + ")"
	}
	return what
}

// unresolvable reports a name about whose addresses no authority said anything.
// It is unknown, because the fault may be between us and the servers; but if a
// resolver elsewhere fails for the name too, or authority itself leads in a
// circle, clients fail.
func unresolvable(c Case) finding.Finding {
	step := c.Observed.unanswered()
	f := finding.Finding{
		Code: finding.DNSUnresolvable, Severity: finding.Unknown,
		Subject:  finding.Subject{Host: c.Observed.Host},
		Summary:  fmt.Sprintf("no authoritative server gave a usable answer about %s", c.Observed.Host),
		Expected: "an authoritative answer from at least one server",
		Observed: step.silence(),
		Hint:     "look at the zone's servers from another network; if the registrar's delegation names other servers than the zone's host, correct it there",
		SeenAt:   step.asking(),
	}
	if step.Name != c.Observed.Host {
		f.Summary = fmt.Sprintf("%s leads to %s, about which no authoritative server gave a usable answer", c.Observed.Host, step.Name)
	}
	if c.Observed.circular() {
		f.Severity = finding.Critical
		f.Summary = c.Observed.Host + " has no address: its aliases lead in a circle"
		f.Expected = "aliases that end at an address"
		f.Observed, f.SeenAt = c.Observed.aliases(), c.Observed.speakers()
		f.Hint = "break the circle: give one of these names an address record"
		return f
	}
	if c.Observed.Cut != "" {
		f.Observed += "; the look ended early: " + c.Observed.Cut
	}
	failing := map[string]bool{}
	for _, r := range c.Observed.Resolvers {
		switch r.Outcome {
		case OK:
			return f
		case Failed:
			failing[resolverName(r.Resolver)] = true
		}
	}
	if len(failing) > 0 {
		f.Severity = finding.Critical
		f.Observed += "; SERVFAIL from " + finding.List(slices.Sorted(maps.Keys(failing)), maxServers)
	}
	return f
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
	for _, a := range sortedAnswers(s.Answers) {
		if !a.Outcome.Speaks() && !servers[a.Server] {
			servers[a.Server] = true
			kinds[a.misbehaviour()]++
		}
	}
	var parts []string
	for kind, n := range kinds {
		parts = append(parts, fmt.Sprintf("%d of %d servers of %s: %s", n, s.asked(), s.Zone, kind))
	}
	if len(parts) == 0 {
		return "what was said of " + s.Name + " does not lead to an address"
	}
	slices.Sort(parts)
	return strings.Join(parts[:min(maxGroups, len(parts))], "; ")
}

// sortedAnswers makes what is said of a server that failed in two ways
// independent of which answer came first.
func sortedAnswers(answers []Answer) []Answer {
	return slices.SortedStableFunc(slices.Values(answers), func(a, b Answer) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Detail, b.Detail))
	})
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
				owner, typ = s.Owner(), string(t)
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

// said groups the servers that speak by what they say about a type. The whole set
// counts, also where a text would cut it.
func (s Step) said(t Type) map[string][]string {
	groups := map[string][]string{}
	for _, a := range s.Answers {
		if a.Type != t || !a.Outcome.Speaks() {
			continue
		}
		var what string
		switch a.Outcome {
		case OK:
			what = fmt.Sprint(a.Addresses)
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
		if set, ok := strings.CutPrefix(what, "["); ok {
			what = finding.List(strings.Fields(strings.TrimSuffix(set, "]")), maxListed)
		}
		slices.Sort(servers)
		parts = append(parts, fmt.Sprintf("%s %s on %s", t, what, finding.List(servers, maxServers)))
	}
	slices.Sort(parts)
	if len(parts) > maxGroups {
		rest := fmt.Sprintf("%s and %d more answers", t, len(parts)-maxGroups)
		parts = append(parts[:maxGroups], rest)
	}
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

// asking are all servers of the step, sorted.
func (s Step) asking() []string {
	var names []string
	for _, a := range s.Answers {
		names = append(names, a.Server.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// asked counts the servers of the step.
func (s Step) asked() int { return len(s.asking()) }
