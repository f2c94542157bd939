package monitor

import (
	"context"
	"maps"
	"slices"
	"time"

	"driftprobe/dnscheck"
)

const (
	// zoneInterval is the shortest time between two looks at one zone: delegations
	// change seldom, and many zones share a parent.
	zoneInterval = 5 * time.Minute
	// maxZones bounds the zones, and farZones those of them that hold no host that is
	// watched: aliases lead into the zones of others, who may lead further. zoneSlots is how many are looked at side by side, each with dozens of
	// questions, so that the looks at names find their turn.
	maxZones  = 5000
	farZones  = 500
	zoneSlots = 32
)

func (o Options) zoneSlots() int { return min(zoneSlots, o.Workers) }

// zones are those to look at; none if nobody can.
func (o Options) zones(os []dnscheck.Observation) []string {
	if o.ResolveZone == nil {
		return nil
	}
	return zonesOf(os)
}

// zonesOf are the zones that hold names which were looked at, sorted; of too many,
// first those of the hosts themselves, then those that their aliases lead to. Zones
// whose servers are configured by address have no delegation to look at: their
// servers have no names.
func zonesOf(os []dnscheck.Observation) []string {
	own, far := map[string]bool{}, map[string]bool{}
	for _, o := range os {
		for i, s := range o.Steps {
			switch {
			case s.Zone == "" || s.Zone == "." || own[s.Zone] || !delegated(s):
			case i == 0:
				own[s.Zone] = true
			default:
				far[s.Zone] = true
			}
		}
	}
	maps.DeleteFunc(far, func(zone string, _ bool) bool { return own[zone] })
	others := slices.Sorted(maps.Keys(far))
	zones := slices.Concat(slices.Sorted(maps.Keys(own)), others[:min(len(others), farZones)])
	zones = zones[:min(len(zones), maxZones)]
	slices.Sort(zones)
	return zones
}

// onlyHeld keeps the observations of these zones, which are sorted.
func onlyHeld(os []dnscheck.ZoneObservation, zones []string) []dnscheck.ZoneObservation {
	kept := make([]dnscheck.ZoneObservation, 0, len(os))
	for _, o := range os {
		if _, held := slices.BinarySearch(zones, o.Zone); held {
			kept = append(kept, o)
		}
	}
	return kept
}

// delegated tells whether the servers of a step were named by a parent. A step that
// ended before the zone of its name (Failure) has no servers.
func delegated(s dnscheck.Step) bool {
	return slices.ContainsFunc(s.Answers, func(a dnscheck.Answer) bool { return a.Server.Name != "" })
}

func (o Options) zoneLook() look[string, dnscheck.ZoneObservation] {
	return look[string, dnscheck.ZoneObservation]{
		bound: o.DNSTimeout, done: &o.Stats.ZoneLooks, panics: &o.Stats.Panics, log: o.Log,
		begin: func(zone string) task[dnscheck.ZoneObservation] {
			return task[dnscheck.ZoneObservation]{
				name: "delegation of " + zone,
				see:  func(ctx context.Context) dnscheck.ZoneObservation { return o.ResolveZone(ctx, zone) },
				failed: func(at time.Time, why string) dnscheck.ZoneObservation {
					return dnscheck.ZoneObservation{Zone: zone, At: at, Cut: lookFailed + why}
				},
			}
		},
		settle: func(zone string, seen dnscheck.ZoneObservation) dnscheck.ZoneObservation {
			seen.Zone = zone
			return seen
		},
	}
}
