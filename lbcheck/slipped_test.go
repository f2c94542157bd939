package lbcheck

import (
	"net/netip"
	"testing"
	"time"
)

// TestListsThatLackABalancer follows lists as they come, each judged twice, with what is
// remembered between them.
func TestListsThatLackABalancer(t *testing.T) {
	full, without := []Balancer{balancer("a", fresh), balancer("b", old)}, []Balancer{balancer("b", old)}
	type step struct {
		rule string
		at   time.Duration // of the list, after noon
		all  []Balancer
		dead bool // nobody is met at the address
		want string
	}
	for name, steps := range map[string][]step{
		"one list lacks it": {
			{"it is there", 0, full, false, "known"}, {"it slips out", time.Minute, without, false, "doubted"},
			{"it is there again", 2 * time.Minute, full, false, "known"}, {"it slips out anew", 3 * time.Minute, without, false, "doubted"},
			{"and is gone", 4 * time.Minute, without, false, "lost"}, {"and stays so", 5 * time.Minute, without, false, "lost"},
		},
		"it is deleted": {
			{"it is there", 0, full, false, "known"}, {"the last probe was well", time.Minute, without, false, "doubted"},
			{"the next is not", time.Minute, without, true, "lost"}, {"nor is it listed", 2 * time.Minute, without, false, "lost"},
		},
		"the API was asked for it by its id": {
			{"it is there", 0, full, false, "known"}, {"and taken out of the same list", 0, without, false, "lost"},
			{"the next list does not revive it", time.Minute, without, false, "lost"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			for _, s := range steps {
				for range 2 {
					cloud := listed(s.all...)
					cloud.At = noon.Add(s.at)
					w := World{Clouds: []Observation{cloud}, History: h, Alive: []netip.Addr{fresh}}.with(service(status(fresh), id("a")))
					if s.dead {
						w.Alive, w.Dead = nil, w.Alive
					}
					fronts := Join(w)
					f := fronts[traefik()]
					got := map[[3]bool]string{{true, false, false}: "known", {true, true, false}: "doubted", {false, false, true}: "lost"}[[3]bool{f.Known, f.Slipped, f.Lost}]
					if got != s.want {
						t.Fatalf("%s: %q, want %q: %+v", s.rule, got, s.want, f)
					}
					h = h.Remember(noon.Add(s.at), fronts)
				}
			}
		})
	}
}
