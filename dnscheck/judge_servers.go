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
// one does, once, however many questions it failed. What no server answers is told of
// the name: see unresolvable and judgeWays.
func judgeServers(c *Case) []finding.Finding {
	speaking := func(a Answer) bool { return a.Outcome.Speaks() }
	odd := func(a *Answer) bool { return !a.Outcome.Speaks() || a.Outcome == NoName }
	if !anyOf(c.Observed.Steps, func(s *Step) bool { return anyOf(s.Answers, odd) }) {
		return nil
	}
	failed := map[hosting][]Answer{}
	speaks := map[hosting]bool{}
	for _, s := range c.Observed.Steps {
		if !slices.ContainsFunc(s.Answers, speaking) {
			continue
		}
		for _, a := range s.Answers {
			at := hosting{s.Zone, a.Server}
			if a.Outcome.Speaks() {
				speaks[at] = true
			}
			if !a.Outcome.Speaks() && a.Type != s.ignores() || s.contradicts(a) {
				failed[at] = append(failed[at], a)
			}
		}
	}
	var fs []finding.Finding
	missed := map[string]map[string][]Answer{}
	for at, answers := range failed {
		if !c.lost(at, answers, speaks[at]) {
			fs = append(fs, degradedServer(at, answers, speaks[at]))
			continue
		}
		if missed[at.zone] == nil {
			missed[at.zone] = map[string][]Answer{}
		}
		missed[at.zone][at.server.String()] = answers
	}
	for zone, servers := range missed {
		f := packetLoss(zone, servers)
		if c.Observed.answered(A) && c.Observed.answered(AAAA) {
			f.Observed += "; another server answered each of these questions"
		}
		fs = append(fs, f)
	}
	finding.Sort(fs)
	return fs
}

// contradicts tells whether a server denies a name of which it has records, as some
// do when they are asked for AAAA (RFC 4074 section 4.2, RFC 8020 section 2).
func (s *Step) contradicts(a Answer) bool {
	return a.Outcome == NoName && slices.ContainsFunc(s.Answers, func(b Answer) bool { return b.Server == a.Server && b.hasData() })
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
		NoName:    "NXDOMAIN in place of an empty answer (BIND then denies the name's other records too)",
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
func unresolvable(c *Case) finding.Finding {
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
	if c.Observed.leadsNowhere(&f) {
		return f
	}
	if c.Observed.Cut != "" {
		f.Observed += "; the look ended early: " + c.Observed.Cut
	}
	if step.Failure.Text == noIPv6 {
		// Nobody was asked. A resolver that fails may have no IPv6 either, while those
		// that clients use have it.
		f.Hint = "look from a machine with IPv6; clients whose resolver has none can not reach these servers either, unless one of them gets an IPv4 address"
		return f
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

// leadsNowhere words the finding if authority itself leaves clients without an
// address: its aliases lead in a circle or are too many, or its DNAME makes a name
// that is none.
func (o *Observation) leadsNowhere(f *finding.Finding) bool {
	if o.circular() {
		f.Severity = finding.Critical
		f.Summary = o.Host + " has no address: its aliases lead in a circle"
		f.Expected = "aliases that end at an address"
		f.Observed, f.SeenAt = finding.List(o.aliases(), maxListed), o.speakers()
		f.Hint = cmp.Or(o.coversItself(), "break the circle: give one of these names an address record")
		return true
	}
	if o.endless() {
		f.Severity = finding.Critical
		f.Summary = fmt.Sprintf("%s has no address: it lies behind more than %d aliases, and resolvers follow no more", o.Host, MaxSteps-1)
		f.Expected = fmt.Sprintf("an address after at most %d aliases", MaxSteps-1)
		f.Observed, f.SeenAt = finding.List(o.aliases(), maxListed), o.speakers()
		f.Hint = cmp.Or(o.coversItself(), "let the first of these aliases lead to the last name at once")
		return true
	}
	step := o.unanswered()
	made := slices.IndexFunc(step.Answers, func(a Answer) bool { return a.DNAME != "" })
	if made < 0 || slices.ContainsFunc(step.Answers, func(a Answer) bool { return a.DNAME != step.Answers[made].DNAME }) {
		return false
	}
	owner := step.Answers[made].DNAME
	f.Severity = finding.Critical
	f.Summary = fmt.Sprintf("%s has no address: the DNAME record at %s makes a name of it that is too long", o.Host, owner)
	f.Expected = "a name of at most 255 octets (RFC 6672 section 2.2)"
	f.Hint = fmt.Sprintf("give %s DNAME a shorter target (zone %s)", owner, step.Zone)
	f.Record = &finding.Record{Zone: step.Zone, Owner: owner, Type: "DNAME"}
	return true
}

// coversItself says what to do with a wildcard or a DNAME that makes all aliases of a
// chain, as its target is one of the names that it gives an alias; else "".
func (o *Observation) coversItself() string {
	if all := o.aliases(); len(all) == 1 && len(o.Steps) > 1 {
		return "let " + all[0] + " lead to a name that this record does not cover itself"
	}
	return ""
}

// silence says what happened instead of an answer.
func (s *Step) silence() string {
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
			if strings.HasPrefix(a.Detail, silentFor) {
				a.Detail = "" // for how long makes no other kind
			}
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

// speaking are the servers of the step that said something usable, sorted.
func (s *Step) speaking() []string {
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
func (s *Step) asking() []string {
	var names []string
	for _, a := range s.Answers {
		names = append(names, a.Server.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// asked counts the servers of the step.
func (s *Step) asked() int { return len(s.asking()) }
