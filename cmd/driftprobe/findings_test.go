package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"driftprobe/finding"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/findings.md")

// TestFindingsPageIsTheCatalogue keeps docs/findings.md in step with the code.
func TestFindingsPageIsTheCatalogue(t *testing.T) {
	var page bytes.Buffer
	page.WriteString("# Findings\n\nWritten by a test from the catalogue (`finding/catalogue*.go`); `driftprobe explain CODE` prints the same. The examples are what\n`--once` prints, of the tests' worlds (internal/diagnose/testdata).\n")
	examples := examplesOfCodes(t)
	if len(examples) < 30 {
		t.Errorf("only %d codes have an example", len(examples))
	}
	for _, e := range finding.Catalogue() {
		fmt.Fprintf(&page, "\n## %s\n**%s**\n\n%s\n\n*What to do:* %s\n", e.Code, e.Title, e.Why, e.Fix)
		if e.Reference != "" {
			fmt.Fprintf(&page, "\n*Reference:* %s\n", e.Reference)
		}
		if example := examples[e.Code]; example != "" {
			fmt.Fprintf(&page, "\n```\n%s```\n", example)
		}
	}
	const path = "../../docs/findings.md"
	if *updateDocs {
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, page.Bytes()) {
		t.Errorf("%s is not the catalogue: go test ./cmd/driftprobe -run FindingsPage -update-docs", path)
	}
}

// examplesOfCodes are, of each code, the shortest report in which it is the first to be
// explained, without the line that says so. One that says what to do is better than one that
// does not.
func examplesOfCodes(t *testing.T) map[finding.Code]string {
	t.Helper()
	files, err := filepath.Glob("../../internal/diagnose/testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[finding.Code]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		report, code, _ := strings.Cut(string(text), "explain: driftprobe explain ")
		code, _, _ = strings.Cut(code, "\n")
		cost := func(report string) int {
			if strings.Contains(report, "\n  fix  ") {
				return len(report)
			}
			return len(report) + 1<<20
		}
		if is := finding.Code(code); all[is] == "" || cost(report) < cost(all[is]) {
			all[is] = report
		}
	}
	delete(all, "") // what is well
	return all
}
