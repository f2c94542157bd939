package dnscheck

import (
	"cmp"
	"net/netip"
	"slices"

	"driftprobe/finding"
)

// paths returns, for each published address, the records that lead to it from the
// host. If several ways lead to one address the longest-lived is given, because
// it is the one that keeps clients waiting.
//
// One round goes one alias further and keeps one way a name: servers that all
// disagree could otherwise make as many ways as there are orders of names.
func (o *Observation) paths() map[netip.Addr][]Link {
	found := map[netip.Addr][]Link{}
	if len(o.Steps) == 0 {
		return found
	}
	ways := map[string][]Link{o.Steps[0].Name: nil}
	for range o.Steps {
		next := map[string][]Link{}
		for _, s := range o.Steps {
			before, reached := ways[s.Name]
			if !reached {
				continue
			}
			for _, p := range s.links() {
				path := append(before[:len(before):len(before)], p.Link)
				switch {
				case p.addr.IsValid():
					prefer(found, p.addr, path)
				case !visited(path, p.Value):
					prefer(next, p.Value, path)
				}
			}
		}
		if ways = next; len(ways) == 0 {
			break
		}
	}
	return found
}

// prefer keeps the longer-lived of two ways.
func prefer[K comparable](ways map[K][]Link, to K, path []Link) {
	if old, seen := ways[to]; !seen || longer(path, old) {
		ways[to] = path
	}
}

// longer orders ways by the time that caches can hold them, then by their text, so
// that the choice does not depend on who answered first.
func longer(a, b []Link) bool {
	order := cmp.Or(cmp.Compare(totalTTL(a), totalTTL(b)), slices.CompareFunc(b, a, func(x, y Link) int {
		return cmp.Or(cmp.Compare(x.Owner, y.Owner), cmp.Compare(x.Type, y.Type), cmp.Compare(x.Value, y.Value), cmp.Compare(x.TTL, y.TTL))
	}))
	return order > 0
}

func (o *Observation) step(name string) (Step, bool) {
	for _, s := range o.Steps {
		if s.Name == name {
			return s, true
		}
	}
	return Step{}, false
}

// publishes tells whether any server gives the record now, with whatever TTL.
func (o *Observation) publishes(l Link) bool {
	step, _ := o.step(l.Owner)
	return slices.ContainsFunc(step.Answers, func(a Answer) bool { return a.gives(l) })
}

// answered tells whether authority has said, on every way from the host to its
// end, what it publishes of a type. One silent step leaves the whole open.
func (o *Observation) answered(t Type) bool {
	ended := false
	for i := range o.Steps {
		s := &o.Steps[i]
		spoke, end := s.answers(t)
		if !spoke || !o.followed(s) {
			return false
		}
		ended = ended || end
	}
	return ended
}

// answers tells whether a server of the step spoke about a type, and whether one
// of them did otherwise than by an alias. An alias and NXDOMAIN speak for every
// type (RFC 1034 section 3.6.2, RFC 8020).
func (s *Step) answers(t Type) (spoke, end bool) {
	end = s.Failure.Outcome == NoName
	for i := range s.Answers {
		a := &s.Answers[i]
		spoke = spoke || a.Outcome == Alias
		end = end || a.Outcome == NoName || a.Outcome.Speaks() && a.Outcome != Alias && a.Type == t
	}
	return spoke || end, end
}

// followed tells whether every alias of the step has a step of its own.
func (o *Observation) followed(s *Step) bool {
	return !anyOf(s.Answers, func(a *Answer) bool {
		return a.Outcome == Alias && !anyOf(o.Steps, func(next *Step) bool { return next.Name == a.Target })
	})
}

// unanswered is the first step that leaves open what is published.
func (o *Observation) unanswered() Step {
	for _, s := range o.Steps {
		four, _ := s.answers(A)
		six, _ := s.answers(AAAA)
		if !four || !six || !o.followed(&s) {
			return s
		}
	}
	return Step{Name: o.Host}
}

