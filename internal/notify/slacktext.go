package notify

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"driftprobe/finding"
)

// payload is what an incoming webhook takes. The text is what a notification
// shows; the attachment is a bar of colour with the rest beside it.
type payload struct {
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments,omitempty"`
}

type attachment struct {
	Color  string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type     string   `json:"type"`
	Text     *mrkdwn  `json:"text,omitempty"`
	Elements []mrkdwn `json:"elements,omitempty"`
}

type mrkdwn struct {
	Type string `json:"type"`
	Text string `json:"text"`
	// Verbatim keeps Slack from making links of hostnames.
	Verbatim bool `json:"verbatim"`
}

// Limits, in characters. Slack takes 3,000 in a section, and cuts long texts.
const (
	maxSection = 3000
	maxContext = 1000
	maxLine    = 600
	maxPlain   = 3000
)

// layout is the whole message.
func layout(m Message, of about) payload {
	p := payload{Text: clip(headline(m, of.cluster), maxLine)}
	if m.Over() {
		return p
	}
	var blocks []block
	for _, text := range []string{evidence(m), remedy(m)} {
		if text != "" {
			blocks = append(blocks, block{Type: "section", Text: &mrkdwn{"mrkdwn", clip(text, maxSection), true}})
		}
	}
	if text := where(m); text != "" {
		text = clip(text, maxContext)
		if of.link != "" {
			text += " · <" + of.link + "|status page>"
		}
		blocks = append(blocks, block{Type: "context", Elements: []mrkdwn{{"mrkdwn", text, true}}})
	}
	if len(blocks) > 0 {
		p.Attachments = []attachment{{Color: color(m.Incident.Severity), Blocks: blocks}}
	}
	return p
}

// plain is the message without any layout.
func plain(m Message, cluster string) string {
	text := clip(headline(m, cluster), maxLine)
	if !m.Over() {
		if fix := remedy(m); fix != "" {
			text += "\n" + fix
		}
	}
	return clip(text, maxPlain)
}

func color(s finding.Severity) string {
	switch s {
	case finding.Critical:
		return "#c62828"
	case finding.Warning:
		return "#f9a825"
	}
	return "#757575"
}

// headline is the first line: the whole message on a locked phone.
func headline(m Message, cluster string) string {
	var in string
	switch {
	case cluster != "" && m.Shard != "":
		in = " (" + escape(cluster) + ", shard " + escape(m.Shard) + ")"
	case cluster != "":
		in = " (" + escape(cluster) + ")"
	case m.Shard != "":
		in = " (shard " + escape(m.Shard) + ")"
	}
	cause := escape(m.Cause())
	hit := scope(m)
	if hit != "" && !strings.Contains(cause, hit) {
		cause += ": " + hit
	}
	news := ""
	if m.News != "" {
		news = " · " + escape(m.News)
	}
	switch m.Kind {
	case Resolved:
		if m.Incident.Code == finding.SelfOffline {
			cause = fmt.Sprintf("driftprobe had no network from %s to %s: nothing was looked at", clock(m.FirstSeen, m), clock(m.Resolved, m))
		} else if !m.Draining.IsZero() {
			cause = cleared(m)
		}
		return "[resolved] " + cause + in + " · lasted " + lasted(m)
	case Unwatched:
		return "[no longer watched] " + cause + in + news
	case Started:
		return cause + in
	case Repeat:
		news = " · still, for " + finding.Lasted(m.At.Sub(m.FirstSeen))
	}
	return fmt.Sprintf("[%s] %s%s%s", m.Incident.Severity, cause, in, news)
}

// Over tells whether there is nothing to be done any more.
func (m Message) Over() bool { return m.Kind == Resolved || m.Kind == Unwatched || m.Kind == Started }

// clock is a moment, with the day if the message speaks of more than one.
func clock(at time.Time, m Message) string {
	if m.At.Sub(m.FirstSeen) >= 12*time.Hour {
		return at.UTC().Format("2 Jan 15:04 UTC")
	}
	return at.UTC().Format("15:04 UTC")
}

// scope is what is hit: "14 hostnames of shop.example", or the only hostname.
func scope(m Message) string {
	switch {
	case m.HostCount == 0:
		return ""
	case m.HostCount == 1 && len(m.Incident.Hosts) == 1:
		return escape(m.Incident.Hosts[0])
	case m.Zone == "":
		return fmt.Sprintf("%d hostnames", m.HostCount)
	}
	return fmt.Sprintf("%d hostnames of %s", m.HostCount, escape(m.Zone))
}

