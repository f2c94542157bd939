// Package digitalocean reads the load balancers of a DigitalOcean account, and
// the records of zones hosted there, through its public API.
//
// It reads only, judges nothing, and never retries by itself: the next Observe
// is the retry, if the API does not want to be left alone by then. The token appears
// in no error and no Observation.
package digitalocean

import (
	"context"
	"errors"
	"math/rand/v2"
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

const (
	// listEvery is the least time from one list to the next, whoever asks. It is a
	// little less than the minute in which the account is looked at, so that a look
	// that comes early by its own clock is none too few.
	listEvery = 55 * time.Second
	// maxSingle bounds the balancers that are asked for one by one in one Observe.
	maxSingle = 10
)

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
	now     func() time.Time

	mu sync.Mutex
	// complete is the last complete list, its Failure empty.
	complete lbcheck.Observation
	// listed is when the last list was asked for, by which token, and outcome what came
	// of it.
	listed  time.Time
	by      string
	outcome *Error
	// wait is the failure after which the API is to be left alone for a while, and
	// refused the token that met it: another token has limits of its own. nil: it may
	// be asked.
	wait    *Error
	refused string
	// failures counts those in a row that were the API's own.
	failures int
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
		token: s.Token, base: u.Scheme + "://" + u.Host + "/", timeout: s.Timeout, next: http.DefaultTransport, now: time.Now,
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
// the last complete one with the Failure of this attempt. There is one list a minute
// at most, unless the token is another: in between only the balancers in news, by their
// ids, are asked for, and take their place in the last list. After a failure of the API it
// asks nothing before the time that the API named (429, 503), or else for a while that
// grows with each failure, and repeats the Failure. After that a list need not wait for its
// minute.
func (a *Account) Observe(ctx context.Context, news []string) lbcheck.Observation {
	token, failure := a.readToken()
	var resting *Error
	if failure == nil {
		resting = a.resting(token)
	}
	a.mu.Lock()
	failed := a.outcome != nil
	due := a.by != token || !a.now().Before(a.after(listEvery))
	if due && resting != nil {
		a.outcome = resting
	}
	a.mu.Unlock()
	switch {
	case failure != nil, resting != nil:
	case due:
		a.list(ctx, token)
	case !failed:
		a.refresh(ctx, token, news[:min(len(news), maxSingle)])
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	o := copied(a.complete)
	if failure == nil {
		failure = a.outcome
		if failure != nil || !due {
			o.Again = a.after(time.Minute)
		}
	}
	if failure != nil {
		o.Failure, o.FailureHint = failure.what, failure.hint
	}
	return o
}

// after is when the next list may be asked for, with so much time between lists. The
// caller holds the lock.
func (a *Account) after(every time.Duration) time.Time {
	if a.outcome != nil && !a.outcome.until.IsZero() {
		return a.outcome.until
	}
	return a.listed.Add(every)
}

// list asks for all.
func (a *Account) list(ctx context.Context, token string) {
	var balancers []lbcheck.Balancer
	began := a.now()
	failure := a.ask(ctx, token, func(ctx context.Context, client *godo.Client) error {
		var err error
		balancers, err = listBalancers(ctx, client)
		return err
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listed, a.by, a.outcome = began, token, failure
	if failure == nil {
		a.complete.Balancers, a.complete.At = balancers, a.now().UTC()
	}
}

// refresh asks for single balancers, and puts them into the last list, or takes out
// those that are gone. That one could not be asked for is not told: the list still
// stands, and its age shows.
func (a *Account) refresh(ctx context.Context, token string, ids []string) {
	for _, id := range ids {
		var b lbcheck.Balancer
		failure := a.ask(ctx, token, func(ctx context.Context, client *godo.Client) error {
			var err error
			b, err = oneBalancer(ctx, client, id)
			return err
		})
		if failure != nil && !failure.absent {
			continue
		}
		b.At = a.now().UTC()
		a.mu.Lock()
		list := slices.DeleteFunc(slices.Clone(a.complete.Balancers), func(o lbcheck.Balancer) bool { return o.ID == id })
		if failure == nil {
			at, _ := slices.BinarySearchFunc(list, b, byID)
			list = slices.Insert(list, at, b)
		}
		a.complete.Balancers = list
		a.mu.Unlock()
	}
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

// readToken returns the token of this moment.
func (a *Account) readToken() (string, *Error) {
	token, err := a.token()
	if err != nil {
		return "", &Error{what: "the DigitalOcean token could not be read: " + line(err.Error()), hint: "check the token file"}
	}
	if token = strings.TrimSpace(token); !plausible(token) {
		return "", &Error{what: "the DigitalOcean token is empty, or holds characters that no token has", hint: "check the token file: it must hold the token and nothing else"}
	}
	return token, nil
}

// ask runs one question of some requests within the timeout, and keeps to the API's
// wish to be left alone.
func (a *Account) ask(ctx context.Context, token string, question func(context.Context, *godo.Client) error) *Error {
	if wait := a.resting(token); wait != nil {
		return wait
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
	failure := a.explain(question(limitedCtx, client), a.now())
	if failure != nil {
		failure.what = strings.ReplaceAll(failure.what, token, "[token]")
	}
	a.rest(failure, token)
	return failure
}

// resting is the failure for whose sake the API is left alone at this moment; nil: it is
// not.
func (a *Account) resting(token string) *Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wait == nil || a.refused != token || !a.now().Before(a.wait.until) {
		return nil
	}
	return a.wait
}

const (
	firstRest = 30 * time.Second
	maxRest   = 2 * time.Minute
)

// rest notes for how long the API is to be left alone after an answer.
func (a *Account) rest(failure *Error, token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if failure == nil || !failure.theirs && failure.until.IsZero() {
		a.failures = 0
		return
	}
	if failure.until.IsZero() {
		// Many probes must not all come back at the same moment: half of it is chance.
		most := min(firstRest<<min(a.failures, 5), maxRest)
		failure.until = a.now().Add(most/2 + rand.N(most/2))
		a.failures++
	}
	a.wait, a.refused = failure, token
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
