package config

import (
	"errors"
	"net/netip"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gopkg.in/yaml.v3"
)

// maxRegex and maxText bound one pattern and one text, in bytes. RE2 runs in
// linear time, but compiles a pattern into memory that grows with its length.
const (
	maxRegex = 1000
	maxText  = 8 << 10
)

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ First, Last int }

// Contains says whether the status code is in the range.
func (r StatusRange) Contains(status int) bool { return r.First <= status && status <= r.Last }

// String is "200" or "200-299".
func (r StatusRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return strconv.Itoa(r.First) + "-" + strconv.Itoa(r.Last)
}

// MarshalText is String.
func (r StatusRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// expected is what a type wants, in words for messages.
type expected struct {
	what    string // after "expected"
	example string // after "write"
	scalar  bool
	secret  bool // the text found must not be repeated
	single  bool // a list of scalars, so that one scalar may stand for itself
}

func expectation(t reflect.Type) expected {
	switch reflect.Zero(t).Interface().(type) {
	case time.Duration:
		return expected{what: "a duration such as 30s", example: "a number with a unit, such as 30s, 5m or 4h", scalar: true}
	case string:
		return expected{what: "text", example: "one line of text", scalar: true}
	case Secret:
		return expected{what: "text", example: "one line of text in quotes", scalar: true, secret: true}
	case uint16:
		return expected{what: "a port from 1 to 65535", example: "a number, such as 53", scalar: true}
	case Rate:
		return expected{what: "a number of questions a second from 1 to 100000", example: "a number, such as 50, or leave it out", scalar: true}
	case Count:
		return expected{what: "a number from 0 to 1000", example: "a number, such as 20", scalar: true}
	case Limit:
		return expected{what: "a limit such as 5 per 168h", example: "a number of certificates (1 to 64) and a time (1h to 8760h), such as 5 per 168h", scalar: true}
	case netip.Addr:
		return expected{what: "an IP address", example: "an address, such as 203.0.113.7 or 2001:db8::7", scalar: true}
	case netip.AddrPort:
		return expected{what: "an IP address, with or without a port", example: "an address, such as 10.0.0.53 or 10.0.0.53:5353", scalar: true}
	case netip.Prefix:
		return expected{what: "a network or an IP address", example: "a network, such as 198.51.100.0/24", scalar: true}
	case *regexp.Regexp:
		return expected{what: "a regular expression", example: "a pattern in single quotes, such as '^ok$'", scalar: true}
	case StatusRange:
		return expected{what: "a status code or a range of them", example: `200 or "200-299"`, scalar: true}
	case bool:
		return expected{what: "true or false", example: "true or false", scalar: true}
	case Toggle:
		return expected{what: "auto, true or false", example: "auto, true or false", scalar: true}
	case []Target:
		return expected{what: "a list", example: `a list, each entry like "- url: https://api.example.com/"`}
	case Target:
		return expected{what: "a mapping", example: `"url: https://api.example.com/" or "host: api.example.com"`, secret: true}
	}
	if t.Kind() == reflect.Slice {
		return expected{what: "a list", example: "a list in brackets: [value, value]", single: true}
	}
	// A mapping may hold secrets, so text in its place may be one.
	return expected{what: "a mapping", example: `its keys below it, indented, each as "key: value"`, secret: true}
}

// scalarParser gives the function that reads one value into v, if v is not a
// section, a list or a map.
func scalarParser(v reflect.Value) (func(*yaml.Node) *fault, bool) {
	switch into := v.Addr().Interface().(type) {
	case *time.Duration:
		return parser(into, parseDuration), true
	case *string:
		return parser(into, parseText), true
	case *Secret:
		return parser(into, parseSecret), true
	case *uint16:
		return parser(into, parsePort), true
	case *Rate:
		return parser(into, parseRate), true
	case *Count:
		return parser(into, parseCount), true
	case *Limit:
		return parser(into, parseLimit), true
	case *netip.Addr:
		return parser(into, parseAddr), true
	case *netip.AddrPort:
		return parser(into, parseServer), true
	case *netip.Prefix:
		return parser(into, parsePrefix), true
	case **regexp.Regexp:
		return parser(into, parseRegex), true
	case *StatusRange:
		return parser(into, parseStatus), true
	case *Toggle:
		return parser(into, parseToggle), true
	case *bool:
		return parser(into, parseBool), true
	}
	return nil, false
}

func parser[T any](into *T, parse func(string) (T, *fault)) func(*yaml.Node) *fault {
	return func(node *yaml.Node) *fault {
		value, f := parse(node.Value)
		if f == nil {
			*into = value
		}
		return f
	}
}

// mismatch says what T wants and what was found.
func mismatch[T any](text, hint string) (T, *fault) {
	var zero T
	want := expectation(reflect.TypeFor[T]())
	if hint == "" {
		hint = "write " + want.example
	}
	return zero, faultf(hint, "expected %s, found %s", want.what, shownURL(text))
}

// maxCounted is how many certificates for the same names are remembered at most.
const maxCounted = 64

func parseLimit(text string) (Limit, *fault) {
	count, per, _ := strings.Cut(text, " per ")
	n, bad := strconv.Atoi(strings.TrimSpace(count))
	span, f := parseDuration(strings.TrimSpace(per))
	if bad != nil || f != nil || n < 1 || n > maxCounted || span < time.Hour || span > 8760*time.Hour {
		return mismatch[Limit](text, "")
	}
	return Limit{n, span}, nil
}

func parseDuration(text string) (time.Duration, *fault) {
	d, err := time.ParseDuration(text)
	if err == nil && d >= 0 {
		return d, nil
	}
	hint := ""
	if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		hint = "add the unit: " + text + "s for seconds, " + text + "m for minutes"
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			hint = "days are not a unit here: write " + strconv.FormatUint(n*24, 10) + "h"
		}
	}
	return mismatch[time.Duration](text, hint)
}

