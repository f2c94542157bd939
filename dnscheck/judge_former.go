package dnscheck

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"driftprobe/finding"
)

// formerWay is how clients can still be led to an address by servers that a zone had.
type formerWay struct {
	zone    string
	servers []string // sorted
	// until is when the last cache has dropped the NS records that name them, end when
	// the last one has dropped what it read there just before.
	until, end time.Time
	// lasts is how long caches keep what they read there now.
	lasts time.Duration
}

// formerlyDenied tells whether a server that a zone had denies addresses of a type, while
// caches still know it.
func (o *Observation) formerlyDenied(t Type, now time.Time) bool {
	return slices.ContainsFunc(o.Steps, func(s Step) bool {
		return slices.ContainsFunc(s.Former, func(f Former) bool {
			return f.Type == t && (f.Outcome == NoName || f.Outcome == NoData) && f.Until.After(now)
		})
	})
}

// rounding is by how much a cache may outlive an end: they count whole seconds, of the
// NS records and of what they read at the end of those.
const rounding = 2 * time.Second

// formerWays returns the ways to each address on which a server that a zone had gives a
// record, while caches still know those servers.
func (o *Observation) formerWays(now time.Time) map[netip.Addr]formerWay {
	if !anyOf(o.Steps, func(s *Step) bool { return len(s.Former) > 0 }) {
		return nil
	}
	both := Observation{Host: o.Host, Steps: slices.Concat(o.Steps, o.Formerly)}
	for i, s := range both.Steps {
		s.Answers = slices.Clone(s.Answers)
		for _, f := range s.Former {
			if f.Until.After(now) {
				s.Answers = append(s.Answers, f.Answer)
			}
		}
		both.Steps[i] = s
	}
	ways := map[netip.Addr]formerWay{}
	for addr, path := range both.paths() {
		var w formerWay
		var left time.Duration // that what follows lasts
		for i := len(path) - 1; i >= 0; i-- {
			l := path[i]
			left += Cached(l.TTL)
			step, _ := both.step(l.Owner)
			for _, f := range step.Former {
				if f.gives(l) && f.Until.After(now) {
					w.zone, w.until = step.Zone, later(w.until, f.Until)
					w.end, w.lasts = later(w.end, f.Until.Add(left+rounding)), left
					w.servers = append(w.servers, f.Server.String())
				}
			}
		}
		if len(w.servers) > 0 {
			slices.Sort(w.servers)
			w.servers = slices.Compact(w.servers)
			ways[addr] = w
		}
	}
	return ways
}

// formerly is the draining of an address that nobody publishes, but servers that the
// zone had before go on giving. It ends by itself, and sooner if they are corrected.
func formerly(now time.Time, c *Case, addr netip.Addr, w formerWay) finding.Finding {
	who := finding.List(w.servers, maxServers)
	verb := "gives"
	if len(w.servers) > 1 {
		verb = "give"
	}
	return finding.Finding{
		Code: finding.DNSDraining, Severity: finding.Warning,
		Subject:  finding.Subject{Host: c.Observed.Host, Address: addr.String()},
		Summary:  fmt.Sprintf("caches may still ask former servers of %s, and get %s for %s, for another %s", w.zone, addr, c.Observed.Host, finding.Span(w.end.Sub(now))),
		Expected: expectedText(c.Expected, addr),
		Observed: fmt.Sprintf("%s still %s %s; the zone %s has other servers now, but caches may hold its old NS records until %s", who, verb, addr, w.zone, finding.Clock(w.until, now)),
		Hint:     fmt.Sprintf("ask the former provider to remove or correct the zone %s there, or wait until %s", w.zone, finding.Clock(w.end, now)),
		SeenAt:   w.servers,
		ClearBy:  w.end,
	}
}
