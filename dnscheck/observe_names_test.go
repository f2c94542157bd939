package dnscheck_test

import (
	"strings"
	"testing"

	"driftprobe/dnscheck"
	"driftprobe/internal/lab"
)

// Names of every kind are looked up, followed and told as they are.
func TestNamesOfEveryKind(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("l", 63)
	// 63·3 + 3 dots + 44 + 1 + len(shop.example) is 253 characters, the longest there is.
	longest := label + "." + label + "." + label + "." + strings.Repeat("m", 48) + ".shop.example"
	for _, c := range []struct{ rule, text, host, end string }{
		{"a label of 63 characters", label + " 60 A 192.0.2.1", label + ".shop.example", label + ".shop.example"},
		{"the longest name", strings.TrimSuffix(longest, ".shop.example") + " 60 A 192.0.2.1", longest, longest},
		{"an alias to the longest name", "www 60 CNAME " + longest + ".\n" + longest + ". 60 A 192.0.2.1", "www.shop.example", longest},
		{"capitals and the final dot", "www 60 A 192.0.2.1", "wWw.SHOP.example.", "www.shop.example"},
		{"underscores", "_tcp._www 60 A 192.0.2.1", "_tcp._www.shop.example", "_tcp._www.shop.example"},
		{"an alias to a name with underscores", "www 60 CNAME _lb._www\n_lb._www 60 A 192.0.2.1", "www.shop.example", "_lb._www.shop.example"},
		{"an A-label", "xn--bcher-kva 60 A 192.0.2.1", "xn--bcher-kva.shop.example", "xn--bcher-kva.shop.example"},
		{"a dot inside a label", `a\.b 60 A 192.0.2.1`, `a\.b.shop.example`, `a\.b.shop.example`},
		{"an alias to a name with a dot inside a label", `www 60 CNAME a\.b` + "\n" + `a\.b 60 A 192.0.2.1`, "www.shop.example", `a\.b.shop.example`},
		{"octets that are no characters", `www 60 CNAME \000\255` + "\n" + `\000\255 60 A 192.0.2.1`, "www.shop.example", `\000\255.shop.example`},
		{"a name below an empty non-terminal", "x.y.z 60 A 192.0.2.1", "x.y.z.shop.example", "x.y.z.shop.example"},
		{"a wildcard two empty non-terminals above", "*.z 60 A 192.0.2.1", "x.y.z.shop.example", "x.y.z.shop.example"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newRealm(t, func(r realm) []lab.ZoneSpec { return []lab.ZoneSpec{r.oneServer("shop.example.", 11, c.text)} }, nil)
			o := r.dns.Observe(t.Context(), c.host)
			if len(o.Published()) != 1 || o.Cut != "" || o.Steps[len(o.Steps)-1].Name != c.end {
				t.Errorf("want %s\n%scut %q", c.end, told(o), o.Cut)
			}
		})
	}
}

// An empty non-terminal has no records, and hides the wildcard above it, for itself
// and for what does not exist below it (RFC 4592 section 2.2.2).
func TestEmptyNonTerminalsHideTheWildcard(t *testing.T) {
	t.Parallel()
	r := newRealm(t, func(r realm) []lab.ZoneSpec {
		return []lab.ZoneSpec{r.oneServer("shop.example.", 11, "* 60 A 192.0.2.1\na.b.c 60 A 192.0.2.2")}
	}, nil)
	for host, want := range map[string]dnscheck.Outcome{
		"b.c.shop.example": dnscheck.NoData, "c.shop.example": dnscheck.NoData,
		"x.b.c.shop.example": dnscheck.NoName, "x.a.b.c.shop.example": dnscheck.NoName,
		"x.shop.example": dnscheck.OK, "a.b.c.shop.example": dnscheck.OK, "x.y.shop.example": dnscheck.OK,
	} {
		if a := r.dns.Observe(t.Context(), host).Steps[0].Answers[0]; a.Outcome != want {
			t.Errorf("%s: %+v, want %s", host, a, want)
		}
	}
}

func TestNamesThatAreTooLongAreNone(t *testing.T) {
	label := strings.Repeat("l", 63)
	r := newShop(t, "")
	for _, host := range []string{
		"l" + label + ".shop.example",
		label + "." + label + "." + label + "." + strings.Repeat("m", 49) + ".shop.example",
		label + "." + label + "." + label + "." + strings.Repeat("m", 50) + ".shop.example.",
	} {
		if o := r.dns.Observe(t.Context(), host); o.Steps[0].Failure.Outcome != dnscheck.Malformed || o.Heard {
			t.Errorf("%d characters: %+v", len(host), o)
		}
	}
}