// circular tells whether every server on the way spoke of aliases only, and all of
// them were followed: no resolver can come to an end.
func (o *Observation) circular() bool {
	return len(o.Steps) > 0 && !slices.ContainsFunc(o.Steps, func(s Step) bool { return !s.onlyAliases() || !o.followed(&s) })
}

// endless tells whether the host lies behind as many aliases, one after the other, as
// were followed, and one more.
func (o *Observation) endless() bool {
	return len(o.Steps) == MaxSteps && !slices.ContainsFunc(o.Steps, func(s Step) bool { return !s.onlyAliases() || len(s.links()) != 1 })
}

// onlyAliases tells whether every server that speaks of the step gives an alias.
func (s *Step) onlyAliases() bool {
	spoke, end := s.answers(A)
	_, other := s.answers(AAAA)
	return spoke && !end && !other
}

// aliases writes the records of a chain, each once.
func (o *Observation) aliases() []string {
	var all []string
	for _, s := range o.Steps {
		for _, l := range s.links() {
			owner, typ, value := s.recordOf(l.Link)
			if text := owner + " " + typ + " " + value; !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

// published is a record that some server gives, and its address if it is an
// address record.
type published struct {
	Link
	addr netip.Addr
}

// links returns each distinct record that some server gives for the step's name,
// with the largest TTL, ordered by type and value.
func (s *Step) links() []published {
	var all []published
	index := map[Link]int{}
	note := func(typ, value string, ttl uint32, addr netip.Addr) {
		key := Link{Type: typ, Value: value}
		i, seen := index[key]
		if !seen {
			i = len(all)
			index[key] = i
			all = append(all, published{Link{Owner: s.Name, Type: typ, Value: value, TTL: ttl}, addr})
		}
		all[i].TTL = max(all[i].TTL, ttl)
	}
	for _, a := range s.Answers {
		switch a.Outcome {
		case Alias:
			note("CNAME", a.Target, a.TTL, netip.Addr{})
		case OK:
			for _, ip := range a.Addresses {
				note(string(a.Type), ip.String(), a.TTL, ip)
			}
		}
	}
	slices.SortStableFunc(all, func(p, q published) int {
		return cmp.Or(cmp.Compare(p.Type, q.Type), cmp.Compare(p.Value, q.Value))
	})
	return all
}

// leading are the records of aliases that lead to a name, with their zones.
func (o *Observation) leading(to string) []finding.Record {
	var all []finding.Record
	for _, s := range o.Steps {
		for _, l := range s.links() {
			if l.Type == "CNAME" && l.Value == to {
				owner, typ, value := s.recordOf(l.Link)
				all = append(all, finding.Record{Zone: s.Zone, Owner: owner, Type: typ, Values: []string{value}, TTL: l.TTL})
			}
		}
	}
	return all
}

// recordOf is the record to edit for a link: that of a wildcard, or of the DNAME that
// the alias is made from.
func (s *Step) recordOf(l Link) (owner, typ, value string) {
	if d := s.dname(); d != "" && l.Type == "CNAME" {
		return d, "DNAME", dnameTarget(s.Name, d, l.Value)
	}
	return s.Owner(), l.Type, l.Value
}

// dname is the owner of the DNAME that gives all that the step has; "" if some of it
// comes from records of the name's own, or of several DNAMEs.
func (s *Step) dname() string {
	owner := ""
	for i := range s.Answers {
		a := &s.Answers[i]
		if !a.hasData() {
			continue
		}
		if a.DNAME == "" || owner != "" && owner != a.DNAME {
			return ""
		}
		owner = a.DNAME
	}
	return owner
}

func visited(path []Link, name string) bool {
	for _, l := range path {
		if l.Owner == name {
			return true
		}
	}
	return false
}

func totalTTL(path []Link) uint64 {
	var sum uint64
	for _, l := range path {
		sum += uint64(l.TTL)
	}
	return sum
}
