package dnscheck

import (
	"net/netip"
	"testing"
)

func TestAServerIsGivenUpOnlyIfItNeverSpoke(t *testing.T) {
	silent := Answer{Outcome: Silent, Detail: "no answer in 1 s"}
	for rule, c := range map[string]struct {
		told  []Answer // one without an outcome was useful
		asked bool
	}{
		"after few questions in vain":               {vainOf(silent, vainLimit-1), true},
		"after many":                                {vainOf(silent, vainLimit), false},
		"it spoke before":                           {append([]Answer{{}}, vainOf(silent, vainLimit+1)...), true},
		"it spoke in between":                       {append(append(vainOf(silent, 3), Answer{}), vainOf(silent, vainLimit)...), true},
		"what was not asked for is nothing in vain": {vainOf(Answer{Outcome: unasked}, vainLimit), true},
	} {
		var b budget
		at := netip.MustParseAddrPort("192.0.2.1:53")
		for _, a := range c.told {
			b.told(at, a.Outcome == "", a)
		}
		why, ok := b.mayAsk(at)
		if ok != c.asked || !ok && (why.outcome != Silent || why.detail != "no answer in 1 s; after 8 questions in vain it was not asked again") {
			t.Errorf("%s: asked %t, %+v", rule, ok, why)
		}
		if _, ok := b.mayAsk(netip.MustParseAddrPort("192.0.2.2:53")); !ok {
			t.Errorf("%s: another server was given up", rule)
		}
	}
}

func vainOf(a Answer, times int) []Answer {
	all := make([]Answer, times)
	for i := range all {
		all[i] = a
	}
	return all
}
