package finding

import (
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// declared reads the codes from the source: a constant without an entry would
// otherwise go unseen.
func declared(t *testing.T) []Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "catalogue.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "Code" {
			text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, Code(text))
		}
		return true
	})
	return codes
}

func TestCatalogueHasOneEntryForEachCode(t *testing.T) {
	codes := declared(t)
	if len(codes) < 20 {
		t.Fatalf("read only %d codes from the source", len(codes))
	}
	var listed []Code
	for _, e := range Catalogue() {
		listed = append(listed, e.Code)
	}
	slices.Sort(codes)
	slices.Sort(listed)
	if !slices.Equal(codes, listed) {
		t.Errorf("constants\n%q\nentries\n%q", codes, listed)
	}
	if len(slices.Compact(slices.Clone(listed))) != len(listed) {
		t.Errorf("a code has two entries: %q", listed)
	}
}

func TestEntriesAreComplete(t *testing.T) {
	form := regexp.MustCompile(`^(dns|lb|http|tls|issuance|self)/[a-z]+(-[a-z]+)*$`)
	for _, e := range Catalogue() {
		if !form.MatchString(string(e.Code)) {
			t.Errorf("%q is not family/name", e.Code)
		}
		if family, _, _ := strings.Cut(string(e.Code), "/"); e.Code.Family() != family {
			t.Errorf("the family of %q is not %q", e.Code, e.Code.Family())
		}
		if e.Title == "" || e.Why == "" || e.Fix == "" {
			t.Errorf("%s lacks a text: %+v", e.Code, e)
		}
		if strings.HasSuffix(e.Title, ".") || !strings.HasSuffix(e.Why, ".") || !strings.HasSuffix(e.Fix, ".") {
			t.Errorf("%s: a title has no full stop, sentences have one", e.Code)
		}
		if e.Reference == "" && e.Code.Family() != "self" {
			t.Errorf("%s has no reference", e.Code)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, e := range Catalogue() {
		if got, ok := Lookup(e.Code); !ok || got != e {
			t.Errorf("Lookup(%s) = %+v, %t", e.Code, got, ok)
		}
	}
	if e, ok := Lookup("dns/no-such"); ok || e != (Entry{}) {
		t.Errorf("Lookup of an unknown code = %+v, %t", e, ok)
	}
}

func TestSortIsTotal(t *testing.T) {
	base := Finding{Code: "b/b", Severity: Warning, Subject: Subject{Host: "m"}, Summary: "m", Observed: "m"}
	all := []Finding{base}
	for _, change := range []func(*Finding){
		func(f *Finding) { f.Severity = Critical },
		func(f *Finding) { f.Severity = Info },
		func(f *Finding) { f.Code = "a/a" },
		func(f *Finding) { f.Subject.Host = "a" },
		func(f *Finding) { f.Subject.Address = "a" },
		func(f *Finding) { f.Subject.Server = "a" },
		func(f *Finding) { f.Subject.Namespace = "a" },
		func(f *Finding) { f.Subject.Name = "a" },
		func(f *Finding) { f.Subject.Source = "a" },
		func(f *Finding) { f.Summary = "a" },
		func(f *Finding) { f.Observed = "a" },
	} {
		f := base
		change(&f)
		all = append(all, f)
	}
	want := slices.Clone(all)
	Sort(want)
	if want[0].Severity != Critical || want[len(want)-1].Severity != Info {
		t.Errorf("the worst is not first: %+v", want)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		got := slices.Clone(all)
		if Sort(got); !reflect.DeepEqual(got, want) {
			t.Fatalf("sorted from another order\n%+v\nwant\n%+v", got, want)
		}
	}
}

func TestIdentityIsCodeAndSubject(t *testing.T) {
	a := Finding{Code: "dns/x", Severity: Info, Subject: Subject{Host: "h"}, Summary: "one"}
	b := Finding{Code: "dns/x", Severity: Critical, Subject: Subject{Host: "h"}, Summary: "two"}
	if a.ID() != b.ID() {
		t.Error("other texts made another finding")
	}
	if b.Subject.Address = "203.0.113.1"; a.ID() == b.ID() {
		t.Error("another subject made the same finding")
	}
}

func TestSeverityText(t *testing.T) {
	for s := Info; s <= Critical; s++ {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Severity
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s reads as %s (%v)", text, back, err)
		}
	}
	var s Severity
	for _, bad := range []string{"", "Critical", "severity(9)", "error"} {
		if err := s.UnmarshalText([]byte(bad)); err == nil || s != Info {
			t.Errorf("%q was read as %s", bad, s)
		}
	}
	if got := Severity(9).String(); got != "severity(9)" {
		t.Errorf("an unknown severity is %q", got)
	}
	if got := Worst([]Finding{{Severity: Unknown}, {Severity: Warning}, {}}); got != Warning {
		t.Errorf("Worst = %s", got)
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0 s", 0: "0 s", time.Millisecond: "1 s", 41 * time.Second: "41 s", 119 * time.Second: "119 s",
		2 * time.Minute: "2 min", 5*time.Minute + time.Second: "6 min", time.Hour: "60 min",
		2 * time.Hour: "2 h", 47*time.Hour + time.Minute: "48 h", 48 * time.Hour: "2 days", 49 * time.Hour: "3 days",
		(1<<31 - 1) * time.Second: "24856 days",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%s) = %q, want %q", d, got, want)
		}
	}
	at := time.Date(2026, 3, 7, 13, 47, 5, 999, time.FixedZone("CET", 3600))
	if got := Clock(at, at.Add(-time.Hour)); got != "12:47:05 UTC" {
		t.Errorf("Clock = %q", got)
	}
	if got := Clock(at, at.Add(13*time.Hour)); got != "2026-03-07 12:47 UTC" {
		t.Errorf("Clock of another day = %q", got)
	}
	for n, want := range map[int]string{0: "0 names", 1: "1 name", 14: "14 names"} {
		if got := Count(n, "name", "names"); got != want {
			t.Errorf("Count(%d) = %q", n, got)
		}
	}
	for want, n := range map[string]int{"": 0, "a": 1, "a, b": 2, "a, b and 1 more": 3, "a, b and 2 more": 4} {
		if got := List([]string{"a", "b", "c", "d"}[:n], 2); got != want {
			t.Errorf("List of %d = %q, want %q", n, got, want)
		}
	}
}
