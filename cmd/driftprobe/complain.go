package main

import (
	"errors"
	"fmt"
	"io"

	"driftprobe/config"
)

// fault is an error with a hint for the person who reads it.
type fault struct{ what, hint string }

func (f *fault) Error() string { return f.what }
func (f *fault) Hint() string  { return f.hint }

// faultf makes a fault: the hint first, because the rest is a format.
func faultf(hint, format string, args ...any) error {
	return &fault{fmt.Sprintf(format, args...), hint}
}

// complain writes each error as one line "error:" and one line "hint:".
func complain(w io.Writer, err error) {
	var list config.Problems
	if errors.As(err, &list) {
		for _, p := range list {
			complain(w, p)
		}
		return
	}
	fmt.Fprintf(w, "error: %v\n", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "hint:  %s\n", hint)
	}
}

func hintOf(err error) string {
	var p config.Problem
	if errors.As(err, &p) {
		return p.Hint
	}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}
