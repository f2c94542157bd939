package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"driftprobe/finding"
)

// Text writes the report for a person: incidents, worst first, then what is
// merely worth knowing, what is well, and what was looked at. If nothing is
// wrong, what is well comes first.
func Text(w io.Writer, r finding.Report, o Options) error {
	if o.Width == 0 {
		o.Width = defaultWidth
	}
	t := text{page: page{width: max(o.Width, minWidth)}, report: r, o: o}
	t.all()
	return write(w, t.String())
}

// text is one report being laid out.
type text struct {
	page
	report finding.Report
	o      Options
}

func (t *text) all() {
	felt, aside := ordered(t.report)
	trouble := slices.ContainsFunc(felt, func(i finding.Incident) bool { return i.Severity > finding.Info })
	t.incidents(felt)
	if trouble {
		t.incidents(aside)
		t.wells()
	} else {
		t.wells()
		if len(aside) > 0 {
			t.blank()
		}
		t.incidents(aside)
	}
	all := slices.Concat(felt, aside)
	if len(all) > 0 {
		t.blank()
	}
	t.coverage()
	if len(all) > 0 {
		t.line(t.o.explained(Safe(string(all[0].Code))))
	}
}

// ordered returns what is felt by clients, the worst first, and what is merely worth
// knowing. What drains is felt.
func ordered(r finding.Report) (felt, aside []finding.Incident) {
	for _, i := range r.Incidents {
		if i.Severity > finding.Info || i.State == finding.Draining {
			felt = append(felt, i)
		} else {
			aside = append(aside, i)
		}
	}
	slices.SortStableFunc(felt, func(a, b finding.Incident) int { return cmp.Compare(b.Severity, a.Severity) })
	return felt, aside
}

func (t *text) incidents(all []finding.Incident) {
	for _, i := range all {
		switch {
		case i.Severity == finding.Info, i.State == finding.Draining,
			i.Severity == finding.Unknown && len(i.Fix) == 0:
			t.short(i)
		default:
			t.blank()
			t.long(i)
			t.blank()
		}
	}
}

// short writes an incident that asks for nothing: the verdict, and the evidence
// below it.
func (t *text) short(i finding.Incident) {
	indent := t.head(i)
	if i.Recovery != "" && !strings.Contains(i.Cause, i.Recovery) {
		t.hang(spaces(indent), "clients recover "+Safe(i.Recovery), indent)
	}
	for _, n := range i.Evidence {
		words := Safe(n.Text)
		if n.Label != "" {
			words = Safe(n.Label) + ": " + words
		}
		t.hang(spaces(indent), words, indent)
	}
	t.verbose(i, indent)
}

// head writes the severity, the cause and how many hostnames are hit, and
// returns the column of the cause.
func (t *text) head(i finding.Incident) int {
	word := word(i)
	indent := columns(word) + 2
	cause := Safe(i.Cause)
	hit := hostnames(len(i.Hosts))
	switch len(i.Hosts) {
	case 0:
		hit = ""
	case 1:
		hit = Safe(i.Hosts[0])
		if strings.Contains(cause, hit) {
			hit = ""
		}
	}
	start := t.Len()
	t.right(word+"  ", cause, hit, indent)
	t.mark(start, word)
	return indent
}

const draining = "DRAINING"

// word is the verdict of an incident.
func word(i finding.Incident) string {
	if i.State == finding.Draining {
		return draining
	}
	return severe(i.Severity).word
}

// mark colours the word at start. It is done after the layout, because colour
// takes no columns.
func (t *text) mark(start int, word string) {
	if !t.o.Color {
		return
	}
	all := t.String()
	t.Reset()
	t.WriteString(all[:start] + t.colored(word) + all[start+len(word):])
}

func (t *text) colored(word string) string {
	if !t.o.Color || word == silent().word {
		return word
	}
	return color(word) + word + "\x1b[0m"
}

func color(word string) string {
	switch word {
	case "CRITICAL":
		return "\x1b[1;31m"
	case "WARNING":
		return "\x1b[1;33m"
	case "UNKNOWN":
		return "\x1b[1;35m"
	case "OK":
		return "\x1b[1;32m"
	}
	return "\x1b[1;36m"
}

// verdict writes a line that begins with a word of severity.
func (t *text) verdict(word, words string) {
	start := t.Len()
	t.hang(word+"  ", words, columns(word)+2)
	t.mark(start, word)
}

// coverage writes what was looked at, and the limits of the look.
func (t *text) coverage() {
	c := t.report.Coverage
	switch none := len(t.report.Incidents) == 0; {
	case none && c.Objects > 0:
		t.verdict("OK", "nothing in these manifests breaks what is judged")
	case none && c.Hosts == 0:
		t.verdict("UNKNOWN", nothing)
	}
	const cut = "\x00" // where the line may end
	words := strings.NewReplacer(", ", ", "+cut, " on ", " "+cut+"on ", " (", " "+cut+"(", " and ", " "+cut+"and ").Replace(checked(c))
	t.flow("", strings.Split(words, cut), "", 8)
	for _, n := range c.Notes {
		t.hang("note: ", Safe(n), 6)
	}
}

const nothing = "nothing was looked at: no hostname was given or found"

func checked(c finding.Coverage) string {
	var b strings.Builder
	b.WriteString("checked " + hostnames(c.Hosts))
	switch {
	case c.Objects > 0:
		return "checked " + finding.Count(c.Objects, "object", "objects")
	case c.Hosts == 0:
		b.Reset()
		b.WriteString("checked no hostname")
	}
	if c.Servers > 0 {
		b.WriteString(" on " + finding.Count(c.Servers, "authoritative server", "authoritative servers"))
		if c.ServersSilent > 0 {
			fmt.Fprintf(&b, " (%d without a usable answer)", c.ServersSilent)
		}
	}
	if c.Resolvers > 0 {
		b.WriteString(map[bool]string{true: " and ", false: " on "}[c.Servers > 0])
		b.WriteString(finding.Count(c.Resolvers, "resolver", "resolvers"))
	}
	if c.Addresses > 0 {
		b.WriteString(", " + finding.Count(c.Addresses, "address", "addresses"))
	}
	if c.Balancers > 0 {
		b.WriteString(", " + finding.Count(c.Balancers, "load balancer", "load balancers"))
	}
	if c.Took > 0 {
		b.WriteString(" in " + took(c.Took))
	}
	return b.String()
}
