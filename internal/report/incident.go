package report

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"driftprobe/finding"
)

// column is where text stands beside its label.
const column = 21

// long writes an incident in full: verdict, evidence, fix, hostnames.
func (t *text) long(i finding.Incident) {
	t.head(i)
	t.blank()
	for n, note := range i.Evidence {
		label := note.Label
		if n > 0 && label == i.Evidence[n-1].Label {
			label = ""
		}
		t.labelled(label, note.Text)
	}
	t.blank()
	t.fix(i.Fix)
	if i.Recovery != "" {
		t.labelled("clients recover", i.Recovery)
	}
	t.blank()
	t.hosts(i.Hosts)
	t.verbose(i, 2)
}

// labelled writes one note. A label that is too long for its column pushes its
// own text to the right, and no other.
func (t *text) labelled(label, words string) {
	label = Safe(label)
	lead := pad("  "+label, column)
	if columns(label) > column-4 {
		lead = "  " + label + "  "
	}
	if columns(lead) > t.width/2 {
		t.line(lead)
		lead = spaces(column)
	}
	t.hang(lead, Safe(words), column)
}

// fix writes the steps. Records that follow each other make one table.
func (t *text) fix(steps []finding.Step) {
	label := "fix"
	for len(steps) > 0 {
		n := 0
		for n < len(steps) && steps[n].Record != nil {
			n++
		}
		if n > 0 {
			if label != "" {
				t.labelled(label, "set")
			}
			t.records(steps[:n])
		} else {
			n = 1
			if steps[0].Text != "" {
				t.labelled(label, steps[0].Text)
				label = ""
			}
		}
		for _, s := range steps[:n] {
			if s.Command != "" {
				t.line(pad("  "+label, column) + Safe(s.Command))
				label = ""
			}
		}
		label = ""
		steps = steps[n:]
	}
}

// records writes a table "owner  type  values   (text)".
func (t *text) records(steps []finding.Step) {
	const indent = column + 2
	var owner, kind, value int
	for _, s := range steps {
		owner = max(owner, columns(Safe(s.Record.Owner)))
		kind = max(kind, columns(Safe(s.Record.Type)))
		if n := columns(strings.Join(safe(s.Record.Values), ", ")); n <= 40 {
			value = max(value, n)
		}
	}
	for _, s := range steps {
		lead := spaces(indent) + pad(Safe(s.Record.Owner), owner) + "  " + pad(Safe(s.Record.Type), kind) + "  "
		values := strings.Join(safe(s.Record.Values), ", ")
		under := columns(lead)
		if under+20 > t.width {
			under = indent + 4
		}
		if s.Text == "" {
			t.hang(lead, values, under)
			continue
		}
		text := "(" + Safe(s.Text) + ")"
		if one := lead + pad(values, value) + "   " + text; columns(one) <= t.width {
			t.line(one)
			continue
		}
		t.hang(lead, values, under)
		t.hang(spaces(indent+2), text, indent+2)
	}
}

// hosts names the hostnames hit; one alone stands beside the verdict already.
func (t *text) hosts(hosts []string) {
	if len(hosts) < 2 {
		return
	}
	words := safe(hosts)
	if !t.o.Verbose && len(hosts) > 4 {
		words = append(words[:3], fmt.Sprintf("… %d more (%s)", len(hosts)-3, t.o.rest()))
	}
	t.flow(pad("  hostnames", column), words, "  ", column)
}

// verbose writes what only the curious want: since when, and every finding.
func (t *text) verbose(i finding.Incident, indent int) {
	if !t.o.Verbose {
		return
	}
	if age := t.report.At.Sub(i.Since); !i.Since.IsZero() && age >= time.Second {
		t.hang(spaces(indent), fmt.Sprintf("first seen %s, %s ago", clock(i.Since, t.report.At), finding.Lasted(age)), indent+2)
	}
	if len(i.Effects) > 0 {
		t.line(spaces(indent) + "findings")
	}
	t.findings(i.Effects, indent+2)
}

// anyOne stands for a hostname where findings differ by nothing else.
const anyOne = "\x00"

// findings writes them, and those that say the same of several hostnames only once.
func (t *text) findings(fs []finding.Finding, indent int) {
	type said struct {
		first finding.Finding
		hosts []string // of the others
		last  string   // host
	}
	var all []*said
	same := map[string]*said{}
	for _, f := range fs {
		key := fmt.Sprint(f.Severity, f.Code, "\n", words(f))
		everywhere, first := key, key
		if host := f.Subject.Host; host != "" {
			// That of a zone's apex stands in the names of its servers too.
			everywhere, first = strings.ReplaceAll(key, host, anyOne), strings.Replace(key, host, anyOne, 1)
		}
		if s := cmp.Or(same[everywhere], same[first]); s != nil {
			if f.Subject.Host != s.last { // they are sorted
				s.hosts, s.last = append(s.hosts, Safe(f.Subject.Host)), f.Subject.Host
			}
			continue
		}
		s := &said{first: f, last: f.Subject.Host}
		same[everywhere], same[first] = s, s
		all = append(all, s)
	}
	for _, s := range all {
		t.hang(fmt.Sprintf("%s%-8s  %s  ", spaces(indent), s.first.Severity, Safe(string(s.first.Code))), words(s.first), indent+10)
		if len(s.hosts) > 0 {
			t.flow(spaces(indent+10)+"the same of  ", s.hosts, "  ", indent+12)
		}
	}
}

// words are all that a finding says.
func words(f finding.Finding) string {
	parts := []string{Safe(f.Summary)}
	if f.Expected != "" {
		parts = append(parts, "expected "+Safe(f.Expected))
	}
	if f.Observed != "" {
		parts = append(parts, "found "+Safe(f.Observed))
	}
	if len(f.SeenAt) > 0 {
		parts = append(parts, "seen at "+strings.Join(safe(f.SeenAt), ", "))
	}
	named := strings.Contains(f.Summary, f.Subject.Host) && strings.Contains(f.Summary, f.Subject.Name)
	if about := subject(f.Subject); about != "" && !named {
		parts = append([]string{Safe(about)}, parts...)
	}
	return strings.Join(parts, "; ")
}

// subject names what a finding is about, the narrowest thing last.
func subject(s finding.Subject) string {
	var parts []string
	if s.Name != "" {
		parts = append(parts, strings.TrimPrefix(s.Namespace+"/"+s.Name, "/"))
	}
	for _, part := range []string{s.Source, s.Host, s.Server, s.Address} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}
