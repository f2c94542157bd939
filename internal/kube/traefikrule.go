package kube

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Limits of a rule: no honest one is longer or deeper.
const (
	maxRule  = 16 << 10 // bytes
	maxDepth = 50       // parentheses and negations
)

// ruleHosts is which hosts a rule, or a part of it, lets pass.
type ruleHosts struct {
	// hosts are named, in lower case, "*." for a wildcard; whether they are DNS names
	// is not known yet.
	hosts []string
	// patterns are regular expressions: which hosts they mean cannot be listed.
	patterns []string
	// open: hosts pass that the rule does not name.
	open bool
}

func (a ruleHosts) or(b ruleHosts) ruleHosts {
	return ruleHosts{union(a.hosts, b.hosts), union(a.patterns, b.patterns), a.open || b.open}
}

// and keeps what both let pass. Whether a pattern lets a named host pass is not
// looked at: it may.
func (a ruleHosts) and(b ruleHosts) ruleHosts {
	both := ruleHosts{open: a.open && b.open}
	for _, h := range a.hosts {
		if slices.Contains(b.hosts, h) {
			both.hosts = append(both.hosts, h)
		}
	}
	if b.open || len(b.patterns) > 0 {
		both.hosts, both.patterns = union(both.hosts, a.hosts), union(both.patterns, a.patterns)
	}
	if a.open || len(a.patterns) > 0 {
		both.hosts, both.patterns = union(both.hosts, b.hosts), union(both.patterns, b.patterns)
	}
	return both
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// parseRule reads a rule of Traefik, of version 2 (several values in one matcher)
// or 3, of an IngressRoute or an IngressRouteTCP.
// https://doc.traefik.io/traefik/reference/routing-configuration/http/routing/rules-and-priority/
func parseRule(rule string) (ruleHosts, error) {
	if len(rule) > maxRule {
		return ruleHosts{}, fmt.Errorf("it is longer than %d bytes", maxRule)
	}
	p := ruleParser{rest: rule}
	hosts, err := p.disjunction(false)
	if err == nil && p.peek() != 0 {
		err = p.unexpected()
	}
	if err != nil {
		return ruleHosts{}, err
	}
	return hosts, nil
}

// ruleParser descends over the rule. Negation is pushed down to the matchers (De
// Morgan), so that no tree is needed.
type ruleParser struct {
	rest  string
	depth int
}

// disjunction reads "a || b".
func (p *ruleParser) disjunction(negated bool) (ruleHosts, error) {
	return p.chain("||", p.conjunction, !negated, negated)
}

// conjunction reads "a && b", which binds closer.
func (p *ruleParser) conjunction(negated bool) (ruleHosts, error) {
	return p.chain("&&", p.term, negated, negated)
}

// chain reads parts with an operator between, and joins them as alternatives or not.
func (p *ruleParser) chain(operator string, part func(bool) (ruleHosts, error), alternatives, negated bool) (ruleHosts, error) {
	all, err := part(negated)
	for err == nil && p.take(operator) {
		var next ruleHosts
		next, err = part(negated)
		if alternatives {
			all = all.or(next)
		} else {
			all = all.and(next)
		}
	}
	return all, err
}

// term reads "!a", "(a)" or a matcher.
func (p *ruleParser) term(negated bool) (ruleHosts, error) {
	p.depth++
	defer func() { p.depth-- }()
	switch {
	case p.depth > maxDepth:
		return ruleHosts{}, fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	case p.take("!"):
		return p.term(!negated)
	case p.take("("):
		inner, err := p.disjunction(negated)
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return inner, err
	}
	return p.matcher(negated)
}

// matcher reads "Host(`a`, `b`)".
func (p *ruleParser) matcher(negated bool) (ruleHosts, error) {
	p.peek()
	end := 0
	for end < len(p.rest) && isIdentifier(p.rest[end]) {
		end++
	}
	name := strings.ToLower(p.rest[:end])
	if p.rest = p.rest[end:]; end == 0 || !p.take("(") {
		return ruleHosts{}, p.unexpected()
	}
	values, err := p.values()
	if err != nil {
		return ruleHosts{}, err
	}
	if strings.HasPrefix(name, "host") && len(values) == 0 {
		return ruleHosts{}, errors.New("a matcher of hosts has no value")
	}
	switch name {
	case "host", "hostheader", "hostsni":
		return named(values, negated), nil
	case "hostregexp", "hostsniregexp":
		if !negated {
			return ruleHosts{patterns: values}, nil
		}
	}
	return ruleHosts{open: true}, nil
}

// named are the hosts of one matcher. A star alone is every host. Two stars stand
// for names of any depth, which the DNS's one star does too.
func named(values []string, negated bool) ruleHosts {
	all := ruleHosts{open: negated || slices.Contains(values, "*")}
	if all.open {
		return all
	}
	for _, v := range values {
		v = strings.ToLower(v)
		if strings.HasPrefix(v, "**.") {
			v = v[1:]
		}
		all.hosts = append(all.hosts, v)
	}
	return all
}

// values reads strings with commas between, and the closing parenthesis.
func (p *ruleParser) values() ([]string, error) {
	var all []string
	for !p.take(")") {
		if len(all) > 0 && !p.take(",") {
			return nil, p.unexpected()
		}
		if len(all) > 0 && p.take(")") {
			break // a comma may stand behind the last
		}
		quoted, err := p.quoted()
		if err != nil {
			return nil, err
		}
		all = append(all, quoted)
	}
	return all, nil
}

// quoted reads a string as Go writes it: in backquotes, or in double quotes with
// escapes.
func (p *ruleParser) quoted() (string, error) {
	if c := p.peek(); c != '`' && c != '"' {
		return "", p.unexpected()
	}
	prefix, err := strconv.QuotedPrefix(p.rest)
	if err != nil {
		return "", errors.New("a string has no end")
	}
	p.rest = p.rest[len(prefix):]
	return strconv.Unquote(prefix)
}

// peek passes over spaces and returns the next byte, 0 at the end.
func (p *ruleParser) peek() byte {
	if p.rest = strings.TrimLeft(p.rest, " \t\r\n"); p.rest == "" {
		return 0
	}
	return p.rest[0]
}

// take reads the token, if it is the next.
func (p *ruleParser) take(token string) bool {
	p.peek()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *ruleParser) unexpected() error {
	if p.peek() == 0 {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("it cannot be understood from %q on", shortened(p.rest))
}

func isIdentifier(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_'
}
