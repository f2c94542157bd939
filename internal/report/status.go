package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/snapshot"
)

// The bounds of a page, which any number of hosts and faults must fit on.
const (
	maxIncidents = 50
	maxSteps     = 40
	// maxExpanded hosts with trouble are shown with their addresses, maxListed hosts by
	// name.
	maxExpanded = 20
	maxListed   = 200
	// maxFindings bounds the findings on the page of one host.
	maxFindings = 100
)

// Page writes the report as a page of HTML: the incidents, what is well, the addresses of
// the hosts that an incident names, and the names of others. HostPage has the rest.
func Page(w io.Writer, r finding.Report, s snapshot.Snapshot) error {
	var d document
	felt, aside := ordered(r)
	d.begin("driftprobe: "+tally(felt), stamp(r))
	d.put("<h1>%s</h1>\n", tally(felt))
	shown := append(felt, aside...)
	for _, i := range shown[:min(len(shown), maxIncidents)] {
		d.incident(i)
	}
	d.more(len(shown)-maxIncidents, "incident", "incidents")
	for _, v := range fine(r) {
		d.put("<p>")
		d.verdict(right())
		d.put(" %s</p>\n", v.words)
	}
	switch words := unproven(r); {
	case len(r.Incidents) == 0 && r.Coverage.Hosts == 0:
		d.put("<p>")
		d.verdict(severe(finding.Unknown))
		d.put(" %s</p>\n", nothing)
	case words != "" && len(fine(r)) == 0:
		d.put("<p>%s</p>\n", words)
	}
	d.coverage(r.Coverage)
	d.hosts(r, s)
	d.end()
	return write(w, d.String())
}

// HostPage writes all that is known of one host: its incidents, what was met at each of its
// addresses, and the findings about it. It tells whether the snapshot has the host; if not,
// nothing is written.
func HostPage(w io.Writer, r finding.Report, s snapshot.Snapshot, host string) (known bool, err error) {
	if !slices.ContainsFunc(s.Inventory.Targets, func(t inventory.Target) bool { return t.Host == host }) {
		return false, nil
	}
	only := func(h string) bool { return h == host }
	l := look(r, s, only)
	var d document
	d.begin(host+" - driftprobe", stamp(r))
	m, said := hostMarks(r, only)[host]
	if !said {
		m = silent()
	}
	d.put("<h1>%s ", host)
	d.verdict(m)
	d.put("</h1>\n")
	n := 0
	for _, i := range r.Incidents {
		if slices.Contains(i.Hosts, host) || slices.Contains(i.Corrected, host) {
			if n++; n <= maxIncidents {
				d.incident(i)
			}
		}
	}
	d.more(n-maxIncidents, "incident", "incidents")
	d.put("<h2>Addresses</h2>\n")
	for _, m := range l.matrices(host) {
		d.matrix(m)
	}
	found := l.found[host]
	if len(found) > 0 {
		d.put("<h2>Findings</h2>\n")
	}
	for _, f := range found[:min(len(found), maxFindings)] {
		d.finding(f)
	}
	d.more(len(found)-maxFindings, "finding", "findings")
	d.end()
	return true, write(w, d.String())
}

func stamp(r finding.Report) string { return r.At.UTC().Format("2006-01-02 15:04:05 UTC") }

// tally counts incidents: "1 critical, 2 warning".
func tally(felt []finding.Incident) string {
	count := map[string]int{}
	var words []string
	for _, i := range felt {
		if count[word(i)]++; count[word(i)] == 1 {
			words = append(words, word(i))
		}
	}
	for i, w := range words {
		words[i] = fmt.Sprintf("%d %s", count[w], strings.ToLower(w))
	}
	if len(words) == 0 {
		return "no incident"
	}
	return strings.Join(words, ", ")
}

// more says how many things were left out.
func (d *document) more(n int, one, many string) {
	if n > 0 {
		d.put(`<p class="dim">%s</p>`+"\n", further(n, one, many))
	}
}

func (d *document) incident(i finding.Incident) {
	d.put("<article>\n<h2>")
	d.verdict(mark{word: word(i)})
	d.put(" %s</h2>\n", i.Cause)
	d.put("<dl>\n")
	for _, n := range i.Evidence {
		d.term(n.Label, n.Text)
	}
	if len(i.Fix) > 0 {
		d.put("<dt>fix</dt><dd><ol>\n")
		d.steps(i.Fix[:min(len(i.Fix), maxSteps)])
		d.put("</ol>")
		d.more(len(i.Fix)-maxSteps, "step", "steps")
		d.put("</dd>\n")
	}
	if i.Recovery != "" && !strings.Contains(i.Cause, i.Recovery) {
		d.term("clients recover", i.Recovery)
	}
	if len(i.Hosts) > 0 {
		d.put("<dt>%s</dt><dd>", hostnames(len(i.Hosts)))
		for _, h := range i.Hosts[:min(len(i.Hosts), maxExpanded)] {
			d.link(h, h)
			d.put(" ")
		}
		d.more(len(i.Hosts)-maxExpanded, "hostname", "hostnames")
		d.put("</dd>\n")
	}
	if i.ID != "" { // what alerts can be silenced by
		d.put("<dt>incident</dt><dd><code>%s</code></dd>\n", i.ID)
	}
	d.closing(i.Code)
}

