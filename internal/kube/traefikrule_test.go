package kube

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	list := func(words ...string) []string { return words }
	tests := []struct {
		rule, match string
		want        ruleHosts
	}{
		{"one host", "Host(`a.example`)", ruleHosts{hosts: list("a.example")}},
		{"version 2 has several values, and a comma may stand behind the last", "Host(`a.example`, `b.example`,)", ruleHosts{hosts: list("a.example", "b.example")}},
		{"alternatives", "Host(`a.example`) || Host(`b.example`)", ruleHosts{hosts: list("a.example", "b.example")}},
		{"a path changes nothing", "Host(`a.example`) && PathPrefix(`/api`)", ruleHosts{hosts: list("a.example")}},
		{"double quotes", `Host("a.example") && Path("/\"x\"")`, ruleHosts{hosts: list("a.example")}},
		{"escapes are Go's", `Host("\x61.example")`, ruleHosts{hosts: list("a.example")}},
		{"&& binds closer than ||", "Host(`a.example`) || Host(`b.example`) && Path(`/`)", ruleHosts{hosts: list("a.example", "b.example")}},
		{"parentheses", "(Host(`a.example`) || Host(`b.example`)) && (Path(`/x`) || Method(`GET`))", ruleHosts{hosts: list("a.example", "b.example")}},
		{"names of matchers in any case, spaces and lines anywhere", " host (\n`A.Example`\t)&&PATHPREFIX(`/`) ", ruleHosts{hosts: list("a.example")}},
		{"two hosts at once are none", "Host(`a.example`) && Host(`b.example`)", ruleHosts{}},
		{"a host in both parts is one", "Host(`a.example`, `b.example`) && Host(`b.example`)", ruleHosts{hosts: list("b.example")}},
		{"a host that is excluded is none", "!Host(`a.example`)", ruleHosts{open: true}},
		{"beside another it changes nothing", "Host(`b.example`) && !Host(`a.example`)", ruleHosts{hosts: list("b.example")}},
		{"twice excluded is named", "!(!Host(`a.example`))", ruleHosts{hosts: list("a.example")}},
		{"negation goes through parentheses", "!(Path(`/`) || !Host(`a.example`))", ruleHosts{hosts: list("a.example")}},
		{"an excluded pattern is none", "!HostRegexp(`.+`)", ruleHosts{open: true}},
		{"no host at all is any", "PathPrefix(`/metrics`)", ruleHosts{open: true}},
		{"any host beside a named one", "Host(`a.example`) || Path(`/x`)", ruleHosts{hosts: list("a.example"), open: true}},
		{"a pattern is not listed", "HostRegexp(`^.+\\.example$`)", ruleHosts{patterns: list("^.+\\.example$")}},
		{"a pattern of version 2", "HostRegexp(`{sub:[a-z]+}.example`, `x`) && Path(`/`)", ruleHosts{patterns: list("{sub:[a-z]+}.example", "x")}},
		{"a named host that a pattern may let pass", "HostRegexp(`.+`) && Host(`a.example`)", ruleHosts{hosts: list("a.example")}},
		{"version 2 has another name for it", "HostHeader(`a.example`)", ruleHosts{hosts: list("a.example")}},
		{"the name in the handshake", "HostSNI(`db.example`) && ALPN(`h2`)", ruleHosts{hosts: list("db.example")}},
		{"every name in the handshake", "HostSNI(`*`)", ruleHosts{open: true}},
		{"wildcards, of any depth too", "Host(`*.a.example`) || Host(`**.b.example`)", ruleHosts{hosts: list("*.a.example", "*.b.example")}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			got, err := parseRule(test.match)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got.hosts)
			if len(got.hosts) == 0 {
				got.hosts = nil
			}
			if len(got.patterns) == 0 {
				got.patterns = nil
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s\n got %+v\nwant %+v", test.match, got, test.want)
			}
		})
	}
}

func TestParseRuleRefuses(t *testing.T) {
	for _, match := range []string{
		"", "Host", "Host(", "Host()", "Host(`a`", "Host(`a", `Host("a`, "Host('a')", "Host(a)", "Host(`a`) Host(`b`)",
		"Host(`a`) &&", "Host(`a`) & Path(`/`)", "|| Host(`a`)", "(Host(`a`)", "Host(`a`))", "!", "Host(`a` `b`)", "Host(,)", "HostRegexp()",
		"Host(`a`);", "Hóst(`a`)", strings.Repeat("!", 100) + "Host(`a`)", strings.Repeat("(", 1000), "Host(`" + strings.Repeat("a", maxRule) + "`)",
	} {
		if got, err := parseRule(match); err == nil || !reflect.DeepEqual(got, ruleHosts{}) {
			t.Errorf("%.40q is taken: %+v (%v)", match, got, err)
		}
	}
}

// FuzzParseRule: no panic; what comes out is bounded by what went in, and does not
// depend on parentheses around it or on two negations before it.
func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{
		"Host(`a.example`, `b.example`) || !(Path(\"/\\\"\") && HostSNI(`*`))", "HostRegexp(`{x:.+}`)", "((((", "Host(`a`)&&Host(`b`)||!Host(`c`)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, match string) {
		got, err := parseRule(match)
		if err != nil {
			return
		}
		size := 0
		for _, h := range slices.Concat(got.hosts, got.patterns) {
			size += len(h)
		}
		if size > 4*len(match) {
			t.Errorf("%d bytes of %d", size, len(match))
		}
		for _, around := range []string{"(" + match + ")", "!!(" + match + ")"} {
			again, err := parseRule(around)
			if err != nil {
				continue // too long or too deep by that
			}
			if !reflect.DeepEqual(again, got) {
				t.Errorf("%q: %+v, and %q: %+v", match, got, around, again)
			}
		}
	})
}
