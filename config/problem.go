package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong with a configuration, and what to do about it.
type Problem struct {
	File    string // as the user named it; empty for a command-line argument
	Line    int    // 1-based; 0 when the problem is not inside a file
	Column  int    // 1-based, in characters
	Path    string // such as targets[1].expect.status[0]; empty for the whole document
	Message string // one line; names the path and what was found, never a secret
	Hint    string // one line: what to do
}

// Error is "file:line:column: message", without the parts that are unknown.
func (p Problem) Error() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems are all problems of one file, in the order of their position. It is
// the error type of Parse and Load, and never empty there.
type Problems []Problem

// Error is one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each problem to errors.Is and errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Sort puts them in the order of their position.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
}

// fault is a problem whose place is not known yet.
type fault struct{ message, hint string }

func faultf(hint, format string, args ...any) *fault {
	return &fault{message: fmt.Sprintf(format, args...), hint: hint}
}

// shownLength bounds what is repeated of the user's text in a message.
const shownLength = 60

// shown quotes text for a message: one line, bounded, escaped.
func shown(text string) string {
	if utf8.RuneCountInString(text) > shownLength {
		text = string([]rune(text)[:shownLength]) + "…"
	}
	return strconv.Quote(text)
}

// shownURL is shown for text that may be a URL with a password in it.
func shownURL(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return shown(text)
	}
	scheme := ""
	if i := strings.Index(text[:at], "//"); i >= 0 {
		scheme = text[:i+2]
	}
	return shown(scheme + redacted + text[at:])
}
