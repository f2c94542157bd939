package world

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Validating returns resolvers that demand of a zone, which has no final dot, to be
// signed by a key that it does not have: whatever it says is bogus to them. Of the
// rest of the tree they demand nothing. The last one says why it fails (RFC 8914).
func Validating(zone string) []Recursive {
	digest := strings.Repeat("5d", 32)
	anchored := func(more string) func(testing.TB, string, netip.Addr, netip.Addr) []string {
		return func(t testing.TB, dir string, addr, root netip.Addr) []string {
			t.Helper()
			command := unbound(t, dir, addr, root)
			change(t, filepath.Join(dir, "unbound.conf"), `module-config: "iterator"`,
				fmt.Sprintf("module-config: \"validator iterator\"\n  trust-anchor: \"%s. DS 12345 13 2 %s\"\n%s", zone, digest, more))
			return command
		}
	}
	named := func(t testing.TB, dir string, addr, root netip.Addr) []string {
		t.Helper()
		command := recursiveBIND(t, dir, addr, root)
		conf := filepath.Join(dir, "named.conf")
		change(t, conf, "dnssec-validation no;", "dnssec-validation yes;")
		change(t, conf, "options {", fmt.Sprintf("trust-anchors { %q static-ds 12345 13 2 %q; };\noptions {", zone, digest))
		return command
	}
	return []Recursive{
		{"bind", named, flushBIND},
		{"unbound", anchored(""), flushUnbound},
		{"unbound, which says why", anchored("  ede: yes\n"), flushUnbound},
	}
}

// change replaces a text that stands once in a file.
func change(t testing.TB, path, old, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("%s does not hold %q once:\n%s", path, old, text)
	}
	writeFile(t, path, strings.Replace(string(text), old, with, 1))
}