func parseText(text string) (string, *fault) {
	if f := plainLine(text); f != nil {
		return "", f
	}
	return text, nil
}

func parseSecret(text string) (Secret, *fault) {
	if f := plainLine(text); f != nil {
		return Secret{}, f
	}
	return NewSecret(text), nil
}

// plainLine refuses what no value of the file needs; it repeats no text.
func plainLine(text string) *fault {
	switch {
	case strings.TrimSpace(text) == "":
		return faultf("give a value, or remove the key", "expected text, found an empty value")
	case len(text) > maxText:
		return faultf("check for a missing quote", "longer than %d KiB", maxText>>10)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
		return faultf("write it on one line; a block that starts with | ends in a line break, one with |- does not",
			"expected one line of text, found a line break or a control character")
	}
	return nil
}

func parsePort(text string) (uint16, *fault) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return mismatch[uint16](text, "")
	}
	return uint16(port), nil
}

func parseRate(text string) (Rate, *fault) {
	rate, err := strconv.ParseUint(text, 10, 32)
	if err != nil || rate == 0 || rate > 100_000 {
		return mismatch[Rate](text, "")
	}
	return Rate(rate), nil
}

func parseCount(text string) (Count, *fault) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n > 1000 {
		return mismatch[Count](text, "")
	}
	return Count(n), nil
}

func parseToggle(text string) (Toggle, *fault) {
	switch toggle := Toggle(strings.ToLower(text)); toggle {
	case Auto, On, Off:
		return toggle, nil
	}
	return mismatch[Toggle](text, "")
}

func parseBool(text string) (bool, *fault) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return mismatch[bool](text, "")
}

func parseStatus(text string) (StatusRange, *fault) {
	if class, ok := strings.CutSuffix(strings.ToLower(text), "xx"); ok && len(class) == 1 {
		return mismatch[StatusRange](text, `write the range out: "`+class+"00-"+class+`99"`)
	}
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	first, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	last, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	switch {
	case err1 != nil || err2 != nil:
		return mismatch[StatusRange](text, "")
	case first < 100 || last < 100 || first > 599 || last > 599:
		return StatusRange{}, faultf("use codes from 100 to 599", "status codes go from 100 to 599, found %s", shown(text))
	case first > last:
		return StatusRange{}, faultf("put the smaller code first", "the range %s runs backwards", shown(text))
	}
	return StatusRange{int(first), int(last)}, nil
}

func parseRegex(text string) (*regexp.Regexp, *fault) {
	if text == "" {
		return nil, faultf("give a pattern, or remove the key", "expected a regular expression, found an empty value")
	}
	if len(text) > maxRegex {
		return nil, faultf("look for a shorter, telling part of the text", "the regular expression is longer than %d bytes", maxRegex)
	}
	pattern, err := regexp.Compile(text)
	if err == nil {
		return pattern, nil
	}
	why := err.Error()
	var cause *syntax.Error
	if errors.As(err, &cause) {
		why = string(cause.Code) + ": " + shown(cause.Expr)
	}
	return nil, faultf(`use RE2 syntax (no look-around, no back-references); put \ before a special character that stands for itself`,
		"not a regular expression: %s", why)
}
