// Package report renders a finding.Report for people (Text, Page) and for programs
// (JSON, JUnit, SARIF), what was met at each address beside it (Addresses, HostPage), and
// the catalogue behind "driftprobe explain".
//
// It lays out and decides nothing: every verdict, sentence and time in the
// output is in the Report or the Snapshot already. It does not know what a terminal is:
// colour and width are given.
package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"driftprobe/finding"
)

// Options say how Text lays a report out.
type Options struct {
	// Color marks severities with ANSI colours. For terminals only.
	Color bool
	// Width is the number of columns; 0 means 100. Commands and hostnames are
	// never broken, so a line may be longer.
	Width int
	// Verbose lists all hostnames and all findings.
	Verbose bool
	// Served is set if the text is a page of the status server, which has no -v but a
	// page for each host.
	Served bool
}

// rest says where a reader finds what is left out.
func (o Options) rest() string {
	if o.Served {
		return "/host?name=HOST"
	}
	return "-v"
}

// explained says where a reader finds what a code means.
func (o Options) explained(code string) string {
	if o.Served {
		return "explain: /explain?code=" + code
	}
	return "explain: driftprobe explain " + code
}

const (
	defaultWidth = 100
	minWidth     = 40
)

// JSON writes {"report": …, "snapshot": …, "policy": …}, indented, ending in a
// newline: the verdict, and all that it was made of. A nil snapshot or policy is left
// out. Lists that are empty are [], never null.
//
// Characters that a terminal would obey are written as \u escapes, so that
// hostile text is harmless where the document is looked at; its meaning is the
// same.
func JSON(w io.Writer, r finding.Report, snapshot, policy any) error {
	r.Findings = list(r.Findings)
	r.Incidents = list(slices.Clone(r.Incidents))
	for i := range r.Incidents {
		r.Incidents[i].Hosts = list(r.Incidents[i].Hosts)
		r.Incidents[i].Effects = list(r.Incidents[i].Effects)
	}
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(&escaper{out: out})
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(struct {
		Report   finding.Report `json:"report"`
		Snapshot any            `json:"snapshot,omitempty"`
		Policy   any            `json:"policy,omitempty"`
	}{r, snapshot, policy})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write the report as JSON: %w", err)
	}
	return nil
}

// escaper passes a JSON document on with its unprintable characters rewritten.
// Outside of strings JSON has none but white space, so a string is all that can
// change. It keeps no copy: a document can have a hundred megabytes.
type escaper struct {
	out *bufio.Writer
	// rest is the beginning of a character that was cut by the end of a Write.
	rest []byte
}

// Write is for the encoder.
func (e *escaper) Write(p []byte) (int, error) {
	n := len(p)
	if len(e.rest) > 0 {
		p = append(e.rest, p...)
	}
	for len(p) > 0 && utf8.FullRune(p) {
		c, size := utf8.DecodeRune(p)
		if err := e.write(c); err != nil {
			return 0, err
		}
		p = p[size:]
	}
	e.rest = bytes.Clone(p)
	return n, nil
}

func (e *escaper) write(c rune) (err error) {
	switch {
	case c == '\n' || printable(c):
		_, err = e.out.WriteRune(c)
	case c > 0xffff:
		c -= 0x10000
		_, err = fmt.Fprintf(e.out, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
	default:
		_, err = fmt.Fprintf(e.out, `\u%04x`, c)
	}
	return err
}

// Safe returns s with everything a terminal may obey, or that reorders or hides
// text (control characters, escape sequences, bidirectional overrides, invisible
// characters), shown as \x1b or \u202e. The result is one line.
func Safe(s string) string {
	if !strings.ContainsFunc(s, func(c rune) bool { return !printable(c) }) && strings.ToValidUTF8(s, "") == s {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		switch {
		case c == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(unicode.ReplacementChar)):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case printable(c):
			b.WriteRune(c)
		case c < 0x100:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, c)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}

// printable tells whether c is a graphic character or a space of some width.
func printable(c rune) bool {
	return unicode.IsPrint(c) || c == '\u00a0' || c == '\u202f'
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// write writes all at once, so that output is never torn by an error half-way.
func write(w io.Writer, s string) error {
	if _, err := io.WriteString(w, s); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
