package report

import (
	"strings"
	"unicode"
)

// page collects lines of a given width. Text is made safe before it is laid out.
type page struct {
	strings.Builder
	width int
}

func (p *page) line(s string) {
	p.WriteString(strings.TrimRight(s, " "))
	p.WriteByte('\n')
}

// blank separates two blocks; there is never more than one blank line, and none
// at the top.
func (p *page) blank() {
	if s := p.String(); s != "" && !strings.HasSuffix(s, "\n\n") {
		p.WriteByte('\n')
	}
}

// hang writes text after lead, wrapped at the width, with further lines indented
// by indent columns. Lines break at ordinary spaces only, and not between a
// number and its unit ("41 min").
func (p *page) hang(lead, text string, indent int) {
	var words []string
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ' ' }) {
		if n := len(words); n > 0 && number(words[n-1]) && len(word) <= 5 {
			words[n-1] += " " + word
			continue
		}
		words = append(words, word)
	}
	p.flow(lead, words, " ", indent)
}

func number(word string) bool {
	return strings.Trim(strings.TrimLeft(word, "("), "0123456789.") == "" && strings.ContainsAny(word, "0123456789")
}

// flow writes words after lead, joined by gap; a word is never broken.
func (p *page) flow(lead string, words []string, gap string, indent int) {
	line, empty := lead, true
	for _, word := range words {
		joined := line + word
		if !empty {
			joined = line + gap + word
		}
		if !empty && columns(joined) > p.width {
			p.line(line)
			joined = spaces(indent) + word
		}
		line, empty = joined, false
	}
	p.line(line)
}

// right writes text after lead, wrapped, with tail at the right margin of its
// last line, or of a line of its own if there is no room.
func (p *page) right(lead, text, tail string, indent int) {
	var inner page
	inner.width = p.width
	inner.hang(lead, text, indent)
	body := strings.TrimRight(inner.String(), "\n")
	p.WriteString(body)
	if tail == "" {
		p.WriteByte('\n')
		return
	}
	last := body[strings.LastIndexByte(body, '\n')+1:]
	gap := p.width - columns(last) - columns(tail)
	if gap < 2 {
		p.WriteByte('\n')
		gap = max(indent, p.width-columns(tail))
	}
	p.line(spaces(gap) + tail)
}

func spaces(n int) string { return strings.Repeat(" ", max(0, n)) }

// pad fills s up to n columns.
func pad(s string, n int) string { return s + spaces(n-columns(s)) }

// columns is the width of safe text on a terminal. Combining marks take none.
// Wide (East Asian) characters are counted as one: names arrive in ASCII, and a
// line that is a little long is no harm.
func columns(s string) int {
	n := 0
	for _, c := range s {
		if !unicode.In(c, unicode.Mn, unicode.Me) {
			n++
		}
	}
	return n
}
