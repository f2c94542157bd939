package probe

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wanted are a request's expectations, compiled, and the request itself.
type wanted struct {
	request *http.Request
	body    *regexp.Regexp
	headers map[string]*regexp.Regexp
}

// maxPattern bounds an expression before it is compiled. RE2 needs time linear
// in the text for a given expression, so its length bounds the whole.
const maxPattern = 4096

// compile prepares what will be sent and looked for, before anything is dialled.
// A stranger's request is never built, a wildcard's has no expectations.
func compile(r Request) (wanted, error) {
	if r.Stranger {
		return wanted{}, nil
	}
	var w wanted
	target, err := url.ParseRequestURI(r.Target.Path)
	if err != nil || !strings.HasPrefix(r.Target.Path, "/") {
		return wanted{}, known{Self, "the target's path cannot be sent"}
	}
	w.request = &http.Request{
		Method: http.MethodGet, URL: target, Host: hostHeader(r.Target.ProbeName(), r.Target.Port),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: true, Header: r.Headers.Clone(),
	}
	if r.Target.Wildcard() {
		return w, nil
	}
	if w.body, err = pattern("expect.body_regex", r.Target.Expect.BodyRegex); err != nil {
		return wanted{}, err
	}
	w.headers = make(map[string]*regexp.Regexp, len(r.Target.Expect.Headers))
	for name, text := range r.Target.Expect.Headers {
		if w.headers[name], err = pattern("expect.headers", text); err != nil {
			return wanted{}, err
		}
	}
	return w, nil
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

func hostHeader(name string, port uint16) string {
	if port != 443 && port != 0 {
		return net.JoinHostPort(name, strconv.Itoa(int(port)))
	}
	if strings.Contains(name, ":") { // an IPv6 literal as the host
		return "[" + name + "]"
	}
	return name
}

// budget counts what a peer may still send.
type budget struct {
	io.LimitedReader
}

func (b *budget) spent() bool { return b.N <= 0 }

// exchange sends the request and reads the response. It is written on top of
// http.ReadResponse and not http.Transport, so that nothing can follow a
// redirect, ask the environment for a proxy, dial again or outlive the call.
func (l *look) exchange(session *tls.Conn) error {
	in := &budget{io.LimitedReader{R: session, N: maxHeader}}
	reader := bufio.NewReader(in)
	began := time.Now()
	if err := l.send(session); err != nil {
		// A server that refuses us after the handshake (TLS 1.3 and client
		// certificates) says so in an alert, which may lie unread behind the reset.
		if _, second := reader.Peek(1); second != nil {
			if _, ok := remoteAlert(second); ok {
				return second
			}
		}
		return err
	}
	l.doing = "waiting for the response"
	if _, err := reader.Peek(1); err != nil {
		return err
	}
	l.seen.Took.FirstByte = time.Since(began)
	began = time.Now()

	l.doing = "reading the response's header"
	// The body is not closed: that would read the rest of it, however long. The
	// connection is closed instead.
	response, err := readHeader(reader, in, l.want.request) //nolint:bodyclose // see above
	if err != nil {
		return err
	}
	l.seen.HTTP = &HTTP{
		Status:         response.StatusCode,
		Location:       clip(response.Header.Get("Location")),
		Server:         clip(response.Header.Get("Server")),
		HeadersMissing: missing(l.want.headers, response.Header),
	}
	l.doing = "reading the response's body"
	in.N = 2*l.settings.MaxBody + maxHeader // the framing of chunks comes on top
	if err := l.readBody(response, in); err != nil {
		return err
	}
	l.seen.Took.Transfer = time.Since(began)
	l.seen.Reached = PhaseHTTP
	return nil
}

func (l *look) send(session *tls.Conn) error {
	l.doing = "sending the request"
	h := l.want.request.Header
	if h == nil {
		h = http.Header{}
	}
	h.Del("Connection") // Close says it
	for name, value := range map[string]string{
		"User-Agent": l.settings.UserAgent,
		"Accept":     "*/*",
		// Asked for plainly: what is searched is what was sent.
		"Accept-Encoding": "identity",
	} {
		if h.Get(name) == "" {
			h.Set(name, value)
		}
	}
	l.want.request.Header = h
	err := l.want.request.Write(session)
	if err != nil && !networkError(err) {
		return known{Self, "the request could not be written"}
	}
	return err
}

func networkError(err error) bool {
	var n net.Error
	return errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe)
}

// readHeader skips interim responses (RFC 9110 section 15.2). They and the final
// header share one budget, so that neither can go on for ever.
func readHeader(reader *bufio.Reader, in *budget, request *http.Request) (*http.Response, error) {
	for {
		response, err := http.ReadResponse(reader, request)
		switch {
		case err != nil && in.spent():
			return nil, known{Malformed, fmt.Sprintf("the response's header is longer than %d KiB", maxHeader>>10)}
		case err != nil:
			return nil, err
		case response.StatusCode == http.StatusSwitchingProtocols, response.StatusCode < 100:
			return nil, known{Malformed, fmt.Sprintf("the response has the status %d, which makes no sense here", response.StatusCode)}
		case response.StatusCode >= 200:
			return response, nil
		}
	}
}

// readBody reads at most MaxBody bytes and looks for the expression in them.
func (l *look) readBody(response *http.Response, in *budget) error {
	raw := &io.LimitedReader{R: response.Body, N: l.settings.MaxBody}
	var body io.Reader = raw
	if strings.EqualFold(response.Header.Get("Content-Encoding"), "gzip") {
		inflated, err := gzip.NewReader(raw)
		if err != nil {
			return bodyFault(err, in)
		}
		body = io.LimitReader(inflated, l.settings.MaxBody)
	}
	var text []byte
	var err error
	if l.want.body != nil {
		text, err = io.ReadAll(body)
		l.seen.HTTP.BodyBytes = int64(len(text))
	} else {
		l.seen.HTTP.BodyBytes, err = io.Copy(io.Discard, body)
	}
	if err != nil && raw.N > 0 { // else it is only our limit that cut a gzip stream
		return bodyFault(err, in)
	}
	if l.want.body != nil {
		matched := l.want.body.Match(text)
		l.seen.HTTP.BodyMatched = &matched
	}
	return nil
}

func bodyFault(err error, in *budget) error {
	if networkError(err) || errors.Is(err, io.ErrUnexpectedEOF) && !in.spent() {
		return err
	}
	return known{Malformed, "the response's body breaks its own encoding"}
}

// missing lists the expected headers that no value in the response matches.
func missing(want map[string]*regexp.Regexp, got http.Header) []string {
	var names []string
	for name, re := range want {
		values := got.Values(name)
		ok := len(values) > 0
		if re != nil {
			ok = slices.ContainsFunc(values, re.MatchString)
		}
		if !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
