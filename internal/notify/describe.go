package notify

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"driftprobe/finding"
)

// describe brings a message up to the newest incident, cut to a bounded size: a
// message lives in the state file until it is delivered.
func describe(m Message, i finding.Incident) Message {
	if !i.Since.IsZero() && i.Since.Before(m.FirstSeen) {
		m.FirstSeen = i.Since
	}
	m.Draining = time.Time{} // it fires
	m.HostCount = len(i.Hosts)
	m.Zone = zone(i)
	m.SeenOn, m.SeenOnCount = seenOn(i)
	i.Effects = nil
	i.Cause, i.Recovery = short(i.Cause), short(i.Recovery)
	i.Hosts = slices.Clone(i.Hosts[:min(len(i.Hosts), maxHosts)])
	i.Corrected = slices.Clone(i.Corrected[:min(len(i.Corrected), maxHosts)])
	i.Evidence = slices.Clone(i.Evidence[:min(len(i.Evidence), maxNotes)])
	for n, note := range i.Evidence {
		i.Evidence[n] = finding.Note{Label: short(note.Label), Text: short(note.Text)}
	}
	i.Fix = slices.Clone(i.Fix[:min(len(i.Fix), maxSteps)])
	for n, s := range i.Fix {
		i.Fix[n].Text, i.Fix[n].Command = short(s.Text), short(s.Command)
		if s.Record != nil {
			r := *s.Record
			r.Zone, r.Owner, r.Type = short(r.Zone), short(r.Owner), short(r.Type)
			r.Values = slices.Clone(r.Values[:min(len(r.Values), maxHosts)])
			for n, v := range r.Values {
				r.Values[n] = short(v)
			}
			i.Fix[n].Record = &r
		}
	}
	m.Incident = i
	return m
}

// ofAll makes a message speak of all hostnames that were hit: hosts are found right one
// by one, so the newest incident has only the last of them.
func ofAll(m Message, touched []string) Message {
	m.Incident.Hosts = touched
	m.HostCount, m.Zone = max(m.HostCount, len(touched)), zone(m.Incident)
	m.Incident.Hosts = slices.Clone(touched[:min(len(touched), maxHosts)])
	return m
}

// short cuts a text to maxText bytes, at a character.
func short(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// zone is the zone of the records in question if there is one only, else the
// longest name of two labels or more that all hostnames end in.
func zone(i finding.Incident) string {
	zones := map[string]bool{}
	for _, s := range i.Fix {
		if s.Record != nil {
			zones[s.Record.Zone] = true
		}
	}
	for _, f := range i.Effects {
		if f.Record != nil {
			zones[f.Record.Zone] = true
		}
	}
	if len(zones) == 1 {
		for z := range zones {
			return z
		}
	}
	if len(i.Hosts) == 0 {
		return ""
	}
	common := i.Hosts[0]
	for _, h := range i.Hosts[1:] {
		for common != "" && !under(h, common) {
			_, common, _ = strings.Cut(common, ".")
		}
	}
	if !strings.Contains(common, ".") {
		return ""
	}
	return common
}

// under tells whether a name is the zone or stands in it.
func under(name, zone string) bool {
	above, in := strings.CutSuffix(name, zone)
	return in && (above == "" || strings.HasSuffix(above, "."))
}

// seenOn collects the places that showed the fault.
func seenOn(i finding.Incident) ([]string, int) {
	var all []string
	for _, f := range i.Effects {
		all = append(all, f.SeenAt...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.Clone(all[:min(len(all), maxSeenOn)]), len(all)
}
