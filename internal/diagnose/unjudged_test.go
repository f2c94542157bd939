package diagnose_test

import (
	"slices"
	"strings"
	"testing"

	"driftprobe/internal/diagnose"
)

// A host of which nothing is known to compare with, and which nothing else in the report calls
// well, is named.
func TestUnjudgedHostsAreNamed(t *testing.T) {
	b := shop(hosts(t, 1)...).pinned()
	b.probe("api.shop.example", newAddr, silent)
	r := diagnose.Diagnose(policy(), noon(), b.Snapshot)
	if !slices.ContainsFunc(r.Coverage.Notes, func(n string) bool {
		return strings.HasPrefix(n, "stale records could not be looked for on 1 hostname (api.shop.example): ")
	}) {
		t.Errorf("notes %q do not name the host", r.Coverage.Notes)
	}
}
