package report

import (
	"html"
	"net/url"
	"strings"

	"driftprobe/finding"
)

// document is a page of HTML being written. It needs no script, and no file beside it.
//
// html/template would do the escaping as well, and make the binary larger by a sixth: with
// it the linker keeps every method of every type.
type document struct{ strings.Builder }

// markup is written as it stands. Only constants become markup by themselves: what comes
// from elsewhere is a string, which put escapes.
type markup string

// put writes markup with a value in the place of each %s: made safe as on a terminal, then
// escaped for HTML. In a tag, %s stands between double quotes.
func (d *document) put(m markup, values ...string) {
	rest := string(m)
	for _, v := range values {
		before, after, _ := strings.Cut(rest, "%s")
		d.WriteString(before)
		d.WriteString(html.EscapeString(Safe(v)))
		rest = after
	}
	d.WriteString(rest)
}

// begin writes all that comes before the content. What goes for all times has no at.
func (d *document) begin(title, at string) {
	d.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<style>`, title)
	d.put(style)
	d.put(`</style>
</head>
<body>
<header><a href="./">driftprobe</a>`)
	if at != "" {
		d.put(` <span class="dim">as of %s</span>`, at)
	}
	d.put("</header>\n<main>\n")
}

func (d *document) end() {
	d.put("</main>\n</body>\n</html>\n")
}

// verdict writes the word of a mark. Its class is the word in lower case, of which there
// are few.
func (d *document) verdict(m mark) {
	d.put(`<b class="mark %s">%s</b>`, strings.ToLower(m.word), m.word)
}

// link leads to the page of a host.
func (d *document) link(host, text string) {
	d.put(`<a href="host?name=%s">%s</a>`, url.QueryEscape(host), text)
}

// code writes a code, which leads to what it means if it is one of ours.
func (d *document) code(code string) {
	e, known := finding.Lookup(finding.Code(code))
	if !known {
		d.put("<code>%s</code>", code)
		return
	}
	d.put(`<a href="explain?code=%s" title="%s"><code>%s</code></a>`, url.QueryEscape(code), e.Title, code)
}

// linked writes text in which each code leads to what it means.
func (d *document) linked(text string) {
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			d.put(" ")
		}
		code := strings.TrimRight(word, ",;")
		if _, known := finding.Lookup(finding.Code(code)); !known {
			d.put("%s", word)
			continue
		}
		d.code(code)
		d.put("%s", word[len(code):])
	}
}

// style: the colours of a verdict have a contrast of at least 4.5 to their background, and
// its word stands there too. On a narrow screen each row of a table is a block, with the
// headings beside the values.
const style markup = `
:root { color-scheme: light dark; --back: #fff; --text: #1c1e21; --dim: #5c6370; --line: #d8dce2; --soft: #f4f6f8;
  --critical: #b3191f; --warning: #8a5200; --unknown: #7a2e9e; --ok: #17692f; --info: #1a5fa8; }
@media (prefers-color-scheme: dark) {
  :root { --back: #15181c; --text: #e4e6ea; --dim: #9aa3af; --line: #343a42; --soft: #1e2228;
    --critical: #ff8a85; --warning: #f0b357; --unknown: #d7a1f0; --ok: #74d18c; --info: #86bdf5; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 0 1rem 2rem; background: var(--back); color: var(--text);
  font: 1rem/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
header { padding: .8rem 0; border-bottom: 1px solid var(--line); }
header a { font-weight: bold; text-decoration: none; }
a { color: var(--info); }
h1 { font-size: 1.3rem; margin: 1rem 0 .5rem; }
h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
p { margin: .4rem 0; }
.dim { color: var(--dim); }
.mark { font-size: .85em; letter-spacing: .03em; white-space: nowrap; }
.critical { color: var(--critical); } .warning { color: var(--warning); } .unknown { color: var(--unknown); }
.ok { color: var(--ok); } .info, .draining { color: var(--info); }
article { border: 1px solid var(--line); border-radius: .4rem; padding: .2rem .9rem .6rem; margin: .8rem 0; }
article h2 { margin: .5rem 0; }
dl { display: grid; grid-template-columns: fit-content(14rem) 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dt { color: var(--dim); } dd { margin: 0; }
ol { margin: .2rem 0; padding-left: 1.3rem; }
code, pre, td.at { font-family: ui-monospace, monospace; font-size: .9em; } td.at { font-size: .85em; }
pre { margin: .2rem 0; padding: .4rem .6rem; background: var(--soft); white-space: pre-wrap; }
table { width: 100%; border-collapse: collapse; font-size: .95rem; }
th { text-align: left; font-weight: normal; font-size: .85rem; color: var(--dim); }
th, td { padding: .15rem .7rem .15rem 0; vertical-align: top; }
th.n, td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tbody tr.at { border-top: 1px solid var(--line); }
tr.notes td { padding-top: 0; color: var(--dim); font-size: .9rem; }
ul.hosts { list-style: none; padding: 0; columns: 18rem; }
ul.hosts li { break-inside: avoid; }
form { margin: .6rem 0; } input, button { font: inherit; max-width: 100%; }
@media (min-width: 44rem) {
  table { table-layout: fixed; }
  th:nth-child(1) { width: 6.2rem; } th:nth-child(2) { width: 31%; } th:nth-child(3) { width: 16%; } th:nth-child(8) { width: 7rem; }
}
@media (max-width: 44rem) {
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .3rem; }
  thead { display: none; }
  table, tbody, tr.notes, tr.notes td { display: block; }
  tr.at { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .9rem; padding: .3rem 0 0; }
  td { padding: 0; } td:empty { display: none; } td.at { flex: 1 1 calc(100% - 7rem); }
  td[data-l]::before { content: attr(data-l) " "; color: var(--dim); }
}
`
