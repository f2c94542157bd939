package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"driftprobe/finding"
)

var update = flag.Bool("update", false, "write the golden files")

// views are the ways in which each report of testdata is rendered.
var views = []struct {
	suffix string
	o      Options
}{
	{".txt", Options{}},
	{".80.txt", Options{Width: 80}},
	{".verbose.txt", Options{Verbose: true}},
}

func reports(t *testing.T) map[string]finding.Report {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no reports in testdata: %v", err)
	}
	all := map[string]finding.Report{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r finding.Report
		dec := json.NewDecoder(bytes.NewReader(content))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(file, ".json")] = r
	}
	return all
}

func render(t *testing.T, r finding.Report, o Options) string {
	t.Helper()
	var out strings.Builder
	if err := Text(&out, r, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTextGoldens(t *testing.T) {
	for name, r := range reports(t) {
		for _, v := range views {
			t.Run(filepath.Base(name)+v.suffix, func(t *testing.T) {
				golden(t, name+v.suffix, render(t, r, v.o))
			})
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (write it anew with -update):\n%s", file, got)
	}
}

// Whatever a report holds, a terminal sees printable text, newlines and no more.
func TestTextIsSafeForTerminals(t *testing.T) {
	for name, r := range reports(t) {
		for _, v := range views {
			for _, c := range render(t, r, v.o) {
				if c != '\n' && !printable(c) || c == utf8.RuneError {
					t.Errorf("%s%s has the character %U", name, v.suffix, c)
				}
			}
		}
	}
}

func TestLayoutIsTidy(t *testing.T) {
	for name, r := range reports(t) {
		for _, v := range views {
			out := render(t, r, v.o)
			if strings.HasPrefix(out, "\n") || strings.Contains(out, "\n\n\n") || strings.Contains(out, " \n") || !strings.HasSuffix(out, "\n") {
				t.Errorf("%s%s has stray white space:\n%s", name, v.suffix, out)
			}
		}
	}
}
