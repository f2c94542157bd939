package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
)

func TestSafe(t *testing.T) {
	cases := []struct{ rule, in, want string }{
		{"plain text stays", `shop.example → "k8s", 4f0c… ≥ 41 days`, `shop.example → "k8s", 4f0c… ≥ 41 days`},
		{"escape sequences are shown", "\x1b[31mred", `\x1b[31mred`},
		{"a line break is shown", "a\r\nOK", `a\x0d\x0aOK`},
		{"an 8-bit control is shown", "a\u009b31m", `a\x9b31m`},
		{"delete is shown", "a\x7f", `a\x7f`},
		{"bidirectional overrides are shown", "a\u202eb\u2066", `a\u202eb\u2066`},
		{"invisible characters are shown", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"line separators are shown", "a\u2028b", `a\u2028b`},
		{"invisible tags are shown", "a\U000e0041", `a\U000e0041`},
		{"bytes that are not UTF-8 are shown", "a\xff\x9bb", `a\xff\x9bb`},
		{"a replacement character in the text stays", "a\ufffdb", "a\ufffdb"},
		{"a replacement character stays beside what is shown", "\ufffd\x01", "\ufffd" + `\x01`},
		{"a space that does not break stays", "41\u00a0min", "41\u00a0min"},
	}
	for _, c := range cases {
		t.Run(c.rule, func(t *testing.T) {
			if got := Safe(c.in); got != c.want {
				t.Errorf("Safe(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("\x1b]0;x\x07\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Safe(s)
		for _, c := range got {
			if !printable(c) {
				t.Fatalf("Safe(%q) = %q has %U", s, got, c)
			}
		}
		if Safe(got) != got {
			t.Fatalf("Safe(%q) = %q is not safe", s, got)
		}
	})
}

func TestColorMarksNothingButTheSeverity(t *testing.T) {
	for name, r := range reports(t) {
		plain, colored := render(t, r, Options{}), render(t, r, Options{Color: true})
		stripped := colored
		for _, code := range []string{"\x1b[1;31m", "\x1b[1;33m", "\x1b[1;35m", "\x1b[1;32m", "\x1b[1;36m", "\x1b[0m"} {
			stripped = strings.ReplaceAll(stripped, code, "")
		}
		if stripped != plain {
			t.Errorf("%s: colour changes the text:\n%s", name, colored)
		}
		// What has no verdict has nothing to mark.
		if verdict := len(r.Incidents)+len(r.Fronts) > 0; (colored != plain) != verdict && name != "testdata/nothing" {
			t.Errorf("%s: coloured %t, want %t", name, colored != plain, verdict)
		}
	}
	r := reports(t)["testdata/stale"]
	if out := render(t, r, Options{Color: true}); !strings.HasPrefix(out, "\x1b[1;31mCRITICAL\x1b[0m  DNS") {
		t.Errorf("the severity is not marked: %q", out[:40])
	}
}

func TestJSON(t *testing.T) {
	for name, r := range reports(t) {
		var out strings.Builder
		if err := JSON(&out, r, map[string]string{"a": "<&>"}, nil); err != nil {
			t.Fatal(err)
		}
		for _, c := range out.String() {
			if c != '\n' && !printable(c) {
				t.Errorf("%s: the document has the character %U", name, c)
			}
		}
		var doc struct {
			Report   finding.Report
			Snapshot map[string]string
		}
		if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if doc.Snapshot["a"] != "<&>" || !strings.Contains(out.String(), `"<&>"`) {
			t.Errorf("%s: the snapshot was changed", name)
		}
		var again strings.Builder
		if err := JSON(&again, doc.Report, doc.Snapshot, nil); err != nil || again.String() != out.String() {
			t.Errorf("%s: the report does not survive: %v", name, err)
		}
		if len(doc.Report.Incidents) != len(r.Incidents) || !reflect.DeepEqual(doc.Report.Fronts, list(r.Fronts)) && len(r.Fronts) > 0 {
			t.Errorf("%s: the report was changed", name)
		}
	}
}

func TestJSONHasListsNotNulls(t *testing.T) {
	var out strings.Builder
	r := finding.Report{Incidents: []finding.Incident{{ID: "a"}}}
	if err := JSON(&out, r, nil, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "null") || strings.Contains(out.String(), `"snapshot"`) {
		t.Errorf("got %s", out.String())
	}
	if r.Findings != nil || r.Incidents[0].Hosts != nil {
		t.Error("the caller's report was changed")
	}
}

// The encoder may write in parts, and cut where it likes.
func TestEscaperMindsCutCharacters(t *testing.T) {
	const in, want = "a\x1b\u202eé😀\U000e0001\n", "a\\u001b\\u202eé😀\\udb40\\udc01\n"
	for size := 1; size <= len(in); size++ {
		var out strings.Builder
		buffered := bufio.NewWriter(&out)
		e := &escaper{out: buffered}
		for rest := in; rest != ""; rest = rest[min(size, len(rest)):] {
			if n, err := e.Write([]byte(rest[:min(size, len(rest))])); err != nil || n != min(size, len(rest)) {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		if err := buffered.Flush(); err != nil || out.String() != want {
			t.Errorf("in parts of %d: %q, %v", size, out.String(), err)
		}
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrorsAreReturned(t *testing.T) {
	for name, err := range map[string]error{
		"Text":       Text(broken{}, finding.Report{}, Options{}),
		"JSON":       JSON(broken{}, finding.Report{}, nil, nil),
		"Explain":    Explain(broken{}, finding.Entry{}),
		"ExplainAll": ExplainAll(broken{}, "", ""),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s = %v, want %v", name, err, errBroken)
		}
	}
}

func TestExplain(t *testing.T) {
	var out strings.Builder
	entry, _ := finding.Lookup(finding.DNSStaleRecord)
	if err := Explain(&out, entry); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/explain.txt", out.String())
}

func TestExplainAllNamesEveryCode(t *testing.T) {
	var out strings.Builder
	if err := ExplainAll(&out, "", ""); err != nil {
		t.Fatal(err)
	}
	for _, e := range finding.Catalogue() {
		if !strings.Contains("\n"+out.String(), "\n"+string(e.Code)+" ") {
			t.Errorf("%s is missing", e.Code)
		}
	}
	for line := range strings.Lines(out.String()) {
		if columns(line) > explainWidth+1 {
			t.Errorf("longer than %d columns: %q", explainWidth, line)
		}
	}
}

func TestSpans(t *testing.T) {
	cases := []struct{ got, want string }{
		{took(0), "1 ms"},
		{took(240 * time.Millisecond), "240 ms"},
		{took(1310 * time.Millisecond), "1.3 s"},
		{took(125 * time.Second), "2 min 5 s"},
		{finding.Left(41*24*time.Hour + time.Hour), "41 days"},
		{finding.Left(47 * time.Hour), "47 h"},
		{finding.Left(59 * time.Minute), "59 min"},
		{finding.Lasted(30 * time.Second), "30 s"},
		{finding.Lasted(66 * time.Minute), "1 h 6 min"},
		{finding.Lasted(72 * time.Hour), "3 days"},
	}
	for _, c := range cases {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestClockIsInUTC(t *testing.T) {
	at := time.Date(2026, 11, 7, 12, 41, 0, 0, time.FixedZone("CET", 3600))
	if got := clock(at, at.Add(time.Hour)); got != "11:41 UTC" {
		t.Errorf("got %q", got)
	}
	if got := clock(at, at.Add(72*time.Hour)); got != "2026-11-07 11:41 UTC" {
		t.Errorf("got %q", got)
	}
}

// What differs by the hostname only is said once.
func TestAFindingOfManyHostsIsSaidOnce(t *testing.T) {
	about := func(host, observed string) finding.Finding {
		return finding.Finding{
			Code: finding.DNSStaleRecord, Severity: finding.Critical, Subject: finding.Subject{Host: host}, Summary: host + " publishes 192.0.2.1",
			Observed: observed, SeenAt: []string{"ns1.shop.example"},
		}
	}
	server := finding.Finding{Code: finding.DNSServerDegraded, Severity: finding.Warning, Subject: finding.Subject{Server: "ns1"}, Summary: "ns1 is silent"}
	r := finding.Report{Incidents: []finding.Incident{{Severity: finding.Critical, Cause: "it", Effects: []finding.Finding{
		about("a.shop.example", "192.0.2.1 for https://a.shop.example/"), about("b.shop.example", "192.0.2.1 for https://b.shop.example/"),
		about("b.shop.example", "192.0.2.1 for https://b.shop.example/"), about("c.shop.example", "192.0.2.2"), about("shop.example", "192.0.2.2"), server, server,
	}}}}
	want := `findings
    critical  dns/stale-record  a.shop.example publishes 192.0.2.1; found 192.0.2.1 for
              https://a.shop.example/; seen at ns1.shop.example
              the same of  b.shop.example
    critical  dns/stale-record  c.shop.example publishes 192.0.2.1; found 192.0.2.2; seen at
              ns1.shop.example
              the same of  shop.example
    warning   dns/nameserver-degraded  ns1 is silent

checked`
	if got := render(t, r, Options{Verbose: true}); !strings.Contains(got, want) {
		t.Errorf("it says\n%s\nand not\n%s", got, want)
	}
}
