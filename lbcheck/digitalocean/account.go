// Package digitalocean reads the load balancers of a DigitalOcean account, and
// the records of zones hosted there, through its public API.
//
// It reads only, judges nothing, and never retries by itself: the next Observe
// is the retry. The token appears in no error and no Observation.
package digitalocean

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/godo"

	"driftprobe/lbcheck"
)

// DefaultURL is the public API.
const DefaultURL = "https://api.digitalocean.com"

// DefaultTimeout bounds one whole Observe.
const DefaultTimeout = 15 * time.Second

// Settings say which account to read.
type Settings struct {
	// Token returns the API token. It is called for each Observe, so that a
	// rotated token is used at once. Its error is told to the user: it must name
	// the place and not the content. Space around the token is cut off.
	Token func() (string, error)
	// APIURL is the API's base without a path; empty: DefaultURL.
	APIURL string
	// Timeout bounds one Observe with all its pages; zero: DefaultTimeout.
	Timeout time.Duration
	// HTTP gives the transport; nil: http.DefaultTransport. Redirects are never
	// followed, since they would carry the token elsewhere.
	HTTP *http.Client
}

// Account is one account. Its methods may be called from any goroutine.
type Account struct {
	token   func() (string, error)
	base    string
	timeout time.Duration
	next    http.RoundTripper

	mu sync.Mutex
	// complete is the last complete list, its Failure empty.
	complete lbcheck.Observation
	// wait is the failure by which the API said when to be asked again; nil if it
	// did not.
	wait *Error
}

// New prepares an account and asks nobody. Its errors say what is wrong with the
// settings.
func New(s Settings) (*Account, error) {
	if s.Token == nil {
		return nil, errors.New("digitalocean: no token is given")
	}
	base := s.APIURL
	if base == "" {
		base = DefaultURL
	}
	u, err := url.Parse(base)
	switch {
	// The parser's error quotes the URL, which may hold a password.
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return nil, errors.New("digitalocean: the API's URL is not of the form https://host")
	case u.User != nil:
		return nil, errors.New("digitalocean: the API's URL must not hold a user name or password")
	case strings.Trim(u.Path, "/") != "", u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("digitalocean: the API's URL must end after the host: the version (/v2) is added to it")
	}
	a := &Account{
		token: s.Token, base: u.Scheme + "://" + u.Host + "/", timeout: s.Timeout, next: http.DefaultTransport,
		complete: lbcheck.Observation{Provider: "DigitalOcean"},
	}
	if a.timeout <= 0 {
		a.timeout = DefaultTimeout
	}
	if s.HTTP != nil && s.HTTP.Transport != nil {
		a.next = s.HTTP.Transport
	}
	return a, nil
}

// Observe returns the account's load balancers, sorted by id: a complete list, or
// the last complete one with the Failure of this attempt. Where the API said when to
// be asked again (429, 503), it asks nothing before that time and repeats the
// Failure.
func (a *Account) Observe(ctx context.Context) lbcheck.Observation {
	var balancers []lbcheck.Balancer
	failure := a.ask(ctx, func(ctx context.Context, client *godo.Client) error {
		var err error
		balancers, err = listBalancers(ctx, client)
		return err
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if failure == nil {
		a.complete.Balancers, a.complete.At = balancers, time.Now().UTC()
		return copied(a.complete)
	}
	o := copied(a.complete)
	o.Failure, o.FailureHint = failure.what, failure.hint
	return o
}

// copied lets nobody change what is kept.
func copied(o lbcheck.Observation) lbcheck.Observation {
	var list []lbcheck.Balancer
	for _, b := range o.Balancers {
		b.Addresses, b.Tags = slices.Clone(b.Addresses), slices.Clone(b.Tags)
		list = append(list, b)
	}
	o.Balancers = list
	return o
}

// ask runs one question of some requests, with a fresh token and within the
// timeout, and keeps to the API's wish to be left alone.
func (a *Account) ask(ctx context.Context, question func(context.Context, *godo.Client) error) *Error {
	a.mu.Lock()
	wait := a.wait
	a.mu.Unlock()
	if wait != nil && time.Now().Before(wait.until) {
		return wait
	}
	token, err := a.token()
	if err != nil {
		return &Error{what: "the DigitalOcean token could not be read: " + line(err.Error()), hint: "check the token file"}
	}
	if token = strings.TrimSpace(token); !plausible(token) {
		return &Error{what: "the DigitalOcean token is empty, or holds characters that no token has", hint: "check the token file: it must hold the token and nothing else"}
	}
	client, err := godo.New(&http.Client{
		Transport:     &transport{next: a.next, token: token},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, godo.SetBaseURL(a.base), godo.SetUserAgent("driftprobe"))
	if err != nil {
		return &Error{what: "no DigitalOcean client could be made", hint: "check the API's URL"}
	}
	limitedCtx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	failure := a.explain(question(limitedCtx, client), time.Now())
	if failure == nil {
		return nil
	}
	failure.what = strings.ReplaceAll(failure.what, token, "[token]")
	if !failure.until.IsZero() {
		a.mu.Lock()
		a.wait = failure
		a.mu.Unlock()
	}
	return failure
}

// plausible tells whether a token can stand in a header (RFC 6750 §2.1, wider).
func plausible(token string) bool {
	for _, b := range []byte(token) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return token != ""
}
