package dnscheck

import (
	"fmt"
	"slices"
	"strings"

	"driftprobe/finding"
)

// judgeConsistency compares the servers of each zone with each other, per name
// and type. Answers that take turns are no disagreement.
func judgeConsistency(c *Case) []finding.Finding {
	var fs []finding.Finding
	for i := range c.Observed.Steps {
		s := &c.Observed.Steps[i]
		var differ []string
		var owner, typ string
		for _, t := range []Type{A, AAAA} {
			if !s.disagrees(t) {
				continue
			}
			if said := s.said(t); !c.takesTurns(s, t) || !onlyData(said) {
				differ = append(differ, describe(t, said)...)
				owner, typ = s.Owner(), string(t)
			}
		}
		if len(differ) == 0 {
			continue
		}
		if s.dname() != "" {
			typ = "DNAME"
		}
		why, hint := s.lag().why(s.Zone)
		fs = append(fs, finding.Finding{
			Code: finding.DNSInconsistent, Severity: finding.Warning,
			Subject:  finding.Subject{Host: c.Observed.Host, Name: other(s.Name, c.Observed.Host)},
			Summary:  fmt.Sprintf("the servers of %s disagree about %s", s.Zone, s.Name),
			Expected: "the same records on every server of the zone",
			Observed: strings.Join(differ, "; ") + why,
			Hint:     hint,
			SeenAt:   s.speaking(),
			Record:   &finding.Record{Zone: s.Zone, Owner: owner, Type: typ},
		})
	}
	return fs
}

// takesTurns tells whether the servers of a step give records of a type by turns: in
// this look, or as the host's addresses of that type, or behind its alias, do.
func (c *Case) takesTurns(s *Step, t Type) bool {
	alias := slices.ContainsFunc(s.Answers, func(a Answer) bool { return a.Outcome == Alias })
	return s.Rotates || slices.Contains(c.turning, t) || alias && len(c.turning) > 0
}

// onlyData tells whether nobody denies the records.
func onlyData(said map[string][]string) bool {
	return said[noRecord] == nil && said[noName] == nil
}

func other(name, host string) string {
	if name == host {
		return ""
	}
	return name
}

// disagrees tells whether two servers that speak of a type say different things.
func (s *Step) disagrees(t Type) bool {
	var first *Answer
	return anyOf(s.Answers, func(a *Answer) bool {
		if a.Type != t || !a.Outcome.Speaks() {
			return false
		}
		if first == nil {
			first = a
		}
		return !sameData(a, first)
	})
}

// What servers say that deny a record, beside sets and aliases.
const (
	noRecord = "no record"
	noName   = "NXDOMAIN"
)

// said groups the servers that speak by what they say about a type. The whole set
// counts, also where a text would cut it.
func (s *Step) said(t Type) map[string][]string {
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
			what = noRecord
		case NoName:
			what = noName
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
