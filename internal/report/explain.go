package report

import (
	"fmt"
	"io"
	"slices"

	"driftprobe/finding"
)

const explainWidth = 80

// Explain writes one entry of the catalogue.
func Explain(w io.Writer, e finding.Entry) error {
	p := page{width: explainWidth}
	p.hang(Safe(string(e.Code))+"  ", Safe(e.Title), 2)
	p.blank()
	p.hang("why  ", Safe(e.Why), 5)
	p.blank()
	p.hang("fix  ", Safe(e.Fix), 5)
	if e.Reference != "" {
		p.blank()
		p.hang("see  ", Safe(e.Reference), 5)
	}
	return write(w, p.String())
}

// ExplainPage is Explain as a page of HTML.
func ExplainPage(w io.Writer, e finding.Entry) error {
	var d document
	d.begin(string(e.Code)+" - driftprobe", "")
	d.put("<h1><code>%s</code></h1>\n<p>%s</p>\n<dl>\n", string(e.Code), e.Title)
	d.term("why", e.Why)
	d.term("fix", e.Fix)
	d.term("see", e.Reference)
	d.put("</dl>\n<p><a href=\"explain\">all codes</a></p>\n")
	d.end()
	return write(w, d.String())
}

// ExplainAllPage is ExplainAll, of all families, as a page of HTML.
func ExplainAllPage(w io.Writer) error {
	var d document
	d.begin("what codes mean - driftprobe", "")
	d.put("<h1>What codes mean</h1>\n<dl>\n")
	for _, e := range finding.Catalogue() {
		d.put("<dt>")
		d.code(string(e.Code))
		d.put("</dt><dd>%s</dd>\n", e.Title)
	}
	d.put("</dl>\n")
	d.end()
	return write(w, d.String())
}

// ExplainAll writes the list of codes with their titles: those of a family, or all if it is "".
// How one of them is explained depends on where this is read.
func ExplainAll(w io.Writer, family, one string) error {
	p := page{width: explainWidth}
	all := slices.DeleteFunc(finding.Catalogue(), func(e finding.Entry) bool { return family != "" && e.Code.Family() != family })
	width := 0
	for _, e := range all {
		width = max(width, columns(string(e.Code)))
	}
	for _, e := range all {
		p.hang(pad(string(e.Code), width)+"  ", e.Title, width+2)
	}
	p.blank()
	p.line(fmt.Sprintf("%s; more on one: %s", finding.Count(len(all), "code", "codes"), one))
	return write(w, p.String())
}
