package dnscheck_test

import (
	"slices"
	"strings"
	"testing"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

func TestWildcardsAreNamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, text, host, owner string }{
		{"a name that its wildcard answers for", "* 60 A 192.0.2.1", "www.shop.example", "*.shop.example"},
		{"an alias by wildcard", "* 60 CNAME pool.lb.test.", "www.shop.example", "*.shop.example"},
		{"a name two labels below its wildcard", "* 60 A 192.0.2.1", "a.b.shop.example", "*.shop.example"},
		{"a name four labels below its wildcard", "* 60 A 192.0.2.1", "a.b.c.d.shop.example", "*.shop.example"},
		{"a name with other data than the wildcard", "* 60 A 192.0.2.1\nwww 60 A 192.0.2.2", "www.shop.example", ""},
		{"a zone without wildcards", "www 60 A 192.0.2.1", "www.shop.example", ""},
		{"a name without data", "* 60 TXT x", "www.shop.example", ""},

		{"a literal that repeats its wildcard", "* 60 A 192.0.2.1\nwww 60 A 192.0.2.1", "www.shop.example", ""},
		{"a literal alias that repeats its wildcard", "* 60 CNAME pool.lb.test.\nwww 60 CNAME pool.lb.test.", "www.shop.example", ""},
		{"a literal with one of the wildcard's types", "* 60 A 192.0.2.1\n* 60 AAAA 2001:db8::1\nwww 60 A 192.0.2.1", "www.shop.example", ""},
		{"a literal with a child, which repeats its wildcard", "* 60 A 192.0.2.1\napi 60 A 192.0.2.1\nx.api 60 A 192.0.2.9", "api.shop.example", ""},
		{"a literal with a wildcard of its own, all three the same", "* 60 A 192.0.2.1\nwww 60 A 192.0.2.1\n*.www 60 A 192.0.2.1", "www.shop.example", ""},
		{"a literal below an empty non-terminal, which takes it out of the wildcard", "* 60 A 192.0.2.1\nx.eu 60 A 192.0.2.1", "x.eu.shop.example", ""},
		{"a name beside others that exist", "* 60 A 192.0.2.1\nwww 60 A 192.0.2.1\nx.api 60 A 192.0.2.1", "new.shop.example", "*.shop.example"},
		{"an empty non-terminal has no data of the wildcard", "* 60 A 192.0.2.1\nx.api 60 A 192.0.2.9", "api.shop.example", ""},

		{"a wildcard of its own below another", "* 60 A 192.0.2.1\n*.eu 60 A 192.0.2.2", "www.eu.shop.example", "*.eu.shop.example"},
		{"a lower wildcard that repeats the higher one", "* 60 A 192.0.2.1\n*.eu 60 A 192.0.2.1", "www.eu.shop.example", "*.eu.shop.example"},
		{"a literal between two wildcards that repeat it", "* 60 A 192.0.2.1\n*.eu 60 A 192.0.2.1\nwww.eu 60 A 192.0.2.1", "www.eu.shop.example", ""},
		{"two labels below the lower of two equal wildcards", "* 60 A 192.0.2.1\n*.eu 60 A 192.0.2.1", "a.b.eu.shop.example", "*.eu.shop.example"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, c.text)
			s := r.dns.Observe(t.Context(), c.host).Steps[0]
			if s.WildcardOwner != c.owner || (len(s.Wildcard) > 0) != (c.owner != "") {
				t.Errorf("wildcard %q %+v, want %q", s.WildcardOwner, s.Wildcard, c.owner)
			}
			for _, a := range s.Wildcard {
				if !slices.ContainsFunc(s.Answers, func(o dnscheck.Answer) bool { return o.Type == a.Type && answerText(o) == answerText(a) }) {
					t.Errorf("the wildcard says %s, the name %+v", answerText(a), s.Answers)
				}
			}
			if asked := r.count(forWildcards, 11, 12, 13); asked > 12 {
				t.Errorf("%d questions about wildcards, the bound is 12", asked)
			}
		})
	}
}

func forWildcards(q lab.Query) bool { return strings.Contains(q.Name, "*") }

// Without the answer that tells a literal from its wildcard, the wildcard is named.
func TestAWildcardIsNamedWhenALiteralCannotBeToldFromIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		fault lab.Fault
	}{
		{"the question is refused", lab.Refuse},
		{"the question fails", lab.ServFail},
		{"the answer is not authoritative", lab.NotAuthoritative},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newShop(t, "* 60 A 192.0.2.1\nwww 60 A 192.0.2.1")
			for last := byte(11); last <= 13; last++ {
				r.server(last).SetFault(lab.ForName("driftprobe-check.*.www.shop.example.", c.fault))
			}
			o := r.dns.Observe(t.Context(), "www.shop.example")
			if got := o.Steps[0].WildcardOwner; got != "*.shop.example" {
				t.Errorf("owner %q", got)
			}
			if n := r.asked("driftprobe-check.*.www.shop.example.", 11, 12, 13); n != 1 {
				t.Errorf("%d questions below the name's own wildcard, want 1", n)
			}
		})
	}
}
