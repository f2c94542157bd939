package dnscheck

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

const (
	good  = "ns1: api.shop.example. 60 A 203.0.113.77"
	wrong = "ns1: api.shop.example. 60 A 203.0.113.10"
)

// turnCases are addresses that are given by turns.
func turnCases() []judged {
	minutes := func(looks ...string) map[time.Duration]string {
		all := map[time.Duration]string{}
		for i, l := range looks {
			all[time.Duration(len(looks)-i)*time.Minute] = l
		}
		return all
	}
	return []judged{
		{
			rule: "a wrong address that came back twice is still given by turns", expected: has("203.0.113.77"),
			before: minutes(wrong, good, wrong, good, wrong, good), seen: good,
			want: []string{"critical dns/stale-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.77 | at ns1 | clear +1m0s"},
			says: []string{"203.0.113.10, last given at 11:58:00 UTC by ns1 (192.0.2.1); the servers give these addresses by turns, beside 1 other address"},
		},
		{
			rule: "a wrong address that came back once is gone", expected: has("203.0.113.77"),
			before: minutes(wrong, good, wrong, good), seen: good,
		},
		{
			rule: "a right address that is given by turns is not missing", expected: has("203.0.113.77", "203.0.113.10"),
			before: minutes(wrong, good, wrong, good, wrong, good), seen: good,
		},
		{
			rule: "one of addresses by turns that was not seen yet may be missing", expected: has("203.0.113.77", "203.0.113.78", "203.0.113.79"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.78\n ns1: api.shop.example. rotates",
			want: []string{"info dns/missing-record api.shop.example 203.0.113.79 | shop.example: api.shop.example 60 A 203.0.113.77 203.0.113.78 203.0.113.79 | at ns1 ns2"},
			says: []string{"by turns, and perhaps not all of them were seen yet", "nothing, if the name servers choose among the addresses on purpose; otherwise set api.shop.example A"},
		},
		{
			rule: "one that addresses by turns did not show within an hour is missing", expected: has("203.0.113.77", "203.0.113.78", "203.0.113.79"),
			before: map[time.Duration]string{time.Hour: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 A 203.0.113.78"},
			seen:   "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.78\n ns1: api.shop.example. rotates",
			want:   []string{"warning dns/missing-record api.shop.example 203.0.113.79 | shop.example: api.shop.example 60 A 203.0.113.77 203.0.113.78 203.0.113.79 | at ns1 ns2"},
		},
		{
			rule: "one that addresses by turns showed within the hour may come back", expected: has("203.0.113.77", "203.0.113.78", "203.0.113.79"),
			before: map[time.Duration]string{
				2 * time.Hour:    "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 A 203.0.113.78",
				59 * time.Minute: "ns1: api.shop.example. 60 A 203.0.113.79\n ns1: api.shop.example. 60 A 203.0.113.78",
			},
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 A 203.0.113.78\n ns1: api.shop.example. rotates",
			want: []string{"info dns/missing-record api.shop.example 203.0.113.79 | shop.example: api.shop.example 60 A 203.0.113.77 203.0.113.78 203.0.113.79 | at ns1 ns2"},
		},
		{
			rule: "a name that was switched from one address of the balancer to the other fails over", expected: has("203.0.113.10", "203.0.113.77"),
			before: minutes(wrong, wrong, good, good), seen: good,
			want: []string{"info dns/missing-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.10 203.0.113.77 | at ns1"},
			says: []string{"the name was switched to these from 203.0.113.10, last seen at 11:57:00 UTC"},
		},
		{
			rule: "a name that failed over and came back within the hour does so on purpose", expected: has("203.0.113.10", "203.0.113.77"),
			before: minutes(wrong, good, good, good), seen: wrong,
			want: []string{"info dns/missing-record api.shop.example 203.0.113.77 | shop.example: api.shop.example 60 A 203.0.113.10 203.0.113.77 | at ns1"},
		},
		{
			rule: "one of two addresses that was taken out is missing at once", expected: has("203.0.113.10", "203.0.113.77"),
			before: minutes(good+"\n"+wrong, good+"\n"+wrong), seen: good,
			want: []string{"warning dns/missing-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.10 203.0.113.77 | at ns1"},
		},
		{
			rule: "of two pinned addresses one may stand by, and the hint says how", expected: inventory.Expected{Known: true, Rule: inventory.RuleConfig, Addresses: ips("203.0.113.10", "203.0.113.77")},
			seen: good,
			want: []string{"warning dns/missing-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.10 203.0.113.77 | at ns1"},
			says: []string{"if it stands by on purpose, allow it instead of pinning it (targets[].allow)"},
		},
		{
			rule:     "of two balancers each is named",
			expected: inventory.Expected{Known: true, Rule: inventory.RuleClass, Addresses: ips("203.0.113.10", "203.0.113.77"), Service: inventory.ServiceRef{Namespace: "a", Name: "one"}, Others: []inventory.ServiceRef{{Namespace: "b", Name: "two"}}},
			seen:     good,
			want:     []string{"warning dns/missing-record api.shop.example 203.0.113.10 | shop.example: api.shop.example 60 A 203.0.113.10 203.0.113.77 | at ns1"},
			says:     []string{"203.0.113.10, 203.0.113.77 (a/one + b/two)"},
		},
		{
			rule: "the address that replaced a wrong one was not switched to", expected: has("203.0.113.77", "203.0.113.78"),
			before: minutes(wrong), seen: good,
			want: []string{
				"warning dns/missing-record api.shop.example 203.0.113.78 | shop.example: api.shop.example 60 A 203.0.113.77 203.0.113.78 | at ns1",
				"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +1m0s",
			},
		},
		{
			rule: "what was denied takes no turns", expected: has("203.0.113.77"),
			before: minutes(wrong, good, wrong, good, wrong, good), seen: "ns1: api.shop.example. 300 NXDOMAIN",
			want: []string{
				"critical dns/no-record api.shop.example | shop.example: api.shop.example 300 A 203.0.113.77 | at ns1 | clear +5m0s",
				"info dns/draining api.shop.example 203.0.113.10 | at ns1 | clear +1m0s",
			},
		},
		{
			rule: "one look in which a server gave two sets is no disagreement", expected: has("203.0.113.77", "203.0.113.10"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. 60 A 203.0.113.10\n ns2: api.shop.example. 60 A 203.0.113.77\n ns1: api.shop.example. rotates",
		},
		{
			rule: "a denial beside sets by turns is a disagreement", expected: has("203.0.113.77"),
			seen: "ns1: api.shop.example. 60 A 203.0.113.77\n ns2: api.shop.example. 60 NXDOMAIN\n ns1: api.shop.example. rotates",
			want: []string{"warning dns/inconsistent api.shop.example | shop.example: api.shop.example 0 AAAA | at ns1 ns2"},
		},
		{
			rule: "aliases by turns lead to all their addresses", expected: has("203.0.113.77"),
			seen: "ns1: www.shop.example. 60 CNAME a.edge.example.\n ns1: www.shop.example. 60 CNAME b.edge.example.\n ns1: www.shop.example. rotates\n ns4: a.edge.example. 60 A 203.0.113.77\n ns4: b.edge.example. 60 A 203.0.113.10",
			want: []string{"critical dns/stale-record www.shop.example 203.0.113.10 | edge.example: b.edge.example 60 A 203.0.113.77 | at ns4 | clear +1m0s"},
			says: []string{"the servers give these addresses by turns"},
		},
	}
}

// rounds are looks every interval, one a letter: S gives the stale address, R the
// right one, B both, x is silence, 0 a denial.
func rounds(tb testing.TB, interval time.Duration, letters string) (h History, last Observation) {
	text := map[rune]string{
		'S': wrong, 'R': good, 'B': good + "\n" + wrong, 'x': "ns1: api.shop.example. silent", '0': "ns1: api.shop.example. 60 NXDOMAIN",
	}
	for i, r := range letters {
		last = at(tb, time.Duration(i)*interval, text[r])
		h = h.Remember([]Observation{last})
	}
	return h, last
}

// The trade-off of the window: what people do is seen at once, unless they put the
// same wrong address back twice; what takes turns is not forgotten between two looks.
func TestWhatCountsAsPublished(t *testing.T) {
	for _, c := range []struct {
		rule    string
		every   time.Duration
		letters string
		want    string // S, R or both, as published after the last look
	}{
		{"a fix is seen at once", time.Minute, "SSSR", "R"},
		{"a fix that was undone and made again is seen at once", time.Minute, "SRSR", "R"},
		{"a name that was broken twice and mended twice is seen at once", time.Minute, "RRRSRSR", "R"},
		{"one address that comes and goes beside one that stays", time.Minute, "RBRBRBR", "SR"},
		{"a fix that was slow to reach all servers is seen at once", time.Minute, "SSBBR", "R"},
		{"a wrong address that was put back twice lingers", time.Minute, "SRSRSR", "SR"},
		{"for six times as long as it was away", time.Minute, "SRSRS" + strings.Repeat("R", 12), "SR"},
		{"and no longer", time.Minute, "SRSRS" + strings.Repeat("R", 13), "R"},
		{"for ten minutes at least", time.Second, "SRSRS" + strings.Repeat("R", 600), "SR"},
		{"and then no longer", time.Second, "SRSRS" + strings.Repeat("R", 601), "R"},
		{"back after more than an hour, and once more, is not by turns", time.Minute, "S" + strings.Repeat("R", 70) + "SRSR", "R"},
		{"back twice with half an hour between is not by turns", time.Minute, "SRS" + strings.Repeat("B", 30) + "RSR", "R"},
		{"twice in three hours is not by turns", 30 * time.Minute, "SRRSRRSR", "R"},
		{"twice in a day is not by turns", 8 * time.Hour, "SRSRSR", "R"},
		{"looks that are far apart see turns too", 5 * time.Minute, "SRRSRSRRR", "SR"},
		{"silence in between neither ends nor begins a turn", time.Minute, "SxSxSxR", "R"},
		{"silence now shows nothing", time.Minute, "SRSRSRx", ""},
		{"a denial now ends it", time.Minute, "SRSRSR0", ""},
		{"a right address that comes back counts as well", time.Minute, "RSRSRS", "SR"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			h, last := rounds(t, c.every, c.letters)
			got := ""
			for letter, a := range map[string]string{"S": "203.0.113.10", "R": "203.0.113.77"} {
				if slices.Contains(Published(last, h.Of("api.shop.example")), addr(a)) {
					got += letter
				}
			}
			if got == "RS" {
				got = "SR"
			}
			if got != c.want {
				t.Errorf("after %s %q is published, want %q\n%+v", c.letters, got, c.want, h.Sightings)
			}
		})
	}
}

// Nobody knows when a wrong address was taken out of a rotation: caches drain from the
// last look at which it still counted as published.
func TestWhatLeavesARotationDrainsFromTheEndOfItsWindow(t *testing.T) {
	h, last := rounds(t, time.Minute, "SRSRS"+strings.Repeat("R", 20))
	s := h.Of("api.shop.example")[0]
	if s.Gone.Sub(s.LastSeen) != 12*time.Minute {
		t.Errorf("gone %s after it was last seen", s.Gone.Sub(s.LastSeen))
	}
	if end, gone := s.ClearBy(last); !gone || end.Sub(s.LastSeen) != 13*time.Minute {
		t.Errorf("clear %s after it was last seen", end.Sub(s.LastSeen))
	}
	if h, _ = rounds(t, time.Minute, "SSSRRRR"); h.Of("api.shop.example")[0].Gone.Sub(noon) != 3*time.Minute {
		t.Error("what was corrected by hand is gone at the first look without it")
	}
}

func TestTurnsAreForgottenAndBounded(t *testing.T) {
	h, _ := rounds(t, time.Minute, strings.Repeat("SR", 100))
	for _, s := range h.Sightings {
		if len(s.Turns) != maxTurns || s.Zone != "shop.example" || len(s.Servers) != 1 {
			t.Errorf("%+v", s)
		}
	}
	for i := range 3 {
		h = h.Remember([]Observation{at(t, 200*time.Minute+time.Duration(i)*2*time.Hour, good)})
	}
	if s := h.Sightings[1]; len(s.Turns) > 0 || s.Servers != nil {
		t.Errorf("hours later: %+v", s)
	}
}

// A host whose addresses stay is remembered by them alone.
func TestAStillHostShowsNoTurns(t *testing.T) {
	h, _ := rounds(t, time.Minute, "RRRBBBxBBB")
	for _, s := range h.Sightings {
		if s.Turns != nil || s.Zone != "" || s.Servers != nil {
			t.Errorf("%+v", s)
		}
	}
}

// By turns for good: whatever is drawn, after the first looks the same is found.
func TestTurnsGiveOneVerdict(t *testing.T) {
	pools := map[string]func(r *rand.Rand) []string{
		"1 of 4, equal":    func(r *rand.Rand) []string { return []string{fmt.Sprint(10 + r.IntN(4))} },
		"1 of 4, weighted": func(r *rand.Rand) []string { return []string{fmt.Sprint(10 + min(r.IntN(8), 3))} },
		"2 of 8": func(r *rand.Rand) []string {
			p := r.Perm(8)
			return []string{fmt.Sprint(10 + p[0]), fmt.Sprint(10 + p[1])}
		},
	}
	for _, rule := range slices.Sorted(maps.Keys(pools)) {
		for _, every := range []time.Duration{15 * time.Second, 30 * time.Second, time.Minute} {
			flaps, looks := 0, 0
			for seed := range uint64(8) {
				random := rand.New(rand.NewPCG(seed, 7))
				var h History
				before := ""
				for i := range 200 {
					text := ""
					for _, last := range pools[rule](random) {
						text += "ns1: api.shop.example. 60 A 203.0.113." + last + "\n"
					}
					o := at(t, time.Duration(i)*every, text)
					h = h.Remember([]Observation{o})
					found := ""
					for _, f := range Judge(Policy{}, o.At, Case{Expected: has("203.0.113.11", "203.0.113.12", "203.0.113.13", "203.0.113.14", "203.0.113.15", "203.0.113.16", "203.0.113.17"), Observed: o, Seen: h.Of(o.Host)}) {
						if f.Subject.Address < "203.0.113.14" {
							found += f.Severity.String() + string(f.Code) + f.Subject.Address + " "
						}
					}
					if i > 60 {
						looks++
						if found != before {
							flaps++
						}
					}
					before = found
				}
			}
			if flaps > 0 {
				t.Errorf("%s, every %s: %d changes in %d looks", rule, every, flaps, looks)
			}
		}
	}
}

// FuzzTurns: whatever happens in whatever order, the history stays bounded and true.
func FuzzTurns(f *testing.F) {
	f.Add([]byte("SRSRSR"), uint16(60))
	f.Add([]byte("B0xSRB"), uint16(3600))
	f.Fuzz(func(t *testing.T, letters []byte, seconds uint16) {
		word := ""
		for _, b := range letters[:min(len(letters), 60)] {
			word += string("SRBx0"[b%5])
		}
		h, last := rounds(t, time.Duration(seconds)*time.Second, word)
		if word == "" {
			return
		}
		public := Published(last, h.Of("api.shop.example"))
		if !slices.IsSortedFunc(public, netip.Addr.Compare) || len(slices.Compact(slices.Clone(public))) != len(public) {
			t.Errorf("published %v", public)
		}
		for _, a := range last.Published() {
			if !slices.Contains(public, a) {
				t.Errorf("%s is given and not published", a)
			}
		}
		if len(last.Published()) == 0 && len(public) > 0 {
			t.Errorf("%v is published, nothing is given", public)
		}
		for _, s := range h.Sightings {
			if len(s.Turns) > maxTurns || len(s.Turns) == maxTurns && !s.Turns[0].At.Before(s.Turns[1].At) {
				t.Errorf("turns %v", s.Turns)
			}
		}
	})
}
