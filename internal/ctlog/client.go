package ctlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"driftprobe/finding"
)

const (
	// requestTime bounds one question with its answer.
	requestTime = 15 * time.Second
	// firstRest and maxRest bound how long a source is left alone after a failure of its
	// own, and maxWait how long it can make us wait by its own word.
	firstRest = time.Minute
	maxRest   = time.Hour
	maxWait   = 24 * time.Hour
)

// failure is a question without a usable answer.
type failure struct {
	what, hint string
	// until: the source is left alone so long.
	until time.Time
	// theirs: the source failed, and not what was asked; key: it refused the key; absent:
	// what was asked for is not there; ours: the time of the look was over, which says
	// nothing of the source.
	theirs, key, absent, ours bool
}

func (f *failure) Error() string { return f.what }

func failed(hint, format string, args ...any) *failure {
	return &failure{what: fmt.Sprintf(format, args...), hint: hint}
}

// origin is one server that is asked.
type origin struct {
	name string // for a person
	base string // without a slash at the end
	// http never follows a redirect: it would carry the key elsewhere.
	http *http.Client
	now  func() time.Time
}

func newOrigin(name, text string, transport http.RoundTripper) (origin, error) {
	u, err := url.Parse(text)
	switch {
	// The parser's error quotes the URL, which may hold a password.
	case err != nil, u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return origin{}, errors.New("the URL is not of the form https://host/path")
	case u.User != nil:
		return origin{}, errors.New("the URL must not hold a user name or password")
	case u.RawQuery != "", u.Fragment != "":
		return origin{}, errors.New("the URL must end after its path")
	}
	if transport == nil {
		transport = http.DefaultTransport
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if name == "" {
		name = u.Host + path
	}
	return origin{
		name: name, base: u.Scheme + "://" + u.Host + path, now: time.Now,
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// get reads one answer of at most so many bytes, after decompression.
func (o origin) get(ctx context.Context, path, key string, most int64) ([]byte, *failure) {
	bounded, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	r, err := http.NewRequestWithContext(bounded, http.MethodGet, o.base+path, nil)
	if err != nil {
		return nil, failed("check the URL", "%s: no question can be made of its URL", o.name)
	}
	r.Header.Set("User-Agent", "driftprobe")
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	answer, err := o.http.Do(r)
	if err != nil {
		return nil, o.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, o.refused(answer)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, o.unreachable(ctx, err)
	case int64(len(body)) > most:
		return nil, failed("check that the URL is the right one", "%s: an answer of more than %d KiB", o.name, most>>10)
	}
	return body, nil
}

// unreachable puts an error of the network into words, without the request. ctx is that of
// the look.
func (o origin) unreachable(ctx context.Context, err error) *failure {
	if ctx.Err() != nil {
		f := failed("nothing to do: it is read on in the next look", "the time of this look was over before %s had answered", o.name)
		f.ours = true
		return f
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var network net.Error
	f := failed("check the network and DNS from here to it", "%s can't be reached: %s", o.name, finding.Printable(err.Error(), 200))
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		f.what = o.name + " gave no complete answer in time"
	}
	f.theirs = true
	return f
}

// refused explains a status that is not 200. The body is not shown: it can echo what was
// sent.
func (o origin) refused(r *http.Response) *failure {
	code := r.StatusCode
	switch {
	case code == http.StatusUnauthorized:
		return withKey("put a valid key in the key file, or leave key_file out", "%s does not accept the key (401)", o.name)
	case code == http.StatusForbidden:
		return withKey("see what the key may do, and whether this address is blocked", "%s does not allow this (403)", o.name)
	case code == http.StatusNotFound, code == http.StatusGone:
		f := failed("check the URL", "%s has nothing there (%d)", o.name, code)
		f.absent = true
		return f
	case code == http.StatusTooManyRequests:
		until := o.waitUntil(r.Header)
		f := failed("use a key with a larger limit, or watch fewer domains", "the limit of %s is used up (429): not asked again before %s UTC", o.name, until.UTC().Format("15:04:05"))
		f.until, f.theirs = until, true
		return f
	case code >= 500:
		f := failed("nothing to do: it is asked again after a while", "%s failed (%d)", o.name, code)
		f.theirs = true
		if r.Header.Get("Retry-After") != "" {
			f.until = o.waitUntil(r.Header)
		}
		return f
	}
	return failed("check the URL, and that no proxy answers instead", "%s answered %d, which was not expected", o.name, code)
}

func withKey(hint, format string, args ...any) *failure {
	f := failed(hint, format, args...)
	f.key = true
	return f
}

// waitUntil reads Retry-After (RFC 9110 section 10.2.3), seconds or a date; else firstRest.
func (o origin) waitUntil(h http.Header) time.Time {
	now := o.now()
	until := now.Add(firstRest)
	if seconds, err := strconv.ParseInt(h.Get("Retry-After"), 10, 32); err == nil {
		until = now.Add(time.Duration(seconds) * time.Second)
	} else if at, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		until = at
	}
	if until.After(now.Add(maxWait)) {
		return now.Add(maxWait)
	}
	if least := now.Add(time.Second); until.Before(least) {
		return least // a clock that differs must not make a hot loop
	}
	return now.Add(until.Sub(now)) // by our own monotonic clock: the other may be set meanwhile
}
