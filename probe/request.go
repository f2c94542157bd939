package probe

import (
	"bytes"
	"cmp"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"driftprobe/internal/inventory"
)

// wanted are a request's expectations, compiled, and the request itself.
type wanted struct {
	request *http.Request
	body    *regexp.Regexp
	headers map[string]*regexp.Regexp
	json    map[string]*regexp.Regexp
	final   *regexp.Regexp
	// identity is for the header of that name.
	identity *regexp.Regexp
}

// maxPattern bounds an expression before it is compiled. RE2 needs time linear
// in the text for a given expression, so its length bounds the whole.
const maxPattern = 4096

// compile prepares what will be sent and looked for, before anything is dialled.
// A stranger's request is never built, a wildcard's has no expectations.
func compile(r Request) (wanted, error) {
	if r.Stranger || r.Target.Scheme == inventory.SchemeTCP {
		return wanted{}, nil
	}
	request, err := requestOf(r)
	if err != nil {
		return wanted{}, err
	}
	w := wanted{request: request}
	if r.Target.Wildcard() {
		return w, nil
	}
	expect := r.Target.Expect
	if w.body, err = pattern("expect.body_regex", expect.BodyRegex); err != nil {
		return wanted{}, err
	}
	if w.final, err = pattern("expect.final_url", expect.FinalURL); err != nil {
		return wanted{}, err
	}
	if expect.Identity.Header != "" {
		// The empty expression is in every value.
		if w.identity, err = pattern("expect.identity", cmp.Or(expect.Identity.Regex, "()")); err != nil {
			return wanted{}, err
		}
	}
	if w.headers, err = patterns("expect.headers", expect.Headers); err != nil {
		return wanted{}, err
	}
	if w.json, err = patterns("expect.json", expect.JSON); err != nil {
		return wanted{}, err
	}
	return w, nil
}

func requestOf(r Request) (*http.Request, error) {
	target, err := url.ParseRequestURI(r.Target.Path)
	if err != nil || !strings.HasPrefix(r.Target.Path, "/") {
		return nil, known{Self, "the target's path cannot be sent"}
	}
	request := &http.Request{
		Method: cmp.Or(r.Target.Method, http.MethodGet), URL: target,
		Host:  hostHeader(r.Target.ProbeName(), r.Target.Port, inventory.DefaultPort(r.Target.Scheme)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: true, Header: r.Headers.Clone(),
	}
	if r.Body != nil {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(r.Body)), int64(len(r.Body))
	}
	return request, nil
}

// complete adds the headers that every request has, unless they were chosen.
func (w wanted) complete(userAgent string) {
	if w.request.Header == nil {
		w.request.Header = http.Header{}
	}
	h := w.request.Header
	h.Del("Connection") // Close says it
	for name, value := range map[string]string{
		"User-Agent": userAgent,
		"Accept":     "*/*",
		// Asked for plainly: what is searched is what was sent.
		"Accept-Encoding": "identity",
	} {
		if h.Get(name) == "" {
			h.Set(name, value)
		}
	}
}

func patterns(key string, texts map[string]string) (map[string]*regexp.Regexp, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	compiled := make(map[string]*regexp.Regexp, len(texts))
	for name, text := range texts {
		re, err := pattern(key, text)
		if err != nil {
			return nil, err
		}
		compiled[name] = re
	}
	return compiled, nil
}

func pattern(key, text string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, nil
	}
	re, err := regexp.Compile(text[:min(len(text), maxPattern)])
	if err != nil || len(text) > maxPattern {
		return nil, known{Self, key + " is not a usable RE2 expression"}
	}
	return re, nil
}

// hostHeader leaves out the port that the scheme has by itself.
func hostHeader(name string, port, usual uint16) string {
	if port != usual && port != 0 {
		return net.JoinHostPort(name, strconv.Itoa(int(port)))
	}
	if strings.Contains(name, ":") { // an IPv6 literal as the host
		return "[" + name + "]"
	}
	return name
}

// urlOf is the URL that a target's request is for.
func urlOf(t inventory.Target) string {
	scheme := cmp.Or(t.Scheme, "https")
	return scheme + "://" + hostHeader(t.ProbeName(), t.Port, inventory.DefaultPort(t.Scheme)) + t.Path
}
