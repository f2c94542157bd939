package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedExamples: every yaml block of the page on probing is a whole, valid
// configuration, and each key of a target stands in one of them.
func TestDocumentedExamples(t *testing.T) {
	const page = "../docs/probe.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 9 {
		t.Fatalf("%d examples", len(blocks))
	}
	var all strings.Builder
	for i, b := range blocks {
		if _, err := Parse(fmt.Sprintf("%s, example %d", page, i+1), []byte(b[1])); err != nil {
			t.Error(err)
		}
		all.WriteString(b[1])
	}
	var missing func(reflect.Type)
	missing = func(section reflect.Type) {
		for _, k := range keysOf(section) {
			if section == reflect.TypeFor[BasicAuth]() && k.key == "password" {
				continue // is better in a file
			}
			if !strings.Contains(all.String(), k.key+":") && !strings.Contains(all.String(), "or "+k.key) && k.key != "allow" {
				t.Errorf("no example of %s", k.key)
			}
			if field := section.FieldByIndex(k.field).Type; field.Kind() == reflect.Struct {
				missing(field)
			}
		}
	}
	missing(reflect.TypeFor[Target]())
	missing(reflect.TypeFor[Probe]())
}
