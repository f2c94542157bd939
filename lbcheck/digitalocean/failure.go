package digitalocean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/digitalocean/godo"
)

// maxWait bounds how long one answer can silence us: the rate limit is per hour.
const maxWait = time.Hour

// Error is a question that got no usable answer.
type Error struct {
	what  string
	hint  string
	until time.Time // ask not before; zero: at any time
	// theirs: the API or the way to it failed, and not what we asked for.
	theirs bool
	// absent: what was asked for is not there (404).
	absent bool
	err    error
}

// Error is one sentence, without the token and without the request's URL.
func (e *Error) Error() string { return e.what }

// Hint says what to do about it.
func (e *Error) Hint() string { return e.hint }

// Unwrap returns the cause where there is one that is safe to show; it never is
// an error of the client library, whose text holds the request.
func (e *Error) Unwrap() error { return e.err }

// explain puts an error into words of our own: the API's message and the client's
// error text can echo what was sent.
func (a *Account) explain(err error, now time.Time) *Error {
	var status *godo.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status) && status.Response != nil:
		return fromStatus(status.Response, now)
	case errors.Is(err, context.Canceled):
		return &Error{what: "the question to DigitalOcean was given up", hint: "ask again", err: context.Canceled}
	case timedOut(err):
		return &Error{what: fmt.Sprintf("DigitalOcean gave no complete answer in time (at most %s)", a.timeout), hint: "check the network to the API, or raise the timeout", err: context.DeadlineExceeded, theirs: true}
	case errors.Is(err, errMoved):
		return &Error{what: "DigitalOcean's list changed twice while it was read", hint: "nothing to do: it is read again in the next round"}
	case errors.Is(err, errTooLong):
		return &Error{what: fmt.Sprintf("DigitalOcean's list did not end after %d pages", maxPages), hint: "check that the API's URL is that of DigitalOcean"}
	case unreadable(err):
		return &Error{what: "DigitalOcean's answer could not be understood", hint: "check that the API's URL is that of DigitalOcean, and that no proxy answers instead"}
	}
	return &Error{what: "DigitalOcean can't be reached: " + cause(err), hint: "check the network and DNS from here to the API", theirs: true}
}

func timedOut(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

func unreadable(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var parse *time.ParseError
	return errors.As(err, &syntax) || errors.As(err, &kind) || errors.As(err, &parse) ||
		errors.Is(err, errNoList) || errors.Is(err, errTooLarge)
}

// cause is the network's own word, without the request around it.
func cause(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var network *net.OpError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection broke off before the end of the answer"
	case errors.As(err, &network) && network.Addr != nil:
		// net.OpError names our own port, another each time.
		return line(fmt.Sprintf("%s %s: %v", network.Op, network.Addr, network.Err))
	}
	return line(err.Error())
}

func fromStatus(r *http.Response, now time.Time) *Error {
	code := r.StatusCode
	switch {
	case code == http.StatusUnauthorized:
		return &Error{what: "DigitalOcean does not accept the token (401): it is wrong, expired or revoked", hint: "make a new token with the scope load_balancer:read and put it in the token file"}
	case code == http.StatusForbidden:
		return &Error{what: "DigitalOcean does not allow this with the token (403)", hint: "give the token the scope load_balancer:read (for records also domain:read)"}
	case code == http.StatusTooManyRequests:
		return limited(waitUntil(r.Header, now))
	case code == http.StatusNotFound:
		return &Error{what: "DigitalOcean has nothing at that place (404)", hint: "check the API's URL, and that the zone is in this account", absent: true}
	case code >= 500:
		e := &Error{what: fmt.Sprintf("DigitalOcean's API failed (%d)", code), hint: "see https://status.digitalocean.com; it is asked again after a while", theirs: true}
		if r.Header.Get("Retry-After") != "" {
			e.until = waitUntil(r.Header, now)
		}
		return e
	}
	return &Error{what: fmt.Sprintf("DigitalOcean answered %d, which was not expected", code), hint: "check that the API's URL is that of DigitalOcean"}
}

func limited(until time.Time) *Error {
	return &Error{
		what:  "DigitalOcean's rate limit is used up (429): not asked again before " + until.UTC().Format("15:04:05") + " UTC",
		hint:  "use a token of its own for driftprobe, or ask less often",
		until: until,
	}
}

// waitUntil reads when to ask again: Retry-After (RFC 9110 §10.2.3) on a burst,
// else ratelimit-reset, which is a Unix time and counts too if nothing is left of the
// hour's limit; a minute if neither is given.
// https://docs.digitalocean.com/reference/api/reference/ (rate limit)
func waitUntil(h http.Header, now time.Time) time.Time {
	until := now.Add(time.Minute)
	reset, err := strconv.ParseInt(h.Get("Ratelimit-Reset"), 10, 64)
	known := err == nil
	if seconds, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32); err == nil {
		until = now.Add(time.Duration(seconds) * time.Second)
	} else if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		until = at
	} else if known {
		until = time.Unix(reset, 0)
	}
	if known && h.Get("Ratelimit-Remaining") == "0" && time.Unix(reset, 0).After(until) {
		until = time.Unix(reset, 0) // the hour is used up, not only the burst
	}
	if until.After(now.Add(maxWait)) {
		return now.Add(maxWait)
	}
	if until.Before(now.Add(time.Second)) {
		return now.Add(time.Second) // a clock that differs must not make a hot loop
	}
	return now.Add(until.Sub(now)) // by our own monotonic clock: the other may be set meanwhile
}

// line makes foreign text safe for one line.
func line(text string) string {
	clean := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text[:min(len(text), 300)])
	return strings.ToValidUTF8(clean, "")
}