// closing ends an article with its code.
func (d *document) closing(code finding.Code) {
	d.put("<dt>code</dt><dd>")
	d.code(string(code))
	d.put("</dd>\n</dl>\n</article>\n")
}

func (d *document) term(label, text string) {
	if text != "" {
		d.put("<dt>%s</dt><dd>%s</dd>\n", label, text)
	}
}

// steps writes what to do. Records, and commands without words of their own, belong to
// the step before them.
func (d *document) steps(all []finding.Step) {
	for n, s := range all {
		part := n > 0 && (s.Record != nil || s.Text == "" || strings.HasPrefix(s.Text, finding.Otherwise))
		if !part {
			if n > 0 {
				d.put("</li>\n")
			}
			d.put("<li>")
		}
		d.step(s, part)
	}
	if len(all) > 0 {
		d.put("</li>\n")
	}
}

func (d *document) step(s finding.Step, part bool) {
	switch {
	case s.Record != nil:
		d.put("<p><code>%s %s %s</code> %s</p>", s.Record.Owner, s.Record.Type, strings.Join(s.Record.Values, ", "), s.Text)
	case part && s.Text != "":
		d.put("<p>%s</p>", s.Text)
	default:
		d.put("%s", s.Text)
	}
	if s.Command != "" {
		d.put("<pre>%s</pre>", s.Command)
	}
}

func (d *document) finding(f *finding.Finding) {
	d.put("<article>\n<h3>")
	d.verdict(severe(f.Severity))
	d.put(" %s</h3>\n<dl>\n", f.Summary)
	d.term("expected", f.Expected)
	d.term("found", f.Observed)
	d.term("seen at", finding.List(f.SeenAt, maxRows))
	d.term("to do", strings.Join(f.Hints(), "; "))
	d.closing(f.Code)
}

func (d *document) coverage(c finding.Coverage) {
	d.put(`<p class="dim">%s</p>`+"\n", checked(c))
	for _, n := range c.Notes[:min(len(c.Notes), maxIncidents)] {
		d.put(`<p class="dim">note: %s</p>`+"\n", n)
	}
	d.more(len(c.Notes)-maxIncidents, "note", "notes")
}

// hosts writes the addresses of the hosts in trouble, and the names of all, those in
// trouble first.
func (d *document) hosts(r finding.Report, s snapshot.Snapshot) {
	hosts := hostsOf(s)
	if len(hosts) == 0 {
		return
	}
	marks := hostMarks(r, anyHost)
	var trouble, others []string
	for _, h := range hosts {
		if marks[h].felt() {
			trouble = append(trouble, h)
		} else {
			others = append(others, h)
		}
	}
	if len(trouble) > 0 {
		d.put("<h2>Addresses of hostnames in trouble</h2>\n")
	}
	expanded := trouble[:min(len(trouble), maxExpanded)]
	l := look(r, s, func(host string) bool { return slices.Contains(expanded, host) })
	for _, h := range expanded {
		for _, m := range l.matrices(h) {
			d.matrix(m)
		}
	}
	d.more(len(trouble)-maxExpanded, "hostname", "hostnames")
	d.put("<h2>%s</h2>\n", hostnames(len(hosts)))
	d.put(`<form action="host"><label>show <input name="name" type="search" required placeholder="a hostname"></label> <button>go</button></form>` + "\n" + `<ul class="hosts">` + "\n")
	all := append(trouble, others...)
	for _, h := range all[:min(len(all), maxListed)] {
		m, said := marks[h]
		if !said {
			m = silent()
		}
		d.put("<li>")
		d.verdict(m)
		d.put(" ")
		d.link(h, h)
		d.put("</li>\n")
	}
	d.put("</ul>\n")
	d.more(len(all)-maxListed, "hostname", "hostnames")
}

// matrix writes one target as a table.
func (d *document) matrix(m matrix) {
	d.put("<h3>")
	d.link(m.host, m.url)
	d.put("</h3>\n")
	if len(m.about) > 0 {
		d.put(`<p class="dim">%s</p>`+"\n", strings.Join(m.about, "; "))
	}
	if len(m.rows) == 0 {
		return
	}
	d.put(`<table><thead><tr><th></th><th>address</th>`)
	for i, h := range headings() {
		if isTime(i) {
			d.put(`<th class="n">%s</th>`, h)
		} else {
			d.put("<th>%s</th>", h)
		}
	}
	d.put("</tr></thead><tbody>\n")
	for _, r := range m.rows {
		d.put(`<tr class="at"><td>`)
		d.verdict(r.mark)
		d.put(`</td><td class="at">%s</td>`, r.address)
		for i, c := range r.cells {
			d.cell(i, c)
		}
		d.put("</tr>\n")
		if len(r.notes) > 0 {
			d.put(`<tr class="notes"><td></td><td colspan="7">`)
			d.linked(strings.Join(r.notes, "; "))
			d.put("</td></tr>\n")
		}
	}
	d.put("</tbody></table>\n")
	d.more(m.more, "address", "addresses")
}

// cell writes a value with its heading, which a narrow screen shows beside it.
func (d *document) cell(i int, value string) {
	switch {
	case i == cellAnswer:
		d.put("<td>%s</td>", value)
	case value != "" && isTime(i):
		d.put(`<td class="n" data-l="%s">%s ms</td>`, headings()[i], value)
	default:
		d.put(`<td data-l="%s">%s</td>`, headings()[i], value)
	}
}
