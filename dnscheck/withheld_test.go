package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// besides puts servers beside the delegation into the first step.
func besides(o Observation, names ...string) Observation {
	for _, name := range names {
		var n byte
		_, _ = fmt.Sscanf(name, "ns%d", &n)
		o.Steps[0].Beside = append(o.Steps[0].Beside, Server{Name: name, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 53)})
	}
	return o
}

// What a server gave that is silent now is not gone: whether the delegation has it or only
// the zone, and whether it gave an address or an alias.
func TestSilenceDoesNotTakeAnAddressAway(t *testing.T) {
	const both, one = good + "\n ns2: api.shop.example. 60 A 203.0.113.10", good
	const alias = "ns1: api.shop.example. 60 CNAME new.edge.example.\n ns2: api.shop.example. 60 CNAME %s.edge.example.\n ns4: new.edge.example. 60 A 203.0.113.77\n"
	lags := fmt.Sprintf(alias, "old") + "ns4: old.edge.example. 60 A 203.0.113.10"
	mended := fmt.Sprintf(alias, "new")
	quiet := "ns1: api.shop.example. 60 CNAME new.edge.example.\n ns2: api.shop.example. silent\n ns4: new.edge.example. 60 A 203.0.113.77"
	byOne := "ns1: api.shop.example. 60 CNAME old.edge.example.\n ns2: api.shop.example. silent\n ns4: old.edge.example. 60 A 203.0.113.10"
	was := "ns1: api.shop.example. 60 CNAME old.edge.example.\n ns2: api.shop.example. 60 CNAME old.edge.example.\n ns4: old.edge.example. 60 A 203.0.113.10"
	for _, c := range []struct {
		rule   string
		beside bool // ns2 is named by the zone alone, up to the last look if left
		left   bool
		looks  []string
		want   []string // who withholds it after the last look
	}{
		{"a server beside the delegation that falls silent", true, false, []string{both, one, one}, []string{"ns2 (192.0.2.2)"}},
		{"that gave it like all others", true, false, []string{wrong + "\n ns2: api.shop.example. 60 A 203.0.113.10", one}, []string{"ns2 (192.0.2.2)"}},
		{"that answers again without it", true, false, []string{both, one, one + "\n ns2: api.shop.example. 60 A 203.0.113.77"}, nil},
		{"that the zone names no more", true, true, []string{both, one, one}, nil},
		{"that never gave it", true, false, []string{wrong, one}, nil},
		{"a server that lags with an alias falls silent", false, false, []string{lags, quiet, quiet}, []string{"ns2 (192.0.2.2)"}},
		{"that gave it like all others and falls silent", false, false, []string{was, quiet}, []string{"ns2 (192.0.2.2)"}},
		{"that lags with an alias and is mended", false, false, []string{lags, quiet, mended}, nil},
		{"a silent server that never gave the alias", false, false, []string{byOne, quiet}, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			var h History
			var last Observation
			for i, text := range c.looks {
				last = at(t, time.Duration(i)*time.Minute, text)
				if c.beside && !(c.left && i == len(c.looks)-1) {
					last = besides(last, "ns2")
				}
				h = h.Remember([]Observation{last})
			}
			var got []string
			for _, s := range h.Of("api.shop.example") {
				if s.Address == addr("203.0.113.10") {
					got = last.withheld(s)
					if s.Gone.IsZero() != (c.want != nil) {
						t.Errorf("gone: %s", s.Gone)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("withheld by %q, want %q\n%+v", got, c.want, h.Sightings)
			}
		})
	}
}

// One of two aliases by turns leads to silence: after the first looks that is told at
// each, whichever of them it meets, and nothing else.
func TestASilentWayByTurnsIsOneVerdict(t *testing.T) {
	const one = "ns1: www.shop.example. 60 CNAME a.edge.example.\n ns4: a.edge.example. 60 A 203.0.113.77"
	const both = one + "\n ns1: www.shop.example. 60 CNAME b.dead.example.\n ns1: www.shop.example. rotates\n ns5: b.dead.example. silent"
	var h History
	for i, meets := range "0100101100010100010" {
		text := one
		if meets == '1' {
			text = both
		}
		o := at(t, time.Duration(i)*time.Minute, text)
		h = h.Remember([]Observation{o})
		var got []string
		for _, f := range Judge(Policy{}, o.At, Case{Expected: has("203.0.113.77", "203.0.113.78"), Observed: o, Seen: h.Of(o.Host), Denied: h.DeniedOf(o.Host)}) {
			got = append(got, line(f))
		}
		if i < 7 {
			continue
		}
		if len(got) != 1 || got[0][:len("unknown dns/unresolvable www.shop.example b.dead.example")] != "unknown dns/unresolvable www.shop.example b.dead.example" {
			t.Errorf("look %d: %q", i, got)
		}
	}
	answers := one + "\n ns1: www.shop.example. 60 CNAME b.dead.example.\n ns1: www.shop.example. rotates\n ns5: b.dead.example. 60 A 203.0.113.77"
	for i, text := range []string{answers, one} {
		o := at(t, time.Duration(20+i)*time.Minute, text)
		h = h.Remember([]Observation{o})
		if fs := Judge(Policy{}, o.At, Case{Expected: has("203.0.113.77"), Observed: o, Seen: h.Of(o.Host), Denied: h.DeniedOf(o.Host)}); len(fs) > 0 {
			t.Errorf("when it answers: %+v", fs)
		}
	}
}
