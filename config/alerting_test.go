package config

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// TestAlertingExamples: every yaml block of the page on alerts is a valid configuration.
func TestAlertingExamples(t *testing.T) {
	const page = "../docs/alerting.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	for i, b := range blocks {
		if _, err := Parse(fmt.Sprintf("%s, example %d", page, i+1), []byte(b[1])); err != nil {
			t.Error(err)
		}
	}
}
