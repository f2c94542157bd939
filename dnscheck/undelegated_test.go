package dnscheck

import (
	"strings"
	"testing"
)

// A name whose zone nobody was seen to delegate is first of all misspelt.
func TestUndelegatedHint(t *testing.T) {
	for _, c := range []struct {
		name, zone string
		seen       []Sighting
		want       string
	}{
		{"shop.exmaple", ".", nil, "there is no top-level domain exmaple: check the spelling"},
		{"exmaple", ".", nil, "there is no top-level domain exmaple: check the spelling"},
		{"api.shop.example", "example", nil, "find out why example does not delegate it (not registered"},
		{"api.shop.example", "example", []Sighting{{}}, "find out why example does not delegate it any more"},
	} {
		if got := undelegated(&Case{Seen: c.seen}, c.name, c.zone); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q lacks %q", c.name, got, c.want)
		}
	}
}
