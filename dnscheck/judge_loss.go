package dnscheck

import (
	"fmt"
	"slices"
	"strings"

	"driftprobe/finding"
)

// uneven is by how many times the share of unanswered questions of one server may
// exceed that of another for both to be the network's fault.
const uneven = 4

// Loss is what looks tell of packets between here and the servers of a zone.
type Loss struct {
	// Even: its servers all leave questions unanswered, in about the same part, while they
	// answer others. Such silence is no server's fault. One server can not tell, and a type
	// about which none ever spoke is not lost but ignored (RFC 4074 §4.1). One question of
	// all these looks that a server leaves unanswered while it answers others proves
	// nothing against it either.
	Even bool
	// Any: some server that speaks left a question, or the first packet with it,
	// unanswered. Then silence proves a server down only if it is long.
	Any bool
}

// Lossy tells to which zones packets get lost.
func Lossy(os ...Observation) map[string]Loss {
	lossy := map[string]Loss{}
	for zone, servers := range tallies(os) {
		var loss Loss
		var most, least float64
		n, missed := 0, 0
		for _, t := range servers {
			missed = max(missed, t.silent)
			loss.Any = loss.Any || t.silent > 0 || t.again
			share := float64(t.silent) / float64(t.silent+t.spoke)
			if n == 0 {
				most, least = share, share
			}
			most, least = max(most, share), min(least, share)
			n++
		}
		loss.Even = n > 1 && (missed == 1 || least > 0 && most <= uneven*least)
		lossy[zone] = loss
	}
	return lossy
}

type tally struct {
	spoke, silent int
	again         bool
}

// tallies count for each zone in which a server left something unanswered what each
// of its servers did. Such zones are few, so most answers need not be counted.
func tallies(os []Observation) map[string]map[Server]*tally {
	zones := map[string]map[Server]*tally{}
	each := func(take func(zone string, a Answer)) {
		for _, o := range os {
			for _, s := range o.Steps {
				for _, a := range s.Answers {
					take(s.Zone, a)
				}
			}
		}
	}
	each(func(zone string, a Answer) {
		if a.Outcome == Silent && zones[zone] == nil {
			zones[zone] = map[Server]*tally{}
		}
	})
	if len(zones) == 0 {
		return nil
	}
	type subject struct {
		zone string
		typ  Type
	}
	answered := map[subject]bool{}
	each(func(zone string, a Answer) {
		servers := zones[zone]
		if servers == nil || !a.Outcome.Speaks() {
			return
		}
		answered[subject{zone, a.Type}] = true
		if servers[a.Server] == nil {
			servers[a.Server] = &tally{}
		}
		servers[a.Server].spoke++
		servers[a.Server].again = servers[a.Server].again || a.Again
	})
	each(func(zone string, a Answer) {
		// Who never spoke counts for nothing.
		if t := zones[zone][a.Server]; t != nil && a.Outcome == Silent && answered[subject{zone, a.Type}] {
			t.silent++
		}
	})
	return zones
}

// lost tells whether what a server left unanswered may be the network's fault.
func (c *Case) lost(at hosting, failed []Answer, partly bool) bool {
	loss := c.Lossy[at.zone]
	mayBe := partly && loss.Even || !partly && loss.Any
	return mayBe && !slices.ContainsFunc(failed, func(a Answer) bool { return a.Outcome != Silent || a.Unanswered >= surelySilent })
}

// packetLoss is what is told instead of accusing each server of a zone. missed are
// the questions of this look that got no answer, by server.
func packetLoss(zone string, missed map[string][]Answer) finding.Finding {
	var servers, parts []string
	for server, answers := range missed {
		servers = append(servers, server)
		var types []string
		for _, a := range answers {
			types = append(types, string(a.Type))
		}
		slices.Sort(types)
		parts = append(parts, "no answer from "+server+" for "+strings.Join(slices.Compact(types), ", "))
	}
	slices.Sort(servers)
	slices.Sort(parts)
	return finding.Finding{
		Code: finding.DNSPacketLoss, Severity: finding.Info,
		Subject:  finding.Subject{Host: zone},
		Summary:  fmt.Sprintf("packets between here and the name servers of %s get lost: servers that answer leave other questions unanswered", zone),
		Expected: "an answer of each server to every question",
		Observed: finding.List(parts, maxGroups),
		Hint:     "look for loss on the way from here to these servers; if they limit how often one client may ask, ask less often (dns.interval)",
		SeenAt:   servers,
	}
}
