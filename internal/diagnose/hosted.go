package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/lbcheck"
)

// commands are what corrects a record at the provider that hosts its zone: by id, so
// that nothing else is touched. ttl is what the record should have. There are none if
// what stands there is not what is published: then it is not the place to edit.
func commands(zone lbcheck.HostedZone, wanted finding.Record, wrong []string, ttl uint32) []finding.Step {
	var outdated, right []lbcheck.HostedRecord
	for _, r := range zone.Records {
		if r.Name != wanted.Owner || r.Type != wanted.Type {
			continue
		}
		switch a := r.Address.String(); {
		case slices.Contains(wrong, a):
			outdated = append(outdated, r)
		case slices.Contains(wanted.Values, a):
			right = append(right, r)
		}
	}
	for _, a := range wrong {
		if !slices.ContainsFunc(outdated, func(r lbcheck.HostedRecord) bool { return r.Address.String() == a }) {
			return nil
		}
	}
	lacking := slices.DeleteFunc(slices.Clone(wanted.Values), func(a string) bool {
		return slices.ContainsFunc(right, func(r lbcheck.HostedRecord) bool { return r.Address.String() == a })
	})
	var steps []finding.Step
	add := func(format string, args ...any) {
		steps = append(steps, finding.Step{Command: fmt.Sprintf("doctl compute domain records "+format, args...)})
	}
	for i, r := range outdated {
		if i >= len(lacking) {
			add("delete %s %d", zone.Zone, r.ID)
			continue
		}
		update := fmt.Sprintf("update %s --record-id %d --record-data %s", zone.Zone, r.ID, addrOf(lacking[i]))
		if ttl > 0 && r.TTL > ttl {
			update += fmt.Sprintf(" --record-ttl %d", ttl)
		}
		add("%s", update)
	}
	name, plain := relative(wanted.Owner, zone.Zone)
	for _, a := range lacking[min(len(outdated), len(lacking)):] {
		if plain && addrOf(a) != (netip.Addr{}) {
			add("create %s --record-type %s --record-name %s --record-data %s --record-ttl %d", zone.Zone, wanted.Type, name, addrOf(a), max(ttl, 30))
		}
	}
	return steps
}

// commandsFor are the commands for the records that findings want corrected, at most
// maxRecords. There are none for a zone whose records at the provider were not read, or
// that is served by somebody else.
func (v *view) commandsFor(fs []finding.Finding) []finding.Step {
	wanted, wrong := edits(fs)
	keys := slices.SortedFunc(maps.Keys(wanted), func(a, b rrset) int {
		return cmp.Or(cmp.Compare(a.zone, b.zone), cmp.Compare(a.owner, b.owner), cmp.Compare(a.typ, b.typ))
	})
	aliases := v.aliases()
	var zone lbcheck.HostedZone
	var steps []finding.Step
	for i, k := range keys {
		if i == 0 || k.zone != keys[i-1].zone {
			zone = v.hosting(k.zone)
		}
		if zone.Zone == "" || aliases[k.owner] {
			continue // beside an alias no address can be created
		}
		slices.Sort(wrong[k])
		steps = append(steps, commands(zone, wanted[k], wrong[k], v.step(wanted[k], wrong[k]).Record.TTL)...)
		if len(steps) >= maxRecords {
			break
		}
	}
	if len(steps) > 0 {
		steps[0].Text = finding.Otherwise + " with doctl:"
	}
	return steps[:min(len(steps), maxRecords)]
}

// hosting returns the records of a zone at its provider; the zero value, unless the
// provider's servers are those that answer for it.
func (v *view) hosting(zone string) lbcheck.HostedZone {
	i := slices.IndexFunc(v.snap.Observations.Hosted, func(h lbcheck.HostedZone) bool { return h.Zone == zone && h.Failure == "" })
	if i < 0 {
		return lbcheck.HostedZone{}
	}
	h := v.snap.Observations.Hosted[i]
	asked := false
	for _, o := range v.snap.Observations.DNS {
		for _, s := range o.Steps {
			if s.Zone != zone {
				continue
			}
			for _, a := range s.Answers {
				asked = true
				if !slices.Contains(h.Servers, strings.ToLower(strings.TrimSuffix(a.Server.Name, "."))) {
					return lbcheck.HostedZone{}
				}
			}
		}
	}
	if !asked {
		return lbcheck.HostedZone{}
	}
	return h
}

// relative is an owner as the provider's tool wants it, as one word of a shell; false
// if it holds what no plain name does.
func relative(owner, zone string) (string, bool) {
	if owner == zone {
		return "@", true
	}
	name, ok := strings.CutSuffix(owner, "."+zone)
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-._*", r))
	}
	if strings.Contains(name, "*") {
		name = "'" + name + "'"
	}
	return name, ok
}
