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
			r.Values = slices.Clone(r.Values[:min(len(r.Values), maxHosts)])
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
	common := labels(i.Hosts[0])
	for _, h := range i.Hosts[1:] {
		other := labels(h)
		n := 0
		for n < len(common) && n < len(other) && common[n] == other[n] {
			n++
		}
		common = common[:n]
	}
	if len(common) < 2 {
		return ""
	}
	slices.Reverse(common)
	return strings.Join(common, ".")
}

// labels returns a name's labels from the top.
func labels(name string) []string {
	all := strings.Split(name, ".")
	slices.Reverse(all)
	return all
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
