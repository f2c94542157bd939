package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"driftprobe/finding"
)

var updateDocs = flag.Bool("update-docs", false, "write docs/findings.md")

// TestFindingsPageIsTheCatalogue keeps docs/findings.md in step with the code.
func TestFindingsPageIsTheCatalogue(t *testing.T) {
	var page bytes.Buffer
	page.WriteString("# Findings\n\nWritten by a test from the catalogue (`finding/catalogue*.go`); `driftprobe explain CODE` prints the same.\n")
	for _, e := range finding.Catalogue() {
		fmt.Fprintf(&page, "\n## %s\n**%s**\n\n%s\n\n*What to do:* %s\n", e.Code, e.Title, e.Why, e.Fix)
		if e.Reference != "" {
			fmt.Fprintf(&page, "\n*Reference:* %s\n", e.Reference)
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