// cleared is the end of an incident whose wrong answers drained from caches.
func cleared(m Message) string {
	switch {
	case m.HostCount == 1 && len(m.Incident.Hosts) == 1:
		return escape(m.Incident.Hosts[0]) + " is right everywhere, caches have expired"
	case m.Zone != "":
		return escape(m.Zone) + " is right everywhere, caches have expired"
	}
	return fmt.Sprintf("%d hostnames are right everywhere, caches have expired", m.HostCount)
}

// lasted writes the length of the incident, and of the part before the fix.
func lasted(m Message) string {
	text := finding.Lasted(m.Resolved.Sub(m.FirstSeen))
	if !m.Draining.IsZero() {
		text += " (unfixed " + finding.Lasted(m.Draining.Sub(m.FirstSeen)) + ")"
	}
	return text
}

func evidence(m Message) string {
	var lines []string
	last := ""
	for _, n := range m.Incident.Evidence {
		line := escape(n.Text)
		if n.Label != "" && n.Label != last {
			line = "*" + escape(n.Label) + "* " + line
		}
		last = n.Label
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// remedy is what to do, and when clients recover. A text before records is left
// out: "Set" says it. Commands are for a terminal, so they are shown only where
// no record says what to do.
func remedy(m Message) string {
	const maxRecords = 10
	var records, lines []string
	steps := m.Incident.Fix
	for _, s := range steps {
		if r := s.Record; r != nil {
			records = append(records, code(r.Owner+" "+r.Type+" "+strings.Join(r.Values, ", ")))
		}
	}
	if n := len(records); n > maxRecords {
		records = append(records[:maxRecords], fmt.Sprintf("%d more", n-maxRecords))
	}
	if len(records) > 0 {
		lines = append(lines, "*Set* "+and(records))
	}
	for n, s := range steps {
		before := n+1 < len(steps) && steps[n+1].Record != nil
		if s.Record == nil && s.Text != "" && !before && !strings.HasPrefix(s.Text, finding.Otherwise) {
			lines = append(lines, "*Fix* "+escape(s.Text))
		}
		if s.Command != "" && len(records) == 0 {
			lines = append(lines, code(s.Command))
		}
	}
	if recovery := m.Incident.Recovery; recovery != "" {
		if by, ok := strings.CutPrefix(recovery, "by "); ok {
			lines = append(lines, "*Clients recover by* "+escape(by))
		} else {
			lines = append(lines, "*Clients recover* "+escape(recovery))
		}
	}
	return strings.Join(lines, "\n")
}

// where is the last line: which hostnames, seen on what, since when.
func where(m Message) string {
	const few = 3
	var parts []string
	if m.HostCount > 1 {
		var names []string
		for _, h := range m.Incident.Hosts[:min(few, len(m.Incident.Hosts))] {
			names = append(names, escape(strings.TrimSuffix(h, "."+m.Zone)))
		}
		parts = append(parts, more(names, m.HostCount))
	}
	if len(m.SeenOn) > 0 {
		parts = append(parts, "seen on "+more(places(m.SeenOn[:min(few, len(m.SeenOn))]), m.SeenOnCount))
	}
	if !m.FirstSeen.IsZero() {
		parts = append(parts, "since "+clock(m.FirstSeen, m))
	}
	return strings.Join(parts, " · ")
}

// places shortens names to their first labels, if those differ.
func places(all []string) []string {
	var brief, full []string
	seen := map[string]bool{}
	for _, s := range all {
		brief, full = append(brief, escape(place(s))), append(full, escape(s))
		seen[place(s)] = true
	}
	if len(seen) < len(all) {
		return full
	}
	return brief
}

// place shortens "ns1.example. (192.0.2.1)" to "ns1"; an address stays.
func place(s string) string {
	name, _, _ := strings.Cut(s, " ")
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	if _, err := netip.ParseAddrPort(name); err == nil {
		return name
	}
	label, _, _ := strings.Cut(name, ".")
	return label
}

// more lists names, and how many of all are missing: "api, www and 11 more".
func more(names []string, all int) string {
	if rest := all - len(names); rest > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), rest)
	}
	return strings.Join(names, ", ")
}

func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// code is a span of code. A backtick would end it.
func code(s string) string { return "`" + escape(strings.ReplaceAll(s, "`", "'")) + "`" }

// escape makes text harmless: &, < and > as Slack's reference says, which also
// stops <!channel>; what cannot be printed, and line breaks, become a space.
func escape(s string) string {
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, " "))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// clip cuts escaped text to n characters, not inside of an &…; sequence.
func clip(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	s = string(runes[:n-1])
	if at := strings.LastIndexByte(s, '&'); at > strings.LastIndexByte(s, ';') {
		s = s[:at]
	}
	return s + "…"
}
